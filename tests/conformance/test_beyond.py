"""docs/beyond-the-first-step.md is made of what was recorded, and what was recorded has a form."""

from __future__ import annotations

import json

import pytest

from tests.support.paths import ROOT
from tests.tools.conformance.beyond import page
from tests.tools.conformance.beyond.cases import BACKENDS, STRATEGIES, everything, on_gpus
from tests.tools.conformance.beyond.said import SAID

FILES = (page.GPU, page.CPU)
RUNS = [(path.name, json.loads(line)) for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_page_is_current() -> None:
    text = (ROOT / "docs" / "beyond-the-first-step.md").read_text(encoding="utf-8")
    assert text == page.document(), "run `make docs`"


@pytest.mark.parametrize(("name", "run"), [pytest.param(*one, id=f"{one[0]}-{one[1]['id']}") for one in RUNS])
def test_every_record_is_of_a_case_and_has_answers(name: str, run: dict[str, object]) -> None:
    cases = {case["id"]: case["beyond"] for case in (*everything(), *on_gpus())}
    assert run["trainer"] == cases[run["id"]]["trainer"]
    assert run["backend"] in BACKENDS
    assert run["strategy"] in STRATEGIES
    assert run["answers"]
    for answer in run["answers"].values():  # type: ignore[attr-defined]
        assert answer["ok"] or (answer["error"] and answer["message"]), name


def test_gpus_and_cpu_say_the_same_where_both_were_asked() -> None:
    """The stand-in for Transformer Engine stands for it: no question has another answer on the GPUs."""
    gpu = {run["id"]: run["answers"] for name, run in RUNS if name == page.GPU.name}
    differ = [
        (run["id"], question)
        for name, run in RUNS
        if name == page.CPU.name
        for question, answer in run["answers"].items()
        if (other := gpu.get(run["id"], {}).get(question)) is not None
        and (answer["ok"], answer.get("fp8")) != (other["ok"], other.get("fp8"))
    ]
    assert differ == []


def test_of_what_was_not_executed_the_page_says_what_the_source_does() -> None:
    assert "nothing is known" not in page.document()
    assert {one for said in SAID for one in (*said.backends, *said.strategies)} <= {*BACKENDS, *STRATEGIES}
    assert {one for said in SAID for one in said.trainers} <= {*page.TRAINERS}


def test_both_sides_were_compared() -> None:
    gpu = {run["id"] for name, run in RUNS if name == page.GPU.name}
    cpu = {run["id"] for name, run in RUNS if name == page.CPU.name}
    assert len(gpu & cpu) >= 10
