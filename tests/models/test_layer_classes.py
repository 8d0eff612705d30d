"""By which class names a decoder layer goes, for FSDP to find it."""

from __future__ import annotations

import pytest

from fp8check.rules.models.architectures import ARCHITECTURES
from fp8check.rules.models.layer_classes import DECODER_LAYERS, has_class


def test_each_architecture_has_one_of_its_own() -> None:
    assert set(DECODER_LAYERS) == set(ARCHITECTURES)
    assert len(set(DECODER_LAYERS.values())) == len(DECODER_LAYERS)


@pytest.mark.parametrize(
    ("model_type", "name", "there"),
    [
        ("llama", "LlamaDecoderLayer", True),
        ("llama", "LlamaMLP", True),
        ("llama", "Embedding", True),
        ("llama", "Qwen2DecoderLayer", False),
        ("llama", "llamadecoderlayer", False),
        ("llama", "['LlamaDecoderLayer']", False),
        ("llama", " LlamaDecoderLayer", False),
        ("llama", "", False),
        ("llama", "Block", None),
        ("gpt2", "GPT2Block", True),
        ("unheard_of", "LlamaDecoderLayer", None),
    ],
)
def test_what_a_model_has(model_type: str, name: str, there: bool | None) -> None:
    assert has_class(model_type, name) is there
