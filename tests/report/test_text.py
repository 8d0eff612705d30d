"""The report for people."""

from __future__ import annotations

import re

from fp8check.rules.report import build, text
from fp8check.rules.report.formats import Look, find
from fp8check.rules.report.lacking import lacking
from fp8check.rules.report.many import page_of
from fp8check.rules.suppression.fingerprint import fingerprints
from tests.support.cases import CASES
from tests.support.reports import text_of
from tests.support.runs import report_of

CASE = {
    "training": "output_dir: out\nbf16: true\n",
    "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  fp8_format: E4M3\n",
}


def test_frames_show_both_files_and_underline_what_they_mean() -> None:
    lines = text_of(report_of(CASE)).splitlines()
    head = next(position for position, line in enumerate(lines) if line.startswith("FP101 error"))
    assert lines[head].endswith("train.yaml:2:1")
    assert lines[head + 2] == "2 | bf16: true"
    assert lines[head + 3].startswith("  | ^^^^^^^^^^ transformers 5.17.0 passes")
    assert "accel.yaml:2" in lines[head + 5]
    assert lines[head + 6] == "2 | mixed_precision: fp8"
    assert lines[head + 7].startswith("  | --------------------")


def test_requested_and_actual() -> None:
    shown = text_of(report_of(CASE))
    assert "requested fp8 · TE · E4M3   accel.yaml:2" in shown
    assert "actual    bf16, with TE layers in FP8 · HYBRID, history 1024, max · all Linear layers" in shown


def test_color_only_paints() -> None:
    import re

    report = report_of(CASE)
    painted = text_of(report, color=True)
    assert "\x1b[1;31m" in painted
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == text_of(report)


def test_a_clean_bf16_run_says_little() -> None:
    report = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"})
    assert text_of(report) == "nothing found\n"
    assert report.verdict == "pass"


def test_a_run_that_a_finding_ends_is_not_said_to_train() -> None:
    report = report_of(CASES["FP704"]["found"][0])
    assert "FP704" in [one.rule for one in report.findings]
    shown = text_of(report)
    assert "\nactual    may not run (FP704); once that is fixed: " in shown
    assert "\nspeed " not in shown


def test_undecided_is_named_with_its_command() -> None:
    report = report_of({**CASE, "gpu": "unknown"})
    shown = text_of(report)
    assert f"; {len(report.undecided)} rules not decided\n" in shown
    assert "\nnot decided: " in shown
    assert "the GPUs" in shown


def test_verbose_names_what_is_undecided_by_what_it_lacks() -> None:
    report = report_of({**CASE, "gpu": "unknown", "stack": "unknown"})
    shown, brief = (text_of(report, verbose=verbose) for verbose in (True, False))
    groups = lacking(report.undecided)
    told = shown.splitlines()[-2 * len(groups) :]
    assert brief.splitlines()[: -len(groups)] == shown.splitlines()[: -len(told)]
    assert all(line.startswith("not decided: ") for line in told[::2])
    assert all(line.startswith("  for want of ") for line in told[1::2])
    named = [rule for line in told[::2] for rule in re.findall(r"FP\d+", line)]
    assert sorted(named) == sorted(one.rule for one in report.undecided)


def test_in_the_hook_a_clean_run_has_no_line_and_runs_with_findings_one_between_them() -> None:
    clean = build.brief(report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"}))
    found = build.brief(report_of({**CASE, "accelerate": CASE["accelerate"].replace("TE", "te")}))
    quiet = Look(quiet=True)
    assert text.render([clean] * 3, {}, quiet) == ""
    one = text.render([found], {}, quiet)
    assert one.startswith("FP201 error ")
    assert one.endswith("\n")
    assert not one.endswith("\n\n")
    assert text.render([clean, found, clean, clean, found, clean], {}, quiet) == f"{one}\n{one}"
    format_ = find("text")
    assert format_ is not None
    page = page_of(format_, quiet)
    reports = [clean, found, clean, found, clean]
    assert "".join([*(page.add(each, {}) for each in reports), page.end()]) == f"{one}\n{one}"


def test_verbose_adds_nothing_where_all_is_decided() -> None:
    report = report_of({"accelerate": "distributed_type: 'NO'\nmixed_precision: bf16\n"})
    assert text_of(report, verbose=True) == "nothing found\n"


def test_fingerprints_survive_moved_lines_and_comments() -> None:
    moved = {**CASE, "accelerate": "# a comment\n\n" + CASE["accelerate"].replace("E4M3", "E4M3 # why")}
    first, second = report_of(CASE), report_of(moved)
    assert [one.rule for one in first.findings] == [one.rule for one in second.findings]
    assert fingerprints(first.findings, first.documents) == fingerprints(second.findings, second.documents)
    assert len(set(fingerprints(first.findings, first.documents))) == len(first.findings)


def test_no_line_of_the_summary_stands_without_its_title() -> None:
    found = report_of(
        {
            "training": "output_dir: out\n",
            "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n",
        }
    )
    report = build.full_report(found)
    assert report.summary.memory_lacks is not None
    assert report.summary.memory_lacks not in text_of(found)
