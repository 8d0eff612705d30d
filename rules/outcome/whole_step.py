"""How long a whole step of a trainer takes: its decoder layers, and all that it has beside them.

A step takes the longer of two times, rounded at the corner, for they overlap: what the GPU has to do, and what the CPU
takes to launch it. On the GPU a trainer's step has the layers, casts of weights that are in float32, a head and a loss,
the step of the optimizer, and what is exchanged with other GPUs. Most of that is the same in BF16 and in FP8, and draws
the speed-up towards 1. On the CPU what counts is how many layers there are, in which precision, and who wraps them; how
many tokens there are does not. Adapters under Transformer Engine are layers of their own, and cost most.

Bytes are counted from what torch, peft and transformers read and write, and most shares and costs are those of bare
layers (work.py). Seven numbers are fitted to whole steps of trainers, 86 pairs on H200s and 8 on H100s
(docs/evidence/worth-points.jsonl, series-points.jsonl, h100-steps.jsonl), by tests/tools/gpu/worth_fit.py, which holds
them against pairs that were left out of the fit. With more of them, what was left out was predicted no better.
"""

from __future__ import annotations

from fp8check.rules.outcome.least import spread_of
from fp8check.rules.outcome.peak_inputs import OPTIMIZERS, WHOLE, Step, sizes_of, trained, trained_bytes
from fp8check.rules.outcome.work import ATTENTION_SHARE, CAST_SHARE, LAUNCH, MEMORY_SHARE
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.gpus import Datasheet
    from fp8check.rules.outcome.predict import Outcome
    from fp8check.rules.outcome.work import Work
    from fp8check.rules.trainers.run import Run

    Known = TypeVar("Known")

STREAM_SHARE = 0.7  # of the passes over all weights
KEPT_LOGIT_BYTES = 104.0  # TRL reads the logits again, for its metrics: entropy and accuracy
# Reads and writes of a weight's size in a step of the optimizer, with the norm of the gradients and their clipping:
# the fused one reads weight, gradient and two states and writes three of them; others are a kernel an operation.
PASSES = {"adamw_torch_fused": 10.0, "sgd": 6.0}
PASSES_OF_OTHERS = 18.0
# autocast reads a weight in float32 and writes it in BF16; its gradient comes in BF16 and is kept in float32.
CAST_BYTES, GRADIENT_CAST_BYTES = 6.0, 6.0
# Bytes for each number that goes into or comes out of an adapted layer, at the share of memory-bound work: an adapter
# in float32 casts its input, scales its output, and adds it.
ADAPTER_BYTES = 14.0
ALIGNED = 16  # an adapter of a rank that is no multiple stays as it is
# Bytes for each number of the residual stream that the layers of transformers read and write beside the bare ones: two
# norms of six kernels forward and twice that backward (models/llama/modeling_llama.py LlamaRMSNorm), rotary embedding.
LAYER_BYTES, LAYER_SHARE = 289.0, 0.8
ZERO = ("zero1", "zero2", "zero3")
ZERO3_HOOKS = 1.0e-3  # seconds that hooks of ZeRO-3 take for each Linear layer
# Adapters: two more products, two casts, a product and a sum each; a backend converts the base, lora_A and lora_B.
ADAPTED = {"BF16": 2.0, "TE": 3.0, "AO": 3.0}
SHARPNESS = 3.0  # how abruptly launching gives way to the GPU, as of bare layers in FP8
# Launch cost of a fast host, of a usual and of a slow one, over that of the hosts that the fit calls 1: those of the
# points are at 0.7 to 1.0, and on one host it varied by more from minute to minute.
HOSTS = (0.7, 0.95, 1.2)
MEASURED_LAUNCH = 4.0  # milliseconds of a layer there, by probe/child/launching.py (series-points.jsonl)
# Launching a layer of Transformer Engine over one of torch, measured as MEASURED_LAUNCH was and in the same trainings:
# from 1.9 to 2.4. The steps have too few layers to tell; in a model with many it is what decides.
TE_OVER_BF16 = 2.1
# A measurement tells half of it: on one host it gave from 2.0 to 6.1 ms within six minutes, and what steps took did not
# follow; what is left open on either side.
TOLD_BY_HOST, LEFT_BY_HOST = 0.5, 0.15
# Of the stated range, beside what hosts differ by: of any prediction, and for each time that launching takes as long as
# the GPU, up to two. Nine of ten pairs that were left out of the fit lie in it, of those that ran undisturbed.
ERROR, ERROR_OF_LAUNCH, MOST_LAUNCHING = 0.06, 0.07, 2.0
# Adapters in two or three layers are worth what is said, or up to a quarter more. In a whole 7B, where launching takes
# longest, it was twice as much (w-2 of held-points.jsonl), and nobody knows why: the upper end of the range leaves it
# open, up to 0.95, for where launching decides over adapters all were slower than BF16, the best at 0.87.
OPEN_OF_ADAPTERS, MOST_OF_ADAPTERS = 0.75, 0.95
# Bytes a second that GPUs of one host exchange, beside what is hidden behind the backward pass: over NVLink, over PCIe.
NVLINK, PCIE = 200e9, 33e9
_BY_NVLINK = ("8.0", "9.0", "10.0")


