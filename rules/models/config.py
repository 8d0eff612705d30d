"""A config.json -> ModelShape."""

from __future__ import annotations

from fp8check.rules.models.architectures import ARCHITECTURES, TEXT_PARTS
from fp8check.rules.models.defaults import DEFAULTS, UNLIKE_LLAMA
from fp8check.rules.models.parts import Sizes
from fp8check.rules.models.shape import Linear, ModelShape
from fp8check.rules.models.values import LARGEST_COUNT, BadConfig, Config
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.models.experts import Routed
    from fp8check.rules.models.parts import Architecture

# Keys that tell of experts, in an architecture that is not known here.
_EXPERT_KEYS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_NEEDED_WHERE_UNKNOWN = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


def from_config(config: Mapping[str, object], name: str, source: str) -> ModelShape | None:
    """The shape that a config.json describes; None where its layers are not known (read_config says why).

    Args:
        config: the parsed config.json.
        name: the model as the user named it.
        source: "config.json", "hub cache" or "table".
    """
    try:
        return read_config(config, name, source)
    except BadConfig:
        return None


def read_config(config: Mapping[str, object], name: str, source: str) -> ModelShape:
    """Like from_config(), with the reason.

    Raises:
        BadConfig: the layers are not known; the text says why.
    """
    text = _text_part(config)
    known = _architecture(text.values)
    read = Config(text.values, known.defaults, known.model_type)
    sizes = _sizes(read)
    routed = _routed(read, sizes, known.architecture)
    head = Linear("lm_head", sizes.hidden, sizes.vocab, known.architecture.head_bias)
    tied = _tied(config, read)
    block, dense_block = _blocks(read, sizes, known.architecture, routed)
    return ModelShape(
        name=name,
        source=source,
        model_type=known.model_type,
        hidden=sizes.hidden,
        intermediate=sizes.intermediate,
        layers=sizes.layers,
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head_dim=sizes.head_dim,
        vocab=sizes.vocab,
        tied=tied,
        block=block,
        dense_block=dense_block,
        dense_layers=0 if routed is None else routed.dense_layers,
        head=head,
        parameters=_body_parameters(read, sizes, known.architecture, routed) + _head_parameters(head, tied),
        routed=None if routed is None else routed.experts,
        quantization=_quantization(config),
        dtype=_dtype(config, text.values),
        prefix=known.architecture.prefix if text.whole else "model.language_model.layers",
        assumed=known.assumed,
        complete=text.whole,
    )


class _TextPart(Record):
    values: Mapping[str, object]
    whole: bool  # the config has nothing but the text model


def _text_part(config: Mapping[str, object]) -> _TextPart:
    nested = config.get("text_config")
    if nested is None:
        return _TextPart(config, whole="vision_config" not in config)
    if not isinstance(nested, dict):
        raise BadConfig("text_config must be an object")
    if "model_type" in nested:
        return _TextPart(nested, whole=False)
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise BadConfig("model_type is missing")
    # LLaVA and older configs of Gemma 3 leave it out; the configuration classes then take these.
    inner = {"gemma3": "gemma3_text", "llava": "llama", "llava_next": "llama"}.get(model_type, f"{model_type}_text")
    return _TextPart({**nested, "model_type": inner}, whole=False)


class _Known(Record):
    model_type: str
    architecture: Architecture
    defaults: Mapping[str, object]
    assumed: bool


def _architecture(values: Mapping[str, object]) -> _Known:
    model_type = values.get("model_type")
    if not isinstance(model_type, str):
        raise BadConfig("model_type is missing")
    model_type = {"qwen2_vl": "qwen2_vl_text", "qwen2_5_vl": "qwen2_5_vl_text"}.get(model_type, model_type)
    architecture = ARCHITECTURES.get(TEXT_PARTS.get(model_type, model_type))
    if architecture is None:
        return _assumed(values, model_type)
    return _Known(model_type, architecture, DEFAULTS[model_type], assumed=False)


