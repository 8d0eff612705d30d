"""Options of a check: one definition, read from JSON and from forms, stored, and shown by OpenAPI."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from fp8check.service.bodies import from_json
from fp8check.service.check_request import CheckRequest, File, loads
from fp8check.service.forms import FIELDS, options_of, schema
from fp8check.service.options import Options
from fp8check.service.problems import Problem

FILE = "mixed_precision: fp8\n"
# Each option as JSON has it, and as the fields of a form.
EXAMPLES: dict[str, tuple[object, list[tuple[str, str]]]] = {
    "probe": (True, [("probe", "on")]),
    "plan": (True, [("plan", "true")]),
    "goal": ("bf16", [("goal", "bf16")]),
    "launch": ("torchrun train.py", [("launch", "torchrun train.py")]),
    "trainer": ("trl", [("trainer", ""), ("trainer", "trl")]),
    "environment": (False, [("environment", "false")]),
    "variables": ({"A": "1", "B": "x=y"}, [("variable", "A=1"), ("variable", "B=x=y")]),
    "select": (["fp101", "FP2"], [("select", "fp101, FP2")]),
    "ignore": (["FP101", "FP2"], [("ignore", "FP101"), ("ignore", "FP2")]),
    "fail_on": ("warning", [("fail_on", "warning")]),
    "require_evidence": (True, [("require_evidence", "1")]),
    "require": (["speedup>=1", "starts==true"], [("require", "speedup>=1, starts==true")]),
    "quiet": (True, [("quiet", "true")]),
    "verbose": (True, [("verbose", "TRUE")]),
    "color": (True, [("color", "true")]),
}


def test_every_option_has_an_example_and_a_field() -> None:
    assert set(EXAMPLES) == {one.name for one in fields(Options)} == {field.option for field in FIELDS.values()}
    properties = schema()["properties"]
    assert isinstance(properties, dict)
    assert set(FIELDS) <= set(properties)


@pytest.mark.parametrize("name", EXAMPLES)
def test_json_and_form_say_the_same_and_it_is_stored(name: str) -> None:
    value, fields = EXAMPLES[name]
    sent = from_json(json.dumps({"accelerate": FILE, "options": {name: value}}).encode())
    assert options_of(fields) == sent.options
    assert sent.options != Options()
    assert loads(sent.dumped()) == sent
    assert sent.digest() != CheckRequest(sent.files).digest()


@pytest.mark.parametrize("fields", [[("launch", "")], [("select", " , ")], [("nonsense", "")]])
def test_fields_that_say_nothing(fields: list[tuple[str, str]]) -> None:
    assert options_of(fields) == Options()


@pytest.mark.parametrize("field", [("variable", "A"), ("variable", ""), ("variable", "=1")])
def test_a_variable_is_a_pair(field: tuple[str, str]) -> None:
    with pytest.raises(Problem, match="takes NAME=VALUE"):
        options_of([field])


@pytest.mark.parametrize("field", [("nonsense", "1"), ("variables", "A=1"), ("quiet", "maybe"), ("quiet", "")])
def test_what_is_no_option_is_refused(field: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=field[0]):
        options_of([field])


def test_what_another_release_stored_is_understood() -> None:
    stored = {"files": [["a.yaml", FILE]], "facts": ["facts.json", "{}"], "variables": [["A", "1"]], "color": True}
    found = loads(json.dumps({**stored, "option of tomorrow": 1}).encode())
    assert found.files == (File("a.yaml", FILE),)
    assert found.facts == File("facts.json", "{}")
    assert found.options == Options(variables={"A": "1"}, color=True)
    assert loads(json.dumps({"files": [], "facts": None}).encode()) == CheckRequest(())
