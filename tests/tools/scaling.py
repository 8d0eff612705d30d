"""What an input costs as it grows: each family at n, 2n and 4n, through every command that takes it.

python -m tests.tools.scaling [--family WORD] [--command WORD] [--sample] [--verbose] [--workers N] [--seconds N] [--part K/N]

The command is called in a process that is forked for it: its start-up is not measured, its CPU time and its largest
memory are, by the kernel. A family holds where a doubling takes at most DOUBLING times the time and the memory, and where
nothing takes more than SECONDS. What takes less than NOISE in time or MIB in memory is too little to be told apart.
At the end RUNS training files are checked against one Accelerate file, RUNS_OF_SAMPLE in the sample.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.support.repository import Repository
from tests.tools.families import QUIET, Request
from tests.tools.fuzz.service import running_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.tools.families import Case, Family
    from tests.tools.fuzz.service import Running

DOUBLING = 2.3
SECONDS = 2.0
OF_FORMATS = 8.0  # seconds that a report in all formats may take together
NOISE = 0.15  # seconds
PROCESS = 0.25  # seconds that the service may take to start a process for a large request
MIB = 16.0
MIB_OF_PROCESS = 32.0  # that the service's process hides: what it took for its start
PATIENCE = 12  # seconds of CPU time after which a command is ended
BYTES = 2 << 30  # of memory that it may take at most
FACTORS = (1, 2, 4)  # of a family's size
SAME_TIME = (4, 4, 4, 2, 1)  # calls of QUIET, of the smallest input and of each size, which take about as long together
TRIES = 9  # of a measurement that does not hold: this machine may be busy, as it is beside other tests
RUNS = 10_000
RUNS_OF_SAMPLE = 1_500
WORST = 12  # rows that are told of whether they hold or not
SECONDS_A_RUN = 0.004
READ_IN = 0.04  # seconds in which a core reads the text of slowness(), of which SECONDS_A_RUN is meant
MIB_OF_RUNS = 250.0
FORMATS = ("text", "json", "sarif", "junit", "html", "concise", "github", "gitlab", "markdown")


# What was worse than linear once.
SAMPLE = (
    "suppressions, in a block",
    "one suppression of no rules",
    "unknown keys of fp8_config, near",
    "keys of fp8_config, in two spellings",
    "switches of python",
    "training files",
    "variables of a script, and Accelerators",
    "keys, twice",
)


NARROW = "narrow"  # before a command: on a terminal of 40 columns, with colors and links


class Cost(NamedTuple):
    """What one call of the command took, beyond the same process without it."""

    code: int
    seconds: float
    mib: float


def commands(case: Case) -> dict[str, list[str] | Request]:
    """The commands and the requests that take these files, by what they are called here."""
    from tests.tools.bodies import asked, planned
    from tests.tools.families import UNSEEN

    if case.request is not None:
        return {"http": case.request}
    words = [*case.files_given, *case.options]
    if case.only:
        return {case.only: [*case.only.split(), *words]} if case.only != "check" else {"check": words}
    known: dict[str, list[str] | Request] = {"check": words}
    known["formats"] = [*(f"--format={name}=/dev/null" for name in FORMATS), *words]
    request = asked(case)
    if request is not None:
        known["http"] = request
        known["http plan"] = planned(request)
    if not case.checks_only:
        known["fix"] = ["fix", "--diff", *words]
        known["fix --unsafe"] = ["fix", "--diff", "--unsafe", *words]
        if [*case.options] == [*UNSEEN]:  # the hook takes no other options
            known["hook"] = ["--hook", *case.files_given]
        known["outcome"] = ["outcome", *words]
        known["plan"] = ["plan", *words]
        # On a narrow terminal nearly every line is folded, and every quoted one cut.
        known["narrow"] = [NARROW, "-v", *words]
        known["narrow plan"] = [NARROW, "plan", *words]
        known["plan formats"] = [*(f"--format={name}=/dev/null" for name in FORMATS), "--plan", *words]
        first, *rest = case.files_given
        known["explain"] = ["explain", f"{first}:{case.line}", *rest, *case.options]
    return known


def measured(call: Callable[[], int], prepare: Callable[[], object] | None = None, patience: int = PATIENCE) -> Cost:
    """What a call costs in a forked process, without what is prepared for it there; its output goes nowhere."""
    sys.stdout.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for limit, most in ((resource.RLIMIT_CPU, patience), (resource.RLIMIT_AS, BYTES)):
                resource.setrlimit(
                    limit, (most, resource.getrlimit(limit)[1])
                )  # the service limits its processes itself
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            if prepare is not None:
                prepare()
            os.write(writer, str(_seconds(resource.getrusage(resource.RUSAGE_SELF))).encode())
            code = call()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as told:
        before = float(told.read() or 0)
    _, status, used = os.wait4(child, 0)
    return Cost(os.waitstatus_to_exitcode(status), _seconds(used) - before, used.ru_maxrss / 1024)


def _seconds(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


class Bench:
    """Measures commands and requests in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        from fp8check.cli.main import main

        self._main = main
        self._folder = folder

    def cost(self, case: Case, asked: Sequence[str] | Request, patience: int = PATIENCE) -> Cost:
        """What the command takes for the files of a case, or the service for a request."""
        folder = self._put(case)
        if isinstance(asked, Request):
            return measured(lambda: self._ask(asked), self._serve)
        return measured(lambda: self._run(asked, folder, case.variables), patience=patience)

    def _put(self, case: Case) -> Path:
        """The folder in which the files are: one that a repository has for itself, and that is made once."""
        if not case.tracked:
            _write(self._folder, case.files)
            return self._folder
        files = {**case.files, **dict.fromkeys(case.gone, b"bf16: true\n")}
        folder = self._folder / f"{len(files)}-{sum(map(len, files.values()))}-{max(map(len, files))}"
        if not folder.exists():
            repository = Repository(folder)
            _write(folder, files)
            if case.gone:
                repository.commit({})
                repository.git("rm", "-q", "-r", *case.gone)
            repository.git("add", "-A")
        elif case.only.startswith("fix"):
            _write(folder, case.files)
        return folder

    def _serve(self) -> Running:
        return running_in(self._folder / "service")

    def _ask(self, request: Request) -> int:
        """One request to the application in this process; 0 where it is answered or refused."""
        service = self._serve()
        headers = [(b"host", b"localhost:8000"), *((name.encode(), text.encode()) for name, text in request.headers)]
        answer = service.ask(request.method, request.target, headers, request.body)
        service.end()  # what its processes took counts once they have ended
        return 0 if answer.status < 500 else 4

    def _run(self, words: Sequence[str], folder: Path, variables: Mapping[str, str]) -> int:
        os.chdir(folder)
        os.environ.update(variables)  # of this process, which is forked for it
        if words[0] == NARROW:
            os.environ.update({"COLUMNS": "40", "FORCE_COLOR": "1", "FORCE_HYPERLINK": "1"})
            words = words[1:]
        return self._main(list(words))


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Row(NamedTuple):
    """A family with one command."""

    family: str
    command: str
    costs: tuple[Cost, ...]
    slowest: float  # seconds of the slowest of the sizes

    @property
    def time_ratio(self) -> float:
        """The worse of the two doublings; 0 where all of it is noise."""
        return _ratio([one.seconds for one in self.costs], PROCESS if self.command.startswith("http") else NOISE)

    @property
    def memory_ratio(self) -> float:
        """As `time_ratio`, or what the second doubling adds beside what the first added, where that is less.

        A largest size says nothing of what stays below it: what the process took earlier hides the first MiB of each
        measurement, and of 0, 49 and 112 MiB the first hides as much as the others. What is added hides nothing.
        """
        mib = [one.mib for one in self.costs]
        added = [after - before for before, after in pairwise(mib)]
        noise = MIB_OF_PROCESS if self.command.startswith("http") else MIB
        return min(_ratio(mib, noise), _ratio(added, noise))

    @property
    def faults(self) -> list[str]:
        """What does not hold."""
        found = []
        if self.time_ratio > DOUBLING:
            found.append(f"time x{self.time_ratio:.2f} a doubling")
        if self.memory_ratio > DOUBLING:
            found.append(f"memory x{self.memory_ratio:.2f} a doubling")
        if self.slowest > (OF_FORMATS if self.command.endswith("formats") else SECONDS):
            found.append(f"{self.slowest:.1f} s")
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


