"""What to do, in every format: the plan as a whole, safe to show, in bounds, and the files as they are then."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.checking.planning import plan_request, plans_for
from fp8check.rules.checking.request import Request, check_request
from fp8check.rules.edits.differing import differing, lines_of
from fp8check.rules.input_error import InputError
from fp8check.rules.report import html
from fp8check.rules.report.build import full_report
from fp8check.rules.report.formats import FORMATS, PLAIN, Format, find
from fp8check.rules.report.github import render as github
from fp8check.rules.report.htmlplan import todo
from fp8check.rules.report.plan_text import MOST, sentence, short
from fp8check.rules.report.schema import Edit, Fix, Plan, Plans, Report, Step, as_data
from fp8check.rules.report.stored import from_data
from tests.repair.test_plan import SINGLE, request_of
from tests.report.test_formats import HOSTILE, SARIF
from tests.support.cases import CASES
from tests.support.reports import sources_of
from tests.support.runs import report_of
from tests.tools.fuzz.invariants import page
from tests.tools.fuzz.invariants import report as invariants

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = {"train.yaml": "# Mine.\noutput_dir: out\nbf16: true  # as always\n", "accel.yaml": SINGLE}
TOKEN = "hf_" + 5 * "abcDEF12"


def planned(
    files: Mapping[str, str] = FILES, launch: str | None = None, **case: object
) -> tuple[Report, dict[str, str]]:
    """The report of the first run of these files with what to do about it, and the texts."""
    request = Request((request_of(files, launch, **case),))  # type: ignore[arg-type]
    checked = check_request(request)
    (plans,) = plans_for(request, checked, asked=True).values()
    return full_report(checked.reports[0])._replace(plan=plans), sources_of(checked.reports[0])


def plans_in(report: Report) -> Plans:
    assert report.plan is not None
    return report.plan


def rendered(name: str, report: Report, sources: Mapping[str, str]) -> str:
    found = find(name)
    assert found is not None
    return found.render([report], sources)


class Texts(HTMLParser):
    """The files that a page offers, by name, and the commands."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, str] = {}
        self.commands: list[str] = []
        self._inside: list[str] | None = None
        self._name: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "pre" and given.get("class") == "text":
            self._inside, self._name = [], given.get("data-name")

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self._inside.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre" and self._inside is not None:
            text, self._inside = "".join(self._inside), None
            if self._name is None:
                self.commands.append(text)
            else:
                self.files.setdefault(self._name, text)


def texts_of(text: str) -> Texts:
    parser = Texts()
    parser.feed(text)
    parser.close()
    return parser


# What differs


@given(st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "d\r", "e", "f\u2028g\n"])), st.data())
def test_what_differs_makes_one_text_of_the_other(lines: list[str], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.sampled_from([*lines, "x\n", "y"])))
    before, after = "".join(lines), "".join(other)
    text = before
    for start, end, new in reversed([*differing(before, after)]):
        text = text[:start] + new + text[end:]
    assert text == after
    assert "".join(lines_of(before)) == before


def test_of_long_files_the_middle_is_one_stretch() -> None:
    before = "".join(f"a{number}\n" for number in range(3000))
    assert len([*differing(before, before.replace("a", "b"))]) == 1
    assert [*differing(before, before)] == []
    one = before.replace("a7\n", "x\n").replace("a9\n", "y\n")
    assert [new for _, _, new in differing(before, one)] == ["x\n", "y\n"]


# Each format


def test_sarif_has_the_whole_plan_as_the_fix_of_each_error() -> None:
    report, sources = planned()
    log = json.loads(rendered("sarif", report, sources))
    SARIF.validate(log)
    (run,) = log["runs"]
    errors = [one for one in run["results"] if one["level"] == "error"]
    assert errors
    for result in errors:
        first = result["fixes"][0]
        said = first["description"]["text"]
        assert said.startswith(
            "The whole plan (fp8check fix --goal fp8): train.yaml:3 bf16: true -> bf16: false. Then fp8"
        )
        (change,) = first["artifactChanges"]
        assert change["artifactLocation"]["uri"] == "train.yaml"
        (made,) = change["replacements"]
        assert made["deletedRegion"] == {"startLine": 3, "startColumn": 1, "endLine": 4, "endColumn": 1}
        assert made["insertedContent"]["text"] == "bf16: false  # as always\n"
    note = run["invocations"][0]["toolExecutionNotifications"][-1]
    assert note["message"]["text"].startswith("what to do (fp8check fix --goal fp8)\n  1. train.yaml:3")


