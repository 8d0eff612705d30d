"""config.json files of all kinds, hostile ones among them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.models import BadConfig, from_config, read_config

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 96,
}


def test_an_unknown_architecture_is_assumed_to_be_like_llama_and_says_so() -> None:
    shape = read_config({**LLAMA, "model_type": "brand_new"}, "x", "config.json")
    assert shape.assumed
    assert shape.block == read_config(LLAMA, "x", "config.json").block


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "qwen3_next"}, "not described"),
        ({"model_type": "mamba"}, "not described"),
        ({"model_type": "brand_new", "num_experts": 8}, "it has num_experts"),
        ({"model_type": None}, "model_type is missing"),
        ({"model_type": ["llama"]}, "model_type is missing"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"model_type": 5, "text_config": {"hidden_size": 64}}, "model_type is missing"),
        ({"hidden_size": 0}, "hidden_size must be"),
        ({"hidden_size": -64}, "hidden_size must be"),
        ({"hidden_size": True}, "hidden_size must be"),
        ({"hidden_size": 64.0}, "hidden_size must be"),
        ({"hidden_size": 10**30}, "hidden_size must be"),
        ({"hidden_size": 66}, "not a multiple"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers must be"),
        ({"attention_bias": "yes"}, "attention_bias must be"),
        ({"text_config": [1]}, "text_config must be"),
        ({"model_type": "mixtral", "num_local_experts": 10**6}, "num_local_experts must be"),
        ({"model_type": "qwen3_moe", "decoder_sparse_step": 2}, "take turns"),
        ({"model_type": "qwen3_moe", "mlp_only_layers": [0]}, "take turns"),
        ({"model_type": "opt", "ffn_dim": 128, "word_embed_proj_dim": 32}, "OPT"),
    ],
)
def test_what_cannot_be_described_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    config = {**LLAMA, **change}
    with pytest.raises(BadConfig, match=reason):
        read_config(config, "x", "config.json")
    assert from_config(config, "x", "config.json") is None


def test_a_missing_key_takes_the_default_of_the_configuration_class() -> None:
    shape = read_config({"model_type": "qwen3", "hidden_size": 64, "num_attention_heads": 4}, "x", "config.json")
    assert (shape.head_dim, shape.vocab, shape.tied) == (128, 151936, False)
    assert read_config({"model_type": "gemma"}, "x", "config.json").tied


def test_key_heads_follow_the_query_heads_where_none_are_written() -> None:
    shape = read_config({key: LLAMA[key] for key in LLAMA if key != "num_key_value_heads"}, "x", "config.json")
    assert shape.kv_heads == 4


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (None, None),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({}, "unnamed"),
        ([], "unnamed"),
        ({"quant_method": 4}, "unnamed"),
    ],
)
def test_quantization(written: object, read: str | None) -> None:
    assert read_config({**LLAMA, "quantization_config": written}, "x", "config.json").quantization == read


def test_a_vision_tower_is_told_of() -> None:
    nested = {"model_type": "llava", "text_config": {"vocab_size": 32064}, "vision_config": {}}
    shape = read_config(nested, "x", "config.json")
    assert not shape.complete
    assert (shape.model_type, shape.hidden, shape.vocab) == ("llama", 4096, 32064)
    assert next(shape.linears()).name == "model.language_model.layers.0.self_attn.q_proj"


def test_an_unknown_architecture_has_to_say_its_sizes() -> None:
    with pytest.raises(BadConfig, match="'brand_new' is not known, and hidden_size is missing"):
        read_config({"model_type": "brand_new"}, "x", "config.json")


@pytest.mark.parametrize(
    ("change", "width"),
    [
        ({"new_decoder_architecture": True, "num_kv_heads": 2}, 64 + 2 * 2 * 16),
        ({"multi_query": True}, 64 + 2 * 16),
        ({"multi_query": False}, 3 * 64),
    ],
)
def test_the_key_heads_of_falcon(change: dict[str, Any], width: int) -> None:
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96}
    shape = read_config({"model_type": "falcon", **sizes, **change}, "x", "config.json")
    (fused,) = [linear for linear in shape.block if linear.name.endswith("query_key_value")]
    assert (fused.in_features, fused.out_features) == (64, width)


def test_every_linear_layer_by_its_full_name() -> None:
    shape = read_config(LLAMA, "tiny", "config.json")
    names = [linear.name for linear in shape.linears()]
    assert names[0] == "model.layers.0.self_attn.q_proj"
    assert names[-2:] == ["model.layers.1.mlp.down_proj", "lm_head"]
    assert len(names) == 2 * 7 + 1
    assert repr(shape) == "ModelShape('tiny', llama, 0.00B, from config.json)"


def test_gpt2_has_no_linear_layer_but_the_head() -> None:
    shape = read_config({"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 2}, "x", "config.json")
    assert [linear.name for linear in shape.linears()] == ["lm_head"]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 512)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["llama", "mixtral", "deepseek_v3", "falcon", "gpt2", "opt", "qwen2_moe", "phi", "stablelm"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *LLAMA,
        "head_dim",
        "text_config",
        "vision_config",
        "num_local_experts",
        "num_experts",
        "n_routed_experts",
        "num_experts_per_tok",
        "moe_intermediate_size",
        "first_k_dense_replace",
        "kv_lora_rank",
        "q_lora_rank",
        "qk_layernorm",
        "tie_word_embeddings",
        "quantization_config",
        "mlp_only_layers",
        "n_shared_experts",
        "num_ln_in_parallel_attn",
    ]
)


@given(st.dictionaries(KEYS, VALUES), st.sampled_from([{}, LLAMA]))
def test_no_config_is_a_crash(written: dict[str, Any], base: dict[str, Any]) -> None:
    shape = from_config({**base, **written}, "x", "config.json")
    if shape is not None:
        assert shape.parameters > 0
        assert all(linear.in_features > 0 and linear.out_features > 0 for linear in shape.block_in(4))
