"""Runs as fp8check's own advice left them, executed: each starts and trains in FP8, as its plan had said.

`python -m tests.tools.conformance.commands.advised` makes them, of recorded commands that were not good and of what init
writes; `python -m tests.tools.conformance.commands.run --cases` executed them.
"""

from __future__ import annotations

from pathlib import Path

from tests.tools.conformance.commands import compare, recorded

ADVISED = recorded.read(Path(__file__).parent / "advised.jsonl")


def test_what_was_advised_trains_in_fp8() -> None:
    assert len(ADVISED) >= 40
    observed = {case["id"]: case["observed"] for case in ADVISED}
    assert {name: one["error"] for name, one in observed.items() if not one["started"]} == {}
    assert [name for name, one in observed.items() if not one["fp8_enabled"] or not one["fp8_linears_run"]] == []


def test_it_was_predicted() -> None:
    answers = [(case, one) for case, one in compare.compared(ADVISED)]
    wanted = {case["id"]: "right" if case["undecided"] is None else "undecided" for case in ADVISED}
    assert {case["id"]: one.verdict for case, one in answers} == wanted
    assert sum(one.verdict == "right" for _, one in answers) >= 37
