"""The generated pages are those that the rules would make today, and the catalog of failures is covered."""

from __future__ import annotations

import re

import pytest

from fp8check.rules.catalog import RULES
from tests.support.paths import DOCS, SHARED
from tests.tools.catalog import pages

LIST = SHARED / "facts" / "failures.md"
PAGES = pages.pages()


@pytest.mark.parametrize("name", PAGES)
def test_no_drift(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "make docs writes it anew"


def test_no_page_of_a_rule_that_is_gone() -> None:
    assert {f"rules/{path.name}" for path in (DOCS / "rules").iterdir()} | {"coverage.md"} == set(PAGES)


@pytest.mark.parametrize("failure", pages.FAILURES)
def test_every_failure_is_caught_or_has_a_reason(failure: str) -> None:
    proved = any(failure in pages._proved(one.id) for one in RULES)
    reason = pages.FAILURES[failure].get("reason")
    assert proved != bool(reason), "caught, or with a reason why not; not both"


def test_no_case_proves_what_is_not_in_the_catalog() -> None:
    named = {failure for one in RULES for failure in pages._proved(one.id)}
    assert named - set(pages.FAILURES) == set()


@pytest.mark.skipif(not LIST.exists(), reason="the catalog of failures is not part of the project")
def test_the_catalog_is_whole() -> None:
    listed = re.findall(
        r"^\*\*([A-F]\d\d) .*?\*\* - \w+ - (?:detect )?([A-Z][^-\[*`\n]*)", LIST.read_text(), re.MULTILINE
    )
    marks = {name: re.sub(r"\(.*?\)", "", text).strip().rstrip(".") for name, text in listed}
    ours = {name: ",".join(entry["marks"]) for name, entry in pages.FAILURES.items()}
    assert set(ours) == set(re.findall(r"^\*\*([A-F]\d\d)", LIST.read_text(), re.MULTILINE))
    for name, text in marks.items():
        assert re.match(ours[name], text.replace(" ", "")), name
