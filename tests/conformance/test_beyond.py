"""docs/beyond-the-first-step.md is made of what was recorded, and what was recorded has a form."""

from __future__ import annotations

import json

import pytest

from tests.support.paths import ROOT
from tests.tools.conformance.beyond import page
from tests.tools.conformance.beyond.cases import BACKENDS, STRATEGIES, everything, on_gpus
from tests.tools.conformance.beyond.said import INHERITED, SAID, cited

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


CITING = [*(said.text for said in SAID), INHERITED]


@pytest.mark.parametrize("text", CITING)
def test_what_was_read_cites_file_line_and_text_or_a_measurement(text: str) -> None:
    found = list(cited(text))
    assert found or "measured" in text
    assert all(all(one) for one in found), text


@pytest.mark.parametrize("text", CITING)
def test_the_released_files_say_so_in_that_line(text: str) -> None:
    root = ROOT / ".conformance"
    if not root.exists():
        pytest.skip("make conformance installs the releases")
    for one in cited(text):
        (folder,) = (
            root.glob("base/lib/python*/site-packages/torch")
            if one.package == "torch"
            else [root / "packages" / f"{one.package}-{one.release}" / one.package]
        )
        lines = (folder / one.file).read_text(encoding="utf-8").splitlines()
        assert one.text in lines[one.line - 1], one
