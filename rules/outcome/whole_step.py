"""How long a whole step of a trainer takes: what it has beside the decoder layers that speed.py is fitted to.

A trainer's step also casts weights that are in float32, has a head and a loss, takes the optimizer's step, exchanges
gradients or weights with other GPUs, computes layers again, or passes through adapters. Most of that is the same in
BF16 and in FP8, and draws the speed-up towards 1; adapters under Transformer Engine are layers of their own, and draw
it below.

Bytes are counted from what torch, peft and transformers read and write. Shares and costs that nobody can count are from
whole steps of LLaMA-Factory and of the Trainer on H100s (docs/evidence/h100-steps.jsonl): four layers of a 7B shape.
worth-points.jsonl beside it tells how far off this is. The runs at even places of its list were looked at while terms
were looked for, and decided two choices that the H100s leave open (LAUNCH_IN_TRAINER, and how launch cost gives way to
GPU time). Those at odd places were predicted once, at the end; a first estimate of launch cost had looked at them, too.
"""

from __future__ import annotations

from fp8check.rules.outcome.least import spread_of
from fp8check.rules.outcome.peak_inputs import OPTIMIZERS, WHOLE, Step, sizes_of, trained, trained_bytes
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.gpus import Datasheet
    from fp8check.rules.outcome.predict import Outcome
    from fp8check.rules.trainers.run import Run

    Known = TypeVar("Known")

# What the passes over all weights reach of a memory's rate (h100-steps full-te-2048: 56.0 ms in BF16).
STREAM_SHARE = 0.6
# Reads and writes of a weight's size in a step of the optimizer, with the norm of the gradients and their clipping:
# the fused one reads weight, gradient and two states and writes three of them; others are a kernel an operation.
PASSES = {"adamw_torch_fused": 10.0, "sgd": 6.0}
PASSES_OF_OTHERS = 27.0
# autocast reads a weight in float32 and writes it in BF16; its gradient comes in BF16 and is kept in float32.
CAST_BYTES, GRADIENT_CAST_BYTES = 6.0, 6.0
# Bytes for each number that goes into or comes out of an adapted layer, at the share of memory-bound work: an adapter
# in float32 casts its input, scales its output, and adds it (h100-steps lora: 120.0 ms in BF16).
ADAPTER_BYTES = 14.0
ADAPTER_LAUNCH = 2.5  # of the launch cost of a layer without: two more products, two casts, a product and a sum each
ADAPTED_MODULES = 3.0  # a backend converts the base, lora_A and lora_B
# Bytes for each number of the residual stream that the layers of transformers read and write beside the bare ones: two
# norms of six kernels forward and twice that backward (models/llama/modeling_llama.py LlamaRMSNorm), rotary embedding.
LAYER_BYTES, LAYER_SHARE = 266.0, 0.8
# Launch cost in a trainer over that of bare layers: autocast, casts, hooks. Of h100-steps, full-te-2048 allows 0.9 at
# most, and adapters want 1.2 to 1.6; hosts differ by more.
LAUNCH_IN_TRAINER = 1.45
# Seconds for each Linear layer that ZeRO-3's hooks take, in either precision (h200-run.jsonl: 77.7 ms with stage 3 and
# 61 with stage 2, 15 layers).
ZERO3_HOOKS = 1.1e-3
# Bytes a second that GPUs of one host exchange: over NVLink, and over PCIe. What is not hidden behind the backward
# pass (h100-steps ddp: 11 ms for 4.6 GB).
NVLINK, PCIE = 270e9, 20e9
EXPOSED = 0.6
_BY_NVLINK = ("8.0", "9.0", "10.0")


class Rest(Record):
    """What a step has beside its decoder layers and its head.

    Attributes:
        step: what decides the memory of a step, and its time.
        micro_batches: how many share one step of the optimizer.
    """

    step: Step
    micro_batches: int = 1


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
    return Rest(step, batches if isinstance(batches, int) and batches > 0 else 1)


def passes_of(step: Step) -> tuple[float, float]:
    """Products of a layer, forward and backward, over those of one that trains; the same of all other work."""
    again = step.checkpointing
    products = (2.0 if step.only_adapters else 3.0) + again
    return products / 3.0, (4.0 if again else 3.0) / 3.0


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
    return (casts + optimizer / micro_batches) / rate + EXPOSED * _exchanged(model, step, micro_batches) / _link(gpu)


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


def hooks_seconds(model: ModelShape, step: Step) -> float:
    """What the CPU takes beside launching, in either precision."""
    linears = model.layers * len(model.block) + 1
    return ZERO3_HOOKS * linears if step.strategy == "zero3" else 0.0


def layer_seconds(model: ModelShape, tokens: int, gpu: Datasheet) -> float:
    """What a layer of transformers takes beside a bare one in eager mode: norms and rotary embedding."""
    return LAYER_BYTES * tokens * model.hidden / (LAYER_SHARE * gpu.bandwidth_tb_s * 1e12)


def adapter_bytes(model: ModelShape, tokens: int, step: Step) -> float:
    """Bytes that a layer's adapters read and write."""
    return ADAPTER_BYTES * tokens * widths_of(model) if step.lora_rank else 0.0


def widths_of(model: ModelShape) -> float:
    """Numbers that go into and come out of the Linear layers of a decoder layer, for a token."""
    return float(sum(linear.in_features + linear.out_features for linear in model.block))
