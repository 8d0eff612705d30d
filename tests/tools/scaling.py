"""What an input costs as it grows: each family at n, 2n and 4n, through every command that takes it.

python -m tests.tools.scaling [--family WORD] [--command WORD] [--sample] [--verbose]

The command is called in a process that is forked for it: its start-up is not measured, its CPU time and its largest
memory are, by the kernel. A family holds where a doubling takes at most DOUBLING times the time and the memory, and where
nothing takes more than SECONDS. What takes less than NOISE in time or MIB in memory is too little to be told apart.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.tools.families import Case, Family

DOUBLING = 2.3
SECONDS = 2.0
OF_FORMATS = 8.0  # seconds that a report in all formats may take together
NOISE = 0.08  # seconds
MIB = 16.0
PATIENCE = 10  # seconds of CPU time after which a command is ended
BYTES = 2 << 30  # of memory that it may take at most
TRIES = 3  # of a measurement that does not hold: this machine may be busy
FORMATS = ("text", "json", "sarif", "junit", "html", "concise", "github", "gitlab")


# What was worse than linear once.
SAMPLE = (
    "suppressions, in a block",
    "one suppression of no rules",
    "unknown keys of fp8_config, near",
    "keys of fp8_config, in two spellings",
    "switches of python",
    "training files",
    "variables of a script, and Accelerators",
)


class Cost(NamedTuple):
    """What one call of the command took, beyond the same process without it."""

    code: int
    seconds: float
    mib: float


def commands(case: Case) -> dict[str, list[str]]:
    """The commands that take these files, by what they are called here."""
    from tests.tools.families import UNSEEN

    words = [*case.files_given, *case.options]
    if case.only:
        return {case.only: [*case.only.split(), *words]} if case.only != "check" else {"check": words}
    known = {"check": words, "formats": [*(f"--format={name}=/dev/null" for name in FORMATS), *words]}
    if not case.checks_only:
        known["fix"] = ["fix", "--diff", *words]
        known["fix --unsafe"] = ["fix", "--diff", "--unsafe", *words]
        if [*case.options] == [*UNSEEN]:  # the hook takes no other options
            known["hook"] = ["--hook", *case.files_given]
        known["outcome"] = ["outcome", *words]
        first, *rest = case.files_given
        known["explain"] = ["explain", f"{first}:{case.line}", *rest, *case.options]
    return known


def measured(call: Callable[[], int]) -> Cost:
    """What a call costs in a forked process; its output goes nowhere."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            code = call()
        finally:
            os._exit(code)
    _, status, used = os.wait4(child, 0)
    return Cost(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


class Bench:
    """Measures commands in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        from fp8check.cli.main import main

        self._main = main
        self._folder = folder

    def cost(self, case: Case, words: Sequence[str]) -> Cost:
        """What the command takes for the files of a case."""
        for name, data in case.files.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return measured(lambda: self._run(words))

    def _run(self, words: Sequence[str]) -> int:
        os.chdir(self._folder)
        return self._main(list(words))


class Row(NamedTuple):
    """A family with one command."""

    family: str
    command: str
    costs: tuple[Cost, ...]

    @property
    def time_ratio(self) -> float:
        """The worse of the two doublings; 0 where all of it is noise."""
        return _ratio([one.seconds for one in self.costs], NOISE)

    @property
    def memory_ratio(self) -> float:
        """As `time_ratio`."""
        return _ratio([one.mib for one in self.costs], MIB)

    @property
    def faults(self) -> list[str]:
        """What does not hold."""
        found = []
        if self.time_ratio > DOUBLING:
            found.append(f"time x{self.time_ratio:.2f} a doubling")
        if self.memory_ratio > DOUBLING:
            found.append(f"memory x{self.memory_ratio:.2f} a doubling")
        slowest = max(one.seconds for one in self.costs)
        if slowest > (OF_FORMATS if self.command == "formats" else SECONDS):
            found.append(f"{slowest:.1f} s")
        codes = {one.code for one in self.costs} - {0, 1, 2, 3}
        if codes:
            found.append(f"exit code {sorted(codes)}")
        return found

    def __str__(self) -> str:
        times = " ".join(f"{one.seconds:6.2f}" for one in self.costs)
        memory = " ".join(f"{one.mib:6.1f}" for one in self.costs)
        codes = "".join(str(one.code) for one in self.costs)
        ratios = f"x{self.time_ratio:4.2f} x{self.memory_ratio:4.2f}"
        return f"{self.family:34} {self.command:12} {times} s {memory} MiB {ratios} {codes} {', '.join(self.faults)}"


def _ratio(values: Sequence[float], noise: float) -> float:
    return max((after / max(before, noise) for before, after in pairwise(values) if after > noise), default=0.0)


def rows(families: Iterable[Family], bench: Bench, only: str = "") -> Iterable[Row]:
    """Measure the families with each command; what does not hold is measured again, and the least counts."""
    for family in families:
        smallest = family.make(1)
        cases = [family.make(family.size * factor) for factor in (1, 2, 4)]
        for name in commands(cases[0]):
            if only and only not in name:
                continue
            nothing = bench.cost(smallest, commands(smallest)[name])
            best: list[Cost] = []
            for _ in range(TRIES):
                now = [_beyond(bench.cost(case, commands(case)[name]), nothing) for case in cases]
                best = now if not best else [_least(*pair) for pair in zip(best, now, strict=True)]
                row = Row(family.name, name, tuple(best))
                if not row.faults:
                    break
            yield row


def _beyond(one: Cost, nothing: Cost) -> Cost:
    return Cost(one.code, max(0.0, one.seconds - nothing.seconds), max(0.0, one.mib - nothing.mib))


def _least(one: Cost, other: Cost) -> Cost:
    return Cost(max(one.code, other.code), min(one.seconds, other.seconds), min(one.mib, other.mib))


def main() -> int:
    """Print a line a family and command; 1 where one does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--family", default="", help="only families with this in their name")
    options.add_argument("--command", default="", help="only commands with this in their name")
    options.add_argument("--sample", action="store_true", help="the few families and commands that CI measures")
    options.add_argument("--verbose", action="store_true", help="every command of a family, not the worst one alone")
    given = options.parse_args()
    from tests.tools.families import FAMILIES

    chosen = [one for one in FAMILIES if given.family in one.name and (not given.sample or one.name in SAMPLE)]
    worst: dict[str, Row] = {}
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(chosen, Bench(Path(folder)), given.command or ("check" if given.sample else "")):
            bad += bool(row.faults)
            if given.verbose or row.faults:
                print(row, flush=True)
            before = worst.get(row.family)
            if before is None or row.time_ratio > before.time_ratio:
                worst[row.family] = row
    if not given.verbose:
        for row in worst.values():
            print(row)
    print(f"{len(worst)} families: {bad} measurements do not hold" if bad else f"{len(worst)} families: all hold")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
