"""`make journeys`: plans followed to their end; numbers, and each journey that does not end as it must."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import ExitStack
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING

from tests.tools.journeys import catalog, generated
from tests.tools.journeys.exhaustive import good_ways
from tests.tools.journeys.journey import travel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tools.journeys.journey import Journey


def of_catalog(only: str) -> Iterator[Journey]:
    """The journeys from the cases of the catalog."""
    for name, case in catalog.starts():
        if name.startswith(only):
            with ExitStack() as stack:
                yield travel(name, catalog.request_of(case, stack))


def of_seed(seed: int, count: int, only: str) -> Iterator[Journey]:
    """The journeys from starts that are made by seed."""
    for start in generated.starts(seed, count):
        if only in start.name:
            yield travel(start.name, start.request)


def main() -> int:
    """Follow them all, and print the numbers."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.journeys")
    parser.add_argument("--only", default="", help="a beginning of the names of the catalog's cases")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000, help="starts that are made by seed")
    parser.add_argument("--confirm", type=int, default=0, help="so many starts without a plan are tried exhaustively")
    parser.add_argument("--from", dest="of", choices=("catalog", "seed", "both"), default="both")
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    times = []
    faults = asked = missed = 0
    catalogs = of_catalog(options.only) if options.of != "seed" else ()
    made = of_seed(options.seed, options.count, options.only) if options.of != "catalog" else ()
    for one in chain(catalogs, made):
        ends[one.end] += 1
        times.append(one.seconds)
        for fault in one.faults:
            faults += 1
            print(f"FAULT {one.name}: {fault}")
        if one.end == "no plan" and options.confirm and asked < options.confirm:
            asked += 1
            ways = good_ways(one.request, one.planned.goal)
            if ways:
                missed += 1
                print(f"MISSED {one.name}: {ways[0]}")
        if one.end == "no plan":
            reasons[one.planned.why_not[0].partition(":")[0] if one.planned.why_not else ""] += 1
        if options.verbose:
            print(f"{one.end:8} {one.seconds * 1000:5.0f} ms  {one.name}")
            for step in one.planned.plans[0].steps if one.planned.plans else ():
                print(
                    "          ", step.kind, step.file, step.line, repr(step.before), "->", repr(step.after), step.why
                )
            for reason in one.planned.why_not:
                print("           !", reason)
    if asked:
        print(f"of {asked} starts without a plan, {missed} have one when every move is tried to the third")
    print(dict(ends), "faults", faults, f"median {median(times) * 1000:.0f} ms, most {max(times) * 1000:.0f} ms")
    for reason, number in reasons.most_common(60):
        print(f"{number:5} {reason}")
    return 1 if faults or missed else 0


if __name__ == "__main__":
    sys.exit(main())
