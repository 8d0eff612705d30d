"""accelerator.prepare(): which layers are converted, whether FP8 autocast is entered, and with which recipe."""

from __future__ import annotations

from fp8check.rules.outcome import layers, processes, recipe, units
from fp8check.rules.record import Record
from fp8check.rules.releases.behaviors import Accelerate, TransformerEngine, Transformers
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.recipes import DELAYED_SCALING, requested_scalings
from fp8check.rules.settings.script import WRITTEN_OUT
from fp8check.rules.settings.values import Origin, Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.facts import Misfit
    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.outcome.layers import Coverage
    from fp8check.rules.outcome.recipe import Recipe
    from fp8check.rules.releases.accelerate_enums import Backend, DistributedType
    from fp8check.rules.releases.errors import Stage
    from fp8check.rules.releases.recipes import BlockScaling
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.data import AcceleratorArguments
    from fp8check.rules.trainers.run import Run

_BACKENDS: tuple[Backend, ...] = ("TE", "AO", "MSAMP")
_TE_WANTS_BOTH = (
    "You must pass a model and an optimizer together to `accelerate.prepare()` when using TransformerEngine."
)


class Prepared(Record):
    """The model after prepare().

    Attributes:
        coverage: which Linear layers were converted.
        autocast: whether the layers run inside an enabled FP8 autocast; torchao's need none.
        recipe: what the backend's recipe object ended with.
        data_parallel: whether it is nn.DataParallel, which Trainer hands to no prepare().
    """

    coverage: Coverage = layers.NOTHING
    autocast: bool = False
    recipe: Recipe | None = None
    data_parallel: bool = False


def prepare(run: Run, stack: Stack, state: Accelerator, arguments: AcceleratorArguments) -> Iterator[Prepared]:
    """The model as prepare() goes on: the last is what it comes to, or how far it came.

    Raises:
        PredictedError: prepare() raises.
        Undecided: one process sees several GPUs, and what its trainer makes of them was not executed.
    """
    if _is_data_parallel(run, stack, state):
        yield _optimizer_alone(stack, state)
        return
    if state.distributed_type == "MEGATRON_LM":
        # Before, the model that is handed over was converted, and thrown away: Megatron-LM makes one of its own
        # (accelerator.py _prepare_megatron_lm: megatron_lm_prepare_model_optimizer_scheduler).
        if not stack.does(Accelerate.MEGATRON_SKIPS_CONVERSION):
            for _ in _converted(run, stack, state, arguments):
                pass
        return
    yield from _converted(run, stack, state, arguments)


def _converted(run: Run, stack: Stack, state: Accelerator, arguments: AcceleratorArguments) -> Iterator[Prepared]:
    """The model as its layers are converted."""
    if prepares_model_alone(run):
        yield from _by_prepare_model(run, stack, state, arguments)
        return
    together = prepares_together(run, stack, state, arguments)
    if never_prepared(run) is not None:
        if not prepares_optimizer(run):
            return
        together = together and state.backend_name != "TE" and not state.is_fsdp2
        if together:
            return
    if state.is_fsdp2 and not together:
        text = "When using FSDP2, a model and optimizer must be passed together to `Accelerator.prepare()`"
        raise PredictedError("fsdp2-model-alone", "prepare", "ValueError", text)
    backend = state.backend_name
    if backend == "TE":
        yield from _transformer_engine(run, stack, state, arguments, together)
    elif backend == "AO":
        yield from _torchao(run, stack, state)
    elif backend == "MSAMP" and not state.is_fsdp2 and state.distributed_type != "DEEPSPEED":
        _msamp(stack, state)


def prepares_model_alone(run: Run) -> bool:
    """Whether a script gives its model to prepare_model() itself, and to no prepare(), which alone converts layers."""
    source = run.script.source
    if source is None or run.training.is_huggingface or not source.named("prepare_model"):
        return False
    return not any("model" in name.lower() for call in source.prepares for name in call.positional or ())


