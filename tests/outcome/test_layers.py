"""Which Linear layers are converted."""

from __future__ import annotations

import pytest

from tests.support.outcomes import AO, ONE, TE, outcome_of

TINY: dict[str, object] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 96,
}
NOTHING_ALIGNED = {"hidden_size": 60, "intermediate_size": 100, "vocab_size": 97}


def converted(backend: str, model: dict[str, object], training: str | None = None, trainer: str = "trl") -> object:
    case: dict[str, object] = {"accelerate": ONE + backend, "model": {**TINY, **model}}
    if training is not None:
        case |= {"training": training, "trainer": trainer}
    coverage = outcome_of(case).prepared.coverage
    return coverage.word, coverage.converted, coverage.total


@pytest.mark.parametrize(
    ("backend", "model", "expected"),
    [
        (TE, {}, ("all", 15, 15)),
        (AO, {}, ("some", 13, 15)),
        # A head of 97 rows stays; a narrow k_proj leaves its later siblings behind, in Transformer Engine only.
        (TE, {"vocab_size": 97}, ("some", 14, 15)),
        (AO, {"vocab_size": 97}, ("some", 13, 15)),
        (TE, {"num_key_value_heads": 1, "head_dim": 24}, ("some", 9, 15)),
        (TE, {"intermediate_size": 100}, ("some", 9, 15)),
        (TE, NOTHING_ALIGNED, ("none", 0, 15)),
        (AO, NOTHING_ALIGNED, ("none", 0, 15)),
    ],
)
def test_what_both_backends_convert(backend: str, model: dict[str, object], expected: object) -> None:
    assert converted(backend, model) == expected


@pytest.mark.parametrize(
    ("trainer", "key", "targets", "total"),
    [
        ("trl", "lora_target_modules", "all-linear", 3 * 14 + 1),
        ("trl", "lora_target_modules", "null", 3 * 14 + 1),
        ("trl", "lora_target_modules", "[q_proj, v_proj]", 3 * 4 + 10 + 1),
        ("trl", "lora_target_modules", "'.*(q_proj|v_proj)'", 3 * 4 + 10 + 1),
        ("trl", "lora_target_modules", "'.*(q|v)_proj'", 14 + 1),  # what other patterns find is not counted
        ("trl", "lora_target_modules", "{q_proj: 1}", 14 + 1),
        ("llamafactory", "lora_target", "q_proj,v_proj", 3 * 4 + 10 + 1),
    ],
)
def test_adapters_are_linear_layers_too(trainer: str, key: str, targets: str, total: int) -> None:
    rank = "lora_rank: 16\nfinetuning_type: lora\ndisable_gradient_checkpointing: true\n"
    text = f"use_peft: true\nlora_r: 16\nbf16: false\ngradient_checkpointing: false\n{key}: {targets}\n"
    assert converted(TE, {}, text + (rank if trainer == "llamafactory" else ""), trainer) == ("all", total, total)


def test_adapters_of_rank_8_stay_as_they_are() -> None:
    text = "use_peft: true\nlora_r: 8\nbf16: false\ngradient_checkpointing: false\n"
    word, number, total = converted(TE, {}, text)  # type: ignore[misc]
    assert (word, number, total) == ("some", 15, 43)
