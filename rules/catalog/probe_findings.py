"""FP8xx of what ran: which layers, which GEMMs, which weights. Seen nothing is undecided, never a pass."""

from __future__ import annotations

from fp8check.rules.catalog.probe_requirements import known, place, ran
from fp8check.rules.engine.definition import ERROR, WARNING, Found, rule
from fp8check.rules.releases.errors import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.seen import Gemms, Seen
    from fp8check.rules.trainers.run import Run


def _kinds(seen: Seen) -> dict[str, Gemms]:
    """fprop, dgrad and wgrad.

    Raises:
        Undecided: it was emulated, the profiler recorded no GEMM, or names are not known.
    """
    from fp8check.rules.seen.kernels import gemms, unknown_names  # only where a probe has run

    if seen.emulated:
        raise Undecided("emulation on the CPU shows no kernels", "seen")
    if seen.kernels is None:
        known(None, "which kernels ran", seen)
    kinds = known(gemms(seen), "a GEMM: the profiler recorded none", seen)
    unknown = unknown_names(kinds.values())
    if unknown and not all(kind.fp8 for kind in kinds.values()):
        raise Undecided(f"what kernels called {', '.join(unknown[:3])} compute is not known", "seen")
    return kinds


@rule(
    "FP806",
    "not-in-fp8",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl no-backend-bf16]: fp8 asked, no layer converted, no FP8 GEMM",
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl autocast-off]: TE layers, and no FP8 GEMM",
)
def not_in_fp8(requested: Requested, seen: Seen) -> Iterator[Found]:
    """FP8 is asked for, and the step that was probed ran without it.

    Why it hurts: nothing logs it. The run is paid for as FP8 and is BF16.

    Example: `bf16: true` in the training file of an FP8 run; a filter that skips all layers.

    Write instead: what the rules about precision and backend say; they name the line.
    """
    if not requested.fp8:
        return
    ran(seen)
    converted = known(seen.converted, "which layers were converted", seen)
    if converted == 0:
        yield _no_fp8(requested, seen, f"none of {_total(seen)} Linear layers was converted")
        return
    running = (seen.autocast or {}).get("layers_in_fp8")
    if running == 0:
        yield _no_fp8(requested, seen, f"{converted} layers were converted, and FP8 autocast is never entered")
        return
    kinds = _kinds(seen)
    if not any(kind.fp8 for kind in kinds.values()):
        names = ", ".join(kinds["fprop"].names[:2]) or "none"
        yield _no_fp8(requested, seen, f"{converted} layers were converted, and their GEMMs are {names}")


def _no_fp8(requested: Requested, seen: Seen, why: str) -> Found:
    accelerator = seen.accelerator or {}
    says = (
        f"Accelerator says mixed_precision {accelerator.get('mixed_precision')}, backend {accelerator.get('backend')}"
    )
    return Found(f"the step did not run in FP8: {why}", place=place(requested), label=says)


def _total(seen: Seen) -> int:
    return int((seen.layers or {}).get("total", 0))


