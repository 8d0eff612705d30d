"""What was recorded on the newest releases that a CPU runs agrees with the predictions; how far was executed is told."""

from __future__ import annotations

from fp8check.rules.releases.versions import EXECUTED, NEWEST, parse
from tests.support.paths import TESTS
from tests.tools.conformance import cases, compare, generate, highest

RECORDED = list(cases.read(TESTS / "conformance" / "newest.jsonl"))


def test_it_is_the_cases_of_the_newest_stacks() -> None:
    made = {case["id"]: case for case in generate.newest(1)}
    assert {case["id"] for case in RECORDED} == set(made)
    assert all({key: case[key] for key in made[case["id"]]} == made[case["id"]] for case in RECORDED)


def test_every_prediction_agrees() -> None:
    result = compare.compare(RECORDED)
    assert result.mismatches == []
    assert result.left_out == []
    assert result.cases["all"] > 190


def test_what_was_executed_is_what_the_records_say() -> None:
    assert highest.highest() == EXECUTED, "python -m tests.tools.conformance.highest --write"


def test_nothing_was_executed_that_is_newer_than_what_is_known() -> None:
    assert [name for name, release in EXECUTED.items() if parse(release) > parse(NEWEST[name])] == []
