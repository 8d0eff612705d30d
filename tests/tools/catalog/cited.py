"""Records anew the conformance cases that rules name as their evidence: docs/evidence/conformance.jsonl.

    python -m tests.tools.catalog.cited --root .conformance [--missing]

A rule that says `ran accelerate 1.15.0 [conformance ID]` rests on what was observed of that case, not on the case alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fp8check.rules.catalog import RULES
from tests.tools.catalog.evidence import RECORDS, Ran, parse
from tests.tools.conformance import cases, edges
from tests.tools.conformance import record as recording

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case

ROOT = Path(__file__).resolve().parents[3]
RECORDED = ROOT / RECORDS["conformance"]


def cited() -> set[str]:
    """The conformance cases that the rules' evidence names."""
    lines = [parse(line) for one in RULES for line in one.evidence]
    return {line.case for line in lines if isinstance(line, Ran) and line.kind == "conformance"}


def recorded() -> list[Case]:
    """What was observed of them; empty before the first time."""
    return list(cases.read(RECORDED)) if RECORDED.exists() else []


def main(arguments: list[str] | None = None) -> int:
    """Run them, and keep what rules still name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(".conformance"))
    parser.add_argument("--missing", action="store_true", help="only those that are not recorded as they are")
    options = parser.parse_args(arguments)
    names = cited()
    wanted = {case["id"]: case for case in edges.cases_by_hand() if case["id"] in names}
    before = {case["id"]: case for case in recorded()}
    same = {
        name: line
        for name, line in before.items()
        if name in wanted and {key: line[key] for key in wanted[name]} == wanted[name]
    }
    kept = same if options.missing else {}
    part = RECORDED.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        recording.record([case for name, case in wanted.items() if name not in kept], options.root.resolve(), out)
    failed = [case["id"] for case in cases.read(part) if (case["observed"]["error"] or {}).get("stage") == "harness"]
    if failed:
        raise RuntimeError(f"the harness failed: {', '.join(failed)}")
    lines = kept | {case["id"]: {**case, "seconds": round(case["seconds"], 1)} for case in cases.read(part)}
    part.write_text("".join(f"{cases.line(lines[name])}\n" for name in sorted(lines)), encoding="utf-8")
    part.replace(RECORDED)
    sys.stdout.write(f"{len(lines)} cases recorded, {len(names - set(lines))} of those named do not exist\n")
    return int(bool(names - set(lines)))


if __name__ == "__main__":
    sys.exit(main())
