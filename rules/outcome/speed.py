"""Whether FP8 pays: step time in BF16 and FP8 from layer shapes, tokens per micro-batch, GPU and backend.

A layer's forward and backward take the longer of two times, rounded at the corner:

- what the GPU needs: GEMMs at a share of its datasheet rate, attention, memory-bound work between the GEMMs, and for
  FP8 the casts;
- what the CPU needs to launch it, in eager code, whatever the sizes.

The shares and the launch costs are fitted to 84 measurements on two NVIDIA H200s with hosts of their own
(docs/evidence/h200-speed.jsonl: torch 2.11, Transformer Engine 2.20.2, DelayedScaling HYBRID, two layers of 0.5B to 70B
shapes, 512 to 16,384 tokens). To four more machines (h200-hosts.jsonl beside it) no step time is fitted, and
tests/gpu/test_speed.py holds the errors. Launch cost is the host's, and varies on one host from run to run: two layers
of a 32B shape at 1,024 tokens took from 8.3 to 24.4 ms on four machines. So what is predicted is a usual host, and the
range, which is chosen on all six, goes from a fast one to a slow one. Other GPUs get the shares of the H200 and the
figures of their datasheet: modeled, not measured.

A run of a trainer is predicted by its whole step, of which whole_step.py has what is no layer.
"""

from __future__ import annotations

from functools import lru_cache

from fp8check.rules.outcome import work
from fp8check.rules.outcome.effective import number, remembered
from fp8check.rules.outcome.gpus import Datasheet, find, gpus
from fp8check.rules.outcome.work import ATTENTION_SHARE, CAST_SHARE, LAUNCH, MEMORY_SHARE
from fp8check.rules.record import Record
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome.peak_inputs import Engine
    from fp8check.rules.outcome.predict import Outcome
    from fp8check.rules.outcome.whole_step import Rest
    from fp8check.rules.outcome.work import Work
    from fp8check.rules.trainers.run import Run

    MeasuredBackend = Literal["TE", "AO"]

MEASURED: tuple[MeasuredBackend, ...] = ("TE", "AO")
# Shares of the datasheet's rates; work.py has those that whole steps share.
BF16_SHARE = 0.697
FP8_SHARE = 0.648
# Seconds a step beside that: entering autocast, updating the scales.
STEP_LAUNCH: Mapping[MeasuredBackend, float] = {"TE": 1.6e-3, "AO": 0.0}
# How abruptly launch cost gives way to GPU time; over a whole step launching has more room to run ahead.
BF16_SHARPNESS = 6.0
FP8_SHARPNESS = {"layers": 3.1, "model": 6.0}
ERROR_GPU = 0.08  # of the stated range, on top of what hosts differ in
# Launch cost of a fast and of a slow host, as shares of the usual one's, of the FP8 step and of the BF16 step: chosen
# so that 99 % of the measurements of six machines lie between them.
FAST_HOST, SLOW_HOST = (0.6, 0.75), (1.6, 1.1)
SEQUENCE = 2048  # tokens in a sequence where only the micro-batch is known
# Of those that are predicted below the first, 111 of 112 were slower than BF16; above the second, 67 of 68 were faster.
LIKELY_SLOWER, LIKELY_FASTER = 0.85, 1.15
LARGEST_TOKENS = 2**17

OPTIMIZER_PASSES = 24  # reads and writes of a BF16 parameter's size in AdamW's step (foreach)


class Speed(Record):
    """A predicted speed-up over BF16.

    Attributes:
        predicted: BF16 step time divided by FP8 step time, with `low` and `high` around it.
        tokens: tokens in a micro-batch, at most.
        pays_from: the smallest micro-batch, in tokens, from which FP8 is likely faster; None where none does that fits.
        bound: what the FP8 step waits for: "gemm", "memory" or "launch".
        why: one line for people.
    """

    predicted: float
    low: float
    high: float
    tokens: int
    pays_from: int | None
    bound: str | None
    why: str


class Point(Record):
    """One prediction.

    Attributes:
        tokens: tokens in the micro-batch.
        bf16_ms, fp8_ms: milliseconds a step; fp8_ms and all that follows from it is None where the GPU has no FP8.
        speedup: their ratio on a usual host; from `low` on a slow one to `high` on a fast one.
        bound: what the FP8 step waits for: "gemm", "memory" or "launch".
    """

    tokens: int
    bf16_ms: float
    fp8_ms: float | None
    speedup: float | None
    low: float | None
    high: float | None
    bound: str | None


