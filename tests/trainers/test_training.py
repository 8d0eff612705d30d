"""What each trainer takes from its file."""

from __future__ import annotations

import pytest

from fp8check.rules.facts import Facts
from fp8check.rules.releases.stack import Stack
from fp8check.rules.settings.launch import Launch
from fp8check.rules.settings.values import Origin, Section
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.data import Started
from fp8check.rules.trainers.registry import find
from fp8check.rules.trainers.training import Training


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


def test_what_a_trainer_does_not_say_counts_as_not_there() -> None:
    bare, stack, launch = Training(), Stack(Facts()), Launch("accelerate")
    assert (bare.model, bare.micro_batch, bare.sequence, bare.tokens, bare.packs, bare.compiled) == (
        *(None, None, None, None),
        *(False, None),
    )
    assert (bare.own_all_gather, bare.precision_flag(stack), bare.late_fp8(stack)) == (None, None, None)
    assert (bare.refuses_quantized(stack), bare.dequantizes("fp8", stack), bare.trains_all) == ("", False, False)
    assert (Training.hands_on("fp8"), Training.spawns({}, []), Training.is_started_through(launch)) == (False,) * 3
    assert Training.with_flags_of_file(launch, Section()) is launch
    assert Training.sample(bf16=True, checkpointing=False, lora=False) is None
    assert "Python file" in Training.instead_of_launching("torchrun")
    started = Started({}, "MULTI_GPU")
    assert bare.distribute(stack, started) is started


@pytest.mark.parametrize("trainer", registry.NAMES)
@pytest.mark.parametrize("size", ["many", 0, -1])
def test_sizes_that_are_none_are_not_known(trainer: str, size: object) -> None:
    training = find(trainer)
    made = training(Section(data={training.micro_batch_key or "x": size, "stage": "sft", "packing": True}))
    assert (made.micro_batch, made.tokens) == (None, None)
