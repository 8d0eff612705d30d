"""ModelShape against what the classes of transformers 4.57.1 and 5.23.0 build (layouts.json, made by record.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fp8check.rules.models import ModelShape, read_config
from fp8check.rules.models.architectures import ARCHITECTURES, TEXT_PARTS

LAYOUTS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("layouts.json").read_text(encoding="utf-8"))
EACH = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout["id"] for layout in LAYOUTS])


def shape_of(layout: dict[str, Any]) -> ModelShape:
    return read_config(layout["config"], layout["id"], "config.json")


def recorded(layout: dict[str, Any], major: int) -> list[str]:
    """The recorded layers of the text model; gpt_neox called its head embed_out before release 5."""
    lines: list[str] = layout.get(f"linears_{major}", layout["linears_4"])
    lines = [line.replace("embed_out ", "lm_head ") for line in lines]
    if "text_config" in layout["config"]:
        return [line for line in lines if "language_model" in line or line.startswith("lm_head")]
    return lines


def written(shape: ModelShape, major: int) -> list[str]:
    return [
        f"{linear.name} {linear.in_features} {linear.out_features}{' bias' if linear.bias else ''}"
        for linear in shape.linears(major)
    ]


@pytest.mark.parametrize("major", [4, 5])
@EACH
def test_linear_layers_are_those_of_the_real_classes(layout: dict[str, Any], major: int) -> None:
    assert written(shape_of(layout), major) == recorded(layout, major)


@EACH
def test_parameters_and_tied_weights_are_those_of_the_real_classes(layout: dict[str, Any]) -> None:
    shape = shape_of(layout)
    assert shape.tied == layout["tied"]
    if shape.complete:
        assert shape.parameters == layout["parameters"]


def test_every_dialect_has_a_layout() -> None:
    recorded_types = {layout["config"]["model_type"] for layout in LAYOUTS}
    assert set(ARCHITECTURES) <= recorded_types
    assert set(TEXT_PARTS.values()) <= set(ARCHITECTURES)


def test_experts_are_linear_layers_up_to_release_4_only() -> None:
    layout = next(layout for layout in LAYOUTS if layout["id"] == "mixtral")
    shape = shape_of(layout)
    names = [linear.name for linear in shape.block_in(4)]
    assert names[4:6] == ["block_sparse_moe.gate", "block_sparse_moe.experts.0.w1"]
    assert [linear.name for linear in shape.block_in(5)] == names[:4] == [linear.name for linear in shape.block]
    assert (shape.experts, shape.experts_per_token) == (4, 2)


def test_layers_at_the_front_without_experts() -> None:
    layout = next(layout for layout in LAYOUTS if layout["id"] == "deepseek_v3")
    shape = shape_of(layout)
    assert shape.dense_layers == 1
    assert "mlp.gate_proj" in [linear.name for linear in shape.dense_block]
    assert "mlp.gate_proj" not in [linear.name for linear in shape.block]
