"""`make journeys`: plans followed to their end; numbers, and each journey that does not end as it must.

python -m tests.tools.journeys [--from catalog seed parts commands] [--goal bf16] [--seed N] [--count N]
    [--only TEXT ...] [--confirm] [--every N [--offset K]] [--workers N] [--seconds N] [--out FILE] [--verbose]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, TextIO

from fp8check.rules.input_error import InputError
from fp8check.rules.record import Record
from tests.tools.journeys import catalog, conformance, generated
from tests.tools.journeys.exhaustive import good_ways
from tests.tools.journeys.journey import travel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from fp8check.rules.checking.request import RunRequest
    from fp8check.rules.moves.site import Goal
    from tests.tools.journeys.journey import Journey

    Opened = Callable[[], AbstractContextManager[RunRequest]]

SOURCES = ("catalog", "seed", "parts", "commands")
MEDIAN, MOST = 0.150, 1.0  # seconds of CPU that a plan may take


def starts(source: str, seed: int, count: int) -> Iterator[tuple[str, Opened]]:
    """The starts of one source, each with how it is opened: some have files in a folder of their own."""
    if source == "catalog":
        return catalog.opened()
    if source == "seed":
        return generated.opened(seed, count)
    return conformance.opened(source, seed)


class Told(Record):
    """What a worker tells of one start.

    Attributes:
        end: as that of a journey; "refused" where its files make no run, "not followed" where the time was over.
        faults: what must not be, one a line; a way that the search missed is one.
        reason: the first that a start without a plan gives.
        states: how many were tried exhaustively; None where that was not done.
    """

    source: str
    name: str
    end: str
    faults: tuple[str, ...] = ()
    seconds: float | None = None
    reason: str = ""
    states: int | None = None
    missed: bool = False
    story: tuple[str, ...] = ()


class Chosen(Record):
    """What is followed, and how; workers inherit it."""

    starts: Sequence[tuple[str, str, Opened]]
    goal: Goal | None
    confirm: bool
    until: float | None  # by the clock that all processes share


_chosen: list[Chosen] = []


def follow(number: int) -> Told:
    """Follow the start of that number."""
    (chosen,) = _chosen
    source, name, opened = chosen.starts[number]
    if chosen.until is not None and time.monotonic() > chosen.until:
        return Told(source, name, "not followed")
    try:
        with opened() as request:
            one = travel(name, request, chosen.goal)
            told = Told(
                source, name, one.end, tuple(f"FAULT {name}: {_line(fault)}" for fault in one.faults), one.seconds
            )
            told = told._replace(story=tuple(_story(one)))
            if one.end != "no plan":
                return told
            why_not = one.planned.why_not
            told = told._replace(reason=why_not[0].partition(":")[0] if why_not else "")
            return _confirmed(told, one) if chosen.confirm else told
    except InputError:
        return Told(source, name, "refused")


def _confirmed(told: Told, one: Journey) -> Told:
    """Try what there is, where no plan was found."""
    tried = good_ways(one.request, one.planned.goal)
    missed = tuple(f"MISSED {one.name}: {_line(way)}" for way in tried.ways[:1])
    return told._replace(states=tried.states, missed=bool(missed), faults=(*told.faults, *missed))


def _line(text: str) -> str:
    return " ".join(text.split())


def _story(one: Journey) -> Iterator[str]:
    yield f"{one.end:8} {one.seconds * 1000:5.0f} ms  {one.name}"
    for step in one.planned.plans[0].steps if one.planned.plans else ():
        yield f"           {step.kind} {step.file} {step.line} {step.before!r} -> {step.after!r} {step.why}"
    yield from (f"           ! {reason}" for reason in one.planned.why_not)


class Numbers:
    """What became of the starts of one source, and of all."""

    def __init__(self) -> None:
        self.ends: dict[str, Counter[str]] = defaultdict(Counter)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.slow: list[tuple[float, str]] = []
        self.reasons: Counter[str] = Counter()
        self.faults = self.confirmed = self.missed = self.states = 0

    def add(self, one: Told) -> None:
        """Count one."""
        self.ends[one.source][one.end] += 1
        self.faults += len(one.faults) - one.missed
        self.missed += one.missed
        if one.seconds is not None:
            self.seconds[one.source].append(one.seconds)
            self.slow.append((one.seconds, one.name))
        if one.states is not None:
            self.confirmed += 1
            self.states += one.states
        if one.end == "no plan":
            self.reasons[one.reason] += 1

    @property
    def every(self) -> list[float]:
        """The seconds of all plans."""
        return [second for times in self.seconds.values() for second in times]

    @property
    def left(self) -> int:
        """How many were not followed: the time was over."""
        return sum(ends["not followed"] for ends in self.ends.values())

    def told(self) -> Iterator[str]:
        """The numbers, a source a line."""
        for source, ends in self.ends.items():
            times = self.seconds[source]
            told = ", ".join(f"{number} {end}" for end, number in sorted(ends.items()))
            yield f"{source:9} {sum(ends.values()):5} starts: {told}; CPU of a plan: {_times(times)}"
        every = self.every
        yield f"all       {len(every):5} starts: {self.faults} faults; CPU of a plan: {_times(every)}"
        yield f"slowest: {'; '.join(f'{name} {second * 1000:.0f} ms' for second, name in sorted(self.slow)[-5:])}"
        if self.confirmed:
            yield (
                f"of {self.confirmed} starts without a plan, {self.missed} have one where everything is tried "
                f"({self.states} states)"
            )
        yield from (f"{number:5} no plan: {reason}" for reason, number in self.reasons.most_common(60))


def _times(seconds: list[float]) -> str:
    return f"median {median(seconds) * 1000:.0f} ms, most {max(seconds) * 1000:.0f} ms" if seconds else "none"


def _show(lines: Iterable[str], out: TextIO | None) -> None:
    for line in lines:
        print(line, flush=True)
        if out is not None:
            print(line, file=out, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the names of the starts, any of them")
    parser.add_argument("--verbose", action="store_true", help="the steps of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000, help="starts that are made by seed")
    parser.add_argument("--every", type=int, default=1, help="each so manieth start alone")
    parser.add_argument("--offset", type=int, default=0, help="the first of those")
    parser.add_argument("--confirm", action="store_true", help="starts without a plan are tried exhaustively")
    parser.add_argument("--goal", choices=("fp8", "bf16"))
    parser.add_argument("--from", dest="of", nargs="+", choices=SOURCES, default=SOURCES)
    parser.add_argument("--workers", type=int, default=1, help="starts at a time; fewer than there are cores")
    parser.add_argument("--seconds", type=float, help="after which no more are begun; what is left is counted")
    parser.add_argument(
        "--out", type=Path, help="a file that the faults, one a line, and the numbers are written to, too"
    )
    return parser


def main() -> int:
    """Follow them all, and print the numbers."""
    parser = _options()
    options = parser.parse_args()
    named = [
        (source, *one)
        for source in options.of
        for one in [*starts(source, options.seed, options.count)][options.offset :: options.every]
        if any(part in one[0] for part in options.only)
    ]
    if not named:
        parser.error("no start of that name: nothing was followed")
    # What a limit of time leaves is spread over all of them, evenly.
    Random(options.seed).shuffle(named)  # noqa: S311
    until = None if options.seconds is None else time.monotonic() + options.seconds
    _chosen[:] = [Chosen(named, options.goal, options.confirm, until)]
    numbers = Numbers()
    out = None if options.out is None else options.out.open("w", encoding="utf-8")
    # Forked, so that workers have the starts: what opens them cannot be sent.
    with multiprocessing.get_context("fork").Pool(options.workers) as pool:
        for one in pool.imap_unordered(follow, range(len(named))):
            numbers.add(one)
            _show((*one.faults, *(one.story if options.verbose else ())), out)
    _show(numbers.told(), out)
    if out is not None:
        out.close()
    seconds = numbers.every
    late = not seconds or median(seconds) > MEDIAN or max(seconds) > MOST
    return 1 if numbers.faults or numbers.missed or numbers.left or late else 0


if __name__ == "__main__":
    sys.exit(main())