def row_of(family: Family, name: str, bench: Bench) -> Row:
    """Measure a family with one command; what does not hold is measured again.

    How a size compares with another is told by what all measurements took, in turns and each size for the same time: a
    machine is faster for a moment (0.17 and 0.21 ns an instruction, as callgrind counts them), and the least of many
    short calls falls into one, that of long calls never does. How long a size takes at most is told by the least.
    """
    cases = [family.make(size) for size in (1, *(family.size * factor for factor in FACTORS))]
    asked = [(case, commands(case)[name]) for case in cases]
    if not isinstance(asked[0][1], Request):
        asked.insert(0, (QUIET, [*QUIET.files_given, *QUIET.options]))
    taken = [[bench.cost(*one)] for one in asked]
    row = _row(family, name, taken)
    for _ in range(TRIES if row.faults else 0):
        for times, one, costs in zip(SAME_TIME[-len(asked) :], asked, taken, strict=True):
            costs += [bench.cost(*one) for _ in range(times)]
        row = _row(family, name, taken)
        if not row.faults:
            break
    return row


def _row(family: Family, name: str, taken: Sequence[Sequence[Cost]]) -> Row:
    """What the sizes take beyond what those before them do: any check, and the smallest input.

    The lesser of the two is taken away: of one error a check proves what to do about it, of thousands it does not.
    """
    *small, one, two, four = map(_mean, taken)
    nothing = Cost(0, min(each.seconds for each in small), min(each.mib for each in small))
    least = min(cost.seconds for each in taken[: len(small)] for cost in each)
    slowest = max(min(cost.seconds for cost in each) for each in taken[len(small) :]) - least
    return Row(family.name, name, tuple(_beyond(each, nothing) for each in (one, two, four)), slowest)


