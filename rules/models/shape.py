"""ModelShape: the Linear layers of a causal language model, their sizes and how many parameters it has."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Linear(Record):
    """One torch.nn.Linear: `name` is relative to the decoder layer, or to the model for the head."""

    name: str
    in_features: int
    out_features: int
    bias: bool

    @property
    def parameters(self) -> int:
        """Number of its parameters."""
        return self.in_features * self.out_features + (self.out_features if self.bias else 0)


class Experts(Record):
    """The routed experts of one mixture-of-experts layer.

    Attributes:
        number: experts in a layer.
        per_token: experts that one token goes through.
        intermediate: width of one expert.
        before_5: their Linear layers, and the router where it is one, up to transformers 4.57. From 5.0 on they are
            three-dimensional parameters, no nn.Linear, and no FP8 conversion finds them.
        after: name of the Linear layer in the block that these stand behind, in the order of named_modules().
        parameters: of all experts and the router of one layer.
    """

    number: int
    per_token: int
    intermediate: int
    before_5: tuple[Linear, ...]
    after: str
    parameters: int


class ModelShape(Record):
    """What the sizes in a config.json make of a model.

    Attributes:
        name: the model as the user named it.
        source: where the sizes come from: "config.json", "hub cache" or "table".
        model_type: transformers' name of the architecture.
        assumed: the architecture is not known here and was taken to be built like Llama.
        complete: False where the model has further Linear layers that are not described (a vision tower).
        hidden: width of the residual stream.
        intermediate: width of the feed-forward part of a dense layer.
        layers: number of decoder layers.
        heads, kv_heads, head_dim: of the attention.
        vocab: rows of the embedding.
        tied: the head's weight is the embedding's.
        experts, experts_per_token: of a mixture-of-experts layer, None for a dense model.
        routed: more about these experts.
        dtype: what config.json says the weights are stored in; None where it does not.
        quantization: quant_method of the config.json, "unnamed" where it has none, None without quantization.
        block: the Linear layers of one decoder layer in the order of named_modules(), as transformers 5 builds them.
            For a mixture of experts, of a layer that has experts.
        dense_block: the same for the layers at the front that have no experts.
        dense_layers: the number of those layers.
        prefix: what stands before the layer's number in the name of a module.
        head: the Linear layer that makes the logits.
        parameters: number of parameters, tied ones counted once; those of the text model alone unless complete.
    """

    name: str
    source: str
    model_type: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    block: tuple[Linear, ...]
    head: Linear
    parameters: int
    dense_block: tuple[Linear, ...] = ()
    dense_layers: int = 0
    routed: Experts | None = None
    quantization: str | None = None
    dtype: str | None = None
    prefix: str = "model.layers"
    assumed: bool = False
    complete: bool = True

    def __repr__(self) -> str:
        """Name and size, for people who debug."""
        return f"ModelShape({self.name!r}, {self.model_type}, {self.parameters / 1e9:.2f}B, from {self.source})"

    @property
    def experts(self) -> int | None:
        """Experts in a layer, None for a dense model."""
        return None if self.routed is None else self.routed.number

    @property
    def experts_per_token(self) -> int | None:
        """Experts that one token goes through, None for a dense model."""
        return None if self.routed is None else self.routed.per_token

    def __hash__(self) -> int:
        """Of what tells models apart, not of every layer: what is worked out of a model is remembered by it."""
        return hash((self.name, self.layers, self.hidden))

    def block_in(self, transformers_major: int) -> tuple[Linear, ...]:
        """The Linear layers of one decoder layer under that major release of transformers.

        Up to release 4 each expert is made of nn.Linear layers of its own; from 5 on none is.
        """
        if self.routed is None or transformers_major >= 5:
            return self.block
        at = next(place for place, linear in enumerate(self.block, 1) if linear.name == self.routed.after)
        return self.block[:at] + self.routed.before_5 + self.block[at:]

    @property
    def linear_parameters(self) -> int:
        """Parameters of all Linear layers of the text model: the sum over linears(), without making each."""
        block, dense = (sum(linear.parameters for linear in layers) for layers in (self.block, self.dense_block))
        head = self.head.parameters if self.head is not None else 0
        front = min(self.dense_layers, self.layers)
        return front * dense + (self.layers - front) * block + head

    def linears(self, transformers_major: int = 5) -> Iterator[Linear]:
        """Every Linear layer of the text model with its full name, in the order of named_modules()."""
        block = self.block_in(transformers_major)
        for layer in range(self.layers):
            for linear in self.dense_block if layer < self.dense_layers else block:
                yield linear._replace(name=f"{self.prefix}.{layer}.{linear.name}")
        yield self.head