class Fitted(Record):
    """What is fitted to whole steps of trainers.

    Attributes:
        bf16, fp8: shares of the datasheet's rates that products reach.
        cast_ao: share of the bandwidth that torchao's casts reach in eager mode.
        te, ao: seconds that launching an eager layer takes, forward and backward; of torch's see TE_OVER_BF16.
        step: seconds that launching takes of a step beside its layers.
        ddp: what the hooks of DDP make of launching, in either precision.
    """

    bf16: float = 0.618
    fp8: float = 0.525
    cast_ao: float = 0.0335
    te: float = 10.2e-3
    ao: float = 29.8e-3
    step: float = 15.5e-3
    ddp: float = 1.11


FITTED = Fitted()


class Rest(Record):
    """What a step has beside its decoder layers and its head.

    Attributes:
        step: what decides the memory of a step, and its time.
        micro_batches: how many share one step of the optimizer.
        metrics: the trainer reads the logits once more.
    """

    step: Step
    micro_batches: int = 1
    metrics: bool = False


class Times(Record):
    """Seconds of a micro-batch in one precision.

    Attributes:
        launch: on the CPU, of the hosts that the costs are from.
        products: on the GPU, attention included. `others`: all else there.
    """

    launch: float
    products: float
    others: float

    def on(self, host: float) -> float:
        """What it takes on a host of that launch cost."""
        launch, gpu = host * self.launch, self.products + self.others
        longer = max(launch, gpu)
        return float(longer * ((launch / longer) ** SHARPNESS + (gpu / longer) ** SHARPNESS) ** (1 / SHARPNESS))

    def waits_for(self, host: float) -> str:
        """What it waits for on such a host: "gemm", "memory" or "launch"."""
        if host * self.launch > self.products + self.others:
            return "launch"
        return "gemm" if self.products >= self.others else "memory"


def rest_of(run: Run, outcome: Outcome) -> Rest:
    """What the run's files say of it; of what they do not, what trainers do where nothing is said."""
    effective, training = outcome.effective, run.training

    def known(read: Callable[[], Known | None]) -> Known | None:
        try:
            return read()
        except Undecided:
            return None

    spread = known(lambda: spread_of(run, outcome.distributed_type, effective)) or Step("BF16", 0)
    weights = known(lambda: effective.weights)
    optimizer = known(lambda: training.optimizer(outcome.stack))
    rank = known(lambda: training.lora_rank) if training.uses_lora else 0
    batches = known(lambda: training.micro_batches)
    step = spread._replace(
        weights="float32" if weights is not None and weights.value == "float32" else "bfloat16",
        optimizer=optimizer if optimizer in OPTIMIZERS else "adamw_torch_fused",
        checkpointing=known(lambda: effective.checkpointing) is not None or spread.checkpointing,
        lora_rank=(rank or 8) if training.uses_lora else 0,
    )
    number = batches if isinstance(batches, int) and batches > 0 else 1
    return Rest(step, number, training.reads_logits_again)