def test_sarif_has_a_new_file() -> None:
    files = {"train.yaml": "model_name_or_path: a/b\nfinetuning_type: full\nfp8: true\nbf16: true\n"}
    report, sources = planned(files, packages={"llamafactory": "0.9.5"})
    new = [step for step in plans_in(report).plans[0].steps if step.kind == "file"]
    assert new
    log = json.loads(rendered("sarif", report, sources))
    SARIF.validate(log)
    changes = next(one for one in log["runs"][0]["results"] if one["level"] == "error")["fixes"][0]["artifactChanges"]
    added = next(one for one in changes if one["artifactLocation"]["uri"] == new[0].file)
    assert added["replacements"][0]["insertedContent"]["text"] == new[0].after
    assert texts_of(rendered("html", report, sources)).files[str(new[0].file)] == new[0].after


def test_sarif_of_a_plan_without_files_says_it_once() -> None:
    report, sources = planned()
    plans = plans_in(report)
    launch = Step("launch", None, None, None, "accelerate launch a.py", "FP301")
    only = plans._replace(plans=(plans.plans[0]._replace(steps=(launch,), fix=None),))
    log = json.loads(rendered("sarif", report._replace(plan=only), sources))
    SARIF.validate(log)
    assert (
        "accelerate launch a.py"
        in log["runs"][0]["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"]
    )


def test_github_has_ten_plans_as_notices_and_the_others_in_the_log() -> None:
    report, sources = planned()
    plans = plans_in(report)
    (first, *_) = plans.plans
    many = [
        report._replace(
            plan=plans._replace(plans=(first._replace(launch=f"accelerate launch n{number}.py"),)), findings=()
        )
        for number in range(12)
    ]
    format_ = find("github")
    assert format_ is not None
    lines = format_.render(many, sources).splitlines()
    assert sum(one.startswith("::notice ") for one in lines) == 10
    assert [one for one in lines if one.endswith(("n10.py", "n11.py"))] == [
        "fp8check:   2. start with     accelerate launch n10.py",
        "fp8check:   2. start with     accelerate launch n11.py",
    ]
    assert lines[-1].startswith("fp8check: 2 more without an annotation")


def test_github_has_one_notice_before_the_findings() -> None:
    report, sources = planned()
    lines = rendered("github", report, sources).splitlines()
    assert lines[0].startswith("::notice title=fp8check%3A what to do (fp8check fix --goal fp8)::  1. train.yaml:3 ")
    assert "%0A" in lines[0]
    assert sum("what to do" in line for line in lines) == 1
    assert all(len(line) < 20_000 for line in lines)


def test_junit_has_it_behind_what_happens() -> None:
    report, sources = planned()
    root = ET.fromstring(rendered("junit", report, sources))  # noqa: S314  our own
    assert [one.text for one in root.iter("system-out") if "what to do" in str(one.text)] == [
        "\n".join((report.summary.actual, *short(plans_in(report))))
    ]


def test_gitlab_has_it_in_the_first_error() -> None:
    report, sources = planned()
    issues = json.loads(rendered("gitlab", report, sources))
    said = [one for one in issues if "The whole plan" in one["description"]]
    assert [one["severity"] for one in said] == ["critical"]
    assert said[0]["description"].endswith(sentence(plans_in(report), 1))


def test_a_page_has_it_first_and_a_report_at_its_end() -> None:
    report, sources = planned()
    alone, part = rendered("html", report, sources), html.body([report], sources, todo_first=True)
    assert alone.index('class="summary"') < alone.index('class="files"') < alone.index('class="todo"')
    assert part.index('class="verdict fail"') < part.index('class="todo"') < part.index('class="files"')
    for text in (alone, part):
        assert text.count('class="todo"') == 1
        assert "What to write instead" not in text, "one advice"
        found = texts_of(text)
        assert found.files["train.yaml"] == FILES["train.yaml"].replace("true", "false")
        assert found.commands[0] == plans_in(report).plans[0].launch
        assert "<del>bf16: true  # as always</del>" in text
        assert "<ins>bf16: false  # as always</ins>" in text
    page(part)


def test_what_pays_more_has_its_figures() -> None:
    files = {**FILES, "train.yaml": "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: out\nbf16: true\n"}
    report, sources = planned(files)
    plans = plans_in(report)
    two = plans._replace(plans=(plans.plans[0], plans.plans[0]))
    text = rendered("html", report._replace(plan=two), sources)
    assert '<details class="other"><summary>Or: ' in text
    assert str(plans.plans[0].summary.actual) in text.partition("<summary>Or: ")[2].partition("</summary>")[0]
    assert "--plan 2" in text
    assert short(two)[-1].startswith("or (fp8check fix --goal fp8 --plan 2): fp8")
    ids = [part.partition('"')[0] for part in text.split(' id="')[1:]]
    assert len(ids) == len(set(ids))


