"""What decides the peak memory of a training step, and the sizes of a model that it is counted from."""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.models import Linear, ModelShape

    Engine = Literal["BF16", "TE", "AO"]
    Strategy = Literal["single", "ddp", "fsdp1", "fsdp2", "zero1", "zero2", "zero3"]
    # "logits": they are made whole; "kept": the trainer keeps them for its metrics, too; "chunked": a piece at a time,
    # and again in the backward pass; "fused": a piece at a time, with the gradients of the head (Liger).
    Loss = Literal["logits", "kept", "chunked", "fused"]
    Offload = Literal["none", "optimizer", "all"]

GIB = 2**30
# Where every GPU has the whole model, and autocast makes the copies in BF16.
WHOLE: tuple[Strategy, ...] = ("single", "ddp")


class Optimizer(Record):
    """What an optimizer keeps and makes, in bytes.

    Attributes:
        states: for a byte of the weights. `by_number`: for each of the weights, whatever their type.
        step: made in its step for a byte of the weights; `largest`: for each number of the largest weight alone, in
            float32 and in BF16.
    """

    states: float = 0.0
    by_number: float = 0.0
    step: float = 0.0
    largest: tuple[float, float] = (0.0, 0.0)


_ADAMW_8BIT = Optimizer(by_number=2 + 8 / 256)  # two states of a byte, and a float32 for each 256 numbers of them
OPTIMIZERS = {
    "adamw_torch": Optimizer(2.0, step=1.0),
    "adamw_torch_fused": Optimizer(2.0),
    "adamw_hf": Optimizer(2.0, step=1.0),
    "sgd": Optimizer(),
    # transformers optimization.py Adafactor.step: gradient and weight in float32 where they are not, the square of the
    # gradient and that square with eps.
    "adafactor": Optimizer(largest=(8.0, 16.0)),
    # bitsandbytes: states of a byte; what is paged is not of torch's allocator. Trainer keeps those of the embedding in
    # float32 (trainer.py, GlobalOptimManager).
    "adamw_8bit": _ADAMW_8BIT,
    "adamw_bnb_8bit": _ADAMW_8BIT,
    "paged_adamw_8bit": Optimizer(),
    "paged_adamw_32bit": Optimizer(),
    "paged_adamw": Optimizer(),
}
EMBEDDING_IN_FLOAT32 = ("adamw_8bit", "adamw_bnb_8bit")


class Zero(Record):
    """DeepSpeed's buffers, in numbers (deepspeed 0.19.8 runtime/zero/config.py).

    Attributes:
        bucket: reduce_bucket_size; `buckets`: how many of them there are, two where it reduces beside the backward.
        live: stage3_max_live_parameters.
        group: sub_group_size, by which stage 3 takes its step.
    """

    bucket: float = 5e8
    buckets: int = 1
    live: float = 1e9
    group: float = 1e9


class Step(Record):
    """What decides the memory of a step.

    Attributes:
        engine: "BF16", or the backend whose layers run in FP8.
        tokens: tokens in a micro-batch, at most.
        weights: "float32" or "bfloat16", as the model is loaded.
        optimizer: as `optim` of TrainingArguments names it.
        strategy: how the run is spread, over `processes` GPUs.
        checkpointing: whether each decoder layer is computed again in the backward pass.
        compiled: whether the model is compiled.
        lora_rank: of adapters on all Linear layers of the decoder; 0 where all weights train.
        lora_dropout: whether adapters drop some of their input.
        accumulates: whether gradients are kept from one micro-batch to the next.
        loss: how the loss is made of the last hidden states.
        liger: whether Liger's kernels stand in for norms and the feed-forward part.
        reshards: whether FSDP gives the gathered weights of a layer back after the forward pass.
        offload: what lies in the memory of the CPU.
        zero: DeepSpeed's buffers.
        wide_ends: whether embedding, head and norms are float32 beside layers in BF16, as axolotl casts them.
        autocast: whether what is no product in FP8 is computed in BF16; else it is in the type of the weights.
    """

    engine: Engine
    tokens: int
    weights: str = "float32"
    optimizer: str = "adamw_torch_fused"
    strategy: Strategy = "single"
    processes: int = 1
    checkpointing: bool = False
    compiled: bool = False
    lora_rank: int = 0
    lora_dropout: bool = False
    accumulates: bool = False
    loss: Loss = "logits"
    liger: bool = False
    reshards: bool = True
    offload: Offload = "none"
    zero: Zero = Zero()
    wide_ends: bool = False
    autocast: bool = True

    @property
    def computes_in_bf16(self) -> bool:
        """Whether the layers see weights in BF16, and the residual stream is in BF16, without autocast's copies."""
        return (self.weights != "float32" and not self.wide_ends) or self.strategy not in WHOLE

    @property
    def in_float32(self) -> bool:
        """Whether activations are in float32: weights in float32, and nothing casts."""
        return not self.autocast and self.weights == "float32" and self.strategy in WHOLE

    @property
    def width(self) -> float:
        """Bytes of a weight of a decoder layer as it is loaded."""
        return 4.0 if self.weights == "float32" else 2.0

    @property
    def width_of_ends(self) -> float:
        """The same of the embedding and of the head."""
        return 4.0 if self.wide_ends else self.width

    @property
    def shards(self) -> int:
        """Over how many GPUs the optimizer's states are spread."""
        return 1 if self.strategy in WHOLE else self.processes

    @property
    def only_adapters(self) -> bool:
        """Whether the base stays frozen: Transformer Engine's layers are new weights, and train (h100-trainers)."""
        return self.lora_rank > 0 and self.engine != "TE"


