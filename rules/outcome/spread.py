"""What weights, gradients, states and buffers take of one GPU, by how the run is spread.

Read in torch 2.11 (distributed/fsdp/_fully_shard, distributed/fsdp/_runtime_utils.py), accelerate 1.15.0
(utils/fsdp_utils.py fsdp2_prepare_model) and deepspeed 0.19.8 (runtime/zero/stage_1_and_2.py, stage3.py,
partitioned_param_coordinator.py).
"""

from __future__ import annotations

from fp8check.rules.outcome.peak_inputs import WHOLE, made_bytes, states_bytes, trained, trained_bytes
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.outcome.peak_inputs import Sizes, Step


class Spread(Record):
    """Bytes on one GPU, all but the activations.

    Attributes:
        always: at every moment; the others come on top of it.
        loss: when the loss is computed; backward: when the backward pass begins.
        last, first: in the backward pass of the last decoder layer, and of the first one.
        embedding: when the gradient of the embedding is there.
        optimizer: in the optimizer's step.
    """

    always: float
    loss: float
    backward: float
    last: float
    first: float
    embedding: float
    optimizer: float


def spread(sizes: Sizes, step: Step) -> Spread:
    """What is there at each moment."""
    if step.strategy in WHOLE:
        return _whole(sizes, step)
    if step.strategy == "fsdp2":
        return _fsdp2(sizes, step)
    if step.strategy == "fsdp1":
        return _fsdp1(sizes, step)
    return _zero3(sizes, step) if step.strategy == "zero3" else _zero(sizes, step)


def weights_bytes(sizes: Sizes, step: Step) -> float:
    """Bytes of the weights alone on one GPU, at the least: those that are frozen stay as they were loaded."""
    if step.offload == "all":
        return 0.0
    width = 2.0 if step.strategy.startswith("zero") else step.width
    return width * sizes.all / (step.processes if step.strategy in ("fsdp1", "fsdp2", "zero3") else 1)


def _but_the_first(sizes: Sizes) -> float:
    """The parameters of all decoder layers but the first."""
    return sizes.layer * (sizes.layers - 1)


def _whole(sizes: Sizes, step: Step) -> Spread:
    """One GPU, or DDP, which keeps the gradients once more in the buckets in which it reduces them."""
    known, width, ends = trained_bytes(sizes, step), step.width, step.width_of_ends
    # A tied head that Transformer Engine converts is a weight of its own, which the optimizer does not know.
    untied = ends * sizes.head if step.engine == "TE" and sizes.tied else 0.0
    weights = width * sizes.layers * sizes.layer + ends * (sizes.head + sizes.embedding)
    always = weights + untied + states_bytes(sizes, step) + (known if step.lora_rank else 0.0)
    if step.only_adapters:
        head = layers = first = 0.0
        all_ = known
    else:
        head, layers, first = ends * sizes.head, width * sizes.layers * sizes.layer, width * _but_the_first(sizes)
        all_ = head + layers + ends * sizes.embedding + untied + (known if step.lora_rank else 0.0)
    if step.strategy == "ddp":
        always += all_
    if step.accumulates:  # they are there from the micro-batches before
        always, head, first, all_ = always + all_, 0.0, 0.0, 0.0
    return Spread(always, 0.0, 0.0, head, head + first, all_, all_ + made_bytes(sizes, step))


def _sharded(sizes: Sizes, step: Step) -> tuple[float, float]:
    """Bytes of weights with their states, and of a gradient for each parameter, in FSDP's shards."""
    known = trained_bytes(sizes, step)
    always = known + states_bytes(sizes, step) + (step.width * sizes.all / step.shards if step.lora_rank else 0.0)
    return (0.0 if step.offload == "all" else always), 0.0 if step.offload == "all" else 4.0 / step.shards


