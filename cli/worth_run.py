"""`fp8check worth FILE...`: the whole step of a run, in BF16 and in FP8, by tokens in a micro-batch."""

from __future__ import annotations

from fp8check.cli.options import UsageError
from fp8check.cli.requests import run_options, run_request
from fp8check.rules.checking.request import Request, runs_of
from fp8check.rules.outcome import gpus, memory, predict, speed
from fp8check.rules.outcome.effective import number
from fp8check.rules.outcome.whole_step import rest_of
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.cli.options import Options
    from fp8check.rules.models import ModelShape
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.outcome.speed import MeasuredBackend, Setup


def of_run(options: Options) -> tuple[ModelShape, Setup, int | None, str, tuple[float, float] | None]:
    """What is predicted of: the model, where and how it steps, its own tokens, what it is; and its peaks, in GiB.

    Raises:
        UsageError: the files make up more than one run, or its model is not known or not modeled.
    """
    runs = runs_of(Request(tuple(run_request(one) for one in run_options(options))))
    if len(runs) != 1:
        raise UsageError("the files have several runs: name those of one")
    outcome = predict(runs[0].run)
    run, model = outcome.run, outcome.run.model
    if model is None:
        raise UsageError("the model of this run is not known: put its config.json beside the files, or name a folder")
    if model.experts or not model.block:
        raise UsageError(f"{model.name}: a mixture of experts, or without Linear layers: its speed is not modeled")
    setup = _setup(options, outcome)
    try:
        peaks = memory.predict_memory(run, outcome)
    except Undecided:
        peaks = None
    both = None if peaks is None or peaks.fp8_gib is None else (peaks.bf16_gib, peaks.fp8_gib)
    words = "the whole step of this run"
    if not outcome.trains_in_fp8:
        words += f", which does not train in FP8 as it is: what {setup.backend} would make of it"
    return model, setup, outcome.effective.tokens, words, both


def _setup(options: Options, outcome: Outcome) -> Setup:
    run = outcome.run
    backend: MeasuredBackend = next((one for one in speed.MEASURED if one == outcome.backend_name), options.backend)
    visible = run.visible_gpus() or run.facts.gpus
    name = options.gpu or (visible[0].name if visible else speed.default_gpu().name)
    gpu = gpus.find(name)
    if gpu is None:
        raise UsageError(f"{name} is not modeled; there are {', '.join(datasheet.name for datasheet in gpus.gpus())}")
    compiled = backend == "AO" and (options.compile or outcome.effective.compiled is not None)
    sequence = number(outcome.effective.sequence) or speed.SEQUENCE
    return speed.Setup(gpu, backend, compiled, "model", sequence, rest_of(run, outcome), run.facts.launch_ms)
