"""Whether FP8 pays: step time in BF16 and FP8 from layer shapes and tokens per micro-batch.

A small model of one decoder layer, forward and backward: GEMM time at the rate that large GEMMs reach, memory-bound
work, the cost of casting to FP8, and the launch cost of eager code, below which no layer gets. Its constants were
fitted to 56 measurements on NVIDIA H200s (torch 2.11, Transformer Engine 2.20.2 eager, DelayedScaling HYBRID; 0.5B to
70B shapes, 512 to 16,384 tokens; docs/evidence/h200-speed.jsonl has 48 of them). On those, the predicted speed-up is
off by 4 % in the median; 54 of 56 are within 25 %, the worst is off by 39 %, where the launch cost of the one run was
far above that of the others. Other GPUs than H100 and H200 are not modelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.models import Linear, ModelShape
    from fp8check.rules.outcome.predict import Outcome
    from fp8check.rules.outcome.run import Run

BF16_RATE = 715e12  # FLOP/s that large BF16 GEMMs reach
FP8_RATE = 1495e12
MEMORY_RATE = 1.06e12  # bytes/s over the counted activations: they are read and written more than once
CAST_RATE = 1.45e12  # bytes/s of the casts
BF16_LAUNCH = 2.38e-3  # s a decoder layer: what eager code needs on the CPU
FP8_LAUNCH = 7.09e-3
ERROR = 0.2  # 53 of the 56 measurements lie within
SHARPNESS = 7.5  # how abruptly launch cost gives way to GPU time

# torchao without torch.compile was 7 to 9 times slower than BF16 at 0.5B and 1.5B, and slower at every size tried.
TORCHAO_EAGER = (0.3, 0.1, 0.6)


class Speed(Record):
    """A predicted speed-up over BF16.

    Attributes:
        predicted: BF16 step time divided by FP8 step time, with `low` and `high` around it.
        tokens: tokens in a micro-batch, at most.
        pays_from: the smallest micro-batch, in tokens, from which FP8 is faster; None up to 131,072.
        why: one line for people.
    """

    predicted: float
    low: float
    high: float
    tokens: int
    pays_from: int | None
    why: str


def layer_seconds(linears: Sequence[Linear], hidden: int, intermediate: int, tokens: int) -> tuple[float, float]:
    """Seconds for forward and backward of one decoder layer on an H200, in BF16 and in FP8.

    Args:
        linears: the layer's Linear modules.
        hidden, intermediate: widths in elements.
        tokens: tokens in the micro-batch.
    """
    flops = 6.0 * tokens * sum(linear.in_features * linear.out_features for linear in linears)
    activations = 2.0 * tokens * (14 * hidden + 10 * intermediate)
    casts = sum(
        4.0 * (tokens * linear.in_features + tokens * linear.out_features + linear.in_features * linear.out_features)
        for linear in linears
    )
    memory = activations / MEMORY_RATE
    bf16 = _either(BF16_LAUNCH, flops / BF16_RATE + memory)
    fp8 = _either(FP8_LAUNCH, flops / FP8_RATE + memory + casts / CAST_RATE)
    return bf16, fp8


def _either(launch: float, gpu: float) -> float:
    """The longer of the two, rounded at the corner."""
    return float((launch**SHARPNESS + gpu**SHARPNESS) ** (1 / SHARPNESS))


def speed_up(model: ModelShape, tokens: int) -> float:
    """Predicted BF16 time over FP8 time with Transformer Engine in eager mode."""
    bf16, fp8 = layer_seconds(model.block, model.hidden, model.intermediate, tokens)
    return bf16 / fp8


def pays_from(model: ModelShape) -> int | None:
    """The smallest power of two of tokens in a micro-batch from which FP8 is at least 3 % faster."""
    return next((tokens for tokens in (2**n for n in range(9, 18)) if speed_up(model, tokens) >= 1.03), None)


def predict_speed(run: Run, outcome: Outcome) -> Speed | None:
    """The predicted speed-up of the run; None where shapes or tokens are not known, or the GPU is not modelled."""
    model, training = run.model, run.training
    batch, sequence = training.micro_batch, training.sequence
    backend = outcome.backend.value if outcome.backend is not None else None
    if model is None or not model.block or model.experts or batch is None or sequence is None:
        return None
    gpus = run.facts.gpus
    if gpus and not any(name in gpus[0].name for name in ("H100", "H200")):
        return None
    tokens = batch * sequence
    if backend == "AO" and not training.on("torch_compile"):
        predicted, low, high = TORCHAO_EAGER
        why = "torchao without torch.compile was slower than BF16 at every size that was measured on an H200"
        return Speed(predicted, low, high, tokens, None, why)
    if backend != "TE":
        return None
    predicted = speed_up(model, tokens)
    size = f"{model.parameters / 1e9:.1f}B" if model.parameters else "this"
    return Speed(
        predicted,
        predicted * (1 - ERROR),
        predicted * (1 + ERROR),
        tokens,
        pays_from(model),
        f"{size} shape, {tokens:,} tokens in a micro-batch on {gpus[0].name if gpus else 'an H200'}",
    )