def _by_prepare_model(
    run: Run, stack: Stack, state: Accelerator, arguments: AcceleratorArguments
) -> Iterator[Prepared]:
    """prepare_model(): it converts nothing, and enters the autocast of Transformer Engine around what is not converted.

    accelerate 1.10.1 and 1.15.0 accelerator.py; executed with both (seventh tries).
    """
    if state.is_fsdp2:
        text = "FSDP2 preparation should be done via `accelerate.prepare()`, as it requires a model and an optimizer."
        raise PredictedError("fsdp2-model-alone", "prepare", "ValueError", text)
    if state.distributed_type == "DEEPSPEED":
        raise Undecided("what DeepSpeed makes of a model that prepare() is not given", WRITTEN_OUT)
    if state.backend_name != "TE":
        return
    _find_te(stack, state)
    _import_te(run, stack, state)
    yield Prepared(recipe=_wrap(run, stack, state, arguments, state.recipe), autocast=_is_entered(run, state.recipe))


def _is_data_parallel(run: Run, stack: Stack, state: Accelerator) -> bool:
    """One process that sees several GPUs: Trainer makes nn.DataParallel of the model, and hands it to no prepare().

    Executed on two H200s with transformers 5.17.0 and accelerate 1.15.0 (docs/evidence/data-parallel.jsonl). The same
    code is in transformers 4.45.2 to 5.24.0 (training_args.py _setup_devices "device_count()"; trainer.py _wrap_model
    "nn.DataParallel(model)" and "as the model is wrapped, don't use `accelerator.prepare`"), but that the optimizer
    alone goes to prepare() is new in 4.57. accelerate 0.34.2 to 1.15.0 raise the same in _prepare_te, and convert
    modules only in _prepare_ao.

    Raises:
        Undecided: nobody has executed what comes of it.
    """
    asks = state.mixed_precision.value == "fp8" or state.backend_name in _BACKENDS
    visible = visible_to_one(run, state.distributed_type)
    if not asks or not visible:
        return False
    replicates = run.training.replicates(stack, run.launch, run.script)
    if replicates is False and state.backend_name == "AO":
        return False
    executed = replicates and state.mixed_precision.value == "fp8" and state.backend_name != "MSAMP"
    if executed and (state.backend_name != "TE" or stack.does(Transformers.PREPARES_OPTIMIZER_ALONE)):
        return True
    does = (
        f"{run.training.name} spreads the layers of the model over them, and Accelerate makes Transformer Engine's"
        if replicates is False
        else "Trainer may wrap the model in nn.DataParallel and leave it out of prepare(), where layers are converted"
    )
    what = f"one process sees {visible} GPUs: {does}; what comes of that here was not executed"
    raise Undecided(what, f"{processes.ONE_A_GPU} {processes.one_a_gpu(run, visible)}")


def visible_to_one(run: Run, kind: DistributedType) -> int:
    """How many GPUs the one process of a Trainer's run sees; 0 for fewer than two, and where that is not known."""
    if kind != "NO" or not run.training.is_huggingface:
        return 0
    visible = run.visible_gpus()
    told = run.gpu_ids is not None or "CUDA_VISIBLE_DEVICES" in (run.facts.variables or {})
    known = visible is not None and (told or run.facts.count_gpus)
    number = len(visible) if visible is not None and known else 0
    return number if number > 1 and processes.off_gpus(run) is None else 0


def _optimizer_alone(stack: Stack, state: Accelerator) -> Prepared:
    """What prepare() comes to where it is given no model: torchao looks at modules alone, Transformer Engine refuses.

    Raises:
        PredictedError: the backend is not installed, or refuses.
    """
    if state.backend_name == "TE":
        _find_te(stack, state)
        raise PredictedError("data-parallel", "prepare", "ValueError", _TE_WANTS_BOTH, (state.backend,))
    if state.backend_name == "AO":
        _find_torchao(stack, state)
    return Prepared(data_parallel=True)


def never_prepared(run: Run) -> Setting | None:
    """The step of a script's loop whose model no prepare() was given."""
    source = run.script.source
    return None if source is None or run.training.is_huggingface else source.unprepared