@rule(
    "FP807",
    "gemm-not-in-fp8",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl checkpoint-reentrant-te]: 15 FP8 GEMMs forward, 2 backward",
)
def gemm_not_in_fp8(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Of the three GEMMs of a layer (fprop, dgrad, wgrad), not all ran in FP8.

    Why it hurts: two thirds of the work is in the backward pass.

    Example: Transformer Engine with reentrant gradient checkpointing: the backward pass runs outside of autocast.

    Write instead: gradient checkpointing off, or backend AO.
    """
    if not requested.fp8:
        return
    ran(seen)
    if known(seen.converted, "which layers were converted", seen) == 0:
        return  # FP806
    kinds = _kinds(seen)
    if not any(kind.fp8 for kind in kinds.values()):
        return
    for name, kind in kinds.items():
        if kind.unknown and not kind.fp8:
            raise Undecided(f"whether {name} ran in FP8: the profiler could not tell", "seen")
    most = max(kind.fp8 for kind in kinds.values())
    short = {name: kind for name, kind in kinds.items() if kind.fp8 * 2 < most and not kind.unknown}
    if not short:
        return
    counts = ", ".join(f"{name} {kind.fp8}" for name, kind in kinds.items())
    yield Found(
        f"{' and '.join(short)} did not run in FP8",
        place=place(requested),
        label=f"FP8 GEMMs in one step: {counts}",
        notes=tuple(f"{name} ran {', '.join(kind.names[:2]) or 'nothing'}" for name, kind in short.items()),
        help="switch gradient checkpointing off, or use backend: AO" if "fprop" not in short else "",
    )


@rule(
    "FP808",
    "fp8-unasked",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl leftover-te]: mixed_precision bf16, and 45 FP8 GEMMs",
)
def fp8_unasked(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Nothing asks for FP8, and the step ran in it.

    Why it hurts: the run trains with a recipe that nobody chose, while its log says bf16.

    Example: `mixed_precision: bf16` with ACCELERATE_FP8_BACKEND left over in the shell.

    Write instead: unset ACCELERATE_FP8_BACKEND.
    """
    if requested.fp8:
        return
    ran(seen)
    converted = known(seen.converted, "which layers were converted", seen)
    running = (seen.autocast or {}).get("layers_in_fp8")
    if not converted or not running:
        return
    accelerator = seen.accelerator or {}
    yield Found(
        f"{running} layers ran in FP8, which nothing asks for",
        place=None,
        notes=(f"Accelerator says mixed_precision {accelerator.get('mixed_precision')}",),
        help="unset ACCELERATE_FP8_BACKEND, or ask for FP8 with a recipe of your own",
    )


@rule(
    "FP811",
    "weights-stay",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl ao]: 13 of 27 trainable parameters unchanged after the step",
    "own tests/probe/test_emulated.py: the converted weights are not in the optimizer",
)
def weights_stay(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Trainable weights do not move in the step.

    Why it hurts: they never train. The loss falls all the same, by what the others learn.

    Example: backend AO with accelerate 1.13 or newer and without FSDP2: the optimizer holds the weights of before.

    Write instead: `enable_fsdp_float8_all_gather: false` under fp8_config.
    """
    ran(seen)
    moved = known(seen.moved, "whether the weights move", seen)
    stay = int(moved["trainable"]) - int(moved["moved"])
    if stay == 0:
        return
    if None in (seen.losses or []):
        raise Undecided("whether weights move: a loss is not finite", "seen")
    torchao = bool((seen.layers or {}).get("torchao"))
    gather = bool((seen.recipe or {}).get("enable_fsdp_float8_all_gather"))
    missing = int((seen.optimizer or {}).get("missing", 0))
    yield Found(
        f"{stay} of {moved['trainable']} trainable parameters do not move in the optimizer's step",
        place=place(requested),
        label=f"unchanged: {', '.join(list(moved.get('stayed') or ())[:4])}",
        notes=(f"the optimizer does not hold {missing} of them",) if missing else (),
        help="set enable_fsdp_float8_all_gather: false under fp8_config" if torchao and gather else "",
    )


@rule(
    "FP812",
    "parameters-changed",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl tied-te]: untied, and the head is not in the optimizer",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora16-te]: 57,344 values train before, 5,300,224 after",
)
def parameters_changed(requested: Requested, seen: Seen) -> Iterator[Found]:
    """prepare() changed what trains: a tie is gone, frozen weights train, or the optimizer misses some.

    Why it hurts: another model is trained than the one that was asked for.

    Example: Transformer Engine makes new weights, which require gradients even where the old ones did not.

    Write instead: backend AO with enable_fsdp_float8_all_gather: false, which keeps all three.
    """
    ran(seen)
    parameters = known(seen.parameters, "the parameters before and after prepare()", seen)
    optimizer = known(seen.optimizer, "what the optimizer holds", seen)
    before, after = parameters["before"], parameters["after"]
    sharded = (seen.accelerator or {}).get("distributed_type") == "FSDP"
    notes = []
    if before.get("tied") and after.get("tied") is False:
        notes.append("the head was tied to the embedding, and is not any more")
    if before["trainable"] != after["trainable"] and not sharded:
        notes.append(f"{before['trainable']:,} values trained before prepare(), {after['trainable']:,} after")
    if optimizer["missing"] and not sharded:
        names = ", ".join(list(optimizer.get("names") or ())[:3])
        notes.append(f"the optimizer does not hold {optimizer['missing']} trainable parameters: {names}")
    changed = parameters.get("changed") or ()
    if changed and not sharded:
        notes.append(f"other values than before have {', '.join(changed[:3])}")
    if not notes:
        return
    help_ = "use backend: AO with enable_fsdp_float8_all_gather: false, which keeps the parameters as they are"
    yield Found(
        f"prepare() changed what trains: {notes[0]}",
        place=place(requested),
        label="",
        notes=tuple(notes[1:]),
        help=help_,
    )


@rule(
    "FP813",
    "prediction-differs",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: prediction and observation agree on every value",
)
def prediction_differs(requested: Requested, seen: Seen, outcome: Outcome, run: Run) -> Iterator[Found]:
    """What was predicted and what was observed are not the same.

    Why it hurts: one of them is wrong, and other findings rest on the prediction. Trust the probe.

    Example: a package with local changes; a release that is newer than those known here.

    Write instead: nothing; please report it, with the output of fp8check probe --json.
    """
    ran(seen)
    known(seen.accelerator, "Accelerator's state", seen)
    for name, predicted, observed in _differences(seen, outcome, run):
        yield Found(
            f"{name}: predicted {predicted}, observed {observed}",
            place=place(requested),
            label="the observation is what happens",
            help="report it, with the output of fp8check probe --json",
        )


def _differences(seen: Seen, outcome: Outcome, run: Run) -> Iterator[tuple[str, object, object]]:
    """Name, prediction and observation of each value on which they differ."""
    if outcome.undecided is not None or outcome.accelerator is None:
        return
    state = seen.accelerator or {}
    stand_in = seen.emulated and outcome.backend is not None and outcome.backend.value == "TE"
    values = {
        "mixed_precision": outcome.mixed_precision.value if outcome.mixed_precision is not None else None,
        "fp8_enabled": outcome.fp8_enabled,
    }
    if not stand_in:
        values["backend"] = outcome.backend.value if outcome.backend is not None else None
    if not seen.emulated:
        values["distributed_type"] = outcome.distributed_type
    for name, predicted in values.items():
        if predicted != state.get(name) and not (predicted is None or state.get(name) is None):
            yield name, predicted, state.get(name)
    if outcome.error is not None and seen.ended == "done":
        yield "the run", f"{outcome.error.type} ({outcome.error.stage})", "a whole step"
    if stand_in or outcome.error is not None:
        return
    yield from _layer_differences(seen, outcome, run)
    yield from _recipe_differences(seen, outcome)


def _layer_differences(seen: Seen, outcome: Outcome, run: Run) -> Iterator[tuple[str, object, object]]:
    expected = expected_layers(seen, outcome, run)
    if expected is not None and seen.converted is not None and expected != seen.converted:
        yield "converted Linear layers", expected, seen.converted
    moved = seen.moved if _same_parameters(seen) else None
    if moved is not None and (outcome.frozen is not None) != (moved["moved"] < moved["trainable"]):
        observed = f"{moved['moved']} of {moved['trainable']} trainable parameters move"
        yield "training", "converted weights stay" if outcome.frozen is not None else "every weight moves", observed


def _same_parameters(seen: Seen) -> bool:
    """Whether what trains is what trained before prepare(), and finite: else FP810 and FP812 say why weights stay."""
    parameters = seen.parameters or {}
    before, after = parameters.get("before") or {}, parameters.get("after") or {}
    tie_gone = before.get("tied") and after.get("tied") is False
    return not tie_gone and before.get("trainable") == after.get("trainable") and None not in (seen.losses or [])


def expected_layers(seen: Seen, outcome: Outcome, run: Run) -> int | None:
    """How many Linear layers the backend should convert of what was built; None where that is not known."""
    from fp8check.rules.outcome.layers import te_coverage, torchao_coverage
    from fp8check.rules.trainers.run import Run as OneRun

    if seen.built is None or run.model is None:
        return None
    if outcome.prepared.coverage.word == "none":
        return 0
    built = run.model._replace(layers=int(seen.built["layers"]), dense_layers=0)
    small = OneRun(launch=run.launch, facts=run.facts, training=run.training, model=built)
    backend = outcome.backend.value if outcome.backend is not None else None
    coverage = {"TE": te_coverage, "AO": torchao_coverage}.get(str(backend))
    # The probe's layers have no routed experts, as those of transformers 5.
    return coverage(small, 5).converted if coverage is not None else None


def _recipe_differences(seen: Seen, outcome: Outcome) -> Iterator[tuple[str, object, object]]:
    predicted, held = outcome.prepared.recipe, seen.recipe
    if predicted is None or held is None:
        return
    for name, setting in predicted.items():
        if name in held and setting.value is not None and held[name] != setting.value:
            yield f"recipe {name}", setting.value, held[name]


@rule(
    "FP815",
    "device-is-not-what-it-says",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl lying-name]: a GPU of 9.0 that is called A100",
)
def device_lies(seen: Seen, run: Run) -> Iterator[Found]:
    """The GPU's name does not go with its compute capability, or it is another GPU than the facts say.

    Why it hurts: every decision about FP8 rests on what the GPU can do. A virtual or renamed GPU, or facts of another
    node, make all of them wrong.

    Example: facts.json of an H200 node, and a probe on an A100.

    Write instead: `fp8check env --json` on the node that trains.
    """
    from fp8check.rules.outcome.gpus import find

    ran(seen)
    if seen.emulated:
        raise Undecided("emulation on the CPU has no GPU to look at", "seen")
    device = known(seen.device, "the GPU", seen)
    name, capability = str(device.get("name")), str(device.get("compute_capability"))
    listed = find(name)
    if listed is not None and listed.compute_capability != capability:
        yield Found(
            f"the GPU says {name} and has compute capability {capability}, not {listed.compute_capability}",
            help="find out which GPU it is: nvidia-smi -q, and whether it is virtual",
        )
        return
    gpus = run.facts.visible_gpus()
    if gpus and gpus[0].name != name and gpus[0].compute_capability != capability:
        yield Found(
            f"the facts say {gpus[0].name} ({gpus[0].compute_capability}), the probe ran on {name} ({capability})",
            help="take the facts anew on the node that trains: fp8check env --json",
        )
