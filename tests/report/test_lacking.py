"""What is undecided is told by what would decide it."""

from __future__ import annotations

from html import unescape

import pytest

from fp8check.rules.engine.definition import KNOWLEDGE
from fp8check.rules.engine.running import UndecidedRule
from fp8check.rules.report import build, html
from fp8check.rules.report.formats import Look, find
from fp8check.rules.report.lacking import FACTS, SOME, lacking
from tests.support.reports import text_of
from tests.support.runs import report_of

BLIND = {
    "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n",
    "stack": "unknown",
    "gpu": "unknown",
    "variables": "unknown",
}


def test_half_of_all_rules_are_undecided_for_few_reasons() -> None:
    undecided = report_of(BLIND).undecided
    groups = lacking(undecided)
    assert len(undecided) > 40
    assert groups[0].how == FACTS
    assert len(groups) == len({one.how for one in groups}) <= 3
    assert groups[0].wants == "the releases of the packages, the GPUs and the environment variables"
    assert sorted(rule for one in groups for rule in one.rules) == sorted(one.rule for one in undecided)
    assert [len(one.rules) for one in groups] == sorted((len(one.rules) for one in groups), reverse=True)
    assert all(len(set(one.needs)) == len(one.needs) for one in groups)


def test_text_and_page_have_a_line_for_each_answer_and_name_every_rule() -> None:
    report = report_of(BLIND)
    text = text_of(report, verbose=True)
    page = html.render([build.full_report(report)], {}, Look())
    assert text.count("\nnot decided: ") == len(lacking(report.undecided))
    assert f"Undecided: {len(report.undecided)}." in page
    details = unescape(page[page.index('<div class="missing"') :].partition("</div>")[0])
    assert details.count("<details><summary>") == len(lacking(report.undecided))
    for one in report.undecided:
        assert one.rule in text
        assert one.rule in details
        assert one.needs in details


@pytest.mark.parametrize("name", ["text", "markdown", "github"])
def test_a_line_for_each_thing_that_is_missing(name: str) -> None:
    report = report_of(BLIND)
    format_ = find(name)
    assert format_ is not None
    text = format_.render([build.full_report(report)], {})
    lines = [line for line in text.splitlines() if "not decided: " in line and " want" in line]
    groups = lacking(report.undecided)
    assert len(lines) == len(groups)
    for line, one in zip(lines, groups, strict=True):
        assert f"{len(one.rules)} rules want " in line
        assert f"({', '.join(one.rules[:SOME])}, ...)" in line
        assert "facts.json" in line or "--probe" in line


def told(*undecided: tuple[str, str, str]) -> list[str]:
    return [one.sentence(one.ids()) for one in lacking([UndecidedRule(*each) for each in undecided])]


PACKAGES, GPUS = KNOWLEDGE["packages"], KNOWLEDGE["gpus"]


@pytest.mark.parametrize(
    ("undecided", "lines"),
    [
        ([("FP1", "packages", PACKAGES)], [f"1 rule wants the releases of the packages (FP1): {FACTS}"]),
        (
            [("FP1", "transformer_engine, packages", PACKAGES), ("FP2", "gpus", GPUS), ("FP3", "the CUDA", PACKAGES)],
            [f"3 rules want the releases of the packages and the GPUs (FP1, FP2, FP3): {FACTS}"],
        ),
        (
            [("FP1", "the versions of trl", PACKAGES), ("FP2", "the versions of trl", PACKAGES)],
            [f"2 rules want the versions of trl (FP1, FP2): {FACTS}"],
        ),
        (
            [("FP1", "gpus", GPUS), *[(f"FP{n}", f"the release of {n}", PACKAGES) for n in (2, 3, 4, 5)]],
            [f"5 rules want the GPUs, the release of 2 and 3 more (FP1, FP2, FP3, ...): {FACTS}"],
        ),
        (
            [("FP8", "probe", KNOWLEDGE["seen"]), ("FP9", "how the script pads", KNOWLEDGE["seen"])],
            ["2 rules want a real step (FP8, FP9): run fp8check with --probe on the GPU node"],
        ),
        (
            [("FP1", "ds.json: no such file", "fp8check where ds.json can be read")],
            ["1 rule (FP1): ds.json: no such file. To decide it: fp8check where ds.json can be read"],
        ),
    ],
)
def test_what_is_missing_in_words(undecided: list[tuple[str, str, str]], lines: list[str]) -> None:
    assert told(*undecided) == lines


def test_what_a_stranger_wrote_stays_in_its_line() -> None:
    (line,) = told(("FP1", "\x1b[1mno.json\n::error::x", "fp8check with\nit"))
    assert "\x1b" not in line
    assert "\n" not in line