def prepares_optimizer(run: Run) -> bool:
    """Whether a script gives prepare() an optimizer, by its name."""
    calls = () if run.script.source is None else run.script.source.prepares
    return any("opt" in name.lower() for call in calls for name in call.positional or ())


def prepares_together(run: Run, stack: Stack, state: Accelerator, arguments: AcceleratorArguments) -> bool:
    """Whether model and optimizer reach prepare() in one call (Trainer builds the optimizer late under FSDP1)."""
    if not run.training.is_huggingface:
        return arguments.prepares == "together"
    if state.distributed_type != "FSDP" or state.is_fsdp2:
        return True
    special = stack.does(Transformers.FSDP_PREPARES_FP8_TOGETHER) and not stack.does(
        Transformers.FSDP_PREPARES_ONE_ALONE
    )
    return special and state.mixed_precision.value == "fp8"


def _transformer_engine(
    run: Run, stack: Stack, state: Accelerator, arguments: AcceleratorArguments, together: bool
) -> Iterator[Prepared]:
    _find_te(stack, state)
    dummy = _deepspeed_optimizer(run, state)
    if not together or dummy is not None:
        raise PredictedError("te-model-alone", "prepare", "ValueError", _TE_WANTS_BOTH, (dummy, state.backend))
    if run.script.models > 1 and not run.training.is_huggingface:
        text = f"You can't use multiple models ({run.script.models}) or optimizers 1 with TransformerEngine."
        raise PredictedError("te-several-models", "prepare", "ValueError", text, (state.backend,))
    _import_te(run, stack, state)
    if state.is_fsdp2 and stack.does(Accelerate.FSDP2_EMPTIES_OPTIMIZER_BEFORE_TE):
        raise PredictedError(
            "fsdp2-empties-optimizer",
            "prepare",
            "KeyError",
            "a parameter of the optimizer, emptied for FSDP2",
            (state.backend,),
        )
    _check_gathered(run, stack, state)
    prepared = Prepared(layers.te_coverage(run, stack.version("transformers")[0]))
    yield prepared
    if state.is_fsdp2:  # accelerator.py _prepare_fsdp2 of every release has no apply_fp8_autowrap
        units.check(run, state.units, fsdp2=True)
        _load_te_state(run, stack, state, prepared.coverage)
        return
    handler = state.recipe
    if state.distributed_type == "DEEPSPEED":  # accelerator.py _prepare_deepspeed knows the oldest handler only
        handler = state.recipe if state.handler == "FP8RecipeKwargs" else None
    yield prepared._replace(recipe=_wrap(run, stack, state, arguments, handler), autocast=_is_entered(run, handler))


def _find_te(stack: Stack, state: Accelerator) -> None:
    if stack.sees_te() is False:
        text = "`transformer_engine` was not found on your system. Please ensure that `transformer_engine` is installed"
        raise PredictedError("te-not-found", "prepare", "ImportError", text, (state.backend,))


def _check_gathered(run: Run, stack: Stack, state: Accelerator) -> None:
    """ZeRO-3 without zero3_init_flag: Accelerate gathers no weight to copy it, and a part of one has another shape.

    accelerate 1.15.0 utils/operations.py GatheredParameters. Executed with LLaMA-Factory 0.9.5, which trains with the
    flag: docs/evidence/beyond-cpu.jsonl, llamafactory-te-zero-3 and llamafactory-te-zero-3-init.
    """
    if not processes.is_zero3(run, stack, state.distributed_type):
        return
    written = run.zero3_init
    if written is None or str(written.value).lower() != "false":
        return
    in_shards = loads_in_shards(run)
    if in_shards is None:
        raise Undecided("whether the script loads its model before it makes its Accelerator", WRITTEN_OUT)
    if not in_shards:
        return
    columns = "the width" if run.model is None or not run.model.block else f"{run.model.block[0].in_features}"
    text = f"The size of tensor a ({columns}) must match the size of tensor b (0) at non-singleton dimension 1"
    raise PredictedError("zero3-gathers-nothing", "prepare", "RuntimeError", text, (written, state.backend))


