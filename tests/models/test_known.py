"""The table of well-known models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fp8check.rules import models
from fp8check.rules.models import find, read_config
from fp8check.rules.models.known import MODELS

ENTRIES: list[dict[str, Any]] = MODELS


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["names"][0] for entry in ENTRIES])
def test_the_number_of_parameters_is_the_published_one(entry: dict[str, Any]) -> None:
    shape = read_config(entry["config"], entry["names"][0], "table")
    assert not shape.assumed
    assert entry["source"]
    if shape.complete:
        assert shape.parameters == entry["published_parameters"]
    else:
        assert 0.65 < shape.parameters / entry["published_parameters"] < 1


def test_no_name_is_listed_twice() -> None:
    names = [name.casefold() for entry in ENTRIES for name in entry["names"]]
    assert len(set(names)) == len(names) > 250


@pytest.mark.parametrize(
    ("name", "billions", "hidden", "layers", "tied"),
    [
        ("Qwen/Qwen2.5-7B", 7.62, 3584, 28, False),
        ("Qwen/Qwen2.5-0.5B-Instruct", 0.49, 896, 24, True),
        ("qwen/QWEN3-8B", 8.19, 4096, 36, False),
        ("meta-llama/Llama-3.1-8B-Instruct", 8.03, 4096, 32, False),
        ("mistralai/Mixtral-8x7B-v0.1", 46.7, 4096, 32, False),
        ("deepseek-ai/DeepSeek-V3", 671.03, 7168, 61, False),
    ],
)
def test_find_by_name(name: str, billions: float, hidden: int, layers: int, tied: bool, tmp_path: Path) -> None:
    shape = find(name, base=str(tmp_path), environ={"HF_HOME": str(tmp_path)})
    assert shape is not None
    assert shape.parameters / 1e9 == pytest.approx(billions, abs=0.006 if billions < 10 else 0.06)
    assert (shape.hidden, shape.layers, shape.tied) == (hidden, layers, tied)
    assert shape.source == "table"
    assert shape.name == name


@pytest.mark.parametrize("name", ["Qwen2.5-7B", "someone/Qwen2.5-7B", "/models/Qwen2.5-7B", "Qwen/Qwen2.5-7B-mine", ""])
def test_nothing_is_guessed_from_a_name(name: str, tmp_path: Path) -> None:
    assert find(name, base=str(tmp_path), environ={"HF_HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("name", [entry["names"][0] for entry in ENTRIES])
def test_linear_parameters_are_those_of_all_linears(name: str) -> None:
    shape = models.listed(name)
    assert shape is not None
    assert shape.linear_parameters == sum(layer.parameters for layer in shape.linears())