def passes_of(step: Step) -> tuple[float, float]:
    """Products of a layer, forward and backward, over those of one that trains; the same of all other work."""
    again = step.checkpointing
    products = (2.0 if step.only_adapters else 3.0) + again
    return products / 3.0, (4.0 if again else 3.0) / 3.0


def times_of(
    model: ModelShape,
    todo: tuple[Work, Work],
    tokens: int,
    gpu: Datasheet,
    rest: Rest,
    *,
    compiled: bool,
    fitted: Fitted = FITTED,
) -> Times:
    """What a step takes in the precision that `rest.step` has as its engine.

    Args:
        todo: what a decoder layer has to do, and the head with its loss, where all weights train.
    """
    (layer, head), step = todo, rest.step
    backend = step.engine
    bandwidth, rate = gpu.bandwidth_tb_s * 1e12, gpu.bf16_tflops * 1e12
    products, again = passes_of(step)
    stream = MEMORY_SHARE[compiled] * bandwidth
    # The residual stream is in float32 where the weights are and nobody asked for BF16 computation.
    wider = 2.0 * tokens * 14 * model.hidden if step._replace(engine="BF16").computes_in_bf16 is False else 0.0
    between = (layer.bytes + wider + adapter_bytes(model, tokens, step)) / stream
    between += 0.0 if compiled else layer_seconds(model, tokens, gpu)
    attention = again * layer.attention / (ATTENTION_SHARE * rate)
    loss = head.bytes / stream
    if rest.metrics:
        loss += KEPT_LOGIT_BYTES * tokens * model.vocab / bandwidth
    head_products = head.flops / (fitted.bf16 * rate)
    if backend == "BF16":
        gemms, casts = products * layer.flops / (fitted.bf16 * rate), 0.0
    else:
        fp8 = fitted.fp8 * (gpu.fp8_tflops or gpu.bf16_tflops) * 1e12
        eager_ao = backend == "AO" and not compiled
        cast_rate = (fitted.cast_ao if eager_ao else CAST_SHARE[backend, compiled]) * bandwidth
        gemms = products * layer.flops / fp8
        numbers = layer.casts * products
        if step.lora_rank and step.lora_rank % ALIGNED == 0:
            numbers += tokens * widths_of(model)  # what goes into lora_A and comes out of lora_B
        casts = 4.0 * numbers / cast_rate
        if backend == "TE":  # torchao leaves the head as it is
            head_products = head.flops / fp8
            loss += 4.0 * head.casts / cast_rate
    fixed = fixed_seconds(model, step, gpu, rest.micro_batches)
    return Times(
        launch=launch_seconds(model, step, fitted, compiled=compiled),
        products=model.layers * (gemms + attention) + head_products,
        others=model.layers * (again * between + casts) + loss + fixed,
    )


def hosts(measured: float | None) -> tuple[float, float, float]:
    """Launch cost of a fast host, of a usual and of a slow one, over that of the hosts that the costs are from.

    Args:
        measured: milliseconds of a layer on the host of the run, where that is known.
    """
    if measured is None:
        return HOSTS
    usual = float(HOSTS[1] * (measured / MEASURED_LAUNCH) ** TOLD_BY_HOST)
    return usual * (1 - LEFT_BY_HOST), usual, usual * (1 + LEFT_BY_HOST)


def speedup_of(bf16: Times, fp8: Times, step: Step, measured: float | None) -> tuple[float, float, float]:
    """The speed-up on a usual host, and from where to where it may be.

    Args:
        step: of DeepSpeed's hooks little is known, as of a step that waits for launching.
        measured: milliseconds of a layer on the host of the run, where that is known.
    """
    over = hosts(measured)
    ratios = [bf16.on(host) / fp8.on(host) for host in over]
    # The more launching there is beside the GPU's work, the less a prediction is worth.
    launching = max(over[1] * times.launch / (times.products + times.others) for times in (bf16, fp8))
    if step.strategy in ZERO:
        launching = MOST_LAUNCHING
    launching = min(MOST_LAUNCHING, launching)
    error = ERROR + launching * ERROR_OF_LAUNCH
    high = max(ratios) * (1 + error)
    if step.lora_rank and launching > 1.0:
        open_to = max(ratios) * (1 + error + OPEN_OF_ADAPTERS * (launching - 1.0))
        high = max(high, min(MOST_OF_ADAPTERS, open_to))
    return ratios[1], min(ratios) * (1 - error), high