def loads_in_shards(run: Run) -> bool | None:
    """Whether the model is loaded once DeepSpeed is known to be there; None where that is not known.

    transformers modeling_utils.py from_pretrained: is_deepspeed_zero3_enabled().
    """
    source = run.script.source
    if run.training.is_huggingface:
        own = run.training.loads_in_shards or run.training.loads_by_its_command(run.launch)
        return True if own else run.script.loads_late
    if source is None:
        return None
    from fp8check.rules.settings.script_model import loads_behind_accelerator  # few runs come here

    return loads_behind_accelerator(source)


def _load_te_state(run: Run, stack: Stack, state: Accelerator, coverage: Coverage) -> None:
    """fsdp2_load_full_state_dict (utils/fsdp_utils.py): it takes each entry of the state dict for a shard.

    A layer of Transformer Engine has one below `_extra_state`, too, which is a plain tensor, or a file object in 1.x.
    Executed with the package's own get_extra_state (te-state-under-fsdp2-loading); the same line fails for buffers
    (https://github.com/huggingface/accelerate/issues/3898). axolotl's own function makes an nn.Parameter of each entry.
    """
    if state.ram_efficient is None or coverage.word == "none" or run.tensor_parallel is not None:
        return  # under tensor parallelism the conversion itself fails (limits.py)
    because = (state.backend, state.ram_efficient)
    if run.training.loads_shards_itself:
        text = "Only Tensors of floating point and complex dtype can require gradients"
        raise PredictedError("fsdp2-loads-te-state", "prepare", "RuntimeError", text, because)
    kind = "_io.BytesIO" if stack.does(TransformerEngine.STATE_IS_A_FILE) else "Tensor"
    text = f"{kind!r} object has no attribute 'device_mesh'"
    raise PredictedError("fsdp2-loads-te-state", "prepare", "AttributeError", text, because)


def _is_entered(run: Run, handler: Recipe | None) -> bool:
    """Whether a step enters FP8 autocast, in evaluation mode by the recipe alone (utils/transformer_engine.py)."""
    if run.training.is_huggingface or run.script.source is None or run.script.source.evaluates is None:
        return True
    too = (handler or {}).get("use_autocast_during_eval")
    return too is not None and bool(too.value)


def _deepspeed_optimizer(run: Run, state: Accelerator) -> Setting | None:
    """The optimizer that DeepSpeed's own file names: prepare() then gets a DummyOptim, which is no torch optimizer.

    accelerate accelerator.py _prepare_te; transformers integrations/deepspeed.py deepspeed_optim_sched. Executed with
    accelerate 1.15.0.
    """
    if state.distributed_type != "DEEPSPEED" or run.deepspeed is None:
        return None
    return run.deepspeed.optimizer


def _import_te(run: Run, stack: Stack, state: Accelerator) -> None:
    """The first real import of Transformer Engine: a broken installation shows itself only here."""
    check_number(run, "prepare", "NVTE_TORCH_COMPILE")  # pytorch/jit.py reads it when it is imported
    parts = run.facts.transformer_engine or {}
    if parts.get("imports") is False:
        said = str(parts.get("error") or "cannot be imported")
        name, colon, _ = said.partition(":")
        type_ = name if colon and name.isidentifier() and name.endswith("Error") else "ImportError"
        raise PredictedError("te-import-fails", "prepare", type_, said, (state.backend,))
    if parts.get("imports") is True or "core" not in parts or "torch_extension" not in parts:
        return
    from fp8check.rules.facts import misfits  # facts of most machines have no parts

    for misfit in misfits(run.facts) or ():
        raise _does_not_import(misfit, stack, state)


def check_number(run: Run, stage: Stage, name: str) -> None:
    """A variable that Transformer Engine reads by bool(int(...)): other text than a number ends the process.

    Raises:
        PredictedError: it holds no number.
    """
    value = (run.facts.variables or {}).get(name)
    if value is None:
        return
    try:
        int(value)
    except ValueError:
        text = f"invalid literal for int() with base 10: {value!r}"
        because = (Setting(value, Origin(variable=name)),)
        raise PredictedError("te-variable-no-number", stage, "ValueError", text, because) from None


