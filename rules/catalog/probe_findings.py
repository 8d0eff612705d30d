"""FP8xx of what ran: which layers, which GEMMs, which weights. Seen nothing is undecided, never a pass."""

from __future__ import annotations

from fp8check.rules.catalog.probe_requirements import asking, known, place, ran
from fp8check.rules.engine.definition import ERROR, WARNING, Found, rule
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.seen import Gemms, Seen
    from fp8check.rules.seen.data import AcceleratorState, Parameters
    from fp8check.rules.seen.kernels import GemmKind
    from fp8check.rules.trainers.run import Run


def _kinds(seen: Seen) -> dict[GemmKind, Gemms]:
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
    claims=("seen",),
)
def not_in_fp8(requested: Requested, seen: Seen) -> Iterator[Found]:
    """FP8 is asked for, and the step that was probed ran without it.

    Why it hurts: nothing logs it. The run is paid for as FP8 and is BF16.

    Example: `bf16: true` in the training file of an FP8 run; a filter that skips all layers.

    Write instead: what the rules about precision and backend say; they name the line.
    """
    if not asking(requested, seen):
        return
    ran(seen)
    converted = known(seen.converted, "which layers were converted", seen)
    if converted == 0:
        yield _no_fp8(requested, seen, f"none of {_total(seen)} Linear layers was converted")
        return
    if _layers_in_fp8(seen) == 0:
        yield _no_fp8(requested, seen, f"{converted} layers were converted, and FP8 autocast is never entered")
        return
    kinds = _kinds(seen)
    if not any(kind.fp8 for kind in kinds.values()):
        names = ", ".join(kinds["fprop"].names[:2]) or "none"
        yield _no_fp8(requested, seen, f"{converted} layers were converted, and their GEMMs are {names}")


def _layers_in_fp8(seen: Seen) -> int | None:
    """Converted layers that ran with FP8 autocast on; None where nobody saw it."""
    return seen.autocast.layers_in_fp8 if seen.autocast is not None else None


def _no_fp8(requested: Requested, seen: Seen, why: str) -> Found:
    state = seen.accelerator
    if state is None and seen.watched is not None:
        return Found(f"the step did not run in FP8: {why}", place=place(requested), label="no Accelerator is there")
    backend = state.backend if state is not None else None
    says = f"{_precision_said(seen)}, backend {backend}"
    return Found(f"the step did not run in FP8: {why}", place=place(requested), label=says)


def _precision_said(seen: Seen) -> str:
    precision = seen.accelerator.mixed_precision if seen.accelerator is not None else None
    return f"Accelerator says mixed_precision {precision}"


def _total(seen: Seen) -> int:
    return seen.layers.total if seen.layers is not None else 0


@rule(
    "FP807",
    "gemm-not-in-fp8",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl checkpoint-reentrant-te]: 15 FP8 GEMMs forward, 2 backward",
    claims=("seen",),
)
def gemm_not_in_fp8(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Of the three GEMMs of a layer (fprop, dgrad, wgrad), not all ran in FP8.

    Why it hurts: two thirds of the work is in the backward pass.

    Example: Transformer Engine with reentrant gradient checkpointing: the backward pass runs outside of autocast.

    Write instead: gradient checkpointing off, or backend AO.
    """
    if not asking(requested, seen):
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
    if not kinds["fprop"].seen or not kinds["dgrad"].seen + kinds["wgrad"].seen:
        raise Undecided("what both passes multiplied: the profiler recorded one of them alone", "seen")
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
    claims=("seen",),
)
def fp8_unasked(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Nothing asks for FP8, and the step ran in it.

    Why it hurts: the run trains with a recipe that nobody chose, while its log says bf16.

    Example: `mixed_precision: bf16` with ACCELERATE_FP8_BACKEND left over in the shell.

    Write instead: unset ACCELERATE_FP8_BACKEND.
    """
    if asking(requested, seen):
        return
    ran(seen)
    converted = known(seen.converted, "which layers were converted", seen)
    running = _layers_in_fp8(seen)
    if not converted or not running:
        return
    yield Found(
        f"{running} layers ran in FP8, which nothing asks for",
        place=None,
        notes=(_precision_said(seen),),
        help="unset ACCELERATE_FP8_BACKEND, or ask for FP8 with a recipe of your own",
    )


@rule(
    "FP811",
    "weights-stay",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl ao]: 13 of 27 trainable parameters unchanged after the step",
    "own tests/probe/test_emulated.py: the converted weights are not in the optimizer",
    claims=("seen",),
)
def weights_stay(requested: Requested, seen: Seen) -> Iterator[Found]:
    """Trainable weights do not move in the step.

    Why it hurts: they never train. The loss falls all the same, by what the others learn.

    Example: backend AO with accelerate 1.13 or newer and without FSDP2: the optimizer holds the weights of before.

    Write instead: `enable_fsdp_float8_all_gather: false` under fp8_config.
    """
    ran(seen)
    moved = known(seen.moved, "whether the weights move", seen)
    if moved.unclear:
        raise Undecided(f"whether {moved.unclear} weights move: {moved.why}", "seen")
    stay = moved.trainable - moved.moved
    if stay == 0:
        return
    if None in (seen.losses or ()):
        raise Undecided("whether weights move: a loss is not finite", "seen")
    torchao = seen.layers is not None and seen.layers.torchao > 0
    gather = seen.recipe is not None and seen.recipe.settings.get("enable_fsdp_float8_all_gather") is True
    missing = seen.optimizer.missing if seen.optimizer is not None else 0
    yield Found(
        f"{stay} of {moved.trainable} trainable parameters do not move in the optimizer's step",
        place=place(requested),
        label=f"unchanged: {', '.join(moved.stayed[:4])}",
        notes=(f"the optimizer does not hold {missing} of them",) if missing else (),
        help="set enable_fsdp_float8_all_gather: false under fp8_config" if torchao and gather else "",
    )


