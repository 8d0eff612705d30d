"""The schema of a report: what JSON has of it is all of it, and what is no report is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.engine.running import UndecidedRule
from fp8check.rules.record import Record
from fp8check.rules.report import build, schema, text
from fp8check.rules.report.formats import Look
from fp8check.rules.report.schema import Finding, Outcome, Report, as_data
from fp8check.rules.report.stored import BadReport, all_from_data, from_data
from tests.support.cases import CASES
from tests.support.reports import sources_of, text_of
from tests.support.runs import PROBED, report_of

if TYPE_CHECKING:
    from fp8check.rules.suppression.examined import Examined

CASE = CASES["FP101"]["found"][0]
# Programs read these: they are never renamed nor taken away.
KEYS = {
    Report: "schema verdict files summary outcome findings undecided suppressed baseline internal_errors probe facts versions",
    Outcome: "starts error mixed_precision fp8_enabled backend recipe fp8_layers layers distributed_type "
    "trains_converted_weights speedup undecided assumed trace",
    Finding: "rule name severity message file line column end_line end_column pointer label related notes help fix url "
    "fingerprint state",
    UndecidedRule: "rule needs command",
}


def sent(examined: Examined) -> object:
    """The whole report, as it is stored or sent."""
    return json.loads(json.dumps(as_data(build.full_report(examined))))


@pytest.mark.parametrize("part", KEYS, ids=lambda part: part.__name__)
def test_no_key_is_renamed_or_taken_away(part: type[Report]) -> None:
    assert [name for name in part.fields if name in KEYS[part].split()] == KEYS[part].split()


def test_what_is_left_out_is_none_or_empty() -> None:
    parts = [one for one in vars(schema).values() if isinstance(one, type) and issubclass(one, Record)]
    defaults = [(part, name) for part in parts for name in part.fields if name not in part.needed]
    assert {part.template[name] for part, name in defaults} == {None, ()}
    assert [name for part in parts for name in part.needed if name.endswith("_")] == []


@pytest.mark.parametrize("rule", CASES)
def test_a_stored_report_is_the_same_report(rule: str) -> None:
    for case in (CASES[rule]["found"][0], CASES[rule]["not found"][-1]):
        examined = report_of(case)
        stored = from_data(sent(examined))
        assert stored == build.full_report(examined)
        shown = text.render([stored], sources_of(examined), Look(verbose=True))
        assert shown == text_of(examined, verbose=True), "a brief report lacks nothing that text shows"


def test_what_a_probe_saw_is_stored_too() -> None:
    examined = report_of({**CASE, "seen": PROBED["te"]})
    stored = from_data(sent(examined))
    assert stored.probe is not None
    assert stored.probe.ended == "done"
    assert stored == build.full_report(examined)


def test_what_is_left_out_where_there_is_none() -> None:
    data = as_data(build.full_report(report_of({**CASE, "stack": "unknown"})))
    assert list(data["summary"]) == ["requested", "actual", "assumed", "memory_lacks"]  # type: ignore[call-overload]
    data = as_data(build.full_report(report_of(CASE)))
    assert list(data["summary"]) == ["requested", "actual", "memory_lacks"]  # type: ignore[call-overload]


def test_a_key_of_a_later_release_is_passed_over() -> None:
    examined = report_of(CASE)
    data = sent(examined)
    assert isinstance(data, dict)
    data["findings"][0]["mood"] = data["mood"] = "bad"
    assert from_data(data) == build.full_report(examined)


def test_one_report_or_a_list() -> None:
    data = sent(report_of(CASE))
    assert len(all_from_data(data)) == 1
    assert len(all_from_data([data, data])) == 2


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("schema", "fp8check/report/2", "this is no report of schema fp8check/report/1"),
        ("verdict", "fine", "/verdict: expected one of fail, warn, pass, undecided, not 'fine'"),
        ("verdict", ["fail"], "/verdict: expected one of"),
        ("verdict", None, "/verdict: expected one of"),
        ("findings", {}, "/findings: expected a list, not {}"),
        ("findings/0", "FP101", "/findings/0: expected an object, not 'FP101'"),
        ("findings/0/line", "3", "/findings/0/line: expected a whole number, not '3'"),
        ("findings/0/line", True, "/findings/0/line: expected a whole number, not True"),
        ("findings/0/message", 3, "/findings/0/message: expected a text, not 3"),
        ("outcome/starts", "yes", "/outcome/starts: expected true or false, not 'yes'"),
        ("outcome/assumed", {"torch": 2}, "/outcome/assumed/torch: expected a text, not 2"),
        ("outcome/assumed", [], "/outcome/assumed: expected an object"),
        ("outcome/speedup", {"predicted": "1", "low": 1, "high": 1.5, "why": ""}, "/outcome/speedup/predicted: expected a number"),
        ("probe", {"ended": "well"}, "/probe: "),
        ("probe", 1, "/probe: expected an object, not 1"),
        ("summary", "x" * 100, "/summary: expected an object, not 'xxx"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_with_its_place(path: str, value: object, words: str) -> None:
    data = sent(report_of(CASE))
    *way, last = path.split("/")
    inner = data
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]  # type: ignore[index]
    inner[int(last) if last.isdigit() else last] = value  # type: ignore[index]
    with pytest.raises(BadReport) as refused:
        from_data(data)
    assert str(refused.value).startswith(words)
    assert len(str(refused.value)) < 150


def test_a_missing_key_is_named() -> None:
    data = sent(report_of(CASE))
    assert isinstance(data, dict)
    del data["outcome"]["error"]
    with pytest.raises(BadReport, match=r"^/outcome/error is missing$"):
        from_data(data)


@pytest.mark.parametrize("data", [None, [], "fp8check/report/1", {}, {"schema": 1}])
def test_other_data_is_no_report(data: object) -> None:
    with pytest.raises(BadReport, match="no report of schema"):
        from_data(data)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2020-01-01", "2020-01-01"),
        ("!!set {a: null}", ["a"]),
        ("!!binary aGk=", "b'hi'"),
        ("{1: 2020-01-01}", {"1": "2020-01-01"}),
        (".inf", "inf"),
        ("0.5", 0.5),
    ],
)
def test_whatever_yaml_can_write_json_can_have(written: str, told: object) -> None:
    accelerate = f"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {{backend: TE, margin: {written}}}\n"
    data = sent(report_of({"accelerate": accelerate}))
    assert isinstance(data, dict)
    assert data["requested"] == {"fp8": True, "backend": "TE", "recipe": {"margin": told}}
