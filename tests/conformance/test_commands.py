"""Whole commands: what is recorded of them, and that fp8check says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tools.conformance.commands import compare, make, recorded, run

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case


def _told(
    program: str, at: float, error: str | None = None, *, trains: bool = False, rank: str = "0"
) -> dict[str, Any]:
    observed = {"started": error is None, "error": None}
    if error is not None:
        observed["error"] = {"stage": "arguments", "type": error, "message": ""}  # type: ignore[assignment]
    return {
        "command": program.split(),
        "ranks": {"RANK": rank},
        "at": at,
        "trains": trains,
        "variables": {},
        "observed": observed,
    }


def test_the_first_rank_that_trained_is_the_observation() -> None:
    told = [
        _told("accelerate launch train.py", 3),
        _told("python train.py", 2, trains=True),
        _told("python -u t.py", 1),
    ]
    seen = run.merged(told, 0, "")
    assert seen["error"] is None
    assert seen["processes"] == 1


def test_an_error_of_another_rank_counts() -> None:
    told = [_told("python a.py", 1, trains=True), _told("python a.py", 2, "ValueError", trains=True, rank="1")]
    seen = run.merged(told, 1, "")
    assert seen["error"]["type"] == "ValueError"
    assert seen["processes"] == 2


def test_before_an_accelerator_the_first_error_counts_and_not_what_a_launcher_says_of_it() -> None:
    told = [_told("accelerate launch a.py", 2, "CalledProcessError"), _told("python a.py", 1, "ImportError")]
    assert run.merged(told, 1, "")["error"] == {"stage": "arguments", "type": "ImportError", "message": ""}
    assert run.merged(told[:1], 1, "")["error"]["stage"] == "launch"


def test_a_wrapper_that_refuses_ends_the_command_and_nothing_that_trained_is_the_harness_s_fault() -> None:
    assert run.merged([], 125, "timeout: invalid time interval")["error"] == {
        "stage": "launch",
        "type": "SystemExit",
        "message": "timeout: invalid time interval",
    }
    assert run.merged([_told("accelerate env", 1)], 0, "")["error"]["stage"] == "harness"
    assert run.merged([], None, "")["error"]["type"] == "TimedOut"


def test_there_are_hundreds_of_cases_of_each_kind_that_people_type() -> None:
    made = make.everything()
    assert len(made) > 700
    classes = {case["class"] for case in made}
    assert {"trl command", "trl profiles", "LLaMA-Factory", "axolotl", "launchers", "wrappers", "flags only"} <= classes


RECORDED = recorded.read(compare.RECORDED)
CLASSES = sorted({case["class"] for case in RECORDED})


def _wrong(cases: list[Case], *, as_script: bool | None = None) -> list[str]:
    """The cases that are not predicted right, with the reason; those of which nobody can tell have to be undecided."""
    answers = compare.compared(cases, as_script=as_script)
    return [
        f"{case['id']}: {one.verdict}: {one.why}"
        for case, one in answers
        if one.verdict != ("right" if case["undecided"] is None else "undecided")
    ]


@pytest.mark.parametrize("kind", CLASSES)
def test_what_is_recorded_is_what_fp8check_says(kind: str) -> None:
    assert _wrong([case for case in RECORDED if case["class"] == kind]) == []


@pytest.mark.parametrize("kind", ["launchers", "wrappers", "machines", "by chance"])
def test_a_command_is_the_same_as_a_line_of_a_shell_script(kind: str) -> None:
    assert _wrong([case for case in RECORDED if case["class"] == kind], as_script=True) == []


def test_more_than_four_hundred_commands_are_recorded_and_none_is_the_harness_s_fault() -> None:
    decided = [case for case in RECORDED if case["undecided"] is None]
    assert len(decided) >= 850
    assert all(case["replaced"] for case in RECORDED)
    faults = [case["id"] for case in RECORDED if (case["observed"]["error"] or {}).get("stage") == compare.HARNESS]
    assert faults == []


def test_a_difference_is_seen() -> None:
    case = next(one for one in RECORDED if one["id"] == "wrapped-env")
    seen = case["observed"]
    for changed in ({"mixed_precision": "bf16"}, {"checkpointing": True}, {"distributed_type": "FSDP"}):
        assert compare.answer({**case, "observed": {**seen, **changed}}).verdict == "wrong"
    assert compare.answer({**case, "undecided": "nobody knows"}).verdict == "wrong"
    error = {"stage": "launch", "type": "ValueError", "message": ""}
    assert "ValueError" in compare.answer({**case, "observed": {**seen, "error": error}}).why


def test_the_recorded_cases_are_those_that_would_be_executed() -> None:
    made = {case["id"]: case for case in make.everything()}
    assert {case["id"] for case in RECORDED} == made.keys()
    for case in RECORDED:
        assert {**case, "observed": None} == {**made[case["id"]], "observed": None}
