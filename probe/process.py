"""The child process: listened to, and limited, whatever it does; rules/child/ starts and ends it.

It tells one JSON object a line (child/channel.py): {"stage": NAME} as a stage begins, {"saw": {...}} with parts of
seen/data.py, {"left_out": NAME} of a stage for which the time would not suffice, {"error": {...}} and {"done": true}.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fp8check.rules.child import python as child
from fp8check.rules.child.run import Running
from fp8check.rules.child.supervised import NotStarted
from fp8check.rules.record import Record
from fp8check.rules.seen.data import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fp8check.probe.spec import Spec
    from fp8check.rules.seen.data import ProbeStage

CHILD = str(Path(__file__).parent / "child")
LIMIT_S = 60.0  # from the start of the process
AFTER_IMPORTS_S = 35.0  # the first use of kernels on a cold machine takes some ten of them (tests/probe/test_budget.py)
COMPILED_S = 60.0  # torch.compile alone takes half a minute: a compiled run gets this much more, both times
TOGETHER_S = 25.0  # to meet the other GPUs of the node, and for the exchange with them
EMULATED_S = 45.0  # on a few CPU cores
LARGEST_ANSWER = 4 * 2**20
KEPT_OUTPUT = 8 * 2**10
_TOO_MUCH = f"it told more than {LARGEST_ANSWER} bytes"

# Loads the folder as a package of its own: nothing is put on sys.path.
BOOT = """
import importlib.util, os
spec = importlib.util.spec_from_file_location(
    "fp8check_probe", os.path.join(sys.argv[1], "__init__.py"), submodule_search_locations=[sys.argv[1]])
package = importlib.util.module_from_spec(spec)
sys.modules["fp8check_probe"] = package
spec.loader.exec_module(package)
from fp8check_probe.main import main
main(int(sys.argv[2]))
"""


class Limits(Record):
    """Seconds that the child gets: from its start, from the end of its imports, and besides for others beside it."""

    total: float = LIMIT_S
    after_imports: float = AFTER_IMPORTS_S
    together: float = 0.0


class Ended(Record):
    """How the child ended, and what it told until then.

    Attributes:
        how: by itself, by a signal, at a limit; "start" where it could not be started.
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
        try:
            words = child.training(python, BOOT, CHILD, str(writing))
            program = Running(words, environ, keep=[writing], one_output=True, reads=True)
        finally:
            os.close(writing)
        return _Listener(program, reading, began, limits, tell).listen(
            json.dumps({**spec, "budget": limits.as_dict()}).encode()
        )
    except NotStarted as error:
        return Ended("start", 0, (), False, "", 0.0, None, {}, f"{python} cannot be started: {error}")
    finally:
        os.close(reading)


class _Listener:
    """Hears one child until it ends."""

    def __init__(
        self,
        program: Running,
        reading: int,
        began: float,
        limits: Limits,
        tell: Callable[[ProbeStage], None],
    ) -> None:
        self.program = program
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
        takers = {self.reading: self._hear, self.program.output: self._print}
        with self.program:
            why = self.program.listen(takers, self._time_left, spec)
        how, code = self.program.ended()
        output = self._output[-KEPT_OUTPUT:].decode("utf-8", "replace")
        ending: Literal["exit", "signal", "limit"] = "limit" if why else "exit" if how == "exit" else "signal"
        if why == _TOO_MUCH:
            ending, code = "exit", 0
        elif how == "lost" and not why:
            code = signal.SIGKILL  # so it ends when its supervisor is killed
        seconds = time.monotonic() - self.began
        return Ended(ending, code, tuple(self.events), self.broken, output, seconds, self.imported, self.stages, why)

    def _time_left(self) -> tuple[float, str]:
        now = time.monotonic() - self.began
        more = self.limits.together if "collective" in self.stages else 0.0
        total, after_imports = self.limits.total + more, self.limits.after_imports + more
        left = total - now
        why = f"it did not end within {total:g} s"
        if self.imported is not None and self.imported + after_imports - now < left:
            left = self.imported + after_imports - now
            why = f"it did not end within {after_imports:g} s after its imports"
        return left, why

    def _print(self, data: bytes) -> str:
        self._output = (self._output + data)[-KEPT_OUTPUT:]
        return ""  # an installation may print as much as it likes in its time: only the end is kept

    def _hear(self, data: bytes) -> str:
        self._told += len(data)
        if self._told > LARGEST_ANSWER:
            self.broken = True
            return _TOO_MUCH
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._understand(line)
        return ""

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
