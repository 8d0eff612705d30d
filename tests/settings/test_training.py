"""What each trainer takes from its file."""

from __future__ import annotations

import pytest

from fp8check.rules.settings.training import Training
from fp8check.rules.settings.values import Section


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
    training = Training(trainer, Section(data=data))
    assert (training.uses_lora, training.lora_rank) == (lora, rank)
