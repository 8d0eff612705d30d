"""What each trainer takes from its file."""

from __future__ import annotations

import pytest

from fp8check.rules.settings.values import Origin, Section
from fp8check.rules.trainers.registry import find


@pytest.mark.parametrize(
    ("trainer", "data", "lora", "rank"),
    [
        ("llamafactory", {}, True, 8),
        ("llamafactory", {"finetuning_type": "oft", "lora_rank": 4}, True, 4),
        ("llamafactory", {"finetuning_type": "full"}, False, 8),
        ("axolotl", {"adapter": "qlora", "lora_r": 32}, True, 32),
        ("axolotl", {"adapter": "lora"}, True, None),
        ("axolotl", {}, False, None),
        ("trl", {"use_peft": True}, True, 16),
        ("transformers", {"lora_r": "many"}, False, None),
    ],
)
def test_adapters(trainer: str, data: dict[str, object], lora: bool, rank: int | None) -> None:
    training = find(trainer)(Section(data=data))
    assert (training.uses_lora, training.lora_rank) == (lora, rank)


@pytest.mark.parametrize(
    ("data", "name"),
    [({"load_in_8bit": True}, True), ({"quantization_bit": 4}, 4), ({"load_in_4bit": False}, None), ({}, None)],
)
def test_a_quantized_base(data: dict[str, object], name: object) -> None:
    quantized = find("llamafactory")(Section(data=data)).quantized
    assert (None if quantized is None else quantized.value) == name


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin(flag="--cpu"), "command line --cpu"),
        (Origin(variable="X"), "variable X"),
        (Origin(code="the script"), "the script"),
        (Origin(default="accelerate 1.15.0"), "default of accelerate 1.15.0"),
        (Origin(), "not set"),
    ],
)
def test_where_a_value_is_from(origin: Origin, words: str) -> None:
    assert origin.describe() == words