class Setup(Record):
    """Where and how a step runs.

    Attributes:
        gpu: its datasheet.
        backend: Transformer Engine or torchao.
        compiled: under torch.compile.
        scope: "layers": forward and backward of the decoder layers; "model": embedding, head and optimizer, too.
        sequence: tokens in one sequence, at most.
        rest: what a trainer's step has beside; None of layers alone, and of a bare model.
        host: milliseconds that its CPU takes to launch a layer (probe/child/launching.py); None where nobody measured.
    """

    gpu: Datasheet
    backend: MeasuredBackend = "TE"
    compiled: bool = False
    scope: str = "layers"
    sequence: int = SEQUENCE
    rest: Rest | None = None
    host: float | None = None


def default_gpu() -> Datasheet:
    """The GPU that is taken where none is known: the one that was measured."""
    return next(gpu for gpu in gpus() if gpu.measured)


def _bf16_seconds(todo: Work, setup: Setup) -> float:
    gpu = setup.gpu
    rate = gpu.bf16_tflops * 1e12
    memory = todo.bytes / (MEMORY_SHARE[setup.compiled] * gpu.bandwidth_tb_s * 1e12)
    return todo.flops / (BF16_SHARE * rate) + todo.attention / (ATTENTION_SHARE * rate) + memory


def _fp8_seconds(todo: Work, setup: Setup, rate: float) -> tuple[float, float]:
    """GPU time in FP8 in seconds: of the GEMMs, attention included, and of what memory bounds, casts included."""
    gpu = setup.gpu
    share = CAST_SHARE[setup.backend, setup.compiled]
    gemms = todo.flops / (FP8_SHARE * rate) + todo.attention / (ATTENTION_SHARE * gpu.bf16_tflops * 1e12)
    bandwidth = gpu.bandwidth_tb_s * 1e12
    return gemms, todo.bytes / (MEMORY_SHARE[setup.compiled] * bandwidth) + 4.0 * todo.casts / (share * bandwidth)


def _either(launch: float, gpu: float, sharpness: float) -> float:
    """The longer of the two, rounded at the corner."""
    longer = max(launch, gpu)
    return float(longer * ((launch / longer) ** sharpness + (gpu / longer) ** sharpness) ** (1 / sharpness))


@lru_cache(maxsize=1024)
def predict_point(model: ModelShape, tokens: int, setup: Setup) -> Point:
    """Step time at one size of micro-batch.

    Args:
        model: its layers' shapes; a mixture of experts is not modeled.
        tokens: tokens in the micro-batch.
    """
    if setup.rest is not None:
        return _predict_step(model, tokens, setup, setup.rest)
    layer = work.of_layer(model, tokens, setup.sequence)
    rest = _rest_seconds(model, tokens, setup) if setup.scope == "model" else (0.0, 0.0)
    # Launching runs ahead of the GPU over the whole step, so that work outside the layers hides some of it.
    launch = model.layers * LAUNCH["BF16", setup.compiled]
    needed = model.layers * _bf16_seconds(layer, setup) + rest[0]
    bf16, *others = (_either(share * launch, needed, BF16_SHARPNESS) for share in (1.0, FAST_HOST[1], SLOW_HOST[1]))
    rate = setup.gpu.fp8_tflops
    if rate is None:
        return Point(tokens, 1e3 * bf16, None, None, None, None, None)
    gemms, memory = (model.layers * part for part in _fp8_seconds(layer, setup, rate * 1e12))
    launch = model.layers * LAUNCH[setup.backend, setup.compiled] + _steps(model, setup) * STEP_LAUNCH[setup.backend]
    needed = gemms + memory + rest[1]
    sharpness = FP8_SHARPNESS[setup.scope]
    fp8, fast, slow = (_either(share * launch, needed, sharpness) for share in (1.0, FAST_HOST[0], SLOW_HOST[0]))
    bound = "launch" if launch > needed else "gemm" if gemms >= memory else "memory"
    return Point(
        tokens,
        1e3 * bf16,
        1e3 * fp8,
        bf16 / fp8,
        others[1] / slow * (1 - ERROR_GPU),
        others[0] / fast * (1 + ERROR_GPU),
        bound,
    )


