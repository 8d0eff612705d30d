"""The child process: started, listened to, limited, and ended as a group, whatever it does.

It tells one JSON object a line (child/channel.py): {"stage": NAME} as a stage begins, {"saw": {...}} with parts of
seen/data.py, {"left_out": NAME} of a stage for which the time would not suffice, {"error": {...}} and {"done": true}.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fp8check.rules.record import Record
from fp8check.rules.seen.data import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fp8check.probe.spec import Spec
    from fp8check.rules.seen.data import ProbeStage

CHILD = str(Path(__file__).parent / "child")
LIMIT_S = 60.0  # from the start of the process
AFTER_IMPORTS_S = 15.0
COMPILED_S = 60.0  # torch.compile alone takes half a minute: a compiled run gets this much more, both times
EMULATED_S = 45.0  # on a few CPU cores
LARGEST_ANSWER = 4 * 2**20
KEPT_OUTPUT = 8 * 2**10
LAST_WORDS_S = 5.0  # a killed process that still does not end sits in the driver

# Loads the folder as a package of its own: nothing is put on sys.path, and the current folder is taken off it, so that
# a file called torch.py there is not what gets imported. The child ends with its parent, and leaves no core file.
BOOT = """
import sys
sys.path[:] = [p for p in sys.path if p]
import ctypes, importlib.util, os, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != int(sys.argv[3]):
        sys.exit(0)
spec = importlib.util.spec_from_file_location(
    "fp8check_probe", os.path.join(sys.argv[1], "__init__.py"), submodule_search_locations=[sys.argv[1]])
package = importlib.util.module_from_spec(spec)
sys.modules["fp8check_probe"] = package
spec.loader.exec_module(package)
from fp8check_probe.main import main
main(int(sys.argv[2]))
"""


class Limits(Record):
    """Seconds that the child gets: from its start, and from the end of its imports."""

    total: float = LIMIT_S
    after_imports: float = AFTER_IMPORTS_S


class Ended(Record):
    """How the child ended, and what it told until then.

    Attributes:
        how: by itself, by a signal, at a limit of time; "start" where it could not be started.
        code: exit code or number of the signal.
        events: what it told, in order.
        broken: whether a line was no event, or too much was told.
        output: the end of what it printed.
        seconds: from its start to its end; `imported` to the end of the imports, None where they did not end;
            `stages` to the begin of each stage.
        why: the reason of "start" and "limit", in words.
    """

    how: Literal["exit", "signal", "limit", "start"]
    code: int
    events: tuple[Mapping[str, object], ...]
    broken: bool
    output: str
    seconds: float
    imported: float | None
    stages: Mapping[ProbeStage, float]
    why: str = ""


def run(
    python: str,
    spec: Spec,
    environ: Mapping[str, str],
    limits: Limits,
    tell: Callable[[ProbeStage], None] = lambda _stage: None,
) -> Ended:
    """Run the child with this interpreter and environment until it ends, or its time does.

    Args:
        python: the training environment's interpreter.
        spec: what the child reads, with its limits as `budget`.
        environ: its whole environment.
        limits: when its process group is killed.
        tell: called with each stage as it begins.
    """
    began = time.monotonic()
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603  running the interpreter that the user names is the task
            [python, "-c", BOOT, CHILD, str(writing), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            pass_fds=(writing,),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        os.close(reading)
        return Ended("start", 0, (), False, "", 0.0, None, {}, f"{python} cannot be started: {error}")
    finally:
        os.close(writing)
    return _Listener(process, reading, began, limits, tell).listen(
        json.dumps({**spec, "budget": limits.as_dict()}).encode()
    )


class _Listener:
    """Hears one child until it ends."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reading: int,
        began: float,
        limits: Limits,
        tell: Callable[[ProbeStage], None],
    ) -> None:
        self.process = process
        self.reading = reading
        self.began = began
        self.limits = limits
        self.tell = tell
        self.imported: float | None = None
        self.events: list[Mapping[str, object]] = []
        self.stages: dict[ProbeStage, float] = {}
        self.broken = False
        self._told = 0
        self._line = b""
        self._output = b""

    def listen(self, spec: bytes) -> Ended:
        """Everything from handing over the specification to the last byte."""
        why = ""
        try:
            self._hand_over(spec)
            why = self._until_silent()
        finally:
            # The group, not the process: data loaders and compilers that it started go with it.
            self._kill()
            os.close(self.reading)
        code = self._wait()
        output = self._output[-KEPT_OUTPUT:].decode("utf-8", "replace")
        how: Literal["exit", "signal", "limit"] = "limit" if why else "signal" if code < 0 else "exit"
        seconds = time.monotonic() - self.began
        return Ended(how, abs(code), tuple(self.events), self.broken, output, seconds, self.imported, self.stages, why)

    def _hand_over(self, spec: bytes) -> None:
        pipe = self.process.stdin
        if pipe is None:
            return
        try:
            pipe.write(spec)
            pipe.close()
        except BrokenPipeError:
            return  # it has ended already; how, its exit code says

    def _until_silent(self) -> str:
        """Read until both pipes are closed or the time is up; the reason of the latter."""
        printed = self.process.stdout
        if printed is None:
            return ""
        with selectors.DefaultSelector() as selector:
            for descriptor, take in ((self.reading, self._hear), (printed.fileno(), self._print)):
                os.set_blocking(descriptor, False)
                selector.register(descriptor, selectors.EVENT_READ, take)
            while selector.get_map():
                left, why = self._time_left()
                if left <= 0:
                    return why
                for key, _ in selector.select(min(left, 0.5)):
                    data = os.read(key.fd, 2**16)
                    if data:
                        key.data(data)
                    else:
                        selector.unregister(key.fd)
                if self.process.poll() is not None and self._has_ended(selector):
                    return ""  # a grandchild may hold the pipes open for ever
        return ""

    def _has_ended(self, selector: selectors.BaseSelector) -> bool:
        """Whether nothing more is there to read of a process that has ended."""
        return not selector.select(0)

    def _time_left(self) -> tuple[float, str]:
        now = time.monotonic() - self.began
        left = self.limits.total - now
        why = f"it did not end within {self.limits.total:g} s"
        if self.imported is not None and self.imported + self.limits.after_imports - now < left:
            left = self.imported + self.limits.after_imports - now
            why = f"it did not end within {self.limits.after_imports:g} s after its imports"
        return left, why

    def _print(self, data: bytes) -> None:
        self._output = (self._output + data)[-KEPT_OUTPUT:]

    def _hear(self, data: bytes) -> None:
        self._told += len(data)
        if self._told > LARGEST_ANSWER:
            self.broken = True
            return
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._understand(line)

    def _understand(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.broken = True
            return
        self.events.append(event)
        if "stage" in event:
            self._begin(event["stage"])

    def _begin(self, told: object) -> None:
        """A stage begins."""
        stage = next((one for one in STAGES if one == told), None)
        if stage is None:
            self.broken = True
            return
        self.stages[stage] = round(time.monotonic() - self.began, 1)
        if stage == "device" and self.imported is None:
            self.imported = time.monotonic() - self.began
        self.tell(stage)

    def _kill(self) -> None:
        """Kill the group; that of a process that has ended may be gone, or hold what it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _wait(self) -> int:
        if self.process.stdout is not None:
            self.process.stdout.close()
        try:
            return self.process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            return -int(signal.SIGKILL)
