"""The architectures that are known here, as transformers 4.57 and 5.23 build them (models/*/modeling_*.py).

Every line is checked against modules that the real classes built: see tests/models/layouts.json.
"""

from __future__ import annotations

from fp8check.rules.models import parts
from fp8check.rules.models.parts import Architecture, MoE, Sizes
from fp8check.rules.models.values import BadConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models.values import Config


def _norm_per_head(_config: Config, sizes: Sizes) -> int:
    return 2 * sizes.head_dim


def _norm_over_all(_config: Config, sizes: Sizes) -> int:
    return sizes.q_width + sizes.kv_width


def _glm_moe_norms(config: Config, sizes: Sizes) -> int:
    return 2 * sizes.head_dim if config.flag("use_qk_norm") else 0


def _cohere_norms(config: Config, sizes: Sizes) -> int:
    return sizes.q_width + sizes.kv_width if config.flag("use_qk_norm") else 0


def _phi_norms(config: Config, sizes: Sizes) -> int:
    return 4 * (sizes.hidden // sizes.heads) if config.flag("qk_layernorm") else 0


def _stablelm_norms(config: Config, sizes: Sizes) -> int:
    per_head = sizes.q_width + sizes.kv_width if config.flag("qk_layernorm") else 0
    return per_head - (2 * sizes.hidden if config.flag("use_parallel_residual") else 0)


def _falcon_norms(config: Config, sizes: Sizes) -> int:
    """A second norm beside the one that `vectors` counts."""
    new = config.flag("new_decoder_architecture")
    parallel = config.flag("parallel_attn", default=True)
    two = (config.size_or_none("num_ln_in_parallel_attn") or (2 if new else 1)) == 2
    return 2 * sizes.hidden if two or not parallel else 0


def _latent_norms(config: Config, _sizes: Sizes) -> int:
    return config.size("kv_lora_rank") + (config.size_or_none("q_lora_rank") or 0)


def _sinks(_config: Config, sizes: Sizes) -> int:
    return sizes.heads


def _conv1d(_config: Config, sizes: Sizes) -> int:
    """GPT-2's c_attn, c_proj, c_fc and c_proj with their biases."""
    attention = sizes.hidden * 4 * sizes.hidden + 4 * sizes.hidden
    return attention + 2 * sizes.hidden * sizes.intermediate + sizes.intermediate + sizes.hidden


def _gpt2_positions(config: Config, sizes: Sizes) -> int:
    return config.size("n_positions") * sizes.hidden


def _opt_positions(config: Config, sizes: Sizes) -> int:
    if config.size("word_embed_proj_dim") != sizes.hidden or not config.flag("do_layer_norm_before", default=True):
        raise BadConfig("OPT with a projected embedding or with norms after the layers is not described")
    return (config.size("max_position_embeddings") + 2) * sizes.hidden


_LLAMA = Architecture("attention_bias", "attention_bias", "mlp_bias")
_ATTENTION_BIAS = Architecture("attention_bias", "attention_bias")
_DEEPSEEK = Architecture(
    "attention_bias",
    attention=parts.latent_attention,
    layer_extra=_latent_norms,
    moe=MoE(("n_routed_experts",), router=False, shared="n_shared_experts"),
)

ARCHITECTURES: dict[str, Architecture] = {
    "arcee": _LLAMA._replace(feed_forward=parts.plain("mlp.up_proj", "mlp.down_proj")),
    "cohere": _ATTENTION_BIAS._replace(vectors=1, layer_extra=_cohere_norms),
    "cohere2": _ATTENTION_BIAS._replace(vectors=1),
    "deepseek_v2": _DEEPSEEK._replace(mlp_bias="mlp_bias"),
    "deepseek_v3": _DEEPSEEK,
    "ernie4_5": Architecture("use_bias", "use_bias", "use_bias"),
    "exaone4": Architecture(layer_extra=_norm_per_head),
    "falcon": Architecture(
        "bias",
        mlp_bias="bias",
        attention=parts.falcon_attention,
        feed_forward=parts.plain("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        vectors=2,
        last_vectors=2,
        layer_extra=_falcon_norms,
        prefix="transformer.h",
    ),
    "gemma": _ATTENTION_BIAS,
    "gemma2": _ATTENTION_BIAS._replace(vectors=4),
    "gemma3_text": _ATTENTION_BIAS._replace(vectors=4, layer_extra=_norm_per_head),
    "glm": Architecture("attention_bias", feed_forward=parts.fused_gated),
    "glm4": Architecture("attention_bias", feed_forward=parts.fused_gated, vectors=4),
    "glm4_moe": Architecture(
        "attention_bias",
        layer_extra=_glm_moe_norms,
        moe=MoE(("n_routed_experts",), router=False, shared="n_shared_experts"),
    ),
    "gpt2": Architecture(
        attention=parts.no_linear,
        feed_forward=parts.no_linear,
        vectors=4,
        last_vectors=2,
        layer_extra=_conv1d,
        model_extra=_gpt2_positions,
        prefix="transformer.h",
    ),
    "gpt_neox": Architecture(
        "attention_bias",
        mlp_bias=True,
        attention=parts.neox_attention,
        feed_forward=parts.plain("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        vectors=4,
        last_vectors=2,
        prefix="gpt_neox.layers",
    ),
    "gpt_oss": Architecture(
        "attention_bias",
        "attention_bias",
        layer_extra=_sinks,
        moe=MoE(("num_local_experts",), width="intermediate_size", router=False, modules=False, bias=True),
    ),
    "granite": _LLAMA,
    "llama": _LLAMA,
    "mistral": Architecture(),
    "mixtral": Architecture(
        moe=MoE(("num_local_experts",), width="intermediate_size", place="block_sparse_moe", mixtral=True)
    ),
    "nemotron": _LLAMA._replace(feed_forward=parts.plain("mlp.up_proj", "mlp.down_proj"), vectors=4, last_vectors=2),
    "olmo": _ATTENTION_BIAS._replace(vectors=0, last_vectors=0),
    "olmo2": _ATTENTION_BIAS._replace(layer_extra=_norm_over_all),
    "olmo3": _ATTENTION_BIAS._replace(layer_extra=_norm_over_all),
    "olmoe": _ATTENTION_BIAS._replace(layer_extra=_norm_over_all, moe=MoE(("num_experts",), width="intermediate_size")),
    "opt": Architecture(
        "enable_bias",
        mlp_bias="enable_bias",
        attention=parts.opt_attention,
        feed_forward=parts.plain("fc1", "fc2"),
        vectors=4,
        last_vectors=2,
        model_extra=_opt_positions,
        prefix="model.decoder.layers",
    ),
    "phi": Architecture(
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        head_bias=True,
        out_name="dense",
        feed_forward=parts.plain("mlp.fc1", "mlp.fc2"),
        last_vectors=2,
        layer_extra=_phi_norms,
    ),
    "phi3": Architecture(attention=parts.phi3_attention, feed_forward=parts.fused_gated),
    "qwen2": Architecture(qkv_bias=True),
    "qwen2_moe": Architecture("qkv_bias", moe=MoE(("num_experts",), shared="shared_expert_intermediate_size")),
    "qwen3": _ATTENTION_BIAS._replace(layer_extra=_norm_per_head),
    "qwen3_moe": _ATTENTION_BIAS._replace(layer_extra=_norm_per_head, moe=MoE(("num_experts", "num_local_experts"))),
    "seed_oss": Architecture("attention_bias", "attention_out_bias", "mlp_bias"),
    "smollm3": _LLAMA,
    "stablelm": Architecture("use_qkv_bias", vectors=4, last_vectors=2, layer_extra=_stablelm_norms),
    "starcoder2": Architecture(
        "use_bias",
        "use_bias",
        "use_bias",
        feed_forward=parts.plain("mlp.c_fc", "mlp.c_proj"),
        vectors=4,
        last_vectors=2,
    ),
}

# The text part of a multimodal model is built like that of its dense sibling.
TEXT_PARTS = {
    "qwen2_vl_text": "qwen2",
    "qwen2_5_vl_text": "qwen2",
    "qwen3_vl_text": "qwen3",
}