def _predict_step(model: ModelShape, tokens: int, setup: Setup, rest: Rest) -> Point:
    """The same of a whole step of a trainer; the optimizer's part of it in a micro-batch, which is what is timed."""
    from fp8check.rules.outcome import whole_step

    layer, head = work.of_layer(model, tokens, setup.sequence), work.of_head(model, tokens)

    def times(engine: Engine) -> whole_step.Times:
        of = rest._replace(step=rest.step._replace(engine=engine))
        return whole_step.times_of(model, (layer, head), tokens, setup.gpu, of, compiled=setup.compiled)

    usual = whole_step.hosts(setup.host)[1]
    bf16 = times("BF16")
    if setup.gpu.fp8_tflops is None:
        return Point(tokens, 1e3 * bf16.on(usual), None, None, None, None, None)
    fp8 = times(setup.backend)
    speedups = whole_step.speedup_of(bf16, fp8, rest.step, setup.host)
    return Point(tokens, 1e3 * bf16.on(usual), 1e3 * fp8.on(usual), *speedups, fp8.waits_for(usual))


def _steps(model: ModelShape, setup: Setup) -> float:
    """How often the cost of a step is paid: layers alone are predicted as they were measured, two at a time."""
    return model.layers / 2 if setup.scope == "layers" else 1.0


def _rest_seconds(model: ModelShape, tokens: int, setup: Setup) -> tuple[float, float]:
    """Head, loss and optimizer, in BF16 and in FP8; Transformer Engine converts the head, torchao does not."""
    head = work.of_head(model, tokens)
    parameters = model.layers * work.of_layer(model, tokens, setup.sequence).parameters + head.parameters
    if not model.tied:
        parameters += model.vocab * model.hidden
    optimizer = 2.0 * OPTIMIZER_PASSES * parameters / (setup.gpu.bandwidth_tb_s * 1e12)
    bf16 = _bf16_seconds(head, setup)
    rate = setup.gpu.fp8_tflops
    fp8 = sum(_fp8_seconds(head, setup, rate * 1e12)) if rate is not None and setup.backend == "TE" else bf16
    return bf16 + optimizer, fp8 + optimizer


def memory_of(model: ModelShape, tokens: int, setup: Setup) -> tuple[float, float]:
    """Peak memory in GiB of one GPU with weights in BF16, in BF16 and in FP8; `model` trains all with AdamW."""
    from fp8check.rules.outcome.peak import layers_bytes, peak_bytes  # most checks ask for the times alone
    from fp8check.rules.outcome.peak_inputs import GIB, Step

    of = peak_bytes if setup.scope == "model" else layers_bytes
    step = Step("BF16", tokens, "bfloat16", compiled=setup.compiled)
    return of(model, step) / GIB, of(model, step._replace(engine=setup.backend)) / GIB


def speed_up(model: ModelShape, tokens: int) -> float:
    """Predicted BF16 time over FP8 time on the measured GPU with Transformer Engine in eager mode."""
    point = predict_point(model, tokens, Setup(default_gpu()))
    return point.speedup or 0.0  # the measured GPU has FP8: there is one


@lru_cache(maxsize=256)
def pays_from(model: ModelShape, setup: Setup) -> int | None:
    """The smallest power of two of tokens in a micro-batch at which FP8 is likely faster; None up to 131,072."""
    sizes = (2**n for n in range(9, 18))
    return next((size for size in sizes if (predict_point(model, size, setup).speedup or 0.0) >= LIKELY_FASTER), None)


def setup_of(run: Run, outcome: Outcome) -> Setup | None:
    """Where and how the run steps; None where its backend or its GPU is not modeled."""
    backend = next((name for name in MEASURED if name == outcome.backend_name), None)
    if backend is None:
        return None
    visible = run.visible_gpus() or run.facts.gpus
    gpu = find(visible[0].name) if visible else default_gpu()
    if gpu is None or gpu.fp8_tflops is None:
        return None
    compiled = backend == "AO" and outcome.effective.compiled is not None
    from fp8check.rules.outcome.whole_step import rest_of  # only runs in FP8 ask for it

    sequence = number(outcome.effective.sequence) or SEQUENCE
    return Setup(gpu, backend, compiled, "model", sequence, rest_of(run, outcome), run.facts.launch_ms)