def _fsdp2(sizes: Sizes, step: Step) -> Spread:
    """Gathered weights are in BF16. The last norm with the head, and with it a tied embedding, stay gathered.

    What is gathered comes as one flat piece first: at the loss that of the head is still there. In the backward pass a
    layer has its weights, its whole gradients, and before it the gradients that are just being reduced and the flat
    piece of the next one.
    """
    always, each = _sharded(sizes, step)
    one, tail, embedding = 2.0 * sizes.layer, 2.0 * sizes.head, 2.0 * sizes.embedding
    all_layers = 0.0 if step.reshards else one * sizes.layers
    every = each * sizes.all
    if step.only_adapters:
        known = 4.0 * trained(sizes, step) / step.shards
        # torchao's all-gather moves a byte for each weight.
        busy = (1.0 if step.engine == "AO" else 2.0) * one if step.reshards else all_layers
        held = tail if sizes.tied else 0.0
        return Spread(always, 2 * tail + all_layers, tail + all_layers, busy + held, busy + held, known, known)
    if step.accumulates:
        always, each = always + every, 0.0
    # A tied head is whole, with its gradient, until the backward pass ends.
    held = 2 * tail if sizes.tied else 0.0
    busy = 3.0 * one if step.reshards else all_layers + one
    last = busy + (held or tail + each * sizes.head)
    first = 3.0 * one + (held or each * sizes.head + embedding) + each * _but_the_first(sizes)
    end = each * (sizes.all - sizes.embedding) + 3.0 * (tail if sizes.tied else embedding)
    optimizer = (every if not step.accumulates else 0.0) + made_bytes(sizes, step) * (step.offload != "all")
    return Spread(always, 2 * tail + all_layers, tail + all_layers, last, first, end, optimizer)


def _fsdp1(sizes: Sizes, step: Step) -> Spread:
    """Embedding, head and the last norm are one flat parameter, which stays gathered from the forward pass on.

    The gradients of a flat parameter are there one by one, and once more put together.
    """
    always, each = _sharded(sizes, step)
    one, root = 2.0 * sizes.layer, 2.0 * (sizes.head + sizes.embedding)
    all_layers = one if step.reshards else one * sizes.layers
    every = each * sizes.all
    if step.only_adapters:
        known = 4.0 * trained(sizes, step) / step.shards
        return Spread(always, root + all_layers - one, root + all_layers, root + all_layers, root + one, known, known)
    if step.accumulates:
        always, each = always + every, 0.0
    head = 2.0 * sizes.head
    last = root + all_layers + 2.0 * one + head
    first = root + 3.0 * one + head + each * _but_the_first(sizes)
    end = each * sizes.layers * sizes.layer + 3.0 * root
    optimizer = (every if not step.accumulates else 0.0) + made_bytes(sizes, step) * (step.offload != "all")
    return Spread(always, root + all_layers - one, root + all_layers - one, last, first, end, optimizer)


def _zero(sizes: Sizes, step: Step) -> Spread:
    """ZeRO-1 and 2: whole weights in BF16, the float32 ones and the states in shards.

    The buckets are made at the first gradient, and gradients are views of them; those of a GPU's own part lie
    beside. They are flattened and cast to float32 for the step. With one micro-batch a step both stages do the same.
    """
    number = trained(sizes, step)
    own, buckets = 2.0 * number / step.shards, 2.0 * step.zero.bucket * step.zero.buckets
    always = 2.0 * (sizes.all + (number if step.lora_rank else 0.0))
    if step.offload != "none":
        cast = 4.0 * (0.0 if step.only_adapters else max(sizes.linear, sizes.head))
        return Spread(always, 0.0, 0.0, buckets, buckets, buckets + cast, 0.0)
    always += trained_bytes(sizes, step) + states_bytes(sizes, step)
    if step.accumulates:
        always += own if step.strategy == "zero2" else 2.0 * number
    optimizer = max(4 * own, 2 * own + made_bytes(sizes, step))
    return Spread(always, 0.0, 0.0, buckets, buckets + own, buckets + own, optimizer)


def _zero3(sizes: Sizes, step: Step) -> Spread:
    """ZeRO-3: all in shards; buffers for gradients are there from the beginning.

    With each module that it gathers it gathers some more ahead, on into the backward pass, until as much is live as may
    be; and what is gathered ahead for later is not given back.
    """
    zero, number = step.zero, trained(sizes, step)
    own = 2.0 * number / step.shards
    always = 2.0 * zero.bucket
    if step.offload != "all":
        always += 2.0 * (sizes.all + (number if step.lora_rank else 0.0)) / step.shards
    if step.offload == "none":
        always += own + trained_bytes(sizes, step) + states_bytes(sizes, step)
    live = 2.0 * min(sizes.all, max(zero.live, sizes.head, sizes.layer))
    reduced = 0.0 if step.only_adapters else 2.0 * max(min(zero.bucket, sizes.layer), sizes.linear)
    first = 2.0 * (sizes.layer + sizes.embedding) + reduced
    end = 0.0 if step.only_adapters else 4.0 * (sizes.embedding or sizes.head)
    group = min(1.0, zero.group / max(sizes.all, 1.0))
    optimizer = max(3 * own, 2 * own + made_bytes(sizes, step)) * group if step.offload == "none" else 0.0
    return Spread(always, live, live, live + reduced, first, end, optimizer)