def _mean(costs: Sequence[Cost]) -> Cost:
    """Of several calls the seconds that they took in the mean, and the least of memory."""
    seconds = sum(one.seconds for one in costs) / len(costs)
    return Cost(max(one.code for one in costs), seconds, min(one.mib for one in costs))


def _beyond(one: Cost, nothing: Cost) -> Cost:
    return Cost(one.code, max(0.0, one.seconds - nothing.seconds), max(0.0, one.mib - nothing.mib))


def of_row(asked: tuple[int, str]) -> Row:
    """The row of the family of a number with a command, in a folder of its own."""
    number, name = asked
    with tempfile.TemporaryDirectory() as folder:
        return row_of(_every()[number], name, Bench(Path(folder)))


def slowness() -> float:
    """How many times as long as READ_IN a core takes here for the same work, which is none of ours; 1 at least."""
    import yaml

    text = "".join(f"key{number}: {{a: 1, b: [x, y, 'z'], c: \"text {number}\"}}\n" for number in range(150))
    least = READ_IN * 9
    for _ in range(TRIES):
        begin = time.process_time()
        yaml.load(text, Loader=yaml.SafeLoader)
        least = min(least, time.process_time() - begin)
    return max(1.0, least / READ_IN)


def of_runs(name: str, count: int = RUNS, tries: int = 2, slower: float = 1.0) -> tuple[str, bool]:
    """What a run takes where there are as many, in a format: a line for people, and whether it holds.

    Args:
        tries: how often it is measured at most; the least counts.
        slower: how many times as long as elsewhere a run may take here.
    """
    from tests.tools.families import UNSEEN, many

    case = many(count)
    line, holds, costs = "", False, []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        words = [f"--format={name}", *case.files_given, *UNSEEN]
        while not holds and len(costs) < tries:
            costs.append(bench.cost(case, words, patience=100))
            seconds, mib = min(one.seconds for one in costs) / count, min(one.mib for one in costs)
            holds = seconds <= SECONDS_A_RUN * slower and mib <= MIB_OF_RUNS and costs[0].code == 1
            line = f"{count:,} runs as {name}: {seconds * 1000:.2f} ms each, {mib:.0f} MiB"
            line += f" (this core takes {slower:.2f} times as long as it may)" if slower > 1 else ""
    return line, holds