@remembered
def predict_speed(run: Run, outcome: Outcome) -> Speed | None:
    """The predicted speed-up of the run; None where shapes or tokens are not known, or the GPU is not modeled."""
    model = run.model
    if model is None or not model.block or model.experts:
        return None
    tokens, setup = outcome.effective.tokens, setup_of(run, outcome)
    if tokens is None or setup is None:
        return None
    point = predict_point(model, tokens, setup)
    needed = pays_from(model, setup)
    if needed is not None and needed > tokens and needed > _largest_that_fits(model, setup):
        needed = None
    # The GPU of a setup has FP8: there is a ratio.
    ratio, low, high = point.speedup or 0.0, point.low or 0.0, point.high or 0.0
    if ratio >= LIKELY_SLOWER and setup.backend == "TE" and outcome.reentrant:
        return None  # the backward pass runs without FP8: a loss stays one, a gain is not modeled
    return Speed(ratio, low, high, tokens, needed, point.bound, _why(run, model, tokens, setup))


def speed_of(outcome: Outcome) -> Speed | None:
    """The predicted speed-up of a run that trains in FP8; None where none is known: values may be filled in later."""
    try:
        return predict_speed(outcome.run, outcome) if outcome.trains_in_fp8 else None
    except Undecided:
        return None


def in_words(speed: Speed, *, measured: bool) -> str:
    """What a predicted speed-up comes to.

    Args:
        measured: a probe has run: it is not asked for again.
    """
    if speed.high < 1 or speed.low > 1:
        return "faster" if speed.low > 1 else "slower"
    if not LIKELY_SLOWER <= speed.predicted <= LIKELY_FASTER:
        return "probably slower" if speed.predicted < 1 else "probably faster"
    host = " by the host" if speed.bound == "launch" else ""
    return f"{speed.low:.1f}x to {speed.high:.1f}x{host}" + ("" if measured else ": --probe measures it")


def _why(run: Run, model: ModelShape, tokens: int, setup: Setup) -> str:
    visible = run.visible_gpus() or run.facts.gpus
    size = f"{model.parameters / 1e9:.1f}B" if model.parameters else "this"
    name = visible[0].name if visible else f"an {setup.gpu.name}"
    how = "" if setup.gpu.measured else ", modeled from its datasheet"
    eager = ", torchao without torch.compile" if setup.backend == "AO" and not setup.compiled else ""
    return f"{size} shape, {tokens:,} tokens in a micro-batch on {name}{eager}{how}"


def advise(run: Run, outcome: Outcome) -> str:
    """The smallest change that makes FP8 pay, as a fact: tokens, compile, backend; or BF16."""
    model, setup = run.model, setup_of(run, outcome)
    if model is None or not model.block or model.experts or setup is None:
        return "FP8 pays with more tokens in a micro-batch, or not at all"
    effective = outcome.effective
    tokens = (number(effective.micro_batch) or 1) * (number(effective.sequence) or SEQUENCE)
    fits = _largest_that_fits(model, setup)
    # A script that makes its own Accelerator has no torch_compile.
    compiling = "torch_compile: true" if run.training.is_huggingface else "dynamo_backend: INDUCTOR under dynamo_config"
    changes = _changes(setup, compiling)
    for words, other in changes:
        point = predict_point(model, tokens, other)
        if point.speedup is not None and point.speedup >= LIKELY_FASTER:
            return f"{words} would make it about {point.speedup:.1f}x"
    for words, other in (("", setup), *changes):
        needed = pays_from(model, other)
        if needed is not None and tokens < needed <= fits:
            how = f" with {words}" if words else ""
            return f"it pays{how} from {needed:,} tokens in a micro-batch"
    return "BF16 is faster: no micro-batch that fits makes FP8 pay for layers of this size"


def _changes(setup: Setup, compiling: str) -> tuple[tuple[str, Setup], ...]:
    """Changes of one setting, the smaller first."""
    compiled, te = setup._replace(backend="AO", compiled=True), setup._replace(backend="TE", compiled=False)
    if setup.backend == "AO" and not setup.compiled:
        return (compiling, compiled), ("backend: TE", te)
    if setup.backend == "TE":
        return ((f"backend: AO with {compiling}", compiled),)
    return (("backend: TE without torch_compile", te),)


@lru_cache(maxsize=256)
def _largest_that_fits(model: ModelShape, setup: Setup) -> int:
    """Tokens whose activations and logits fill four fifths of the memory, weights sharded away: an upper limit."""
    from fp8check.rules.outcome.peak import bytes_a_token  # only where a larger micro-batch is spoken of
    from fp8check.rules.outcome.peak_inputs import Step

    step = Step(setup.backend, 0, "bfloat16", compiled=setup.compiled)
    return int(0.8e9 * setup.gpu.memory_gb / bytes_a_token(model, step))
