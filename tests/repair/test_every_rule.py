"""Every fix of every rule, on its own case file: the finding goes, and a second run changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.repair import fix_all
from tests.support.runs import assembled_of, examined
from tests.tools.catalog.pages import CASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.repair import Fixed
    from fp8check.rules.suppression.examined import Examined


# With torchao the layer itself stays behind too: what is left of the finding is true, so the fix is not made.
REFUSED = {
    "FP214-fp8 of LLaMA-Factory for the Trainer",  # a file of two keys: without this one it would be known for nothing
    "FP404-a k_proj 24 wide stops its siblings",
    "FP404-many layers are named in part",
}


def fixable() -> list[object]:
    found = []
    for rule, file in CASES.items():
        for case in file["found"]:
            report = examined(case, assembled_of(case).documents, only=rule)
            fixes = [one.fix for one in report.findings if one.rule == rule and one.fix is not None]
            if fixes and f"{rule}-{case['name']}" not in REFUSED:
                found.append(pytest.param(rule, case, fixes[0].safe, id=f"{rule}-{case['name']}"))
    return found


def fixed(rule: str, case: dict[str, Any], documents: Sequence[Document], *, unsafe: bool) -> Fixed:
    def examine(current: Sequence[Document]) -> list[Examined]:
        return [examined(case, current, only=rule)]

    return fix_all(documents, examine, unsafe=unsafe)


@pytest.mark.parametrize(("rule", "case", "safe"), fixable())
def test_the_finding_goes(rule: str, case: dict[str, Any], safe: bool) -> None:
    before = assembled_of(case).documents
    done = fixed(rule, case, before, unsafe=not safe)
    assert [f"{one.finding.message}: {one.reason}" for one in done.refused] == []
    assert [one.rule for one in done.applied if one.rule == rule]
    assert [one.message for one in done.left[0].findings if one.rule == rule and one.fix is not None] == []
    again = fixed(rule, case, done.documents, unsafe=not safe)
    assert again.applied == ()
    assert [one.text for one in again.documents] == [one.text for one in done.documents]


@pytest.mark.parametrize(("rule", "case", "safe"), fixable())
def test_an_unsafe_fix_is_not_made_unasked(rule: str, case: dict[str, Any], safe: bool) -> None:
    before = assembled_of(case).documents
    done = fixed(rule, case, before, unsafe=False)
    changed = [one.text for one in done.documents] != [one.text for one in before]
    assert changed is safe


def test_there_are_some() -> None:
    assert len(fixable()) >= 20
