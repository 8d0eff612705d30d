"""The parts of a decoder layer, each as the Linear layers that transformers builds for it, in its order."""

from __future__ import annotations

from fp8check.rules.models.shape import Linear
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.models.values import Config

    Part = Callable[[Config, "Sizes", "Architecture"], tuple[Linear, ...]]
    Count = Callable[[Config, "Sizes"], int]

# A bias is there or not, or as the named key of the config says.
Bias = bool | str


class Sizes(Record):
    """The sizes that every architecture has."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int

    @property
    def q_width(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of all key heads together."""
        return self.kv_heads * self.head_dim


def nothing(_config: Config, _sizes: Sizes) -> int:
    """No parameters beyond the Linear layers and the norms."""
    return 0


def separate_attention(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
    """q_proj, k_proj, v_proj, o_proj: Llama and most others."""
    qkv, out = is_set(config, architecture.qkv_bias), is_set(config, architecture.out_bias)
    return (
        Linear("self_attn.q_proj", sizes.hidden, sizes.q_width, qkv),
        Linear("self_attn.k_proj", sizes.hidden, sizes.kv_width, qkv),
        Linear("self_attn.v_proj", sizes.hidden, sizes.kv_width, qkv),
        Linear(f"self_attn.{architecture.out_name}", sizes.q_width, sizes.hidden, out),
    )


def phi3_attention(_config: Config, sizes: Sizes, _architecture: Architecture) -> tuple[Linear, ...]:
    """o_proj before one qkv_proj."""
    return (
        Linear("self_attn.o_proj", sizes.q_width, sizes.hidden, bias=False),
        Linear("self_attn.qkv_proj", sizes.hidden, sizes.q_width + 2 * sizes.kv_width, bias=False),
    )


def opt_attention(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
    """k_proj, v_proj, q_proj, out_proj."""
    bias = is_set(config, architecture.qkv_bias)
    names = ("k_proj", "v_proj", "q_proj", "out_proj")
    return tuple(Linear(f"self_attn.{name}", sizes.hidden, sizes.hidden, bias) for name in names)


def neox_attention(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
    """One query_key_value for as many key as query heads, then dense."""
    bias = is_set(config, architecture.qkv_bias)
    return (
        Linear("attention.query_key_value", sizes.hidden, 3 * sizes.hidden, bias),
        Linear("attention.dense", sizes.hidden, sizes.hidden, bias),
    )


def falcon_attention(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
    """query_key_value with few key heads (new architecture), with one (multi-query), or with all."""
    bias = is_set(config, architecture.qkv_bias)
    if config.flag("new_decoder_architecture"):
        width = sizes.q_width + 2 * (config.size_or_none("num_kv_heads") or sizes.heads) * sizes.head_dim
    elif config.flag("multi_query", default=True):
        width = sizes.hidden + 2 * sizes.head_dim
    else:
        width = 3 * sizes.hidden
    return (
        Linear("self_attention.query_key_value", sizes.hidden, width, bias),
        Linear("self_attention.dense", sizes.hidden, sizes.hidden, bias),
    )


def latent_attention(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
    """DeepSeek's multi-head latent attention: queries and keys go through low-rank projections."""
    bias = is_set(config, architecture.qkv_bias)
    rope = config.size("qk_rope_head_dim")
    nope = config.size("qk_nope_head_dim")
    value, rank, q_rank = config.size("v_head_dim"), config.size("kv_lora_rank"), config.size_or_none("q_lora_rank")
    queries = sizes.heads * (nope + rope)
    if q_rank is None:
        first: tuple[Linear, ...] = (Linear("self_attn.q_proj", sizes.hidden, queries, bias=False),)
    else:
        first = (
            Linear("self_attn.q_a_proj", sizes.hidden, q_rank, bias),
            Linear("self_attn.q_b_proj", q_rank, queries, bias=False),
        )
    return (
        *first,
        Linear("self_attn.kv_a_proj_with_mqa", sizes.hidden, rank + rope, bias),
        Linear("self_attn.kv_b_proj", rank, sizes.heads * (nope + value), bias=False),
        Linear("self_attn.o_proj", sizes.heads * value, sizes.hidden, bias),
    )


def no_linear(_config: Config, _sizes: Sizes, _architecture: Architecture) -> tuple[Linear, ...]:
    """GPT-2: Conv1D modules, which no FP8 conversion touches."""
    return ()


def gated(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
    """gate_proj, up_proj, down_proj."""
    return gated_at("mlp", sizes.hidden, sizes.intermediate, is_set(config, architecture.mlp_bias))


def gated_at(place: str, hidden: int, width: int, bias: bool = False) -> tuple[Linear, ...]:
    """The three projections of a gated feed-forward part under the name `place`."""
    return (
        Linear(f"{place}.gate_proj", hidden, width, bias),
        Linear(f"{place}.up_proj", hidden, width, bias),
        Linear(f"{place}.down_proj", width, hidden, bias),
    )


def fused_gated(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
    """gate_up_proj, down_proj."""
    bias = is_set(config, architecture.mlp_bias)
    return (
        Linear("mlp.gate_up_proj", sizes.hidden, 2 * sizes.intermediate, bias),
        Linear("mlp.down_proj", sizes.intermediate, sizes.hidden, bias),
    )


def plain(up: str, down: str) -> Part:
    """Two projections without a gate, under these names."""

    def build(config: Config, sizes: Sizes, architecture: Architecture) -> tuple[Linear, ...]:
        bias = is_set(config, architecture.mlp_bias)
        return (
            Linear(up, sizes.hidden, sizes.intermediate, bias),
            Linear(down, sizes.intermediate, sizes.hidden, bias),
        )

    return build


class MoE(Record):
    """How a architecture builds its routed experts.

    Attributes:
        number: keys for the number of experts.
        width: key for the width of one.
        place: module that holds them up to transformers 4.
        mixtral: one expert is w1, w2, w3, the second leading back; else gate_proj, up_proj, down_proj.
        router: the router is a Linear layer up to transformers 4.
        modules: the experts are Linear layers up to transformers 4.
        bias: experts and router have biases.
        shared: key for the number, or for the width, of experts that every token goes through.
    """

    number: tuple[str, ...]
    width: str = "moe_intermediate_size"
    place: str = "mlp"
    mixtral: bool = False
    router: bool = True
    modules: bool = True
    bias: bool = False
    shared: str | None = None


class Architecture(Record):
    """How one architecture of transformers builds its decoder layers.

    Attributes:
        qkv_bias, out_bias, mlp_bias: whether these projections have one.
        attention, feed_forward: the Linear layers of a layer, in order.
        vectors: number of vectors of hidden size among the norms of a layer.
        last_vectors: the same for the norm after the last layer.
        out_name: of the attention's last projection.
        head_bias: whether the head has a bias.
        layer_extra: further parameters of a layer.
        model_extra: further parameters of the model.
        prefix: what stands before a layer's number in the name of a module.
        moe: its experts, None for a dense architecture.
    """

    qkv_bias: Bias = False
    out_bias: Bias = False
    mlp_bias: Bias = False
    head_bias: bool = False
    attention: Part = separate_attention
    out_name: str = "o_proj"
    feed_forward: Part = gated
    vectors: int = 2
    last_vectors: int = 1
    layer_extra: Count = nothing
    model_extra: Count = nothing
    prefix: str = "model.layers"
    moe: MoE | None = None


def is_set(config: Config, bias: Bias) -> bool:
    """Whether the bias is there in this config."""
    return config.flag(bias) if isinstance(bias, str) else bias
