"""Fixes come to an end, and to the same one whenever they are made again: rules that disagree are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.edits.fix import safe
from fp8check.rules.engine.running import Finding, UndecidedRule
from fp8check.rules.repair import fix_all
from fp8check.rules.settings.edits import replace
from fp8check.rules.settings.values import Section, Setting
from fp8check.rules.suppression.examined import Examined
from fp8check.rules.trainers.detect import read
from tests.support.runs import report_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.reading import Document
    from fp8check.rules.repair import Fixed

    # What is wrong with a value of `a`: the rule, its severity, and the value that it writes instead (None: no fix).
    Wrong = Mapping[str, Sequence[tuple[str, str, str | None]]]

REPORT = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"})


def finding(rule: str, severity: str, place: Setting, fix: Fix | None) -> Finding:
    message = f"{rule.lower()} is wrong"
    return Finding(rule, rule, severity, message, place.origin.key_span, "", (), (), "", fix)  # type: ignore[arg-type]


def entry(document: Document, name: str) -> Setting:
    found = Section(document.root).get(name)
    assert found is not None
    return found


def examine(wrong: Wrong, undecided: Mapping[str, str] | None = None) -> Callable[[Sequence[Document]], list[Examined]]:
    def reports(documents: Sequence[Document]) -> list[Examined]:
        place = entry(documents[0], "a")
        value = str(place.value)
        findings = [
            finding(rule, severity, place, None if to is None else safe(replace(place, to)))
            for rule, severity, to in wrong.get(value, ())
        ]
        unknown = [UndecidedRule(rule, "x", "y") for rule in (undecided or {}).get(value, "").split()]
        return [REPORT._replace(findings=tuple(findings), undecided=tuple(unknown))]

    return reports


def fixed(start: str, wrong: Wrong, undecided: Mapping[str, str] | None = None) -> tuple[str, Fixed]:
    """The value of `a` in the end; to fix again changes nothing, and says the same of what is not fixed."""
    look = examine(wrong, undecided)
    done = fix_all([read("f.yaml", f"a: {start}\n".encode())], look)
    again = fix_all(done.documents, look)
    assert again.documents[0].text == done.documents[0].text
    assert again.applied == ()
    assert [one.finding.rule for one in again.refused] == [one.finding.rule for one in done.refused]
    return str(entry(done.documents[0], "a").value), done


def said(done: Fixed) -> tuple[list[str], dict[str, str]]:
    return [one.rule for one in done.applied], {one.finding.rule: one.reason for one in done.refused}


ONE_ERROR: Wrong = {"x": [("A", "error", "y")], "y": [("B", "warning", "x")]}


@pytest.mark.parametrize(("start", "applied"), [("x", ["A"]), ("y", [])])
def test_of_two_that_undo_each_other_the_one_with_fewer_errors_is_made(start: str, applied: list[str]) -> None:
    end, done = fixed(start, ONE_ERROR)
    assert end == "y"
    assert said(done) == (applied, {"B": "then there would be another error: A a is wrong"})


@pytest.mark.parametrize("severity", ["error", "warning", "info"])
@pytest.mark.parametrize("start", ["x", "y", "z"])
def test_where_neither_is_better_the_file_stays_as_it_is(severity: str, start: str) -> None:
    wrong: Wrong = {"x": [("A", severity, "y")], "y": [("B", severity, "z")], "z": [("C", severity, "x")]}
    end, done = fixed(start, wrong)
    assert end == start
    rule, last = {"x": ("A", "C"), "y": ("B", "A"), "z": ("C", "B")}[start]
    assert said(done) == ([], {rule: f"its fix and that of {last} undo each other"})


def test_what_comes_back_for_the_sake_of_an_error_is_not_said_to_be_fixed() -> None:
    """B is fixed first, and the fix of the error A brings it back."""
    wrong: Wrong = {
        "x": [("B", "warning", "y"), ("A", "error", None)],
        "y": [("A", "error", "z")],
        "z": [("B", "warning", "y")],
    }
    end, done = fixed("x", wrong)
    assert end == "z"
    applied, refused = said(done)
    assert applied == ["A"]
    assert refused.keys() == {"B"}


def test_a_fix_that_makes_way_for_another_error_counts() -> None:
    """A launcher that stops hides what comes after it."""
    end, done = fixed("x", {"x": [("A", "error", "y")], "y": [("B", "error", "z")]})
    assert end == "z"
    assert said(done) == (["A", "B"], {})


def test_what_is_refused_is_tried_again_once_something_has_changed() -> None:
    wrong: Wrong = {
        "x": [("A", "warning", "bad"), ("B", "warning", "y")],
        "bad": [("C", "error", None)],
        "y": [("A", "warning", "good")],
    }
    end, done = fixed("x", wrong)
    assert end == "good"
    assert said(done) == (["B", "A"], {})


def test_a_refusal_that_is_not_there_any_more_is_not_told() -> None:
    wrong: Wrong = {"x": [("A", "warning", "bad"), ("B", "warning", "good")], "bad": [("C", "error", None)]}
    assert said(fixed("x", wrong)[1]) == (["B"], {})


def test_what_cannot_be_decided_then_is_not_fixed() -> None:
    end, done = fixed("x", {"x": [("A", "error", "y")]}, {"y": "A"})
    assert end == "x"
    assert said(done) == ([], {"A": "whether the finding would be gone then cannot be decided"})
    end, _ = fixed("x", {"x": [("A", "error", "y")]}, {"x": "A", "y": "A"})  # of another run
    assert end == "y"


def test_one_more_of_the_same_error_is_another_error() -> None:
    wrong: Wrong = {
        "x": [("A", "warning", "y"), ("E", "error", None)],
        "y": [("E", "error", None), ("E", "error", None)],
    }
    end, done = fixed("x", wrong)
    assert end == "x"
    assert said(done) == ([], {"A": "then there would be another error: E e is wrong"})
