"""`fp8check outcome`: the chain for people, and as data."""

from __future__ import annotations

from fp8check.rules.report import build, trace, words
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.terminal import Style
from tests.support.outcomes import ONE, SHELL, TE, outcome_of

PLAIN = Style(on=False)


def traced(case: dict[str, object]) -> str:
    outcome = outcome_of(case)
    return trace.render(words.actual(outcome), build.outcome_of(outcome), PLAIN)


def test_what_was_assumed_is_said() -> None:
    lines = traced({"accelerate": ONE + TE, "stack": "unknown"}).splitlines()
    assert lines[0].startswith("actual    fp8 · TE")
    assert lines[2].startswith("assumed   accelerate 1.15.0, ")


def test_an_error_ends_the_chain() -> None:
    shown = traced({"accelerate": ONE + TE.replace("TE", "te")})
    assert shown.endswith("\naccelerator: ValueError: 'te' is not a valid FP8BackendType\n")
    assert "assumed" not in shown


def test_whom_each_value_beat() -> None:
    shown = traced({"accelerate": ONE + TE, "variables": {"ACCELERATE_FP8_MARGIN": "3"}})
    lines = shown.splitlines()
    margin = next(position for position, line in enumerate(lines) if line.startswith("ACCELERATE_FP8_MARGIN"))
    assert lines[margin].split()[1:3] == ["0", "default"]
    assert lines[margin + 1].split() == ["over", "3", "variable", "ACCELERATE_FP8_MARGIN"]


def test_a_value_that_nobody_set_has_no_origin() -> None:
    stack = {"accelerate": "1.5.2", "transformers": "4.49.0", "transformer_engine": "2.1.0"}
    entries = as_data(build.outcome_of(outcome_of({"launch": "python t.py", "variables": SHELL, "stack": stack})))[
        "trace"
    ]
    assert isinstance(entries, list)
    (backend,) = [entry for entry in entries if entry["setting"] == "backend"]
    assert backend == {"setting": "backend", "value": None, "origin": {}, "overrode": []}
