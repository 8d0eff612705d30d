"""What is undecided is told by what would decide it."""

from __future__ import annotations

from html import unescape

from fp8check.rules.report import build, html
from fp8check.rules.report.formats import Look
from fp8check.rules.report.lacking import lacking, things
from tests.support.reports import text_of
from tests.support.runs import report_of

BLIND = {
    "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n",
    "stack": "unknown",
    "gpu": "unknown",
    "variables": "unknown",
}


def test_half_of_all_rules_are_undecided_for_four_reasons() -> None:
    undecided = report_of(BLIND).undecided
    groups = lacking(undecided)
    assert len(undecided) > 40
    assert len(groups) <= 5
    assert sorted(rule for one in groups for rule in one.rules) == sorted(one.rule for one in undecided)
    assert [len(one.rules) for one in groups] == sorted((len(one.rules) for one in groups), reverse=True)
    assert all(len(set(one.needs)) == len(one.needs) for one in groups)
    assert things(undecided) == ["gpus", "packages", "probe", "transformer_engine", "variables"]


def test_text_and_page_have_a_line_for_each_answer_and_name_every_rule() -> None:
    report = report_of(BLIND)
    text = text_of(report, verbose=True)
    page = html.render([build.whole(report)], {}, Look())
    assert text.count("\nundecided, ") == len(lacking(report.undecided))
    assert f"Undecided: {len(report.undecided)}." in page
    details = unescape(page[page.index('<details class="undecided"') :].partition("</details>")[0])
    assert details.count("<li>") == len(lacking(report.undecided))
    for one in report.undecided:
        assert one.rule in text
        assert one.rule in details
        assert one.command in details


def test_one_rule_is_one_rule() -> None:
    (one,) = lacking(report_of(BLIND).undecided[:1])
    assert one.number == "1 rule"
