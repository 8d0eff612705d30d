"""FP8xx: what the probe saw. Where it saw nothing, a rule is undecided: that is never a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fp8check.rules.catalog.broken_imports import explain
from fp8check.rules.catalog.rule import ERROR, WARNING, Found, rule
from fp8check.rules.evidence import bounds, gemms
from fp8check.rules.evidence.kernels import unknown_names
from fp8check.rules.outcome import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.evidence import Evidence, Gemms
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.settings.values import Setting

    T = TypeVar("T")

_OUT_OF_MEMORY = ("out of memory", "OutOfMemory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
MANY_ZEROS = 0.9


def is_out_of_memory(evidence: Evidence) -> bool:
    """Whether the probe ended for want of memory, of the GPU or of the host."""
    error = evidence.error or {}
    text = f"{error.get('type')} {error.get('message')}"
    return error.get("type") == "MemoryError" or any(mark in text for mark in _OUT_OF_MEMORY)


def _place(asked: Asked) -> Setting | None:
    return asked.backend or (asked.fp8[0] if asked.fp8 else None)


def _known(value: T | None, what: str, evidence: Evidence) -> T:
    """The value, where the probe saw it.

    Raises:
        Undecided: it did not; with the reason why it did not come that far, if there is one.
    """
    if value is None:
        left = f"the time did not suffice for {', '.join(evidence.left_out)}" if evidence.left_out else ""
        why = f": {evidence.why or left}" if evidence.why or left else ""
        raise Undecided(f"the probe did not see {what}{why}", "evidence")
    return value


def _ran(evidence: Evidence) -> None:
    """Let pass evidence of a probe that was started.

    Raises:
        Undecided: it was not.
    """
    if evidence.ended == "not run":
        raise Undecided(f"the probe did not run: {evidence.why}", "evidence")


@rule(
    "FP801",
    "probe-hangs",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl hang-in-step]: killed 15 s past the imports, stage step named",
    "ran torch 2.13.0, accelerate 1.15.0, torchao 0.18.0: a hang in an import and one in backward are ended as a group",
)
def probe_hangs(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """The probe did not end in its time and was killed.

    Why it hurts: a step of a few layers takes milliseconds. What hangs here hangs in the run, with all its GPUs.

    Example: a GPU that stopped answering; a file system that does not deliver the packages.

    Write instead: nothing in the files; mend what the stage names.
    """
    _ran(evidence)
    if evidence.ended != "hang":
        return
    yield Found(
        f"the probe hangs: {evidence.why}",
        _place(asked),
        f"while importing {evidence.importing}" if evidence.importing else f"in stage {evidence.stage or 'start'}",
        notes=_last_words(evidence),
        help=_hang_help(evidence),
    )


def _hang_help(evidence: Evidence) -> str:
    if evidence.importing is not None or evidence.stage in (None, "start", "import"):
        return f"time the import: python -X importtime -c 'import {evidence.importing or 'torch'}'"
    return "look for Xid errors in dmesg, and for another process on the GPU in nvidia-smi"


def _last_words(evidence: Evidence) -> tuple[str, ...]:
    """The last line that the process printed."""
    lines = [line.strip() for line in evidence.output.splitlines() if line.strip()]
    return (f"its last words: {lines[-1][:200]}",) if lines else ()


@rule(
    "FP802",
    "probe-dies",
    ERROR,
    "ran torch 2.13.0, accelerate 1.15.0, torchao 0.18.0: SIGSEGV and SIGKILL in a step, and an exit without an answer",
)
def probe_dies(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """The probe's process died, or ended without an answer.

    Why it hurts: the run would die the same way, with no traceback. A segmentation fault is mostly a library that was
    built for another release; SIGKILL is mostly the host's memory.

    Example: an extension for torch 2.8 under torch 2.9; a container limit of 16 GiB.

    Write instead: packages that were built for each other; a larger memory limit.
    """
    _ran(evidence)
    if evidence.ended not in ("killed", "no answer"):
        return
    where = f"while importing {evidence.importing}" if evidence.importing else f"in stage {evidence.stage or 'start'}"
    yield Found(
        f"the probe's process died: {evidence.why}",
        _place(asked),
        where,
        notes=_last_words(evidence),
        help=_death_help(evidence),
    )


def _death_help(evidence: Evidence) -> str:
    if "SIGKILL" in evidence.why:
        return "look in dmesg for the out-of-memory killer, and raise the memory limit of the job or container"
    if "SIGSEGV" in evidence.why or "SIGABRT" in evidence.why or "SIGILL" in evidence.why:
        return "reinstall torch and the FP8 backend for each other; python -X faulthandler shows where it dies"
    return "run it by hand: fp8check probe shows what the process prints"


@rule(
    "FP803",
    "out-of-memory",
    ERROR,
    "ran torch 2.13.0, accelerate 1.15.0, torchao 0.18.0: OutOfMemoryError in backward, and MemoryError",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl gpu-memory-lies]: a GPU that is full ends the step",
)
def out_of_memory(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """Not even the few layers of the probe fit into the memory that is free.

    Why it hurts: the run has all layers. FP8 saves no memory: the BF16 weights stay, and FP8 copies come on top.

    Example: another process holds the GPU.

    Write instead: a smaller micro-batch, or a GPU of one's own.
    """
    _ran(evidence)
    if not is_out_of_memory(evidence):
        return
    device = evidence.device or {}
    free = f"{device['free_mib'] / 1024:.1f} GiB of {device['name']} were free" if "free_mib" in device else "no memory"
    yield Found(
        f"the probe ran out of memory in stage {(evidence.error or {}).get('stage')}",
        _place(asked),
        f"{free}; {str((evidence.error or {}).get('message', '')).splitlines()[0][:160]}" if evidence.error else free,
        help="free the GPU (nvidia-smi shows who holds it), or take fewer tokens per micro-batch",
    )


@rule(
    "FP804",
    "import-fails",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl wrong-cudnn]: OSError undefined symbol in libcudnn_heuristic",
    "ran transformer_engine 2.20.2: could not find shared object file for Transformer Engine torch lib",
    "https://github.com/NVIDIA/TransformerEngine/issues/2040",
)
def import_fails(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """A package of the run cannot be imported.

    Why it hurts: Accelerate looks only at package metadata. The import happens in prepare(), after the model is loaded.

    Example: the system's cuDNN in front of the one that torch brought; an extension built for another torch.

    Write instead: see the help, which depends on the fault.
    """
    _ran(evidence)
    error = evidence.error
    if error is None or error.get("stage") != "import" or is_out_of_memory(evidence):
        return
    fault = explain(evidence)
    yield Found(
        f"{evidence.importing or 'a package'} cannot be imported: {fault.cause}",
        _place(asked),
        f"{error.get('type')}: {str(error.get('message')).splitlines()[0][:240] if error.get('message') else ''}",
        help=fault.fix,
    )


@rule(
    "FP805",
    "step-raises",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl ao-bf16]: AttributeError in prepare() as predicted",
    "ran torch 2.13.0, accelerate 1.15.0, torchao 0.18.0: an exception in backward",
)
def step_raises(asked: Asked, evidence: Evidence, outcome: Outcome) -> Iterator[Found]:
    """The run ends with an exception in Accelerator(), in prepare() or in its first step.

    Why it hurts: it does so after the model is loaded and the data is prepared.

    Example: torchao with `bf16: true`: 'NoneType' object has no attribute 'config'.

    Write instead: what the rule about that exception says; where none does, the exception is not known here yet.
    """
    _ran(evidence)
    error = evidence.error
    if evidence.ended != "error" or error is None or is_out_of_memory(evidence) or error.get("stage") == "import":
        return
    predicted = outcome.error
    if predicted is None:
        note = "that was not predicted: please report it, with the output of fp8check probe --json"
    elif predicted.type == error.get("type"):
        note = f"as predicted: {predicted.type} ({predicted.stage})"
    else:
        note = f"predicted was {predicted.type} ({predicted.stage})"
    yield Found(
        f"the step ends with {error.get('type')} in stage {error.get('stage')}",
        _place(asked),
        str(error.get("message") or "").partition("\n")[0][:240],
        notes=(note,),
        help=_known_fix(str(error.get("message"))),
    )


_FIXES = {
    "'NoneType' object has no attribute 'config'": "remove bf16 from the training file: FP8 keeps BF16 for the rest",
    "divisible by 8": "pad batches to a multiple of 16 (pad_to_multiple_of: 16)",
    "lda % 16": "pad batches to a multiple of 16 (pad_to_multiple_of: 16)",
    "A different number of tensors was saved": "switch gradient checkpointing off, or set use_reentrant: true",
    "device-side assert": "run with CUDA_LAUNCH_BLOCKING=1 to see which kernel asserts",
    "CUDA error": "run with CUDA_LAUNCH_BLOCKING=1 to see which kernel fails; look for Xid errors in dmesg",
}


def _known_fix(message: str) -> str:
    return next((fix for text, fix in _FIXES.items() if text in message), "")


def _kinds(evidence: Evidence) -> dict[str, Gemms]:
    """fprop, dgrad and wgrad.

    Raises:
        Undecided: it was emulated, the profiler recorded no GEMM, or names are not known.
    """
    if evidence.emulated:
        raise Undecided("emulation on the CPU shows no kernels", "evidence")
    if evidence.kernels is None:
        _known(None, "which kernels ran", evidence)
    kinds = _known(gemms(evidence), "a GEMM: the profiler recorded none", evidence)
    unknown = unknown_names(kinds.values())
    if unknown and not all(kind.fp8 for kind in kinds.values()):
        raise Undecided(f"what kernels called {', '.join(unknown[:3])} compute is not known", "evidence")
    return kinds


@rule(
    "FP806",
    "not-in-fp8",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl no-backend-bf16]: fp8 asked, no layer converted, no FP8 GEMM",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl autocast-off]: TE layers, and no FP8 GEMM",
)
def not_in_fp8(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """FP8 is asked for, and the step that was probed ran without it.

    Why it hurts: nothing logs it. The run is paid for as FP8 and is BF16.

    Example: `bf16: true` in the training file of an FP8 run; a filter that skips all layers.

    Write instead: what the rules about precision and backend say; they name the line.
    """
    if not asked.fp8:
        return
    _ran(evidence)
    converted = _known(evidence.converted, "which layers were converted", evidence)
    if converted == 0:
        yield _no_fp8(asked, evidence, f"none of {_total(evidence)} Linear layers was converted")
        return
    running = (evidence.autocast or {}).get("layers_in_fp8")
    if running == 0:
        yield _no_fp8(asked, evidence, f"{converted} layers were converted, and FP8 autocast is never entered")
        return
    kinds = _kinds(evidence)
    if not any(kind.fp8 for kind in kinds.values()):
        names = ", ".join(kinds["fprop"].names[:2]) or "none"
        yield _no_fp8(asked, evidence, f"{converted} layers were converted, and their GEMMs are {names}")


def _no_fp8(asked: Asked, evidence: Evidence, why: str) -> Found:
    accelerator = evidence.accelerator or {}
    says = f"Accelerator says mixed_precision {accelerator.get('mixed_precision')}, backend {accelerator.get('backend')}"
    return Found(f"the step did not run in FP8: {why}", _place(asked), says)


def _total(evidence: Evidence) -> int:
    return int((evidence.layers or {}).get("total", 0))


@rule(
    "FP807",
    "gemm-not-in-fp8",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl checkpoint-reentrant-te]: 15 FP8 GEMMs forward, 2 backward",
)
def gemm_not_in_fp8(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """Of the three GEMMs of a layer (fprop, dgrad, wgrad), not all ran in FP8.

    Why it hurts: two thirds of the work is in the backward pass.

    Example: Transformer Engine with reentrant gradient checkpointing: the backward pass runs outside of autocast.

    Write instead: gradient checkpointing off, or backend AO.
    """
    if not asked.fp8:
        return
    _ran(evidence)
    if _known(evidence.converted, "which layers were converted", evidence) == 0:
        return  # FP806
    kinds = _kinds(evidence)
    if not any(kind.fp8 for kind in kinds.values()):
        return
    most = max(kind.fp8 for kind in kinds.values())
    short = {name: kind for name, kind in kinds.items() if kind.fp8 * 2 < most and not kind.unknown}
    if not short:
        return
    for name, kind in kinds.items():
        if kind.unknown and not kind.fp8:
            raise Undecided(f"whether {name} ran in FP8: the profiler could not tell", "evidence")
    counts = ", ".join(f"{name} {kind.fp8}" for name, kind in kinds.items())
    yield Found(
        f"{' and '.join(short)} did not run in FP8",
        _place(asked),
        f"FP8 GEMMs in one step: {counts}",
        notes=tuple(f"{name} ran {', '.join(kind.names[:2]) or 'nothing'}" for name, kind in short.items()),
        help="switch gradient checkpointing off, or use backend: AO" if "fprop" not in short else "",
    )


@rule(
    "FP808",
    "fp8-unasked",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl leftover-te]: mixed_precision bf16, and 45 FP8 GEMMs",
)
def fp8_unasked(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """Nothing asks for FP8, and the step ran in it.

    Why it hurts: the run trains with a recipe that nobody chose, while its log says bf16.

    Example: `mixed_precision: bf16` with ACCELERATE_FP8_BACKEND left over in the shell.

    Write instead: unset ACCELERATE_FP8_BACKEND.
    """
    if asked.fp8:
        return
    _ran(evidence)
    converted = _known(evidence.converted, "which layers were converted", evidence)
    running = (evidence.autocast or {}).get("layers_in_fp8")
    if not converted or not running:
        return
    accelerator = evidence.accelerator or {}
    yield Found(
        f"{running} layers ran in FP8, which nothing asks for",
        None,
        notes=(f"Accelerator says mixed_precision {accelerator.get('mixed_precision')}",),
        help="unset ACCELERATE_FP8_BACKEND, or ask for FP8 with a recipe of your own",
    )


@rule(
    "FP809",
    "numbers-are-wrong",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: output and gradients within the derived bound",
    "ran torch 2.13.0, accelerate 1.15.0, torchao 0.18.0: outputs scaled by 1.5 and gradients of noise are over it",
)
def numbers_are_wrong(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """Output or gradients of the FP8 step are further from FP32 than rounding explains.

    Why it hurts: the loss still falls, to a worse model.

    Example: a broken kernel; gradients that are all zero in E4M3, whose smallest number is 2^-9.

    Write instead: fp8_format: HYBRID; or other releases of torch and the backend.
    """
    _ran(evidence)
    if _known(evidence.converted, "which layers were converted", evidence) == 0:
        return
    numbers = _known(evidence.numerics, "the errors against FP32", evidence)
    bound = _known(bounds(evidence), "the errors against FP32", evidence)
    output = numbers["output"].get("fp8")
    gradients = numbers["gradients"].get("fp8") or {}
    worst = gradients.get("worst")
    if output is None or worst is None:
        raise Undecided("an error against FP32 that is a number", "evidence")  # FP810 says why
    if output > bound.output:
        yield _wrong(asked, evidence, f"the output is off by {output:.0%}, and rounding explains {bound.output:.0%}")
    elif worst > bound.gradient:
        name = gradients.get("name")
        why = f"the gradient of {name} is off by {worst:.0%}, and rounding explains {bound.gradient:.0%}"
        yield _wrong(asked, evidence, why)


def _wrong(asked: Asked, evidence: Evidence, why: str) -> Found:
    recipe = ", ".join(f"{name} {value}" for name, value in (evidence.recipe or {}).items())
    return Found(
        f"the numbers are wrong: {why}",
        _place(asked),
        f"with {recipe}" if recipe else "",
        notes=("compared with the same step in FP32, relative error in the Frobenius norm",),
        help="compare with fp8_format: HYBRID, and with other releases of torch and the backend",
    )


@rule(
    "FP810",
    "not-finite",
    ERROR,
    "ran torch 2.13.0, accelerate 1.15.0, torchao 0.18.0: NaN in one weight, and a loss that is infinite",
)
def not_finite(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """A loss or a gradient of the probe is NaN or infinite.

    Why it hurts: from there on every weight is NaN.

    Example: a scale that overflows; weights that were loaded broken.

    Write instead: find the first one with torch.autograd.set_detect_anomaly(True).
    """
    _ran(evidence)
    losses = _known(evidence.losses, "a loss", evidence)
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
    yield Found(message, _place(asked), label, help=help_)


@rule(
    "FP811",
    "weights-stay",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl ao]: 13 of 27 trainable parameters unchanged after the step",
    "ran torch 2.13.0, accelerate 1.15.0, torchao 0.18.0: the converted weights are not in the optimizer",
)
def weights_stay(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """Trainable weights do not move in the step.

    Why it hurts: they never train. The loss falls all the same, by what the others learn.

    Example: backend AO with accelerate 1.13 or newer and without FSDP2: the optimizer holds the weights of before.

    Write instead: `enable_fsdp_float8_all_gather: false` under fp8_config.
    """
    _ran(evidence)
    moved = _known(evidence.moved, "whether the weights move", evidence)
    stay = int(moved["trainable"]) - int(moved["moved"])
    if stay == 0:
        return
    torchao = bool((evidence.layers or {}).get("torchao"))
    gather = bool((evidence.recipe or {}).get("enable_fsdp_float8_all_gather"))
    missing = int((evidence.optimizer or {}).get("missing", 0))
    yield Found(
        f"{stay} of {moved['trainable']} trainable parameters do not move in the optimizer's step",
        _place(asked),
        f"unchanged: {', '.join(list(moved.get('stayed') or ())[:4])}",
        notes=(f"the optimizer does not hold {missing} of them",) if missing else (),
        help="set enable_fsdp_float8_all_gather: false under fp8_config" if torchao and gather else "",
    )


@rule(
    "FP812",
    "parameters-changed",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl tied-te]: untied, and the head is not in the optimizer",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora16-te]: 57,344 trainable before prepare(), 5,300,224 after",
)
def parameters_changed(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """prepare() changed what trains: a tie is gone, frozen weights train, or the optimizer misses some.

    Why it hurts: another model is trained than the one that was asked for.

    Example: Transformer Engine makes new weights, which require gradients even where the old ones did not.

    Write instead: backend AO with enable_fsdp_float8_all_gather: false, which keeps all three.
    """
    _ran(evidence)
    parameters = _known(evidence.parameters, "the parameters before and after prepare()", evidence)
    optimizer = _known(evidence.optimizer, "what the optimizer holds", evidence)
    before, after = parameters["before"], parameters["after"]
    sharded = (evidence.accelerator or {}).get("distributed_type") == "FSDP"
    notes = []
    if before.get("tied") and after.get("tied") is False:
        notes.append("the head was tied to the embedding, and is not any more")
    if before["trainable"] != after["trainable"] and not sharded:
        notes.append(f"{before['trainable']:,} values trained before prepare(), {after['trainable']:,} after")
    if optimizer["missing"] and not sharded:
        names = ", ".join(list(optimizer.get("names") or ())[:3])
        notes.append(f"the optimizer does not hold {optimizer['missing']} trainable parameters: {names}")
    if not notes:
        return
    help_ = "use backend: AO with enable_fsdp_float8_all_gather: false, which keeps the parameters as they are"
    yield Found(f"prepare() changed what trains: {notes[0]}", _place(asked), "", notes=tuple(notes[1:]), help=help_)


@rule(
    "FP813",
    "prediction-differs",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: prediction and observation agree on every value",
)
def prediction_differs(asked: Asked, evidence: Evidence, outcome: Outcome, run: Run) -> Iterator[Found]:
    """What was predicted and what was observed are not the same.

    Why it hurts: one of them is wrong, and other findings rest on the prediction. Trust the probe.

    Example: a package with local changes; a release that is newer than those known here.

    Write instead: nothing; please report it, with the output of fp8check probe --json.
    """
    _ran(evidence)
    _known(evidence.accelerator, "Accelerator's state", evidence)
    for name, predicted, observed in _differences(evidence, outcome, run):
        yield Found(
            f"{name}: predicted {predicted}, observed {observed}",
            _place(asked),
            "the observation is what happens",
            help="report it, with the output of fp8check probe --json",
        )


def _differences(evidence: Evidence, outcome: Outcome, run: Run) -> Iterator[tuple[str, object, object]]:
    """Name, prediction and observation of each value on which they differ."""
    if outcome.undecided is not None or outcome.accelerator is None:
        return
    seen = evidence.accelerator or {}
    stand_in = evidence.emulated and outcome.backend is not None and outcome.backend.value == "TE"
    values = {
        "mixed_precision": outcome.mixed_precision.value if outcome.mixed_precision is not None else None,
        "fp8_enabled": outcome.fp8_enabled,
    }
    if not stand_in:
        values["backend"] = outcome.backend.value if outcome.backend is not None else None
    if not evidence.emulated:
        values["distributed_type"] = outcome.distributed_type
    for name, predicted in values.items():
        if predicted != seen.get(name) and not (predicted is None or seen.get(name) is None):
            yield name, predicted, seen.get(name)
    if outcome.error is not None and evidence.ended == "done":
        yield "the run", f"{outcome.error.type} ({outcome.error.stage})", "a whole step"
    if stand_in or outcome.error is not None:
        return
    yield from _layer_differences(evidence, outcome, run)
    yield from _recipe_differences(evidence, outcome)


def _layer_differences(evidence: Evidence, outcome: Outcome, run: Run) -> Iterator[tuple[str, object, object]]:
    expected = expected_layers(evidence, outcome, run)
    if expected is not None and evidence.converted is not None and expected != evidence.converted:
        yield "converted Linear layers", expected, evidence.converted
    moved = evidence.moved
    if moved is not None and (outcome.frozen is not None) != (moved["moved"] < moved["trainable"]):
        observed = f"{moved['moved']} of {moved['trainable']} trainable parameters move"
        yield "training", "converted weights stay" if outcome.frozen is not None else "every weight moves", observed


def expected_layers(evidence: Evidence, outcome: Outcome, run: Run) -> int | None:
    """How many Linear layers the backend should convert of what was built; None where that is not known."""
    from fp8check.rules.outcome.layers import te_coverage, torchao_coverage
    from fp8check.rules.outcome.run import Run as OneRun

    if evidence.built is None or run.model is None:
        return None
    if outcome.prepared.coverage.word == "none":
        return 0
    built = run.model._replace(layers=int(evidence.built["layers"]), dense_layers=0)
    small = OneRun(launch=run.launch, facts=run.facts, training=run.training, model=built)
    backend = outcome.backend.value if outcome.backend is not None else None
    if backend not in ("TE", "AO"):
        return None
    # The probe's layers have no routed experts, as those of transformers 5.
    return (te_coverage if backend == "TE" else torchao_coverage)(small, 5).converted


def _recipe_differences(evidence: Evidence, outcome: Outcome) -> Iterator[tuple[str, object, object]]:
    predicted, seen = outcome.prepared.recipe, evidence.recipe
    if predicted is None or seen is None:
        return
    for name, setting in predicted.items():
        if name in seen and setting.value is not None and seen[name] != setting.value:
            yield f"recipe {name}", setting.value, seen[name]


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

    _ran(evidence)
    if _known(evidence.converted, "which layers were converted", evidence) == 0:
        return
    if evidence.emulated:
        raise Undecided("emulation on the CPU says nothing of speed", "evidence")
    ratio = _known(evidence.speed_up, "the times in FP8 and BF16", evidence)
    spread = _known(evidence.speed_range, "the times in FP8 and BF16", evidence)
    if ratio >= 0.97:
        return
    if spread[1] >= 1.0:
        raise Undecided(f"the measured ratio {ratio:.2f} has a spread of {spread[0]:.2f} to {spread[1]:.2f}", "evidence")
    notes = [_memory(evidence)] if _memory(evidence) else []
    scaled = (evidence.built or {}).get("scaled") or ()
    if scaled:
        notes.append(f"probed were {', '.join(scaled)}")
    yield Found(
        f"FP8 is slower than BF16 here: {ratio:.2f}x, measured",
        run.training.thing("micro_batch") or _place(asked),
        f"{_ms(evidence.bf16_ms)} in BF16, {_ms(evidence.fp8_ms)} in FP8, forward and backward",
        notes=tuple(notes),
        help=advise(run, outcome),
    )


def _ms(times: Mapping[str, float] | None) -> str:
    return f"{times['ms']:.1f} ms ({times['low']:.1f} to {times['high']:.1f})" if times else "?"


def _memory(evidence: Evidence) -> str:
    if evidence.fp8_gib is None or evidence.bf16_gib is None:
        return ""
    return f"peak memory {evidence.fp8_gib:.1f} GiB in FP8, {evidence.bf16_gib:.1f} GiB in BF16"


@rule(
    "FP815",
    "device-is-not-what-it-says",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl lying-name]: a name that does not go with the multiprocessors",
    "https://github.com/huggingface/accelerate/issues/3213",
)
def device_lies(evidence: Evidence, run: Run) -> Iterator[Found]:
    """The GPU's name does not go with its compute capability, or it is another GPU than the facts say.

    Why it hurts: every decision about FP8 rests on what the GPU can do. A virtual or renamed GPU, or facts of another
    node, make all of them wrong.

    Example: facts.json of an H200 node, and a probe on an A100.

    Write instead: `fp8check env --json` on the node that trains.
    """
    from fp8check.rules.outcome.gpus import find

    _ran(evidence)
    if evidence.emulated:
        raise Undecided("emulation on the CPU has no GPU to look at", "evidence")
    device = _known(evidence.device, "the GPU", evidence)
    name, capability = str(device.get("name")), str(device.get("compute_capability"))
    listed = find(name)
    if listed is not None and listed.compute_capability != capability:
        yield Found(
            f"the GPU says {name} and has compute capability {capability}; a {listed.name} has "
            f"{listed.compute_capability}",
            help="find out which GPU it is: nvidia-smi -q, and whether it is virtual",
        )
        return
    gpus = run.facts.visible_gpus()
    if gpus and gpus[0].name != name and gpus[0].compute_capability != capability:
        yield Found(
            f"the facts say {gpus[0].name} ({gpus[0].compute_capability}), the probe ran on {name} ({capability})",
            help="take the facts anew on the node that trains: fp8check env --json",
        )


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
    _ran(evidence)
    if evidence.ended != "done" and evidence.ragged is None:
        _known(None, "a ragged batch", evidence)
    error = (evidence.ragged or {}).get("error")
    if evidence.ragged is None or error is None:
        return
    rows, columns = evidence.ragged["rows"], evidence.ragged["columns"]
    yield Found(
        f"a batch of {rows} x {columns} tokens ends the run with {error.get('type')}",
        _place(asked),
        str(error.get("message") or "").partition("\n")[0][:240],
        help="pad batches to a multiple of 16 tokens (pad_to_multiple_of: 16), or pack them",
    )


@rule(
    "FP817",
    "first-step-is-lost",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: E4M3, all gradients of the layers zero in the first step",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl te-e4m3-16]: 72 % zero with a small vocabulary, HYBRID 0 %",
)
def first_step_is_lost(asked: Asked, evidence: Evidence) -> Iterator[Found]:
    """In the first step nearly all gradients are zero.

    Why it hurts: with delayed scaling the first scale is 1, and gradients are smaller than what the format can hold. One
    step is lost after each start, and after each resume that does not restore the scales.

    Example: `fp8_format: E4M3` with a long micro-batch and a large vocabulary.

    Write instead: fp8_format: HYBRID, whose gradients are E5M2, with its wider range.
    """
    if not asked.fp8:
        return
    _ran(evidence)
    if _known(evidence.converted, "which layers were converted", evidence) == 0:
        return
    gradients = _known(evidence.gradients, "the gradients of the first step", evidence)
    zeros = gradients.get("zeros")
    if zeros is None or zeros < MANY_ZEROS:
        return
    form = (evidence.recipe or {}).get("fp8_format")
    yield Found(
        f"{zeros:.0%} of the layers' gradients are zero in the first step",
        asked.recipe.get("fp8_format") or _place(asked),
        f"the recipe's format is {form}" if form else "",
        notes=("the first scale of delayed scaling is 1; from the second step on it follows the gradients",),
        help="set fp8_format: HYBRID under fp8_config" if form == "E4M3" else "",
    )