def _assumed(values: Mapping[str, object], model_type: str) -> _Known:
    """An architecture that nobody here has seen, taken to be like Llama where nothing speaks against it."""
    name = repr(model_type[:40])
    if model_type in UNLIKE_LLAMA:
        raise BadConfig(f"the layers of the architecture {name} are not described here")
    experts = next((key for key in _EXPERT_KEYS if key in values), None)
    if experts is not None:
        raise BadConfig(f"the architecture {name} is not known, and it has {experts}")
    missing = next((key for key in _NEEDED_WHERE_UNKNOWN if key not in values), None)
    if missing is not None:
        raise BadConfig(f"the architecture {name} is not known, and {missing} is missing")
    return _Known(model_type[:80], ARCHITECTURES["llama"], {}, assumed=True)


def _sizes(config: Config) -> Sizes:
    hidden = config.size("hidden_size", "n_embd", "d_model")
    heads = config.size("num_attention_heads", "n_head", "n_heads")
    head_dim = config.size_or_none("head_dim")
    if head_dim is None and hidden % heads:
        raise BadConfig(f"hidden_size {hidden} is not a multiple of num_attention_heads {heads}")
    return Sizes(
        hidden=hidden,
        intermediate=_intermediate(config, hidden),
        layers=config.size("num_hidden_layers", "n_layer", "n_layers", largest=LARGEST_COUNT),
        heads=heads,
        kv_heads=config.size_or_none("num_key_value_heads", "num_kv_heads") or heads,
        head_dim=head_dim or hidden // heads,
        vocab=config.size("vocab_size"),
    )


def _intermediate(config: Config, hidden: int) -> int:
    """Width of the feed-forward part; the GPT-2 family takes four times the hidden size where it is not written."""
    found = config.size_or_none("intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner")
    if found is None and config.model_type in {"gpt2", "falcon"}:
        return 4 * hidden
    return found if found is not None else config.size("intermediate_size")


def _tied(config: Mapping[str, object], text: Config) -> bool:
    """tie_word_embeddings; in a multimodal config the outer one counts (modeling_utils.py tie_weights)."""
    outer = config.get("tie_word_embeddings")
    return outer if isinstance(outer, bool) else text.flag("tie_word_embeddings")


def _quantization(config: Mapping[str, object]) -> str | None:
    found = config.get("quantization_config")
    if found is None:
        return None
    method = found.get("quant_method") if isinstance(found, dict) else None
    return method[:80] if isinstance(method, str) else "unnamed"


def _dtype(config: Mapping[str, object], text: Mapping[str, object]) -> str | None:
    """`dtype`, which transformers 4.55 and older write as `torch_dtype`."""
    found = (part.get(key) for part in (config, text) for key in ("dtype", "torch_dtype"))
    return next((value for value in found if isinstance(value, str)), None)


def _blocks(
    config: Config, sizes: Sizes, architecture: Architecture, routed: Routed | None
) -> tuple[tuple[Linear, ...], tuple[Linear, ...]]:
    """The Linear layers of a layer, and of one of the layers at the front that have no experts."""
    attention = architecture.attention(config, sizes, architecture)
    dense = attention + architecture.feed_forward(config, sizes, architecture)
    if routed is None:
        return dense, ()
    return attention + routed.shared, dense if routed.dense_layers else ()


def _routed(config: Config, sizes: Sizes, architecture: Architecture) -> Routed | None:
    if architecture.moe is None:
        return None
    from fp8check.rules.models.experts import routed_experts  # most models have none

    return routed_experts(config, sizes, architecture, architecture.moe)


def _body_parameters(config: Config, sizes: Sizes, architecture: Architecture, routed: Routed | None) -> int:
    """Number of parameters without the head."""
    block, dense_block = (
        sum(linear.parameters for linear in part) for part in _blocks(config, sizes, architecture, routed)
    )
    norms = architecture.vectors * sizes.hidden + architecture.layer_extra(config, sizes)
    dense_layers = 0 if routed is None else routed.dense_layers
    experts = 0 if routed is None else routed.experts.parameters
    layers = sizes.layers * norms + dense_layers * dense_block + (sizes.layers - dense_layers) * (block + experts)
    embedding = sizes.vocab * sizes.hidden + architecture.model_extra(config, sizes)
    return embedding + layers + architecture.last_vectors * sizes.hidden


def _head_parameters(head: Linear, tied: bool) -> int:
    """Number of parameters that the head adds; a tied one only its bias."""
    return head.parameters - (head.in_features * head.out_features if tied else 0)
