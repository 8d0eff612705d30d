"""`make journeys`: plans followed to their end; numbers, and each journey that does not end as it must.

python -m tests.tools.journeys [--from catalog seed parts commands] [--goal bf16] [--seed N] [--count N]
    [--only TEXT] [--confirm N] [--every N] [--verbose]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING

from fp8check.rules.input_error import InputError
from tests.tools.journeys import catalog, conformance, generated
from tests.tools.journeys.exhaustive import good_ways
from tests.tools.journeys.journey import travel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


class Numbers:
    """What became of the starts of one source, and of all."""

    def __init__(self) -> None:
        self.ends: dict[str, Counter[str]] = defaultdict(Counter)
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.slow: list[tuple[float, str]] = []
        self.reasons: Counter[str] = Counter()
        self.faults = self.confirmed = self.missed = self.states = 0

    def add(self, source: str, one: Journey) -> None:
        """Count one, and print what is wrong with it."""
        self.ends[source][one.end] += 1
        self.seconds[source].append(one.seconds)
        self.slow.append((one.seconds, one.name))
        for fault in one.faults:
            self.faults += 1
            print(f"FAULT {one.name}: {fault}", flush=True)
        if one.end == "no plan":
            self.reasons[one.planned.why_not[0].partition(":")[0] if one.planned.why_not else ""] += 1

    def confirm(self, one: Journey) -> None:
        """Try what there is, where no plan was found."""
        tried = good_ways(one.request, one.planned.goal)
        self.confirmed += 1
        self.states += tried.states
        if tried.ways:
            self.missed += 1
            print(f"MISSED {one.name}: {tried.ways[0]}", flush=True)

    def show(self) -> None:
        """The numbers, a source a line."""
        for source, ends in self.ends.items():
            times = self.seconds[source]
            told = ", ".join(f"{number} {end}" for end, number in sorted(ends.items()))
            print(f"{source:9} {sum(ends.values()):5} starts: {told}; CPU of a plan: {_times(times)}")
        every = [second for times in self.seconds.values() for second in times]
        print(f"all       {len(every):5} starts: {self.faults} faults; CPU of a plan: {_times(every)}")
        print("slowest:", "; ".join(f"{name} {second * 1000:.0f} ms" for second, name in sorted(self.slow)[-5:]))
        if self.confirmed:
            print(
                f"of {self.confirmed} starts without a plan, {self.missed} have one where everything is tried "
                f"({self.states} states)"
            )
        for reason, number in self.reasons.most_common(60):
            print(f"{number:5} no plan: {reason}")


def _times(seconds: list[float]) -> str:
    return f"median {median(seconds) * 1000:.0f} ms, most {max(seconds) * 1000:.0f} ms"


def _story(one: Journey) -> Iterator[str]:
    yield f"{one.end:8} {one.seconds * 1000:5.0f} ms  {one.name}"
    for step in one.planned.plans[0].steps if one.planned.plans else ():
        yield f"           {step.kind} {step.file} {step.line} {step.before!r} -> {step.after!r} {step.why}"
    yield from (f"           ! {reason}" for reason in one.planned.why_not)


def _travel(
    name: str, opened: Opened, goal: Goal | None, numbers: Numbers, source: str, confirm: bool
) -> Journey | None:
    try:
        with opened() as request:
            one = travel(name, request, goal)
            numbers.add(source, one)
            if confirm and one.end == "no plan":
                numbers.confirm(one)
            return one
    except InputError:
        numbers.ends[source]["refused"] += 1
        return None


def main() -> int:
    """Follow them all, and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="a part of the names of the starts")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000, help="starts that are made by seed")
    parser.add_argument("--every", type=int, default=1, help="each so manieth start alone")
    parser.add_argument("--confirm", type=int, default=0, help="so many starts without a plan are tried exhaustively")
    parser.add_argument("--goal", choices=("fp8", "bf16"))
    parser.add_argument("--from", dest="of", nargs="+", choices=SOURCES, default=SOURCES)
    options = parser.parse_args()
    numbers = Numbers()
    for source in options.of:
        chosen = [one for one in starts(source, options.seed, options.count) if options.only in one[0]]
        for name, opened in chosen[:: options.every]:
            confirm = numbers.confirmed < options.confirm
            one = _travel(name, opened, options.goal, numbers, source, confirm)
            if options.verbose and one is not None:
                print("\n".join(_story(one)), flush=True)
    seconds = [second for times in numbers.seconds.values() for second in times]
    if not seconds:
        parser.error("no start of that name: nothing was followed")
    numbers.show()
    late = median(seconds) > MEDIAN or max(seconds) > MOST
    return 1 if numbers.faults or numbers.missed or late else 0


if __name__ == "__main__":
    sys.exit(main())