def test_no_way_is_said_with_its_reasons() -> None:
    report, sources = planned()
    none = Plans("fp8check/plan/1", "fp8", False, ("no GPU here has FP8", HOSTILE), ())
    report = report._replace(plan=none)
    for form in FORMATS:
        text = rendered(form.name, report, sources)
        invariants(form.name, text)
        assert ("no GPU here has FP8" in text) == (form.name != "concise")
    instead = todo(none._replace(in_bf16=plans_in(planned()[0]).plans[0]), sources, 0)
    assert "<summary>In BF16: " in instead
    assert texts_of(instead).files["train.yaml"] == FILES["train.yaml"].replace("true", "false")
    bf16 = todo(none._replace(goal="bf16"), {}, 0)
    assert "No way to BF16 was found" in bf16
    assert "--goal bf16" not in bf16


def test_a_run_that_is_good_has_nothing_to_do() -> None:
    part = request_of({**FILES, "train.yaml": "output_dir: out\nbf16: false\n"})
    found = plan_request(Request((part,)))
    assert found.plans[0].steps == ()
    from fp8check.rules.report.plan import plans_of

    assert "Nothing to do" in todo(plans_of(found), {}, 0)


# All rules' cases


def request_of_case(rule: str) -> Request:
    """The request of the first case of a rule; one that has nothing to check skips the test."""
    case = CASES[rule]["found"][0]
    files = {one.path: one.text for one in report_of(case).documents}
    known = {name: case[name] for name in ("trainer", "packages", "variables", "gpus") if name in case}
    return Request((request_of(files, case.get("launch"), **known),))


@pytest.mark.parametrize("rule", [*CASES][::7])
def test_every_format_takes_the_plan_of_a_case(rule: str) -> None:
    request = request_of_case(rule)
    try:
        checked = check_request(request)
    except InputError as problem:
        pytest.skip(str(problem))
    for number, plans in plans_for(request, checked, asked=True).items():
        report = full_report(checked.reports[number])._replace(plan=plans)
        sources = sources_of(checked.reports[number])
        data = json.loads(json.dumps(as_data(report)))
        assert json.loads(json.dumps(as_data(from_data(data)))) == data
        for form in FORMATS:
            invariants(form.name, form.render([report], sources))
        SARIF.validate(json.loads(rendered("sarif", report, sources)))
        page(html.body([report], sources, todo_first=True))


def test_the_files_of_a_page_are_those_that_fix_writes() -> None:
    made = 0
    for rule in [*CASES][::5]:
        request = request_of_case(rule)
        try:
            checked = check_request(request)
        except InputError:
            continue
        found = plan_request(request, given=checked.reports)
        made_of = [*found.plans, *(() if found.in_bf16 is None else (found.in_bf16,))]
        wanted = {(one.path, one.text) for plan in made_of for one in plan.documents}
        for number, plans in plans_for(request, checked, asked=True).items():
            report = full_report(checked.reports[number])._replace(plan=plans)
            offered = texts_of(rendered("html", report, sources_of(checked.reports[number]))).files
            assert {*offered.items()} <= wanted, rule
            made += len(offered)
    assert made > 15


# Hostile, secret and large


def hostile_plans() -> Plans:
    """Plans whose every text is hostile."""
    plans = plans_in(planned()[0])
    first = plans.plans[0]
    kinds = ("edit", "file", "launch", "variable", "package")
    steps = tuple(Step(kind, HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE) for kind in kinds)  # type: ignore[arg-type]
    fix = Fix(
        False,
        tuple(Edit(path, line, 1, line + 1, 1, HOSTILE) for path in (HOSTILE, "accel.yaml") for line in (1, 9, 1)),
    )
    summary = first.summary._replace(actual=HOSTILE, speed=HOSTILE, memory=HOSTILE)
    bad = Plan(steps, HOSTILE, first.outcome, None, None, first.remaining, HOSTILE, summary, fix)
    return plans._replace(plans=(bad, bad), why_not=(HOSTILE,))


@pytest.mark.parametrize("form", FORMATS, ids=lambda one: one.name)
def test_every_format_takes_a_hostile_plan(form: Format) -> None:
    report, _ = planned()
    report = report._replace(plan=hostile_plans())
    text = form.render([report, report], {HOSTILE: HOSTILE, "accel.yaml": f"{HOSTILE}\n" * 30})
    assert not {"\x00", "\x1b"} & set(text)
    invariants(form.name, text)
    if form.name == "sarif":
        SARIF.validate(json.loads(text))


def test_a_page_takes_a_hostile_plan() -> None:
    report, _ = planned()
    text = html.body([report._replace(plan=hostile_plans())], {HOSTILE: HOSTILE}, todo_first=True)
    assert HOSTILE[:7] not in text
    page(text.replace("\x00", "").replace("\x1b", "").replace("\r", ""))
    assert texts_of(text).files == {}, "what a page cannot give back as it is, it does not offer"


