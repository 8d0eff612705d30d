"""What OpenAPI says of a report is what a report is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from fp8check.rules.report import schema
from fp8check.rules.report.build import full_report
from fp8check.service.reportmodel import Report
from tests.support.cases import CASES
from tests.support.runs import PROBED, report_of

if TYPE_CHECKING:
    from starlette.testclient import TestClient

SHOWN = Report.model_json_schema()
# A key that is not described is a mistake here, although clients must be ready for it.
CLOSED = {"additionalProperties": False}
STRICT = jsonschema.Draft202012Validator(
    {**SHOWN, **CLOSED, "$defs": {name: {**part, **CLOSED} for name, part in SHOWN["$defs"].items()}}
)


def data_of(case: dict[str, Any]) -> object:
    return json.loads(json.dumps(schema.as_data(full_report(report_of(case)))))


@pytest.mark.parametrize("rule", CASES)
def test_reports_are_as_described(rule: str) -> None:
    data = data_of({name: value for name, value in CASES[rule]["found"][0].items() if name != "seen"})
    assert [f"{one.json_path}: {one.message[:200]}" for one in STRICT.iter_errors(data)] == []


@pytest.mark.parametrize("like", PROBED)
def test_what_a_probe_saw_is_as_described(like: str) -> None:
    data = data_of({**CASES["FP101"]["found"][0], "seen": {"like": like}})
    jsonschema.validate(data, SHOWN)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("verdict", "fine"),
        ("findings/0/line", "3"),
        ("findings/0/fix", {"safe": True}),
        ("outcome/error", {"stage": "launch"}),
        ("outcome/fp8_layers", "most"),
        ("outcome/trace/0/origin", None),
        ("probe/ended", "well"),
        ("probe/layers", {"te": "many"}),
    ],
)
def test_the_description_is_no_mere_object(path: str, value: object) -> None:
    data = data_of({**CASES["FP101"]["found"][0], "seen": {"like": "te"}})
    *way, last = path.split("/")
    inner: Any = data
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]
    inner[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SHOWN)


def test_fields_have_the_words_of_the_schema(client: TestClient) -> None:
    parts = client.get("/openapi.json").json()["components"]["schemas"]
    assert parts["Finding"]["properties"]["label"]["description"] == "what really happens at that place."
    assert parts["Speedup"]["properties"]["low"]["description"] == parts["Speedup"]["properties"]["high"]["description"]
    assert parts["Report"]["properties"]["outcome"] == {"$ref": "#/components/schemas/Outcome"}
    assert parts["Overridden"]["properties"]["overrode"]["items"] == {"$ref": "#/components/schemas/Overridden"}
