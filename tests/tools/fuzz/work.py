"""One target in one worker: a process of its own that goes on until its time is over, and tells what it found."""

from __future__ import annotations

import contextlib
import functools
import marshal
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import fp8check.rules
from tests.tools.fuzz.cases import Case
from tests.tools.fuzz.invariants import Broken, Guard, in_time, place_in
from tests.tools.fuzz.mutation import Mutator

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator

    from tests.tools.fuzz.targets import Target

HUNG_S = 60.0  # when whoever watches ends the process
MEMORY = 6 << 30
SHRINKING_S = 4.0  # for the smallest reproduction of one finding
MOST_KEPT = 4_000  # cases that reached something new
_AS_THEY_ARE = 0.1  # of the cases; until all were tried
_ROOM = 1 << 20
_HEAD = struct.Struct("<QI")


class Job(NamedTuple):
    """A target in a worker: what its inputs depend on."""

    target: Target
    worker: int
    workers: int
    seed: str
    seconds: float


class Finding(NamedTuple):
    """Something that is not as it must be.

    Attributes:
        key: what tells it from others: the invariant, or the error with its place.
        text: the message or the traceback.
        case: the smallest case that was seen to do it.
    """

    target: str
    key: str
    text: str
    case: Case

    @property
    def size(self) -> int:
        """Characters of the case."""
        return sum(map(len, self.case.values()))


class Result(NamedTuple):
    """What a job came to."""

    executions: int
    labels: Counter[str]
    findings: dict[str, Finding]
    kept: int
    slowest: float


class Board:
    """What an execution is about to do, where it can be read when the process is gone."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _ROOM)

    def write(self, number: int, case: Case) -> None:
        """The number of the execution, and its case."""
        data = marshal.dumps(case)[: _ROOM - _HEAD.size]
        self._memory[: _HEAD.size + len(data)] = _HEAD.pack(number, len(data)) + data

    def read(self) -> tuple[int, Case]:
        """The last that was written."""
        number, length = _HEAD.unpack(self._memory[: _HEAD.size])
        try:
            return number, marshal.loads(self._memory[_HEAD.size : _HEAD.size + length])  # noqa: S302  our own
        except (EOFError, ValueError, TypeError):
            return number, {}


class Lines:
    """Whether an execution reached a line of fp8check that none reached before; never, where that is not cheap."""

    def __init__(self) -> None:
        self._new = 0
        if sys.version_info < (3, 12):
            return
        folders = tuple(str(Path(one).resolve().parent) for one in fp8check.rules.__path__)
        tool, monitoring = 3, sys.monitoring

        ours = functools.cache(lambda name: os.path.realpath(name).startswith(folders))

        def line(code: types.CodeType, _number: int) -> object:
            self._new += ours(code.co_filename)
            return monitoring.DISABLE

        monitoring.use_tool_id(tool, "fp8check fuzz")
        monitoring.register_callback(tool, monitoring.events.LINE, line)
        monitoring.set_events(tool, monitoring.events.LINE)

    def grew(self) -> bool:
        """Whether there were new lines since it was asked last."""
        new, self._new = self._new, 0
        return new > 0


class Execution:
    """Does one case at a time, guarded, and tells what went wrong."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._guard = Guard(str(folder), here=target.here)
        self.cpu_s = 0.0

    def __call__(self, case: Case) -> tuple[Finding | None, tuple[str, ...]]:
        """What went wrong, and the labels of what was reached."""
        began = time.process_time()
        labels: tuple[str, ...] = ()
        try:
            with self._guard:
                labels = tuple(self._target.run(case, self._folder))
            if not self._target.writes:
                self._guard.check()
            self.cpu_s = time.process_time() - began
            in_time(self.cpu_s)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  whatever it is, it is a finding
            return Finding(self._target.name, _key(error), _shown(error), case), labels
        return None, labels


def _key(error: BaseException) -> str:
    if isinstance(error, Broken):
        return error.what
    return place_in(_shown(error))


def _shown(error: BaseException) -> str:
    lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-12)
    return "".join(lines)[-6000:]


def run(job: Job, board: Board, tell: Callable[[Finding], None]) -> Result:
    """Execute cases until the time is over.

    Args:
        tell: gets each finding as soon as it is there: what comes next may end the process.
    """
    # What an interpreter that a test starts would look at is not there.
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    with scratch() as folder:
        execute = Execution(job.target, folder)
        chance = random.Random(f"{job.seed} {job.target.name} {job.worker}")  # noqa: S311
        pool = list(job.target.seeds())
        mutator = Mutator(chance, job.target.parts, pool)
        first = iter(pool[job.worker :: job.workers])
        labels: Counter[str] = Counter()
        findings: dict[str, Finding] = {}
        kept, number, slowest = 0, 0, 0.0
        lines = Lines()
        end = time.monotonic() + job.seconds
        while time.monotonic() < end:
            case = (next(first, None) if chance.random() < _AS_THEY_ARE else None) or mutator.make()
            number += 1
            board.write(number, case)
            finding, reached = execute(case)
            labels.update(reached)
            slowest = max(slowest, execute.cpu_s)
            if finding is not None:
                known = findings.get(finding.key)
                if known is None:
                    tell(finding)  # as it is: making it smaller may end the process, too
                    finding = smallest(finding, execute)
                if known is None or finding.size < known.size:
                    findings[finding.key] = finding
                    tell(finding)
            elif lines.grew() and kept < MOST_KEPT:
                kept += 1
                pool.append(case)
    return Result(number, labels, findings, kept, slowest)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder to work in, and a home without anything."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    before = os.getcwd()
    folder = Path(tempfile.mkdtemp(prefix="fp8check-fuzz-", dir=place))
    empty = folder / "empty"
    empty.mkdir()
    os.environ["HOME"] = str(empty)
    os.chdir(empty)
    try:
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


def smallest(finding: Finding, execute: Execution) -> Finding:
    """A smaller case that does the same, as far as it is found in some seconds."""
    end = time.process_time() + SHRINKING_S
    best = finding
    shorter = True
    while shorter and time.process_time() < end:
        shorter = False
        for case in _smaller(best.case):
            if time.process_time() > end:
                break
            again, _ = execute(case)
            if again is not None and again.key == finding.key:
                best, shorter = again, True
                break
    return best


def _smaller(case: Case) -> Iterator[Case]:
    """Cases with less in them, the greatest steps first."""
    for name in sorted(case, key=lambda name: -len(case[name])):
        yield {other: text for other, text in case.items() if other != name}
    for name in sorted(case, key=lambda name: -len(case[name])):
        text = case[name]
        for unit in ("\n", "\x1f", " ", ""):
            parts = text.split(unit) if unit else list(text)
            if len(parts) > 600:
                continue
            length = len(parts)
            while length > 1:
                length = (length + 1) // 2
                for begin in range(0, len(parts), length):
                    yield {**case, name: unit.join(parts[:begin] + parts[begin + length :])}
                if length == 1:
                    break


def ignore_interrupts() -> None:
    """Ctrl-C is for the process that watches; it ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