def _does_not_import(misfit: Misfit, stack: Stack, state: Accelerator) -> PredictedError:
    """How the import ends (transformer_engine common/__init__.py)."""
    because = (state.backend,)
    if misfit.kind == "no core" and stack.does(TransformerEngine.METAPACKAGE_WITHOUT_DEPENDENCIES):
        text = "Found empty `transformer-engine` meta package installed."
        return PredictedError("te-empty-metapackage", "prepare", "RuntimeError", text, because)
    if misfit.kind == "versions differ":
        text = f"Transformer Engine package version mismatch: {misfit.message}"
        return PredictedError("te-versions-differ", "prepare", "AssertionError", text, because)
    if misfit.kind == "cuda differs":
        text = f"libcudart: cannot open shared object file: {misfit.message}"
        return PredictedError("te-for-another-cuda", "prepare", "OSError", text, because)
    missing = "torch lib" if "torch" in misfit.kind else "core lib"
    text = f"Could not find shared object file for Transformer Engine {missing}."
    return PredictedError("te-library-missing", "prepare", "FileNotFoundError", text, because)


def _wrap(
    run: Run, stack: Stack, state: Accelerator, arguments: AcceleratorArguments, handler: Recipe | None
) -> Recipe:
    """apply_fp8_autowrap (utils/transformer_engine.py)."""
    stubbed = _reach_checks(stack, state, arguments)
    scaling, requested = next(requested_scalings(handler or {}, stack), (None, None))
    if scaling is not None:
        message = f"{scaling.called} not supported" if stubbed else refusal(run, stack, scaling)
        if message:
            text = f"{scaling.called} block scaling is not available: {message}"
            raise PredictedError("block-scaling-not-supported", "prepare", "ValueError", text, (requested,))
    made = recipe.te_recipe(handler, stack, scaling)
    _check_override(run, stack, made)
    return made


def _check_override(run: Run, stack: Stack, made: Recipe) -> None:
    """The variable that takes the backward pass out of FP8: delayed scaling refuses whatever it says.

    The recipes are pydantic dataclasses: their assertions arrive as ValidationError (executed, 2.20.2).
    """
    value = (run.facts.variables or {}).get("NVTE_BACKWARD_OVERRIDE")
    if value is None or not stack.does(TransformerEngine.READS_NVTE_BACKWARD_OVERRIDE):
        return
    allowed = value in ("high_precision", "dequantized")
    if allowed and made["class"].value != DELAYED_SCALING:
        return
    because = (Setting(value, Origin(variable="NVTE_BACKWARD_OVERRIDE")),)
    if not allowed:
        text = "NVTE_BACKWARD_OVERRIDE must be unset or one of: 'high_precision', 'dequantized'."
        raise PredictedError("unknown-backward-override", "prepare", "ValidationError", text, because)
    text = "Delayed scaling only supports backward_override=None."
    raise PredictedError("backward-override-with-delayed-scaling", "prepare", "ValidationError", text, because)


def _reach_checks(stack: Stack, state: Accelerator, arguments: AcceleratorArguments) -> bool:
    """Where Accelerate reaches check_mxfp8_support(), in releases that call it whether or not MXFP8 is asked for.

    Returns:
        Whether the check is a stand-in, which says that nothing is supported.

    Raises:
        PredictedError: this release of Transformer Engine has no such check.
    """
    by_attribute = stack.does(Accelerate.MXFP8_CHECK_BY_ATTRIBUTE)
    if not by_attribute and not stack.does(Accelerate.MXFP8_CHECK_BY_IMPORT):
        return False
    if by_attribute and not stack.does(TransformerEngine.IMPORTS_FP8_MODULE):
        if arguments.te_stubbed:
            return True
        text = "module 'transformer_engine.pytorch' has no attribute 'fp8'"
        raise PredictedError("te-without-fp8-module", "prepare", "AttributeError", text, (state.backend,))
    if not stack.does(TransformerEngine.HAS_CHECK_MXFP8_SUPPORT):
        module = "transformer_engine.pytorch.fp8"
        if by_attribute:
            text = f"module {module!r} has no attribute 'check_mxfp8_support'"
            raise PredictedError("te-without-mxfp8-attribute", "prepare", "AttributeError", text, (state.backend,))
        text = f"cannot import name 'check_mxfp8_support' from {module!r}"
        raise PredictedError("te-without-mxfp8-import", "prepare", "ImportError", text, (state.backend,))
    return False


