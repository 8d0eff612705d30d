"""facts.json: what is written can be read, and what cannot be read is said to be so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.facts import SCHEMA, UNKNOWN, BadFacts, Facts, Gpu, dump, load, loads, stamped

FULL = Facts(
    python="3.11.7",
    packages={"torch": "2.8.0", "torchao": None},
    variables={"ACCELERATE_FP8_BACKEND": "TE"},
    gpus=[Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False), Gpu(1, "NVIDIA H200", "9.0")],
    driver="580.159.04",
    cuda={"torch": "13.0", "driver": "13.0"},
    libraries={"cudnn": "9.19.0.56"},
    transformer_engine={"metapackage": "2.9.0", "core": {"cu13": "2.9.0"}, "imports": False, "error": "OSError"},
    duplicates={"torch": ["2.8.0", "2.7.0"]},
    launch_ms=2.75,
    host="gpu07",
    collected="2026-11-26",
    notes=("torch has metadata of several versions",),
)

# The shortest thing that the schema allows, as people write it by hand.
BY_HAND = '{"schema": "fp8check/facts/1", "packages": {"accelerate": "1.15.0", "torchao": null}}'


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(dump(FULL), encoding="utf-8")
    again = load(str(path))
    assert again == FULL
    assert (again.source, again.path) == ("file", str(path))
    assert dump(again) == dump(FULL)


def test_unknown_survives() -> None:
    again = loads(dump(Facts()))
    assert again == Facts()
    assert (again.packages, again.gpus, again.variables) == (None, None, None)
    assert loads(dump(Facts(gpus=[]))).gpus == []


def test_written_by_hand() -> None:
    facts = loads(BY_HAND)
    assert facts.package("accelerate") == "1.15.0"
    assert facts.package("torchao") is None
    assert facts.package("torch") is UNKNOWN
    assert facts.gpus is None


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(BY_HAND, encoding="utf-8-sig")
    assert load(str(path)).package("accelerate") == "1.15.0"


def test_a_key_that_is_not_known_is_named() -> None:
    facts = loads(BY_HAND.replace('"packages"', '"pakages"'), "node7.json")
    assert facts.packages is None
    assert facts.notes == ("node7.json: the key 'pakages' is not known and was not read",)


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"schema": "fp8check/facts/2"}, "/schema", "must be 'fp8check/facts/1', not 'fp8check/facts/2'"),
        ({"schema": None}, "/schema", "not null"),
        ({"python": 3.11}, "/python", "expected a text, not 3.11"),
        ({"packages": ["torch"]}, "/packages", "expected an object, not a list"),
        ({"packages": {"torch": 2}}, "/packages/torch", "expected a text, not 2"),
        ({"packages": {"a/b~c": []}}, "/packages/a~1b~0c", "expected a text, not a list"),
        ({"variables": {"RANK": None}}, "/variables/RANK", "expected a text"),
        ({"gpus": {}}, "/gpus", "expected a list"),
        ({"gpus": ["H200"]}, "/gpus/0", "expected an object"),
        ({"gpus": [{"index": 0, "name": "H200"}]}, "/gpus/0/compute_capability", "expected a text"),
        ({"gpus": [{"index": 0, "name": "H200", "compute_capability": "90"}]}, "/gpus/0/compute_capability", '"9.0"'),
        ({"gpus": [{"index": -1, "name": "H", "compute_capability": "9.0"}]}, "/gpus/0/index", "whole number"),
        ({"gpus": [{"index": True, "name": "H", "compute_capability": "9.0"}]}, "/gpus/0/index", "whole number"),
        (
            {"gpus": [{"index": 0, "name": "H", "compute_capability": "9.0", "mig": "no"}]},
            "/gpus/0/mig",
            "true, false or null",
        ),
        ({"transformer_engine": {"imports": "yes"}}, "/transformer_engine/imports", "true, false or null"),
        ({"transformer_engine": {"core": "2.9.0"}}, "/transformer_engine/core", "expected an object"),
        ({"duplicates": {"torch": "2.8.0"}}, "/duplicates/torch", "expected a list"),
        ({"notes": [1]}, "/notes/0", "expected a text"),
        ({"notes": None}, "/notes", "expected a list"),
        ({"driver": "x" * 20_000}, "/driver", "expected a text"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(change: dict[str, Any], pointer: str, message: str) -> None:
    with pytest.raises(BadFacts) as caught:
        loads(json.dumps({"schema": "fp8check/facts/1", **change}), "node7.json")
    assert caught.value.pointer == pointer
    assert message in caught.value.message
    assert str(caught.value).startswith(f"node7.json: {pointer}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema":\n  oops}', "node7.json:2:3: not JSON"),
        ("", "node7.json:1:1: not JSON"),
        ("[]", "expected an object, not a list"),
        ("[" * 200_000, "nested too deeply"),
        ('{"schema": "a", "schema": "b"}', "the key 'schema' occurs twice"),
        ('{"schema": ' + "9" * 5000 + "}", "not readable"),
    ],
)
def test_what_is_no_facts_json_says_so(text: str, message: str) -> None:
    with pytest.raises(BadFacts) as caught:
        loads(text, "node7.json")
    assert message in str(caught.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(b'{"schema": "\xff"}')
    with pytest.raises(BadFacts, match="not UTF-8 at byte 12"):
        load(str(path))
    path.write_bytes(b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(BadFacts, match=r"larger than 4,194,304 bytes: this is not a facts\.json"):
        load(str(path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["python", "packages", "variables", "gpus", "driver", "cuda", "libraries", "transformer_engine", "notes", "other"]
)


@given(st.dictionaries(KEYS, JSON))
def test_any_json_is_read_or_refused(content: dict[str, Any]) -> None:
    try:
        facts = loads(json.dumps({**content, "schema": "fp8check/facts/1"}))
    except BadFacts:
        return
    assert loads(dump(facts)) == facts


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(BadFacts):
        loads(text)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_opened_is_bad_facts(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadFacts, match=r"no such file|a folder, not a regular file"):
        load(str(tmp_path / name))


def test_facts_that_are_saved_say_where_and_when() -> None:
    facts = stamped(Facts(driver="570"), "2026-11-26")
    assert (facts.collected, bool(facts.host)) == ("2026-11-26", True)
    assert loads(dump(facts)) == facts
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(stamped(Facts()).collected))


@pytest.mark.parametrize("day", ['"yesterday"', '"2026-02-30"', '"20260101"', "20260101", '"2026-01-01T00:00"', "[]"])
def test_a_day_that_is_none(day: str) -> None:
    with pytest.raises(BadFacts, match="/collected"):
        loads(f'{{"schema": "{SCHEMA}", "collected": {day}}}')


def test_facts_of_an_older_release_have_no_day() -> None:
    facts = loads(f'{{"schema": "{SCHEMA}", "host": null}}')
    assert (facts.host, facts.collected) == (None, None)


@pytest.mark.parametrize("value", ["0", "-1", "true", '"2"', "1e9"])
def test_what_launching_costs_is_a_time(value: str) -> None:
    with pytest.raises(BadFacts, match="/launch_ms"):
        loads(f'{{"schema": "{SCHEMA}", "launch_ms": {value}}}')
