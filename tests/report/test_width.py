"""Every report of the catalog on terminals of several widths: no line too wide, nothing lost, marks below what they mean."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request
from fp8check.rules.plain_text import shown
from fp8check.rules.report import build, plan, trace, words
from fp8check.rules.report.formats import Look, find
from fp8check.rules.report.frames import lines_of
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.line import explain_line
from fp8check.rules.report.schema import place_of
from fp8check.rules.report.terminal import Style
from tests.support.cases import CASES
from tests.support.reports import sources_of
from tests.support.runs import report_of
from tests.support.sampled import sampled
from tests.support.widths import MARKS, WIDTHS, pointed, said, too_wide, unpainted
from tests.tools.journeys import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.suppression.examined import Examined


def cases(rule: str, *kinds: str) -> Iterator[dict[str, Any]]:
    for kind in kinds or ("found", "not found", "undecided"):
        found = CASES[rule].get(kind)
        yield from found if isinstance(found, list) else ()


def holds(texts: dict[int, str], whole: str) -> None:
    """What has to be so of a text at all widths."""
    expected = said(whole)
    for width, text in texts.items():
        assert not too_wide(text, width), text
        assert not {*text} & {*MARKS}, text
        assert said(text) == expected, text


@pytest.mark.parametrize("rule", sampled(CASES))
def test_checks(rule: str) -> None:
    format_ = find("text")
    assert format_ is not None
    for case in cases(rule):
        examined = report_of(case)
        reports, sources = [build.brief(examined)], sources_of(examined)
        whole = format_.render(reports, sources, Look(verbose=True))
        texts = {width: format_.render(reports, sources, Look(verbose=True, width=width)) for width in WIDTHS}
        holds(texts, whole)
        wanted = meant(examined)
        for text in (whole, *texts.values()):
            assert_pointed(text, wanted)
        painted = format_.render(reports, sources, Look(color=True, verbose=True, width=60, links=True))
        assert unpainted(painted) == texts[60]


def meant(examined: Examined) -> list[str]:
    """What the marks of a report are below, in their order; "" where they are below nothing."""
    found = []
    for one in build.brief(examined).findings:
        places = (place_of(one), *(place_of(each) for each in one.related))
        for place in places:
            if place is None:
                continue
            line = lines_of(sources_of(examined)[place.file])[place.line - 1]
            end = place.end_column - 1 if place.end_line == place.line else len(line)
            found.append(shown(line[place.column - 1 : end]))
    return found


def assert_pointed(text: str, wanted: list[str]) -> None:
    rows = [*pointed(text)]
    assert len(rows) == len(wanted)
    for (there, is_cut), expected in zip(rows, wanted, strict=True):
        if not expected:
            continue
        assert expected.startswith(there) if is_cut else there == expected, (there, expected, text)
        assert there, text


@pytest.mark.parametrize("rule", sampled(CASES))
def test_lines_and_outcomes(rule: str) -> None:
    for case in cases(rule, "found"):
        examined = report_of(case)
        report = build.full_report(examined)
        told = []
        for document in examined.documents:
            lines = {one.line for one in report.findings if one.file == document.path and one.line is not None}
            told += [line for number in sorted(lines) for line in explain_line(report, document, number)]
        explained = "\n".join(told) + "\n"
        holds({width: laid_out(explained, Style(False, width)) for width in WIDTHS}, explained)

        def outcome(width: int | None, one: Examined = examined) -> str:
            style = Style(False, width)
            return laid_out(trace.render(words.actual(one.outcome), build.outcome_of(one.outcome), style), style)

        holds({width: outcome(width) for width in WIDTHS}, outcome(None))


def plans_hold(case: dict[str, Any]) -> None:
    with ExitStack() as stack:
        planned = plan_request(Request((catalog.request_of(case, stack),)), None)
        texts = {width: plan.as_text(planned, Style(False, width)) for width in WIDTHS}
        holds(texts, plan.as_text(planned, Style(False)))


@pytest.mark.parametrize("rule", sampled(CASES))
def test_plans(rule: str) -> None:
    for case in [*cases(rule, "found")][:1]:
        plans_hold(case)


@pytest.mark.slow
@pytest.mark.parametrize("rule", CASES)
def test_all_plans(rule: str) -> None:
    for case in [*cases(rule, "found", "undecided")][1:]:
        plans_hold(case)
