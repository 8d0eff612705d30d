"""Mixture-of-experts layers: what stands in the place of the feed-forward part."""

from __future__ import annotations

from fp8check.rules.models.parts import gated_at
from fp8check.rules.models.shape import Experts, Linear
from fp8check.rules.models.values import LARGEST_COUNT, BadConfig
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.models.parts import Architecture, MoE, Sizes
    from fp8check.rules.models.values import Config


class Routed(Record):
    """The experts of a model, the Linear layers beside them, and the number of layers at the front without any."""

    experts: Experts
    shared: tuple[Linear, ...]
    dense_layers: int


def routed_experts(config: Config, sizes: Sizes, architecture: Architecture, moe: MoE) -> Routed:
    """The experts that this config gives each layer of an architecture that has some.

    Raises:
        BadConfig: its layers take turns, some with experts and some without.
    """
    _refuse_turns(config)
    number = config.size(*moe.number, largest=LARGEST_COUNT)
    width = config.size(moe.width)
    dense_layers = min(config.count("first_k_dense_replace"), sizes.layers - 1)
    experts = Experts(
        number=number,
        per_token=config.size("num_experts_per_tok", largest=number),
        intermediate=width,
        before_5=_before_5(moe, number, sizes.hidden, width),
        after=architecture.attention(config, sizes, architecture)[-1].name,
        parameters=_parameters(moe, number, sizes.hidden, width),
    )
    return Routed(experts, _shared(config, moe, sizes.hidden, width), dense_layers)


def _refuse_turns(config: Config) -> None:
    """Qwen's MoE classes can leave single layers dense; no published model does (modeling_qwen3_moe.py)."""
    step = config.size_or_none("decoder_sparse_step") or 1
    if step != 1 or config.get("mlp_only_layers") not in (None, []):
        raise BadConfig("the layers take turns, some with experts and some without")


def _before_5(moe: MoE, number: int, hidden: int, width: int) -> tuple[Linear, ...]:
    """The router and each expert's projections as nn.Linear layers, as transformers 4 builds them."""
    found = [Linear(f"{moe.place}.gate", hidden, number, bias=False)] if moe.router else []
    if moe.modules:
        for each in range(number):
            found += _expert(f"{moe.place}.experts.{each}", moe, hidden, width)
    return tuple(found)


def _expert(place: str, moe: MoE, hidden: int, width: int) -> tuple[Linear, ...]:
    if not moe.mixtral:
        return gated_at(place, hidden, width)
    return (
        Linear(f"{place}.w1", hidden, width, bias=False),
        Linear(f"{place}.w2", width, hidden, bias=False),
        Linear(f"{place}.w3", hidden, width, bias=False),
    )


def _shared(config: Config, moe: MoE, hidden: int, width: int) -> tuple[Linear, ...]:
    """The experts that every token goes through: Qwen gives their width and a gate, DeepSeek their number."""
    if moe.shared == "shared_expert_intermediate_size":
        shared = gated_at("mlp.shared_expert", hidden, config.size(moe.shared))
        return (*shared, Linear("mlp.shared_expert_gate", hidden, 1, bias=False))
    number = config.count(moe.shared) if moe.shared is not None else 0
    return gated_at("mlp.shared_experts", hidden, number * width) if number else ()


def _parameters(moe: MoE, number: int, hidden: int, width: int) -> int:
    """Of the experts and the router of one layer."""
    biases = 2 * width + hidden + 1 if moe.bias else 0
    return number * (3 * hidden * width + hidden + biases)