class Sizes(Record):
    """Widths of a decoder layer, and numbers of parameters.

    Attributes:
        mlp: what the feed-forward part keeps for each token, in bytes, each activation in BF16; `routed`: what sorting
            the tokens by their experts keeps beside it.
        gated: whether the feed-forward part has a gate.
        fan_in: the Linear layers that read the residual stream, by those of attention and those of the MLP.
        layer, head, embedding: parameters; `head` is that of a head of its own or of the tied one.
        linear: of the largest Linear layer of the decoder.
        vocab: rows of the embedding; `layers`: decoder layers.
        adapters: parameters of adapters of rank 1.
    """

    hidden: int
    q: int
    kv: int
    intermediate: int
    mlp: float
    routed: float
    gated: bool
    fan_in: tuple[int, int]
    layer: float
    head: float
    embedding: float
    linear: float
    vocab: int
    layers: int
    tied: bool
    adapters: float

    @property
    def all(self) -> float:
        """All parameters."""
        return self.layers * self.layer + self.head + self.embedding


@lru_cache(maxsize=256)
def sizes_of(model: ModelShape) -> Sizes:
    """The sizes of a model; those of its routed experts included, of which every GPU has all."""
    mlp = [linear for linear in model.block if linear.name.startswith("mlp")]
    gated = model.routed is not None or any(linear.name.endswith(("gate_proj", "gate_up_proj")) for linear in mlp)
    readers = [linear for linear in model.block if linear.in_features == model.hidden and not _closes(linear)]
    of_mlp = sum(linear in mlp for linear in readers)
    kv = model.kv_heads * model.head_dim
    head = float(model.vocab * model.hidden)
    layer = float(sum(linear.parameters for linear in model.block))
    if model.parameters:  # whatever else a layer has, and layers that are unlike the others
        layer = (model.parameters - (1.0 if model.tied else 2.0) * head) / model.layers
    wide, routed = model.intermediate if mlp else 0, 0.0
    if model.routed is not None:
        wide += model.routed.per_token * model.routed.intermediate
        routed = 4.0 * model.routed.per_token * model.hidden
    return Sizes(
        model.hidden,
        model.heads * model.head_dim,
        kv,
        wide,
        (8.0 if gated else 4.0) * wide,
        routed,
        gated,
        (len(readers) - of_mlp, of_mlp),
        layer,
        head,
        0.0 if model.tied else head,
        float(max((linear.parameters for linear in model.block), default=0)),
        model.vocab,
        model.layers,
        model.tied,
        float(model.layers * sum(linear.in_features + linear.out_features for linear in model.block)),
    )


def _closes(linear: Linear) -> bool:
    """Whether a Linear layer ends attention or the feed-forward part."""
    return linear.name.endswith(("o_proj", "out_proj", "dense", "down_proj", "c_proj", "fc2", "fc_out"))


def trained(sizes: Sizes, step: Step) -> float:
    """The number of weights that the optimizer knows."""
    return step.lora_rank * sizes.adapters if step.lora_rank else sizes.all


def trained_bytes(sizes: Sizes, step: Step) -> float:
    """Bytes on one GPU of the weights that the optimizer knows, in the type that it keeps them in."""
    narrow = not step.lora_rank and step.weights != "float32" and step.strategy in WHOLE
    if narrow:
        return 2.0 * trained(sizes, step) + (step.width_of_ends - 2.0) * (sizes.head + sizes.embedding)
    return 4.0 * trained(sizes, step) / step.shards


def states_bytes(sizes: Sizes, step: Step) -> float:
    """Bytes on one GPU of the optimizer's states."""
    kept = OPTIMIZERS[step.optimizer]
    number = trained(sizes, step) / step.shards
    found = kept.states * trained_bytes(sizes, step) + kept.by_number * number
    if step.optimizer in EMBEDDING_IN_FLOAT32 and not step.lora_rank:
        found += (8.0 - kept.by_number) * (sizes.head if sizes.tied else sizes.embedding) / step.shards
    return found


def made_bytes(sizes: Sizes, step: Step) -> float:
    """Bytes that the optimizer's step makes."""
    kept = OPTIMIZERS[step.optimizer]
    float32, bf16 = kept.largest
    wide = step.weights == "float32" or step.wide_ends or step.strategy not in WHOLE
    largest = sizes.linear if step.lora_rank else max(sizes.head, sizes.linear)
    return kept.step * trained_bytes(sizes, step) + (float32 if wide else bf16) * largest / step.shards
