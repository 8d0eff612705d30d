"""Runs side by side on GPUs, of which each trains alone: what takes long, imports and compiling, is done beside others.

A run waits as its second step begins (tests/run/recorder: TURN) until its GPUs are free, and has them until it says that
it is over, or ends. Those that wait have their memory already. Whoever became ready first goes first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

GRACE = 60.0  # seconds that what runs has when no more begins
FIRST = -15  # the niceness of whoever trains
CONTEXT = 1.5  # GiB of a process beside its tensors


class Job(NamedTuple):
    """A run.

    Attributes:
        group: those of one group run on the same GPUs, for their times are compared.
        gpus: on how many.
        gib: of each of them, as far as it is known before.
        begin: starts it: on these GPUs, with a port of its own, with this folder for its turn.
        end: takes its exit code, and how many seconds it ran.
        after: a file that has to be there before: what makes it runs meanwhile.
    """

    name: str
    group: str
    gpus: int
    gib: float
    begin: Callable[[list[int], int, Path], subprocess.Popen[bytes]]
    end: Callable[[int | None, float], None]
    after: Path = Path("/")


class _Running:
    def __init__(self, job: Job, gpus: list[int], process: subprocess.Popen[bytes], turn: Path) -> None:
        self.job, self.gpus, self.process, self.turn = job, gpus, process, turn
        self.began = time.monotonic()
        self.ready = self.granted = 0.0
        self.over = False

    def look(self) -> None:
        """What its ranks say."""
        if not self.ready and len(list(self.turn.glob("ready.*"))) == self.job.gpus:
            self.ready = time.monotonic()
        self.over = self.over or len(list(self.turn.glob("over.*"))) == self.job.gpus


class Turns:
    """Runs jobs on so many GPUs of that size (GiB), so many beside each other on each."""

    def __init__(self, home: Path, gpus: int, size: float, beside: int) -> None:
        self._home, self._number = home, gpus
        self._left, self._beside = [size] * gpus, [beside] * gpus
        self._of_group: dict[str, list[int]] = {}
        self._running: list[_Running] = []
        self._port = 29700
        self._count = 0

    def run(self, jobs: Sequence[Job], until: float, limit: float) -> list[str]:
        """All that begin before `until` (time.monotonic), each for `limit` seconds at most; the names of the others."""
        waiting = list(jobs)
        while (waiting and time.monotonic() < until) or self._running:
            for job in list(waiting) if time.monotonic() < until else ():
                gpus = self._place(job)
                if gpus is not None:
                    waiting.remove(job)
                    self._begin(job, gpus)
            time.sleep(0.05)
            for one in self._running:
                one.look()
            self._grant()
            for one in list(self._running):
                late = time.monotonic() - one.began > limit or time.monotonic() > until + GRACE
                if one.process.poll() is not None or late:
                    self._end(one)
        return [job.name for job in waiting]

    def _place(self, job: Job) -> list[int] | None:
        if not job.after.exists():
            return None
        sets = [list(range(first, first + job.gpus)) for first in range(0, self._number - job.gpus + 1, job.gpus)]
        known = self._of_group.get(job.group)
        fit = [
            gpus
            for gpus in (sets if known is None else [known])
            if all(self._left[gpu] >= job.gib + CONTEXT and self._beside[gpu] for gpu in gpus)
        ]
        return max(fit, key=lambda gpus: min((self._beside[gpu], self._left[gpu]) for gpu in gpus), default=None)

    def _begin(self, job: Job, gpus: list[int]) -> None:
        self._of_group[job.group] = gpus
        self._change(job, gpus, -1)
        self._port += 3
        self._count += 1
        turn = self._home / f"turn{self._count}"
        turn.mkdir(parents=True)
        self._running.append(_Running(job, gpus, job.begin(gpus, self._port, turn), turn))

    def _change(self, job: Job, gpus: list[int], by: int) -> None:
        for gpu in gpus:
            self._left[gpu] += by * (job.gib + CONTEXT)
            self._beside[gpu] += by

    def _grant(self) -> None:
        taken = {gpu for one in self._running if one.granted and not one.over for gpu in one.gpus}
        for one in sorted(self._running, key=lambda one: one.ready):
            if one.ready and not one.granted:
                if not taken & set(one.gpus):
                    one.granted = time.monotonic()
                    _first(one.process.pid)
                    (one.turn / "go").touch()
                taken |= set(one.gpus)  # or those that came first would never get two

    def _end(self, one: _Running) -> None:
        stop(one.process)
        self._running.remove(one)
        self._change(one.job, one.gpus, 1)
        one.job.end(one.process.returncode, round(time.monotonic() - one.began, 1))


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a run with all that it started, whatever session that has."""
    if process.poll() is not None:
        return
    for pid in [process.pid, *_below(process.pid)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()


def _first(pid: int) -> None:
    """Whoever trains goes before those that only import and compile, where that is allowed."""
    for one in [pid, *_below(pid)]:
        for task in Path(f"/proc/{one}/task").glob("*"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, int(task.name), FIRST)


def _below(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(words[1]), []).append(int(stat.parent.name))
    found, open_ = [], [pid]
    while open_:
        children = parents.get(open_.pop(), [])
        found += children
        open_ += children
    return found
