"""Peak GPU memory of a training step of the Hugging Face Trainer, counted from what each layer keeps for its backward.

Nothing is fitted. Of a decoder layer of transformers it is counted which tensors autograd saves (modeling_llama.py and
its kin in 4.57 and 5.17: RMSNorm in float32, q, k and v, the output of scaled_dot_product_attention, gate, its SiLU, up
and their product), under autocast with its BF16 copies of the weights, or with weights in BF16; what Transformer Engine
and torchao save in their place; and of the loss the copies of the logits. docs/evidence/h100-peaks.jsonl holds measured
peaks by phase, and tests/outcome/test_memory.py the errors: torch.cuda.max_memory_allocated, without the CUDA context.

The peak is in one of five moments: when the loss is computed, when the backward pass begins, in the last layer, in the
first one, and in the optimizer.
"""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.models import Linear, ModelShape

    Engine = Literal["BF16", "TE", "AO"]
    Strategy = Literal["single", "ddp", "fsdp", "zero1", "zero2", "zero3"]

GIB = 2**30
# Rotary tables, the workspace of cuBLAS, the batch.
REST = 0.1 * GIB
# Copies of the logits, in bytes a logit: BF16, float32 and its log-softmax at the loss; log-softmax, two gradients in
# float32 and one in BF16 as the backward pass begins. Under torch.compile the loss is part of the compiled model.
AT_LOSS, AT_BACKWARD = 10.0, 12.0
AT_LOSS_COMPILED, AT_BACKWARD_COMPILED = 8.0, 9.0

# Bytes of the optimizer's states for a byte of the weights, and of what its step makes beside them.
STATES = {
    "adamw_torch": (2.0, 1.0),
    "adamw_torch_fused": (2.0, 0.0),
    "adamw_hf": (2.0, 1.0),
    "sgd": (0.0, 0.0),
    "adafactor": (0.0, 0.0),
}


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
        accumulates: whether gradients are kept from one micro-batch to the next.
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
    accumulates: bool = False

    @property
    def computes_in_bf16(self) -> bool:
        """Whether the layers see weights in BF16, and the residual stream is in BF16, without autocast's copies."""
        return self.weights != "float32" or self.strategy not in ("single", "ddp")


class _Sizes(Record):
    """Widths of a decoder layer, and numbers of parameters.

    Attributes:
        mlp: what the feed-forward part keeps for each token, in bytes: each activation is in BF16.
        fan_in: the Linear layers that read the residual stream, by those of attention and those of the MLP.
        layer, head, embedding: parameters; `head` is that of a head of its own or of the tied one.
    """

    hidden: int
    q: int
    kv: int
    intermediate: int
    mlp: float
    fan_in: tuple[int, int]
    layer: float
    head: float
    embedding: float


def peak_bytes(model: ModelShape, step: Step) -> float:
    """The most that a step allocates on one GPU, in bytes."""
    return max(moments(model, step).values())


def moments(model: ModelShape, step: Step) -> dict[str, float]:
    """Bytes that are allocated at each moment that may have the peak."""
    sizes = _sizes(model)
    tokens, layers = step.tokens, model.layers
    logits = float(tokens * model.vocab)
    at_loss, at_backward = (AT_LOSS_COMPILED, AT_BACKWARD_COMPILED) if step.compiled else (AT_LOSS, AT_BACKWARD)
    fixed = _fixed(model, sizes, step)
    residual = 2.0 if step.computes_in_bf16 else 4.0
    kept = tokens * _kept_by_layer(sizes, step)
    copies, copies_of_head = _copies(sizes, step)
    end = tokens * _kept_by_the_end(sizes, step)
    stored = tokens * residual * sizes.hidden
    if step.checkpointing:
        forward = layers * stored + end + copies_of_head
        casting = layers * copies  # autocast keeps its copies until the forward pass ends
        again = kept + copies
    else:
        forward = layers * (kept + copies) + end + copies_of_head
        casting = again = 0.0
    working = tokens * (4.0 * sizes.intermediate + residual * sizes.hidden)
    of_head, of_layers, of_all = _gradients(model, sizes, step)
    if step.accumulates:  # they are there from the micro-batches before
        fixed, of_head, of_layers, of_all = fixed + of_all, 0.0, 0.0, 0.0
    one = stored if step.checkpointing else kept + copies
    return {
        "loss": fixed + forward + casting + at_loss * logits,
        "backward": fixed + forward + at_backward * logits,
        "last layer": fixed + forward - end - copies_of_head + again + of_head + working,
        "first layer": fixed + one + again + of_head + of_layers * (layers - 1) / layers + working,
        "optimizer": fixed + of_all + STATES[step.optimizer][1] * _trained_bytes(model, sizes, step),
    }


@lru_cache(maxsize=256)
def _sizes(model: ModelShape) -> _Sizes:
    mlp = [one for one in model.block if one.name.startswith("mlp")]
    gated = any(one.name.endswith(("gate_proj", "gate_up_proj")) for one in mlp)
    readers = [one for one in model.block if one.in_features == model.hidden and not _closes(one)]
    of_mlp = sum(one in mlp for one in readers)
    kv = model.kv_heads * model.head_dim
    head = float(model.vocab * model.hidden)
    return _Sizes(
        model.hidden,
        model.heads * model.head_dim,
        kv,
        model.intermediate,
        (8.0 if gated else 4.0) * model.intermediate,
        (len(readers) - of_mlp, of_mlp),
        float(sum(one.parameters for one in model.block)),
        head,
        0.0 if model.tied else head,
    )


