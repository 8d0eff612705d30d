"""`make journeys`: plans followed to their end; numbers, and each journey that does not end as it must."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from tests.tools.journeys import catalog
from tests.tools.journeys.journey import travel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tools.journeys.journey import Journey


def of_catalog(only: str) -> Iterator[Journey]:
    for name, case in catalog.starts():
        if name.startswith(only):
            with ExitStack() as stack:
                yield travel(name, catalog.request_of(case, stack))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.journeys")
    parser.add_argument("--only", default="", help="a beginning of the names of the catalog's cases")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    times = []
    faults = 0
    for one in of_catalog(options.only):
        ends[one.end] += 1
        times.append(one.seconds)
        for fault in one.faults:
            faults += 1
            print(f"FAULT {one.name}: {fault}")
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
    print(dict(ends), "faults", faults, f"median {median(times) * 1000:.0f} ms, most {max(times) * 1000:.0f} ms")
    for reason, number in reasons.most_common(60):
        print(f"{number:5} {reason}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