def launch_seconds(model: ModelShape, step: Step, fitted: Fitted = FITTED, *, compiled: bool) -> float:
    """What the CPU takes to launch a step."""
    eager = {"BF16": fitted.te / TE_OVER_BF16, "TE": fitted.te, "AO": fitted.ao}
    of_layer = LAUNCH[step.engine, compiled] if compiled else eager[step.engine]
    layers = model.layers * passes_of(step)[1] * of_layer * (ADAPTED[step.engine] if step.lora_rank else 1.0)
    hooks = ZERO3_HOOKS * (model.layers * len(model.block) + 1) if step.strategy == "zero3" else 0.0
    return (layers + fitted.step) * (fitted.ddp if step.strategy == "ddp" else 1.0) + hooks


def fixed_seconds(model: ModelShape, step: Step, gpu: Datasheet, micro_batches: int) -> float:
    """Of a micro-batch, what no product and no activation is: casts of weights, the optimizer, other GPUs.

    Args:
        step: its engine says whose weights train: Transformer Engine's layers do even where the base is frozen.
    """
    sizes = sizes_of(model)
    rate = STREAM_SHARE * gpu.bandwidth_tb_s * 1e12
    weights = sizes.layers * sizes.layer + sizes.head
    casts = 0.0
    if step.weights == "float32" and step.strategy in WHOLE:
        casts = weights * (CAST_BYTES + (0.0 if step.only_adapters else GRADIENT_CAST_BYTES))
    elif step.strategy not in WHOLE:  # each GPU casts its part, and copies what comes and goes
        casts = weights * (CAST_BYTES / step.shards + 4.0)
    passes = PASSES.get(step.optimizer, PASSES_OF_OTHERS)
    optimizer = passes * trained_bytes(sizes, step)
    if step.lora_rank and not step.only_adapters:
        optimizer += 3.0 * step.width * weights  # gradients of the base are clipped, too
    return (casts + optimizer / micro_batches) / rate + _exchanged(model, step, micro_batches) / _link(gpu)


def _link(gpu: Datasheet) -> float:
    return NVLINK if gpu.compute_capability in _BY_NVLINK and gpu.bandwidth_tb_s > 1.5 else PCIE


def _exchanged(model: ModelShape, step: Step, micro_batches: int) -> float:
    """Bytes that a GPU sends in a micro-batch."""
    if step.processes < 2:
        return 0.0
    sizes = sizes_of(model)
    others = (step.processes - 1) / step.processes
    gradients = trained(sizes, step) if step.only_adapters or not step.lora_rank else sizes.all
    if step.strategy == "ddp":
        return 2.0 * others * gradients * step.width / micro_batches
    if step.strategy in ("zero1", "zero2"):
        return others * 4.0 * gradients / micro_batches
    return others * (4.0 * sizes.all + 4.0 * gradients)  # weights forward and backward, gradients in float32


def layer_seconds(model: ModelShape, tokens: int, gpu: Datasheet) -> float:
    """What a layer of transformers takes beside a bare one in eager mode: norms and rotary embedding."""
    return LAYER_BYTES * tokens * model.hidden / (LAYER_SHARE * gpu.bandwidth_tb_s * 1e12)


def adapter_bytes(model: ModelShape, tokens: int, step: Step) -> float:
    """Bytes that a layer's adapters read and write."""
    return ADAPTER_BYTES * tokens * widths_of(model) if step.lora_rank else 0.0


def widths_of(model: ModelShape) -> float:
    """Numbers that go into and come out of the Linear layers of a decoder layer, for a token."""
    return float(sum(linear.in_features + linear.out_features for linear in model.block))