@pytest.mark.parametrize("form", FORMATS, ids=lambda one: one.name)
def test_a_credential_is_in_no_plan_and_no_file_is_offered_with_its_mask(form: Format) -> None:
    files = {**FILES, "train.yaml": f"output_dir: out\nhub_token: some-secret-words\nbf16: true # {TOKEN}\n"}
    launch = (
        f"HF_TOKEN=another-secret accelerate launch --config_file accel.yaml train.py train.yaml --hub_token {TOKEN}"
    )
    request = Request((request_of(files, launch),))
    checked = check_request(request)
    from fp8check.cli.output import discreet

    sources = {one.path: discreet(one) for one in checked.reports[0].documents}
    for number, plans in plans_for(request, checked, asked=True).items():
        text = form.render([full_report(checked.reports[number])._replace(plan=plans)], sources)
        for secret in ("some-secret-words", "another-secret", TOKEN):
            assert secret not in text
        if form.name == "html":
            assert "train.yaml" not in texts_of(text).files
            assert all("***" not in one for one in texts_of(text).commands)
            assert "credential" in text


def large(count: int) -> tuple[Report, dict[str, str]]:
    """A plan of so many steps in so many lines, for as many errors."""
    report, sources = planned()
    plans = plans_in(report)
    steps = tuple(Step("edit", "train.yaml", line, "a: 1", "a: 2", "FP101") for line in range(1, count + 1))
    fix = Fix(False, tuple(Edit("train.yaml", line, 1, line + 1, 1, "a: 2\n") for line in range(1, count + 1)))
    many = plans.plans[0]._replace(steps=steps, fix=fix)
    error = next(one for one in report.findings if one.severity == "error")
    found = report._replace(plan=plans._replace(plans=(many, many, many)), findings=(error,) * count)
    return found, {**sources, "train.yaml": "a: 1\n" * count}


@pytest.mark.parametrize("form", FORMATS, ids=lambda one: one.name)
def test_a_large_plan_costs_what_it_is_large(form: Format) -> None:
    def cost(count: int) -> tuple[float, int]:
        report, sources = large(count)
        began = time.process_time()
        size = len(form.render([report], sources))
        return time.process_time() - began, size

    cost(200)
    (before, small), (after, big) = cost(2_000), cost(8_000)
    assert big < 5 * small + 100_000
    assert after < 8 * before + 0.3
    if form.name == "html":
        assert big < 4_000_000


def test_what_is_said_in_little_room_is_bounded() -> None:
    plans = plans_in(large(5_000)[0])
    assert len(short(plans)) <= MOST + 3
    assert "lines more: fp8check fix --goal fp8 makes them" in short(plans)[MOST]
    assert len(sentence(plans, 1)) < 4_000
    assert "; and 4992 steps more. Then" in sentence(plans, 1)
    report, sources = large(5_000)
    assert len(github([report], sources, PLAIN).splitlines()[0]) < 10_000


def test_files_and_steps_beyond_the_bounds_are_counted() -> None:
    report, _ = planned()
    plans = plans_in(report)
    paths = [f"{number}.yaml" for number in range(12)]
    fix = Fix(False, tuple(Edit(path, 1, 1, 2, 1, "a: 2\n") for path in paths))
    many = plans._replace(plans=(plans.plans[0]._replace(fix=fix, steps=plans.plans[0].steps * 300),))
    text = todo(many, dict.fromkeys(paths[1:], "a: 1\n" + 70000 * "#"), 0)
    assert "4 files more are not on this page" in text
    assert "100 steps more are not on this page" in text
    assert "too large for this page" in text
    assert "is not quoted" in text, "the first is no file that may be quoted"


def test_edits_that_do_not_fit_are_left_out() -> None:
    """A stored report may be anything."""
    plans = plans_in(planned()[0])
    places = ((5, 9), (1, 2), (1, 2), (3, 2), (0, 1), (2, 99))
    fix = Fix(False, tuple(Edit("a.yaml", line, 1, end, 1, "x\n") for line, end in places))
    text = todo(plans._replace(plans=(plans.plans[0]._replace(fix=fix),)), {"a.yaml": "1\n2\n3\n"}, 0)
    assert texts_of(text).files == {"a.yaml": "x\n2\n3\n"}


def test_long_files_are_shown_around_what_differs() -> None:
    lines = [f"# {number}.\n" for number in range(500)]
    report, _ = planned({**FILES, "train.yaml": FILES["train.yaml"] + "".join(lines)})
    assert report.plan is not None
    text = todo(report.plan, {"train.yaml": FILES["train.yaml"] + "".join(lines)}, 0)
    assert "not shown" in text
    assert text.count("# 499.") == 1, "in the whole file alone"
