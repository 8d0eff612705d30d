"""FP8xx of what the probe measured: errors, losses, times, the last batch."""

from __future__ import annotations

from fp8check.rules.catalog.observing import known, place, ran
from fp8check.rules.catalog.rule import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.outcome import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.evidence import Evidence
    from fp8check.rules.outcome import Outcome, Run

MANY_ZEROS = 0.9


@rule(
    "FP809",
    "numbers-are-wrong",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: output and gradients within the derived bound",
    "own tests/probe/test_emulated.py: outputs scaled by 1.5 and gradients of noise are over it",
)
def numbers_are_wrong(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """Output or gradients of the FP8 step are further from FP32 than rounding explains.

    Why it hurts: the loss still falls, to a worse model.

    Example: a broken kernel; gradients that are all zero in E4M3, whose smallest number is 2^-9.

    Write instead: fp8_format: HYBRID; or other releases of torch and the backend.
    """
    ran(evidence)
    if known(evidence.converted, "which layers were converted", evidence) == 0:
        return
    from fp8check.rules.evidence import bounds  # only where a probe has run

    numbers = known(evidence.numerics, "the errors against FP32", evidence)
    bound = known(bounds(evidence), "the errors against FP32", evidence)
    output = numbers["output"].get("fp8")
    gradients = numbers["gradients"].get("fp8") or {}
    worst = gradients.get("worst")
    if output is None or worst is None:
        raise Undecided("an error against FP32 that is a number", "evidence")  # FP810 says why
    if output > bound.output:
        yield _wrong(asked, evidence, f"the output is off by {output:.0%}, and rounding explains {bound.output:.0%}")
    elif gradients["median"] > bound.gradient:
        why = f"the layers' gradients are off by {gradients['median']:.0%}, and rounding explains {bound.gradient:.0%}"
        yield _wrong(asked, evidence, why)
    elif worst > bound.worst:
        why = f"the gradient of {gradients.get('name')} is off by {worst:.0%}: zeros would be as good"
        yield _wrong(asked, evidence, why)


def _wrong(asked: Asked, evidence: Evidence, why: str) -> Found:
    recipe = ", ".join(f"{name} {value}" for name, value in (evidence.recipe or {}).items())
    return Found(
        f"the numbers are wrong: {why}",
        place(asked),
        f"with {recipe}" if recipe else "",
        notes=("compared with the same step in FP32, relative error in the Frobenius norm",),
        help="compare with fp8_format: HYBRID, and with other releases of torch and the backend",
    )


@rule(
    "FP810",
    "not-finite",
    ERROR,
    "own tests/probe/test_emulated.py: NaN in one weight, and a loss that is infinite",
)
def not_finite(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """A loss or a gradient of the probe is NaN or infinite.

    Why it hurts: from there on every weight is NaN.

    Example: a scale that overflows; weights that were loaded broken.

    Write instead: find the first one with torch.autograd.set_detect_anomaly(True).
    """
    ran(evidence)
    losses = known(evidence.losses, "a loss", evidence)
    gradients = evidence.gradients or {}
    broken = list(gradients.get("not_finite") or ())
    if None in losses:
        message = f"the loss of step {losses.index(None) + 1} is NaN or infinite"
    elif broken:
        message = f"the gradient of {broken[0]} is NaN or infinite"
    else:
        return
    label = f"gradients that are not finite: {', '.join(broken[:4])}" if broken else ""
    help_ = "find the first operation with torch.autograd.set_detect_anomaly(True)"
    yield Found(message, place(asked), label, help=help_)


@rule(
    "FP814",
    "measured-slower",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl 7B 2048]: TE in eager mode slower than BF16",
)
def measured_slower(asked: Asked, evidence: Evidence, outcome: Outcome, run: Run) -> Iterator[Found]:
    """The FP8 step was slower than the same step in BF16.

    Why it hurts: FP8 is done for speed. What it costs in accuracy and memory buys nothing here.

    Example: a 7B shape with 512 tokens in a micro-batch, eager.

    Write instead: the smallest change that the help names; or BF16.
    """
    from fp8check.rules.outcome.speed import advise

    ran(evidence)
    if known(evidence.converted, "which layers were converted", evidence) == 0:
        return
    if evidence.emulated:
        raise Undecided("emulation on the CPU says nothing of speed", "evidence")
    ratio = known(evidence.speed_up, "the times in FP8 and BF16", evidence)
    spread = known(evidence.speed_range, "the times in FP8 and BF16", evidence)
    if ratio >= 0.97:
        return
    if spread[1] >= 1.0:
        raise Undecided(
            f"the measured ratio {ratio:.2f} has a spread of {spread[0]:.2f} to {spread[1]:.2f}", "evidence"
        )
    notes = [_memory(evidence)] if _memory(evidence) else []
    scaled = (evidence.built or {}).get("scaled") or ()
    if scaled:
        notes.append(f"probed were {', '.join(scaled)}")
    yield Found(
        f"FP8 is slower than BF16 here: {ratio:.2f}x, measured",
        run.training.thing("micro_batch") or place(asked),
        f"{_ms(evidence.bf16_ms)} in BF16, {_ms(evidence.fp8_ms)} in FP8, forward and backward",
        notes=tuple(notes),
        help=advise(run, outcome),
    )


def _ms(times: Mapping[str, float] | None) -> str:
    return f"{times['ms']:.1f} ms ({times['low']:.1f} to {times['high']:.1f})" if times else ""


def _memory(evidence: Evidence) -> str:
    if evidence.fp8_gib is None or evidence.bf16_gib is None:
        return ""
    return f"peak memory {evidence.fp8_gib:.1f} GiB in FP8, {evidence.bf16_gib:.1f} GiB in BF16"


@rule(
    "FP816",
    "ragged-batch-fails",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: ValueError at 2,045 tokens, divisible by 8",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl batch-24-te]: 24 tokens end in the backward GEMM",
)
def ragged_batch_fails(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """A batch that is not a multiple of 16 tokens ends the run.

    Why it hurts: the first steps go well, and the last batch of the epoch, or a batch of short texts, ends it hours
    later.

    Example: Transformer Engine with batches that are padded to their longest sequence.

    Write instead: `pad_to_multiple_of: 16` in the data collator, or packing.
    """
    ran(evidence)
    if evidence.ragged is None and (evidence.ended != "done" or "ragged" in evidence.left_out):
        known(None, "a ragged batch", evidence)
    error = (evidence.ragged or {}).get("error")
    if evidence.ragged is None or error is None:
        return
    rows, columns = evidence.ragged["rows"], evidence.ragged["columns"]
    yield Found(
        f"a batch of {rows} x {columns} tokens ends the run with {error.get('type')}",
        place(asked),
        str(error.get("message") or "").partition("\n")[0][:240],
        help="pad batches to a multiple of 16 tokens (pad_to_multiple_of: 16), or pack them",
    )


@rule(
    "FP817",
    "first-step-is-lost",
    INFO,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te-e4m3]: all of the layers' gradients zero at first",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl te-e4m3-16]: 72 % zero with a small vocabulary, HYBRID 0 %",
)
def first_step_is_lost(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """In the first step nearly all gradients are zero.

    Why it hurts: with delayed scaling the first scale is 1, and gradients are smaller than what the format can hold. A
    layer's scale follows only once gradients arrive there, so that some steps are lost after each start, and after each
    resume that does not restore the scales.

    Example: `fp8_format: E4M3` with a long micro-batch and a large vocabulary.

    Write instead: fp8_format: HYBRID, whose gradients are E5M2, and a warm-up of the learning rate.
    """
    if not asked.fp8:
        return
    ran(evidence)
    if known(evidence.converted, "which layers were converted", evidence) == 0:
        return
    gradients = known(evidence.gradients, "the gradients of the first step", evidence)
    zeros = gradients.get("zeros")
    if zeros is None or zeros < MANY_ZEROS:
        return
    form = (evidence.recipe or {}).get("fp8_format")
    steps = (evidence.moved or {}).get("steps")
    lost = f"; every weight had moved after {steps} steps" if steps and _all_moved(evidence) else ""
    yield Found(
        f"{zeros:.0%} of the layers' gradients are zero in the first step{lost}",
        asked.recipe.get("fp8_format") or place(asked),
        f"the recipe's format is {form}" if form else "",
        notes=("the first scale of delayed scaling is 1; it follows the gradients layer by layer, a step each",),
        help="set fp8_format: HYBRID under fp8_config"
        if form == "E4M3"
        else "warm the learning rate up over more steps",
    )


def _all_moved(evidence: Evidence) -> bool:
    moved = evidence.moved
    return moved is not None and moved["moved"] == moved["trainable"]