@rule(
    "FP812",
    "parameters-changed",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl tied-te]: untied, and the head is not in the optimizer",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl lora16-te]: 57,344 values train before, 5,300,224 after",
    claims=("seen",),
)
def parameters_changed(requested: Requested, seen: Seen) -> Iterator[Found]:
    """prepare() changed what trains: a tie is gone, frozen weights train, or the optimizer misses some.

    Why it hurts: another model is trained than the one that was asked for.

    Example: Transformer Engine makes new weights, which require gradients even where the old ones did not.

    Write instead: backend AO with enable_fsdp_float8_all_gather: false, which keeps all three.
    """
    ran(seen)
    if seen.watched is not None:
        yield from _not_held(requested, seen)
        return
    parameters = known(seen.parameters, "the parameters before and after prepare()", seen)
    optimizer = known(seen.optimizer, "what the optimizer holds", seen)
    before, after = parameters.before, parameters.after
    sharded = seen.accelerator is not None and seen.accelerator.distributed_type == "FSDP"
    notes = []
    if _untied(parameters):
        notes.append("the head was tied to the embedding, and is not any more")
    if before.trainable != after.trainable and not sharded:
        notes.append(f"{before.trainable:,} values trained before prepare(), {after.trainable:,} after")
    if optimizer.missing and not sharded:
        names = ", ".join(optimizer.names[:3])
        notes.append(f"the optimizer does not hold {optimizer.missing} trainable parameters: {names}")
    if parameters.changed and not sharded:
        notes.append(f"other values than before have {', '.join(parameters.changed[:3])}")
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


def _not_held(requested: Requested, seen: Seen) -> Iterator[Found]:
    """What a watched run shows of it: it begins after prepare(), and its optimizers hold what they hold."""
    optimizer = known(seen.optimizer, "what the optimizer holds", seen)
    if optimizer.missing:
        yield Found(
            f"no optimizer holds {optimizer.missing} of the parameters that require gradients",
            place=place(requested),
            label=f"among them {', '.join(optimizer.names[:3])}",
        )


def _untied(parameters: Parameters) -> bool:
    return parameters.before.tied is True and parameters.after.tied is False


@rule(
    "FP813",
    "prediction-differs",
    WARNING,
    "measured NVIDIA H200 [docs/evidence/h200-probe.jsonl te]: prediction and observation agree on every value",
    claims=("seen",),
)
def prediction_differs(requested: Requested, seen: Seen, outcome: Outcome, run: Run) -> Iterator[Found]:
    """What was predicted and what was observed are not the same.

    Why it hurts: one of them is wrong, and other findings rest on the prediction. Trust the probe.

    Example: a package with local changes; a release that is newer than those known here.

    Write instead: nothing; please report it, with the output of fp8check probe --json.
    """
    ran(seen)
    if seen.watched is not None and seen.accelerator is None and outcome.accelerator is None:
        return  # a script that has none: nothing was predicted of one
    state = known(seen.accelerator, "Accelerator's state", seen)
    for name, predicted, observed in _differences(seen, state, outcome, run):
        yield Found(
            f"{name}: predicted {predicted}, observed {observed}",
            place=place(requested),
            label="the observation is what happens",
            help="report it, with the output of fp8check probe --json",
        )


# What a probe does not show: its layers have a class of their own.
_OF_THE_MODEL_ALONE = frozenset(("fsdp-class-not-found",))