def refusal(run: Run, stack: Stack, scaling: BlockScaling) -> str:
    """Transformer Engine's words where it has no such scaling on the first visible GPU; "" where it has.

    A GPU that is not known is taken to be capable.
    """
    gpus = run.visible_gpus()
    return scaling.refusal(gpus[0].compute_capability, stack) if gpus else ""


def _find_torchao(stack: Stack, state: Accelerator) -> None:
    if stack.sees_torchao() is False:
        text = (
            "`torchao` was not found on your system or is too old of a version. "
            "Please ensure that `torchao >= 0.6.1` is installed"
        )
        raise PredictedError("torchao-not-found", "prepare", "ImportError", text, (state.backend,))


def _torchao(run: Run, stack: Stack, state: Accelerator) -> Iterator[Prepared]:
    _find_torchao(stack, state)
    if state.handler is None:
        raise PredictedError(
            "torchao-handler-dropped",
            "prepare",
            "AttributeError",
            "'NoneType' object has no attribute 'config'",
            (state.backend,),
        )
    recipe.import_torchao(stack, "prepare", (state.backend,))
    if stack.does(Accelerate.TORCHAO_FILTER_BROKEN):
        text = "filter_linear_layers() got an unexpected keyword argument 'first_layer_name'"
        raise PredictedError("torchao-filter-broken", "prepare", "TypeError", text, (state.backend,))
    asks = state.is_fsdp2 and stack.does(Accelerate.FSDP2_READS_TORCHAO_CONFIG)
    if asks and state.recipe is None:
        text = "'NoneType' object has no attribute 'enable_fsdp_float8_all_gather'"
        raise PredictedError("torchao-without-config", "prepare", "AttributeError", text, (state.backend,))
    held = _float8_config(state)
    prepared = Prepared(layers.torchao_coverage(run, stack.version("transformers")[0]), True, held)
    yield prepared
    _check_swapped_weights(state, prepared.coverage, held)


def _check_swapped_weights(state: Accelerator, coverage: Coverage, held: Recipe) -> None:
    """The weights that the all-gather option puts in survive neither DeepSpeed nor FSDP1.

    DeepSpeed: executed on a CPU with accelerate 1.15.0, torch 2.13.0, deepspeed 0.19.8. FSDP1: seen on an H200 with
    accelerate 1.15.0, torch 2.11.0, torchao 0.17.0.
    """
    gather = held["enable_fsdp_float8_all_gather"]
    if not gather.value or coverage.converted == 0:
        return
    if state.distributed_type == "DEEPSPEED":
        raise PredictedError(
            "deepspeed-swapped-weights",
            "prepare",
            "RuntimeError",
            "_apply(): Couldn't swap Float8Linear.weight",
            (gather, state.backend),
        )
    if state.distributed_type == "FSDP" and not state.is_fsdp2:
        text = "Expected all tensors to be on the same device, but got tensors is on cpu, different from other tensors"
        raise PredictedError("fsdp1-swapped-weights", "prepare", "RuntimeError", text, (gather, state.backend))


def _float8_config(state: Accelerator) -> Recipe:
    own = Origin(default="torchao Float8LinearConfig")
    config: Recipe = {
        "class": Setting("Float8LinearConfig", own),
        "recipe": Setting("tensorwise", own),
        "pad_inner_dim": Setting(False, own),
        "enable_fsdp_float8_all_gather": Setting(False, own),
    }
    config.update(state.recipe or {})
    return config


def _msamp(stack: Stack, state: Accelerator) -> None:
    if stack.sees_msamp() is False:
        text = (
            "MS-AMP was not found on your system. Please ensure that MS-AMP is available  or choose `'te'` as the "
            "backend for FP8 mixed precision training."
        )
        raise PredictedError("msamp-not-found", "prepare", "ImportError", text, (state.backend,))
