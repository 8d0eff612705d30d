"""FP8xx of what the probe measured: errors, losses, times, the last batch."""

from __future__ import annotations

from fp8check.rules.catalog.probe_requirements import known, made_to_measure, place, ran
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, rule
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.seen import Seen
    from fp8check.rules.seen.data import Time
    from fp8check.rules.trainers.run import Run

MANY_ZEROS = 0.9


@rule(
    "FP809",
    "numbers-are-wrong",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: output and gradients within the derived bound",
    "own tests/probe/test_emulated.py: outputs scaled by 1.5 and gradients of noise are over it",
    claims=("seen",),
)
def numbers_are_wrong(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Output or gradients of the FP8 step are further from FP32 than rounding explains.

    Why it hurts: the loss still falls, to a worse model.

    Example: a broken kernel; gradients that are all zero in E4M3, whose smallest number is 2^-9.

    Write instead: fp8_format: HYBRID; or other releases of torch and the backend.
    """
    ran(seen)
    if not made_to_measure(seen):
        return
    if known(seen.converted, "which layers were converted", seen) == 0:
        return
    from fp8check.rules.seen import bounds  # only where a probe has run

    numbers = known(seen.numerics, "the errors against FP32", seen)
    bound = known(bounds(seen), "the errors against FP32", seen)
    output, gradients = numbers.output.fp8, numbers.gradients.fp8
    median, worst = gradients.median, gradients.worst
    if output is None or median is None or worst is None:
        raise Undecided("an error against FP32 that is a number", "seen")  # FP810 says why
    if output > bound.output:
        yield _wrong(requested, seen, f"the output is off by {output:.0%}, and rounding explains {bound.output:.0%}")
    elif median > bound.gradient:
        why = f"the layers' gradients are off by {median:.0%}, and rounding explains {bound.gradient:.0%}"
        yield _wrong(requested, seen, why)
    elif worst > bound.worst:
        why = f"the gradient of {gradients.name} is off by {worst:.0%}: zeros would be as good"
        yield _wrong(requested, seen, why)


def _wrong(requested: Requested, seen: Seen, why: str) -> Found:
    held = seen.recipe.named if seen.recipe is not None else {}
    recipe = ", ".join(f"{name} {value}" for name, value in held.items())
    return Found(
        f"the numbers are wrong: {why}",
        place=place(requested),
        label=f"with {recipe}" if recipe else "",
        notes=("compared with the same step in FP32, relative error in the Frobenius norm",),
        help="compare with fp8_format: HYBRID, and with other releases of torch and the backend",
    )


@rule(
    "FP810",
    "not-finite",
    ERROR,
    "own tests/probe/test_emulated.py: NaN in one weight, and a loss that is infinite",
    claims=("seen",),
)
def not_finite(requested: Requested, seen: Seen) -> Iterator[Found]:
    """A loss or a gradient of the probe is NaN or infinite.

    Why it hurts: from there on every weight is NaN.

    Example: a scale that overflows; weights that were loaded broken.

    Write instead: find the first one with torch.autograd.set_detect_anomaly(True).
    """
    ran(seen)
    losses = known(seen.losses, "a loss", seen)
    broken = seen.gradients.not_finite if seen.gradients is not None else ()
    if None in losses:
        message = f"the loss of step {losses.index(None) + 1} is NaN or infinite"
    elif broken:
        message = f"the gradient of {broken[0]} is NaN or infinite"
    else:
        return
    label = f"gradients that are not finite: {', '.join(broken[:4])}" if broken else ""
    help_ = "find the first operation with torch.autograd.set_detect_anomaly(True)"
    yield Found(message, place=place(requested), label=label, help=help_)


@rule(
    "FP814",
    "measured-slower",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-speed.jsonl 7B 2048]: TE in eager mode slower than BF16",
    claims=("seen",),
)
def measured_slower(requested: Requested, seen: Seen, outcome: Outcome, run: Run) -> Iterator[Found]:
    """The FP8 step was slower than the same step in BF16.

    Why it hurts: FP8 is done for speed. What it costs in accuracy and memory buys nothing here.

    Example: a 7B shape with 512 tokens in a micro-batch, eager.

    Write instead: the smallest change that the help names; or BF16.
    """
    from fp8check.rules.outcome.speed import advise

    ran(seen)
    if not made_to_measure(seen):
        return
    if known(seen.converted, "which layers were converted", seen) == 0:
        return
    if seen.emulated:
        raise Undecided("emulation on the CPU says nothing of speed", "seen")
    ratio = known(seen.speed_up, "the times in FP8 and BF16", seen)
    spread = known(seen.speed_range, "the times in FP8 and BF16", seen)
    if ratio >= 0.97:
        return
    if spread[1] >= 1.0:
        raise Undecided(f"the measured ratio {ratio:.2f} has a spread of {spread[0]:.2f} to {spread[1]:.2f}", "seen")
    notes = [_memory(seen)] if _memory(seen) else []
    scaled = seen.built.scaled if seen.built is not None else ()
    if scaled:
        notes.append(f"probed were {', '.join(scaled)}")
    yield Found(
        f"FP8 is slower than BF16 here: {ratio:.2f}x, measured",
        place=run.training.setting_for("micro_batch") or place(requested),
        label=f"{_ms(seen.bf16_ms)} in BF16, {_ms(seen.fp8_ms)} in FP8, forward and backward",
        notes=tuple(notes),
        help=advise(run, outcome),
    )


def _ms(time: Time | None) -> str:
    return f"{time.ms:.1f} ms ({time.low:.1f} to {time.high:.1f})" if time is not None else ""


def _memory(seen: Seen) -> str:
    if seen.fp8_gib is None or seen.bf16_gib is None:
        return ""
    return f"peak memory {seen.fp8_gib:.1f} GiB in FP8, {seen.bf16_gib:.1f} GiB in BF16"


@rule(
    "FP816",
    "ragged-batch-fails",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: ValueError at 2,045 tokens, divisible by 8",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl batch-24-te]: 24 tokens end in the backward GEMM",
    claims=("seen",),
)
def ragged_batch_fails(requested: Requested, seen: Seen) -> Iterator[Found]:
    """A batch that is not a multiple of 16 tokens ends the run.

    Why it hurts: the first steps go well, and the last batch of the epoch, or a batch of short texts, ends it hours
    later.

    Example: Transformer Engine with batches that are padded to their longest sequence.

    Write instead: `pad_to_multiple_of: 16` in the data collator, or packing.
    """
    ran(seen)
    if not made_to_measure(seen):
        return
    if seen.ragged is None and (seen.ended != "done" or "ragged" in seen.left_out):
        known(None, "a ragged batch", seen)
    if seen.ragged is None or seen.ragged.error is None:
        return
    rows, columns, error = seen.ragged.rows, seen.ragged.columns, seen.ragged.error
    yield Found(
        f"a batch of {rows} x {columns} tokens ends the run with {error.type}",
        place=place(requested),
        label=error.first_line[:240],
        help="pad batches to a multiple of 16 tokens (pad_to_multiple_of: 16), or pack them",
    )


@rule(
    "FP817",
    "first-step-is-lost",
    INFO,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te-e4m3]: all of the layers' gradients zero at first",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl te-e4m3-16]: 72 % zero with a small vocabulary, HYBRID 0 %",
    claims=("seen",),
)
def first_step_is_lost(requested: Requested, seen: Seen) -> Iterator[Found]:
    """In the first step nearly all gradients are zero.

    Why it hurts: with delayed scaling the first scale is 1, and gradients are smaller than what the format can hold. A
    layer's scale follows only once gradients arrive there, so that some steps are lost after each start, and after each
    resume that does not restore the scales.

    Example: `fp8_format: E4M3` with a long micro-batch and a large vocabulary.

    Write instead: fp8_format: HYBRID, whose gradients are E5M2, and a warm-up of the learning rate.
    """
    if not requested.fp8:
        return
    ran(seen)
    if not made_to_measure(seen):
        return
    if known(seen.converted, "which layers were converted", seen) == 0:
        return
    gradients = known(seen.gradients, "the gradients of the first step", seen)
    zeros = gradients.zeros
    if zeros is None or zeros < MANY_ZEROS:
        return
    form = seen.recipe.settings.get("fp8_format") if seen.recipe is not None else None
    steps = seen.moved.steps if seen.moved is not None else None
    lost = f"; every weight had moved after {steps} steps" if steps and _all_moved(seen) else ""
    yield Found(
        f"{zeros:.0%} of the layers' gradients are zero in the first step{lost}",
        place=requested.recipe.get("fp8_format") or place(requested),
        label=f"the recipe's format is {form}" if form else "",
        notes=("the first scale of delayed scaling is 1; it follows the gradients layer by layer, a step each",),
        help="set fp8_format: HYBRID under fp8_config"
        if form == "E4M3"
        else "warm the learning rate up over more steps",
    )


def _all_moved(seen: Seen) -> bool:
    moved = seen.moved
    return moved is not None and moved.moved == moved.trainable
