"""Whole commands: what is recorded of them, and that fp8check says the same."""

from __future__ import annotations

from typing import Any

from tests.tools.conformance.commands import make, run


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
