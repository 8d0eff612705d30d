"""The schemas of what fp8check writes: every key that it writes is in them, and what is none of it does not fit."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.cli.main import main
from fp8check.cli.schema import SCHEMAS, schema_of
from fp8check.rules import facts
from fp8check.rules.checking import plan
from fp8check.rules.checking.comparing import compared
from fp8check.rules.checking.watching import Verdict
from fp8check.rules.repair.render import Step
from fp8check.rules.report import build, schema
from fp8check.rules.report.plan import plans_of
from fp8check.rules.seen import from_data
from tests.facts.test_any_json import PLACES, VALUES, with_value
from tests.support.cases import CASES
from tests.support.nodes import merged, node, write
from tests.support.paths import DOCS, EVIDENCE, EXAMPLE
from tests.support.runs import PROBED, report_of
from tests.support.sampled import sampled
from tests.support.schemas import closed, misfits, validator
from tests.tools.schemas import catalog

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema import Draft7Validator

FILES = [str(EXAMPLE / name) for name in ("train.yaml", "accelerate.yaml")]
FACTS = str(EXAMPLE / "facts.json")


@cache
def exactly(name: str) -> Draft7Validator:
    return validator(closed(schema_of(name)))


def sent(data: object) -> Any:
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_page_of_a_schema_is_what_the_code_makes(name: str) -> None:
    assert json.loads((DOCS / "schemas" / f"{name}.json").read_text(encoding="utf-8")) == schema_of(name), "make docs"


def test_a_schema_has_the_address_that_the_site_gives_it() -> None:
    for name in SCHEMAS:
        assert schema_of(name)["$id"] == f"https://fp8check.readthedocs.io/schemas/{name}.json"
    assert "$id" not in schema_of("accelerate", "1.11.0"), "that address is the newest release's"
    written = json.loads((DOCS / "schemas" / "catalog.json").read_text(encoding="utf-8"))
    assert written == catalog(), "make docs"
    assert {one["url"] for one in written["schemas"]} <= {str(schema_of(name)["$id"]) for name in SCHEMAS}


@pytest.mark.parametrize("rule", sampled(CASES))
def test_reports(rule: str) -> None:
    for case in (CASES[rule]["found"][0], CASES[rule]["not found"][-1]):
        data = sent(schema.as_data(build.full_report(report_of(case))))
        assert misfits(exactly("report"), data) == {}
    assert misfits(exactly("report"), [data, data]) == {}


@pytest.mark.parametrize("name", PROBED)
def test_what_a_probe_saw(name: str) -> None:
    examined = report_of({**CASES["FP101"]["found"][0], "seen": PROBED[name]})
    assert misfits(exactly("report"), sent(schema.as_data(build.full_report(examined)))) == {}
    verdict = Verdict(from_data(PROBED[name]), None, None, (), ("something",))
    assert misfits(exactly("seen"), sent(verdict.as_data())) == {}


def test_what_a_gpu_showed_of_watched_runs() -> None:
    lines = [json.loads(line) for line in (EVIDENCE / "h200-run.jsonl").read_text(encoding="utf-8").splitlines()]
    whole = schema_of("seen")
    parts = validator(closed({**whole, "required": []}))
    assert lines
    assert {name: misfits(parts, line["seen"]) for line in lines for name in [line["name"]]} == {
        line["name"]: {} for line in lines
    }


def test_a_run_beside_bf16() -> None:
    one = Verdict(from_data(next(iter(PROBED.values()))), None, None, (), ("something",))
    changed = (Step("edit", "/run/accel.yaml", 3, "mixed_precision: fp8", "mixed_precision: bf16", "asked"),)
    data = sent({**one.as_data(), "compared": compared(one, one, changed).as_data()})
    assert misfits(exactly("seen"), data) == {}
    data["compared"]["bf16"]["steps"] = "all"
    assert [*misfits(exactly("seen"), data)] == ["/compared/bf16/steps"]


def test_a_node_and_nodes(tmp_path: Path) -> None:
    words = ["node", "--out", str(tmp_path), "--host", "n1", *FILES]
    assert main(words) == 1
    written = json.loads((tmp_path / "n1.json").read_text(encoding="utf-8"))
    assert misfits(exactly("node"), written) == {}
    seen = sent(from_data(next(iter(PROBED.values()))).as_data())
    probed = {**written, "seen": [{"gpu": "0", "verdict": "pass", "why": [], "seen": seen}]}
    assert misfits(exactly("node"), probed) == {}
    assert "/seen/0/verdict" in misfits(exactly("node"), {**probed, "seen": [{**probed["seen"][0], "verdict": "fine"}]})
    write(tmp_path, [node("a"), node("b", facts={"driver": "1"}), node("c", verdict="fail", why=["wrong"])])
    (tmp_path / "d.json").write_text("{", encoding="utf-8")
    data = merged(tmp_path)
    assert data["drift"]
    assert misfits(exactly("nodes"), sent(data)) == {}
    assert [*misfits(exactly("nodes"), {**data, "absent": -1})] == ["/absent"]


def test_plans() -> None:
    planned = plan(*FILES, facts=FACTS)
    data = sent(schema.as_data(plans_of(planned)))
    assert data["plans"]
    assert misfits(exactly("plan"), data) == {}


def test_the_command_prints_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    main([*FILES, "--facts", FACTS, "--format", "json"])
    assert misfits(exactly("report"), json.loads(capsys.readouterr().out)) == {}
    main(["plan", *FILES, "--facts", FACTS, "--format", "json"])
    assert misfits(exactly("plan"), json.loads(capsys.readouterr().out)) == {}
    main(["probe", *FILES, "--json"])
    assert misfits(exactly("probe"), json.loads(capsys.readouterr().out)) == {}
    main(["env", "--json"])
    assert misfits(exactly("facts"), json.loads(capsys.readouterr().out)) == {}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "/".join(map(str, place)))
def test_facts_fit_where_they_are_read(place: tuple[str | int, ...]) -> None:
    for value in VALUES:
        data = with_value(place, value)
        try:
            facts.loads(json.dumps(data))
            read = True
        except facts.BadFacts:
            read = False
        assert (misfits(validator(schema_of("facts")), data) == {}) == read, value


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("report", ("verdict",), "fine"),
        ("report", ("findings", 0, "line"), "3"),
        ("report", ("outcome", "starts"), "yes"),
        ("report", ("summary",), None),
        ("plan", ("goal",), "int8"),
        ("plan", ("plans", 0, "steps", 0, "kind"), "hope"),
    ],
)
def test_what_is_none_does_not_fit(name: str, place: tuple[Any, ...], value: object) -> None:
    data = (
        sent(schema.as_data(build.full_report(report_of(CASES["FP101"]["found"][0]))))
        if name == "report"
        else sent(schema.as_data(plans_of(plan(*FILES, facts=FACTS))))
    )
    inner = data
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    assert misfits(validator(schema_of(name)), data) != {}