def main() -> int:
    """Print a line a family and command; 1 where one does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--family", default="", help="only families with this in their name")
    options.add_argument("--command", default="", help="only commands with this in their name")
    options.add_argument("--sample", action="store_true", help="the few families and commands that CI measures")
    options.add_argument("--verbose", action="store_true", help="every command of a family, not the worst one alone")
    options.add_argument("--workers", type=int, default=1, help="measurements at a time; fewer than there are cores")
    options.add_argument("--seconds", type=float, default=0, help="begin nothing after these; what is left is counted")
    options.add_argument("--part", default="1/1", help="the K-th of N parts, to measure the whole in several sittings")
    given = options.parse_args()
    part, parts = map(int, given.part.split("/"))
    every = _every()
    only = given.command or ("check" if given.sample else "")
    # By their numbers: what makes their inputs cannot be sent.
    asked = [
        (number, name)
        for number, family in enumerate(every)
        if given.family in family.name and (not given.sample or family.name in SAMPLE)
        for name in commands(family.make(family.size))
        if only in name
    ][part - 1 :: parts]
    if not asked:
        options.error("no family and command of that name: nothing was measured")
    measured_rows: list[Row] = []
    bad = 0
    with multiprocessing.Pool(given.workers) as pool:
        for row in _until(given.seconds, pool.imap_unordered(of_row, asked)):
            measured_rows.append(row)
            if given.verbose or row.faults:
                print(row, flush=True)
        pool.terminate()
    if not given.verbose:
        print("the steepest:")
        for row in sorted(measured_rows, key=lambda row: row.time_ratio)[-WORST:]:
            print(row)
        print("the slowest:")
        for row in sorted(measured_rows, key=lambda row: row.slowest)[-WORST:]:
            print(row)
    if not (given.family or given.command or part > 1):
        formats, runs, tries = (FORMATS[:1], RUNS_OF_SAMPLE, TRIES) if given.sample else (FORMATS, RUNS, 2)
        # CI runs where it runs; the whole is for a core that is as fast as people's.
        slower = slowness() if given.sample else 1.0
        for name in formats:  # one at a time: memory is judged
            line, holds = of_runs(name, runs, tries, slower)
            bad += not holds
            print(line, "" if holds else "TOO MUCH", flush=True)
    bad += sum(bool(row.faults) for row in measured_rows)
    left = len(asked) - len(measured_rows)
    families = len({row.family for row in measured_rows})
    said = f"{bad} do not hold" if bad else "all hold"
    print(f"{families} families, {len(measured_rows)} of {len(asked)} measurements: {said}")
    return 1 if bad or left else 0


def _until(seconds: float, found: Iterable[Row]) -> Iterator[Row]:
    """What comes within these seconds; all of it where they are 0."""
    end = time.monotonic() + seconds
    for one in found:
        yield one
        if seconds and time.monotonic() > end:
            return


def _every() -> tuple[Family, ...]:
    """All families, those of the service's requests included; the number of one says which it is in a worker, too."""
    from tests.tools.bodies import REQUESTS
    from tests.tools.families import FAMILIES

    return (*FAMILIES, *REQUESTS)


if __name__ == "__main__":
    sys.exit(main())
