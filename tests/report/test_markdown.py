"""Markdown for summaries and comments: whatever strangers wrote, nothing of it is looked at by the site."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fp8check.rules.engine.running import UndecidedRule
from fp8check.rules.report import markdown
from fp8check.rules.report.build import full_report
from fp8check.rules.report.formats import find
from fp8check.rules.report.markdown import MOST, code, fenced, inline
from fp8check.rules.report.schema import Baseline, InternalError, LaunchLine, Report
from tests.report.test_plans import planned
from tests.support.cases import CASES
from tests.support.markdown import GFM, check_harmless
from tests.support.runs import report_of

# What somebody would be called by, what becomes a link, a picture, markup or a command of the site.
ODD = (
    *("@all", "@octocat", "#1", "GH-1", "(www.evil.example", "https://evil.example", "[x](http://y)", "![x](//y)"),
    *("<img src=x>", "<!-- -->", "-->", "&copy;", ":tada:", "!1", "~label", "$5", "|", "||", "a|b", "**b**", "__b__"),
    *("`", "``", "```", "~~~", "`````", "/close", "/merge", "- x", "# x", "1.", ">", "\\", "\\`", "deadbeef0", "x"),
    *("::error::x", "##[group]", "\n", "\r\n", "\t", " ", "  ", "\n\n/close\n", "a@b.example", "</details>", "it's"),
)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(ODD), max_size=6).map("".join),
    st.lists(st.sampled_from(ODD), max_size=6).map(" ".join),
)


def rendered(*reports: Report) -> str:
    format_ = find("markdown")
    assert format_ is not None
    return format_.render(reports, {})


def of_case(rule: str) -> Report:
    return full_report(report_of(CASES[rule]["found"][0]))


@given(TEXTS)
@example("` @all `x` @all")
@example("a`b``c`d*`@all`")
@example("@a`@b`@c `` @d")
@example("(www.evil.example")
@example("8-12345673")
def test_a_text_in_a_line_is_no_markup(text: str) -> None:
    check_harmless(f"- x {inline(text)} y\n")
    check_harmless(f"- x {code(text)} y\n")
    assert "\n" not in inline(text) + code(text)


@given(st.lists(TEXTS, max_size=5))
def test_lines_in_a_block_stay_in_it(lines: list[str]) -> None:
    (block, after, *_) = GFM.parse(f"{fenced(lines)}\nafter\n")
    assert block.type == "fence"
    assert after.type == "paragraph_open"
    assert len(block.content.splitlines()) == len(lines)


def test_plain_words_are_read_as_such() -> None:
    assert (
        inline("FP8 will make it slower: about 0.7x (see below).") == "FP8 will make it slower: about 0.7x (see below)."
    )
    assert inline("write bf16: false; fp8_format, amax_history_len: 4") == (
        "write bf16: false; `fp8_format, amax_history_len`: 4"
    )
    assert inline("`accelerate launch` brings it") == "`accelerate launch` brings it"
    assert inline("one ` is left over") == "one  is left over"
    assert (code("a`b"), code(" "), code("")) == ("`` a`b ``", "`-`", "`-`")
    assert inline(";") == "`;`"


def test_what_is_long_is_cut() -> None:
    assert len(inline("x" * 5_000)) == 1_002
    assert len(code("y" * 5_000)) == 1_002
    assert max(map(len, fenced(["z" * 5_000]).splitlines())) == 1_001


@pytest.mark.parametrize("rule", [*CASES])
def test_every_case_is_harmless_and_has_its_findings(rule: str) -> None:
    report = of_case(rule)
    text = rendered(report)
    check_harmless(text)
    for finding in report.findings:
        assert finding.rule in text
    assert text.startswith("### fp8check: ")


def test_a_hostile_report_is_harmless() -> None:
    evil = " ".join(ODD)
    report = of_case("FP101")
    finding = report.findings[0]._replace(
        rule=evil, name=evil, message=evil, help=evil, file=evil, url="https://evil.example", fingerprint="1"
    )
    hostile = report._replace(
        files=(report.files[0]._replace(path=evil),),
        summary=report.summary._replace(actual=evil, requested=evil),
        findings=(finding, finding._replace(fingerprint="2", url=f"https://fp8check.readthedocs.io/rules/{evil}")),
        undecided=(UndecidedRule(evil, evil, evil),),
        internal_errors=(InternalError(evil, evil),),
    )
    for one in (
        hostile,
        hostile._replace(findings=(), internal_errors=()),
        hostile._replace(findings=(), undecided=(), internal_errors=(), verdict="undecided"),
    ):
        check_harmless(rendered(one))


def test_what_to_do_stands_in_a_block() -> None:
    report, _ = planned()
    text = rendered(report)
    assert "what to do (fp8check fix --goal fp8)\n" in text
    assert re.search(r"^   1\. train\.yaml:3 +bf16: true -> bf16: false$", text, re.MULTILINE)
    check_harmless(text)


def test_numbers_count_a_finding_of_several_runs_once() -> None:
    report = of_case("FP101")
    errors = sum(one.severity == "error" for one in report.findings)
    text = rendered(report, report)
    assert text.startswith(f"### fp8check: {errors} error")
    assert ", in 2 runs\n" in text
    assert f"- {len(report.findings)} finding" in text
    assert text.count("[FP101](https://fp8check.readthedocs.io/rules/FP101)") == 1


def test_the_worst_run_stands_first_and_a_clean_one_is_a_line() -> None:
    bad = of_case("FP101")
    clean = bad._replace(verdict="pass", findings=(), undecided=())
    text = rendered(clean, bad)
    assert text.index("#### ") < text.index("- `train.yaml`, `accel.yaml`: nothing found\n")
    assert rendered(clean) == "### fp8check: nothing found\n\n- `train.yaml`, `accel.yaml`: nothing found\n"
    assert rendered(clean._replace(files=())) == "### fp8check: nothing found\n\n- the run: nothing found\n"
    launch = LaunchLine("job.sh", 3, 1, 3, 9, "accelerate launch t.py")
    assert "- `job.sh:3`: nothing found\n" in rendered(clean._replace(launch=launch))


def test_unknown_is_no_pass() -> None:
    report = of_case("FP101")._replace(
        verdict="undecided", findings=(), undecided=(UndecidedRule("FP1", "gpus", "fp8check env"),)
    )
    assert rendered(report) == (
        "### fp8check: nothing found; 1 rule not decided\n\n"
        "- `train.yaml`, `accel.yaml`: nothing found; 1 rule not decided\n"
        "  - 1 rule (FP1): the GPUs. To decide it: fp8check env\n"
    )
    early = report._replace(undecided=(), summary=report.summary._replace(actual="not decided: who trains"))
    assert "nothing found; not decided: who trains\n" in rendered(early)
    failed = report._replace(internal_errors=(InternalError("FP1", "KeyError: 'x'"),))
    assert rendered(failed).startswith("### fp8check: nothing found; 1 rule not decided; 1 rule failed\n")
    assert "- **internal error** in `FP1`: KeyError: 'x'\n" in rendered(failed)


def test_what_errors_may_hide_is_said() -> None:
    report = of_case("FP101")._replace(hiding=("FP204", "FP301"))
    assert "\n- FP204 and FP301 may hide more\n" in rendered(report)


def test_no_more_is_written_than_there_is_room_for() -> None:
    report = of_case("FP101")
    first = report.findings[0]
    many = report._replace(
        findings=tuple(
            first._replace(fingerprint=str(number), message=f"{number} " + "ä" * 900) for number in range(300)
        )
    )
    lines = report._replace(
        findings=tuple(first._replace(fingerprint=f"b{number}") for number in range(20)), verdict="warn"
    )
    text = rendered(lines, many, many._replace(findings=many.findings[:3]))
    assert len(text.encode()) <= MOST
    told = text.count("- **error**")
    assert 20 < told < 300
    assert text.endswith(f"\n{320 - told} findings more in the log and in the reports: no more fit in here.\n")
    check_harmless(text)


def test_known_findings_are_not_told_again() -> None:
    report = of_case("FP101")
    known = report._replace(findings=tuple(one._replace(state="unchanged") for one in report.findings))
    text = rendered(known._replace(baseline=Baseline(0, len(known.findings), ()), verdict="pass", undecided=()))
    assert text == "### fp8check: nothing found\n\n- `train.yaml`, `accel.yaml`: nothing found\n"


def test_the_page_is_one_of_the_formats() -> None:
    assert markdown.render([], {}, None) == "### fp8check: nothing found\n"  # type: ignore[arg-type]
