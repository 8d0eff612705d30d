"""Every fix of every rule, on its own case file: the finding goes, and a second run changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.repair import fix_all
from tests.support.cases import CASES
from tests.support.runs import assembled_of, examined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.repair import Fixed
    from fp8check.rules.suppression.examined import Examined


FIXABLE = 200  # there were 201 when this was written
# With torchao the layer itself stays behind too: what is left of the finding is true, so the fix is not made.
REFUSED = {
    "FP214-fp8 of LLaMA-Factory for the Trainer",  # a file of two keys: without this one it would be known for nothing
    "FP404-a k_proj 24 wide stops its siblings",
    "FP404-many layers are named in part",
}


def fixable(rule: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """The cases of a rule whose first finding has a fix, and whether it is safe."""
    for case in CASES[rule]["found"]:
        report = examined(case, assembled_of(case).documents, only=rule)
        fixes = [one.fix for one in report.findings if one.rule == rule and one.fix is not None]
        if fixes and f"{rule}-{case['name']}" not in REFUSED:
            yield case, fixes[0].safe


def fixed(rule: str, case: dict[str, Any], documents: Sequence[Document], *, unsafe: bool) -> Fixed:
    def examine(current: Sequence[Document]) -> list[Examined]:
        scripts = [one.text for one in current if one.kind == "script"]
        return [examined({**case, "script": scripts[0]} if scripts else case, current, only=rule)]

    return fix_all(documents, examine, unsafe=unsafe)


@pytest.mark.parametrize("rule", CASES)
def test_the_finding_goes(rule: str) -> None:
    for case, safe in fixable(rule):
        before = assembled_of(case).documents
        done = fixed(rule, case, before, unsafe=not safe)
        assert [f"{one.finding.message}: {one.reason}" for one in done.refused] == [], case["name"]
        assert [one.rule for one in done.applied if one.rule == rule], case["name"]
        left = [one.message for one in done.left[0].findings if one.rule == rule and one.fix is not None]
        assert left == [], case["name"]
        again = fixed(rule, case, done.documents, unsafe=not safe)
        assert again.applied == (), case["name"]
        assert [one.text for one in again.documents] == [one.text for one in done.documents], case["name"]


@pytest.mark.parametrize("rule", CASES)
def test_an_unsafe_fix_is_not_made_unasked(rule: str) -> None:
    for case, safe in fixable(rule):
        before = assembled_of(case).documents
        done = fixed(rule, case, before, unsafe=False)
        changed = [one.text for one in done.documents] != [one.text for one in before]
        assert changed is safe, case["name"]


def test_there_are_some() -> None:
    assert sum(1 for rule in CASES for _ in fixable(rule)) >= FIXABLE
