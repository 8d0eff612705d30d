"""What was seen, as plain data and back; and data that is malformed."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from fp8check.rules.seen import Seen, from_data
from fp8check.rules.seen.data import ENDS, STAGES, HeldRecipe, RaisedError, Seconds
from tests.support.paths import ROOT
from tests.support.runs import PROBED

RECORDS: list[dict[str, Any]] = [
    record["probe"]
    for path in sorted((ROOT / "docs" / "evidence").glob("*.jsonl"))
    for record in map(json.loads, path.read_text().splitlines())
    if isinstance(record.get("probe"), dict)
]
EMULATED = {"device": {"name": "CPU", "emulated": True}, "emulated": True}
RAISED = {"stage": "step", "type": "ValueError", "message": "no"}


def test_every_record_is_written_as_it_was_read() -> None:
    assert len(RECORDS) > 30
    for record in RECORDS:
        # Two runs were timed in more places ("s2 forward"), which are no stages, and are not read.
        seconds = {name: value for name, value in record["seconds"].items() if name[0] != "s" or name == "step"}
        assert json.loads(json.dumps(from_data(record).as_data())) == {**record, "seconds": seconds}


def test_an_emulated_device_has_a_name_and_nothing_else() -> None:
    data = json.loads(json.dumps(from_data({**PROBED["te"], **EMULATED}).as_data()))
    assert data["device"] == EMULATED["device"]
    assert data["speedup"] is None


def test_it_is_the_same_after_a_second_time() -> None:
    for data in (PROBED["te"], {**PROBED["te"], "error": RAISED, "left_out": ["time"]}, {"ended": "hang"}):
        seen = from_data(data)
        assert from_data(json.loads(json.dumps(seen.as_data()))) == seen


def test_parts_have_types() -> None:
    seen = from_data(
        {"ended": "error", "error": RAISED, "seconds": {"imports": 2, "total": 3.5, "step": 2.5, "new": 1}}
    )
    assert seen.error == RaisedError("step", "ValueError", "no")
    assert seen.seconds == Seconds(2, 3.5, {"step": 2.5})
    held = from_data({"ended": "done", "recipe": {"class": "DelayedScaling", "margin": 0}}).recipe
    assert held == HeldRecipe("DelayedScaling", {"margin": 0})
    assert held.named == {"class": "DelayedScaling", "margin": 0}


def test_nothing_seen_is_none_and_unknown_keys_are_not_read() -> None:
    assert from_data({"ended": "hang", "nonsense": 1, "layers": None}) == Seen("hang")


MALFORMED: dict[str, object] = {
    "/ended": None,
    "/stage": "lunch",
    "/why": 1,
    "/emulated": "yes",
    "/error": "ValueError",
    "/error/stage": {**RAISED, "stage": "tomorrow"},
    "/error/message": {**RAISED, "message": None},
    "/importing": ["torch"],
    "/device": [],
    "/device/name": {"name": 5},
    "/device/free_mib": {"name": "NVIDIA H200", "free_mib": -1},
    "/packages/torch": {"torch": 2.11},
    "/libraries/1": ["a", 1],
    "/libraries": "libcudnn.so.9",
    "/accelerator/fp8_enabled": {"fp8_enabled": "true"},
    "/built/layers": {"layers": 2.5, "vocab": 1, "rows": 1, "columns": 1},
    "/layers/te": {"torchao": 1},
    "/layers/total": {"te": 1, "torchao": 1, "msamp": 0, "plain": 0, "total": True},
    "/parameters/after": {"before": {"trainable": 1}},
    "/optimizer/missing": {"missing": None},
    "/autocast/layers_outside/0": {"layers_in_fp8": 1, "layers_outside": [7]},
    "/recipe/margin": {"margin": [0]},
    "/kernels/nodes": {"forward": {}, "backward": {}},
    "/kernels/forward/gemm": {"forward": {"gemm": 1.5}, "backward": {}, "nodes": {}},
    "/gradients/zeros": {"zeros": "none"},
    "/moved/moved": {"trainable": 5},
    "/watched/ranks": {"ranks": -1},
    "/losses/1": [1.0, float("nan")],
    "/losses": 6.2,
    "/numerics/output": {"gradients": {"fp8": {}, "bf16": {}}},
    "/numerics/gradients/bf16": {"output": {}, "gradients": {"fp8": {}}},
    "/numerics/output/fp8": {"output": {"fp8": float("inf")}, "gradients": {"fp8": {}, "bf16": {}}},
    "/fp8_ms/ms": {"ms": 0, "low": 1, "high": 1},
    "/bf16_ms/high": {"ms": 1, "low": 1, "high": "2"},
    "/fp8_gib": True,
    "/bf16_gib": "4 GiB",
    "/ragged/error": {"rows": 1, "columns": 1, "error": 5},
    "/clocks/held_by/0": {"held_by": [4]},
    "/collective/missing/0": {"ranks": 2, "missing": [-1]},
    "/left_out/0": ["dinner"],
    "/assumed/0": [None],
    "/seconds/step": {"step": "soon"},
    "/output": b"bytes",
}


@pytest.mark.parametrize("place", MALFORMED)
def test_malformed_data_is_refused_with_its_place(place: str) -> None:
    name = place.split("/")[1]
    with pytest.raises(ValueError, match=f"^what was seen: {place} takes .*, not "):
        from_data({"ended": "done", name: MALFORMED[place]})


def test_every_part_has_a_malformed_example() -> None:
    assert {place.split("/")[1] for place in MALFORMED} == set(Seen.fields)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ValueError, match=r"\.\.\.$") as raised:
        from_data({"ended": "x" * 500})
    assert len(str(raised.value)) < 200


def literal(name: str) -> set[str]:
    """The words of a Literal in rules/seen/data.py, which exists for mypy only."""
    tree = ast.parse((ROOT / "rules" / "seen" / "data.py").read_text())
    assigned = {ast.unparse(one.targets[0]): one.value for one in ast.walk(tree) if isinstance(one, ast.Assign)}
    return {str(word.value) for word in ast.walk(assigned[name]) if isinstance(word, ast.Constant)}


def test_mypy_knows_the_same_ends_and_stages() -> None:
    assert literal("End") == set(ENDS)
    assert literal("ProbeStage") == set(STAGES)


def test_the_process_of_the_probe_enters_these_stages() -> None:
    entered = {
        call.args[0].value
        for path in Path(ROOT / "probe" / "child").glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("enter", "may_enter")
        and isinstance(call.args[0], ast.Constant)
    }
    assert entered == set(STAGES) - {"start"}