def _differences(
    seen: Seen, state: AcceleratorState, outcome: Outcome, run: Run
) -> Iterator[tuple[str, object, object]]:
    """Name, prediction and observation of each value on which they differ."""
    if outcome.undecided is not None or outcome.accelerator is None:
        return
    stand_in = seen.emulated and outcome.backend_name == "TE"
    precision = outcome.mixed_precision.value if outcome.mixed_precision is not None else None
    values: list[tuple[str, object, object]] = [
        ("mixed_precision", precision, state.mixed_precision),
        ("fp8_enabled", outcome.fp8_enabled, state.fp8_enabled),
    ]
    if not stand_in:
        values.append(("backend", outcome.backend_name, state.backend))
    if not seen.emulated:
        values.append(("distributed_type", outcome.distributed_type, state.distributed_type))
    yield from (value for value in values if value[1] != value[2] and not (value[1] is None or value[2] is None))
    # What runs on a CPU runs emulated, past the checks of a GPU that the prediction knows.
    error = outcome.error
    if error is not None and seen.watched is None and error.code in _OF_THE_MODEL_ALONE:
        return
    if outcome.error is not None and seen.ended == "done" and not (seen.emulated and seen.watched is not None):
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
    if moved is not None and not moved.unclear and (outcome.frozen is not None) != (moved.moved < moved.trainable):
        observed = f"{moved.moved} of {moved.trainable} trainable parameters move"
        yield "training", "converted weights stay" if outcome.frozen is not None else "every weight moves", observed


def _same_parameters(seen: Seen) -> bool:
    """Whether what trains is what trained before prepare(), and finite: else FP810 and FP812 say why weights stay."""
    if None in (seen.losses or ()):
        return False
    parameters = seen.parameters
    return parameters is None or (not _untied(parameters) and parameters.before.trainable == parameters.after.trainable)


def expected_layers(seen: Seen, outcome: Outcome, run: Run) -> int | None:
    """How many Linear layers the backend should convert of what was built; None where that is not known."""
    if seen.watched is not None:
        return outcome.prepared.coverage.converted  # of the whole model
    from fp8check.rules.outcome.layers import te_coverage, torchao_coverage
    from fp8check.rules.trainers.run import Run as OneRun

    if seen.built is None or run.model is None:
        return None
    if outcome.prepared.coverage.word == "none":
        return 0
    built = run.model._replace(layers=seen.built.layers, dense_layers=0)
    small = OneRun(launch=run.launch, facts=run.facts, training=run.training, model=built)
    coverage = {"TE": te_coverage, "AO": torchao_coverage}.get(str(outcome.backend_name))
    # The probe's layers have no routed experts, as those of transformers 5.
    return coverage(small, 5).converted if coverage is not None else None


def _recipe_differences(seen: Seen, outcome: Outcome) -> Iterator[tuple[str, object, object]]:
    predicted = outcome.prepared.recipe
    if predicted is None or seen.recipe is None:
        return
    held = seen.recipe.named
    for name, setting in predicted.items():
        if name in held and setting.value is not None and held[name] != setting.value:
            yield f"recipe {name}", setting.value, held[name]


@rule(
    "FP815",
    "device-is-not-what-it-says",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-faults.jsonl lying-name]: a GPU of 9.0 that is called A100",
    claims=("seen",),
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
    name, capability = device.name, known(device.compute_capability, "the GPU's compute capability", seen)
    listed = find(name)
    if listed is not None and listed.compute_capability != capability:
        yield Found(
            f"the GPU says {name} and has compute capability {capability}, not {listed.compute_capability}",
            help="find out which GPU it is: nvidia-smi -q, and whether it is virtual",
        )
        return
    gpus = run.visible_gpus()
    if gpus and gpus[0].name != name and gpus[0].compute_capability != capability:
        yield Found(
            f"the facts say {gpus[0].name} ({gpus[0].compute_capability}), the probe ran on {name} ({capability})",
            help="take the facts anew on the node that trains: fp8check env --json",
        )


@rule(
    "FP818",
    "other-recipe-ran",
    ERROR,
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-te-bf16]: HYBRID and 1024 instead of E4M3 and 16",
    "own tests/run/test_stacks.py: trainer-te-bf16 asks for E4M3 and 16, and HYBRID and 1024 ran",
    claims=("seen",),
)
def other_recipe_ran(requested: Requested, seen: Seen) -> Iterator[Found]:
    """The recipe that ran is not the one that was written.

    Why it hurts: FP8 runs, with another format or amax history than the file says, and nothing reports it.

    Example: `fp8_format: E4M3` in the Accelerate file, and `bf16: true` in the training file.

    Write instead: what the rules about the recipe say; they name what replaced it.
    """
    if not requested.recipe:
        return
    ran(seen)
    if known(seen.converted, "which layers were converted", seen) == 0:
        return  # FP806
    held = known(seen.recipe, "the recipe that the layers held", seen).named
    for name, written in requested.recipe.items():
        if name in held and not written.is_later and not _alike(written.value, held[name]):
            yield Found(
                f"{name} is {held[name]} in the run, not {written.value}",
                place=written,
                label=f"the layers hold {held[name]}",
            )


def _alike(written: object, held: object) -> bool:
    return str(written).lower() == str(held).lower()
