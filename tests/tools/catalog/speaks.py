"""Which rules speak on a recorded case: a rule that names a case as its evidence has to be found there.

    python -m tests.tools.catalog.speaks [ID ...]

Prints, for each rule or those named, the recorded commands and conformance cases on which it speaks.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fp8check.rules.checking.examining import examine
from tests.tools.catalog import cited
from tests.tools.conformance import adapter
from tests.tools.conformance.commands import compare, recorded

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case


def on_command(case: Case) -> set[str]:
    """The rules that are found on a whole command, checked in a folder that has its files."""
    return {found.rule for one in compare.runs(case) for found in examine(one.run, one.documents).findings}


def on_conformance(case: Case) -> set[str]:
    """The rules that are found on the run of a conformance case."""
    run = adapter.run_of_case(case)
    return {found.rule for found in examine(run).findings}


def main(arguments: list[str] | None = None) -> int:
    """Print what the command line asks for."""
    wanted = set(sys.argv[1:] if arguments is None else arguments)
    spoken: dict[str, list[str]] = {}
    for case in recorded.read(compare.RECORDED):
        for rule in on_command(case):
            spoken.setdefault(rule, []).append(f"[command {case['id']}]")
    for case in cited.recorded():
        for rule in on_conformance(case):
            spoken.setdefault(rule, []).append(f"[conformance {case['id']}]")
    for rule in sorted(spoken):
        if not wanted or rule in wanted:
            sys.stdout.write(f"{rule}: {', '.join(spoken[rule])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