def _closes(linear: Linear) -> bool:
    """Whether a Linear layer ends attention or the feed-forward part."""
    return linear.name.endswith(("o_proj", "out_proj", "dense", "down_proj", "c_proj", "fc2", "fc_out"))


def _kept_by_layer(sizes: _Sizes, step: Step) -> float:
    """Bytes for each token that a decoder layer keeps for its backward pass."""
    hidden, q, kv, wide = sizes.hidden, sizes.q, sizes.kv, sizes.intermediate
    attention = 4.0 * q + 4.0 * kv  # q, k, v and the output, in BF16
    readers = sum(sizes.fan_in)
    norms = 2 * 4.0 * hidden  # their inputs in float32
    if step.compiled:
        # Inductor keeps neither the SiLU nor what it can compute from its inputs, and with FP8 not the product either.
        return attention + (0.5 if step.engine == "AO" else 0.75) * sizes.mlp + 11.0 * hidden
    if step.lora_rank:
        # The frozen base keeps no input and the frozen norms no product; each adapter keeps a copy of its input.
        bytes_ = norms + 2.0 * readers * hidden + attention + 2.0 * q + sizes.mlp
        if step.engine == "AO":
            bytes_ += (4.0 if step.computes_in_bf16 else 2.0 * readers) * hidden + 2.0 * wide
        return bytes_ + 4.0 * step.lora_rank * (readers + 2)
    if step.computes_in_bf16:
        norms += 2 * 4.0 * hidden  # the product before the weight, and the output, which all readers share
        inputs = 0.0
    else:
        norms += 2 * 4.0 * hidden
        inputs = 2.0 * readers * hidden  # autocast casts the input anew for each of them
    if step.engine == "TE":  # each layer keeps its input in FP8: one byte
        shared = 2 * 2.0 * hidden if step.computes_in_bf16 else inputs
        inputs += readers * hidden + q - wide - shared
    return norms + inputs + attention + sizes.mlp


def _kept_by_the_end(sizes: _Sizes, step: Step) -> float:
    """Bytes for each token that the last norm and the head keep."""
    if step.compiled:
        return 0.0
    if step.lora_rank:
        return 4.0 * sizes.hidden
    return (8.0 if step.computes_in_bf16 else 10.0) * sizes.hidden


def _copies(sizes: _Sizes, step: Step) -> tuple[float, float]:
    """Bytes of copies of the weights, of a decoder layer and of the head: autocast's in BF16, or Transformer Engine's
    in FP8, for the forward and for the backward pass. torchao keeps none."""
    if step.engine == "TE":
        return 2.0 * sizes.layer, 2.0 * sizes.head
    of_head = 0.0 if step.computes_in_bf16 else 2.0 * sizes.head
    return (0.0 if step.computes_in_bf16 or step.engine == "AO" else 2.0 * sizes.layer), of_head


def _parameters(model: ModelShape, sizes: _Sizes) -> float:
    return model.layers * sizes.layer + sizes.head + sizes.embedding


def _adapters(model: ModelShape, step: Step) -> float:
    """Parameters of the adapters."""
    return float(model.layers * sum(step.lora_rank * (one.in_features + one.out_features) for one in model.block))


def _trained_bytes(model: ModelShape, sizes: _Sizes, step: Step) -> float:
    """Bytes on this GPU of the weights that the optimizer knows, in the type that it keeps them in."""
    if step.lora_rank:
        return 4.0 * _adapters(model, step) / _shards(step)
    width = 2.0 if step.weights != "float32" and step.strategy in ("single", "ddp") else 4.0
    return width * _parameters(model, sizes) / _shards(step)


def _shards(step: Step) -> int:
    """Over how many GPUs the optimizer's states are spread."""
    return step.processes if step.strategy not in ("single", "ddp") else 1


def _fixed(model: ModelShape, sizes: _Sizes, step: Step) -> float:
    """Bytes that are there all the time: weights, states, and what the strategy keeps."""
    parameters, trained = _parameters(model, sizes), _trained_bytes(model, sizes, step)
    states = STATES[step.optimizer][0] * trained
    width = 4.0 if step.weights == "float32" else 2.0
    # A head that Transformer Engine converts is a weight of its own, which the optimizer does not know.
    untied = width * sizes.head if step.engine == "TE" and model.tied else 0.0
    if step.strategy in ("single", "ddp"):
        fixed = width * parameters + states + untied + (4.0 * _adapters(model, step) if step.lora_rank else 0.0)
        if step.strategy == "ddp":
            fixed += trained  # the buckets in which gradients are reduced
    elif step.strategy == "fsdp":
        # What is in no decoder layer stays gathered from the forward to the backward pass, and a layer is under way.
        fixed = trained + states + 2.0 * (sizes.head + sizes.embedding)
    elif step.strategy == "zero3":
        fixed = 2.0 * parameters / step.processes + trained + states + 2.0 * (sizes.head + sizes.embedding)
    else:
        fixed = 2.0 * parameters + trained + states
    return fixed + REST


def _gradients(model: ModelShape, sizes: _Sizes, step: Step) -> tuple[float, float, float]:
    """Bytes of gradients on this GPU: of the head, of all decoder layers, of everything."""
    if step.lora_rank and step.engine != "TE":
        return 0.0, 0.0, 4.0 * _adapters(model, step)
    width = 4.0 if step.weights == "float32" else 2.0
    if step.strategy not in ("single", "ddp"):
        width = 2.0 if step.strategy == "zero1" else 4.0 / step.processes
    head, layers = width * sizes.head, width * model.layers * sizes.layer
    if step.lora_rank:  # Transformer Engine's layers are new weights, and train: the base is thawed
        return head, layers, head + layers
    return head, layers, head + layers + width * sizes.embedding
