"""The comparison: it must see a difference in each field, and must not count what the harness could not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tools.conformance import cases, compare, edges, stacks

if TYPE_CHECKING:
    from pathlib import Path

STACK = stacks.known()["1.15"]
RECIPE = {"class": "DelayedScaling", "fp8_format": "E4M3", "amax_history_len": 16, "amax_compute_algo": "max"}
SEEN = {
    "started": True,
    "error": None,
    "mixed_precision": "fp8",
    "fp8_enabled": True,
    "backend": "TE",
    "distributed_type": "NO",
    "recipe": RECIPE,
    "linears": {"te": 13, "torchao": 0, "plain": 0},
    "fp8_linears_run": 13,
}


def _recorded(**changes: Any) -> cases.Case:
    case = cases.new("one", STACK, accelerate_config=edges.FILES["te-e4m3-16"])
    return {**case, "observed": {**SEEN, **changes}}


def test_agreement() -> None:
    result = compare.compare([_recorded()])
    assert result.mismatches == []
    assert result.share == 1.0
    assert result.fields["recipe"] == 1


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("start", {"started": False, "error": {"stage": "prepare", "type": "ValueError", "message": ""}}),
        ("mixed_precision", {"mixed_precision": "bf16"}),
        ("fp8", {"fp8_linears_run": 0}),
        ("backend", {"backend": "AO"}),
        ("distributed_type", {"distributed_type": "FSDP"}),
        ("recipe", {"recipe": {**RECIPE, "amax_history_len": 1024}}),
    ],
)
def test_a_difference_is_seen(field: str, changes: dict[str, Any]) -> None:
    result = compare.compare([_recorded(**changes)])
    assert [one.field for one in result.mismatches] == [field]
    assert result.share == 0.0


def test_what_the_harness_could_not_run_is_left_out_and_named() -> None:
    error = {"stage": "harness", "type": "TimedOut", "message": ""}
    result = compare.compare([_recorded(started=None, error=error)])
    assert result.cases["all"] == 0
    assert "one" in compare.report(result)[-1]


def test_an_error_that_needs_a_gpu_is_neither_right_nor_wrong() -> None:
    config = edges.LAYOUTS["fsdp1"] | {"mixed_precision": "fp8", "fp8_config": {"backend": "AO"}}
    case = cases.new("one", STACK, accelerate_config={**edges.AO, **config})
    seen = {**SEEN, "backend": "AO", "distributed_type": "FSDP", "recipe": None}
    result = compare.compare([{**case, "observed": seen}])
    assert result.only_on_gpu == ["one"]
    assert result.cases["all"] == 0


def test_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "recorded.jsonl"
    path.write_text(cases.line(_recorded(mixed_precision="bf16")) + "\n", encoding="utf-8")
    assert compare.main([str(path)]) == 0
    assert compare.main([str(path), "--at-least", "0.5"]) == 1
    assert "predicted 'fp8', observed 'bf16'" in capsys.readouterr().out
    path.write_text("", encoding="utf-8")
    assert compare.main([str(path)]) == 2
