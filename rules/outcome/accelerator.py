"""Accelerator.__init__: the precision that wins, the backend, the recipe handler, and what is refused."""

from __future__ import annotations

from fp8check.rules.outcome import processes, recipe, units
from fp8check.rules.outcome.launcher import PRECISIONS
from fp8check.rules.record import Record
from fp8check.rules.releases.accelerate_enums import BACKENDS, DYNAMO_BACKENDS
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.settings.script import WRITTEN_OUT, Unevaluated
from fp8check.rules.settings.values import Origin, Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.facts import Gpu
    from fp8check.rules.outcome.recipe import Recipe
    from fp8check.rules.releases.accelerate_enums import Backend, DistributedType
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.script import Call
    from fp8check.rules.trainers.data import AcceleratorArguments, Environment, Started
    from fp8check.rules.trainers.run import Run

# Two answers that the real stack would not get from a GPU below 8.9 (state.py: "Will use FP16 instead").
SMALLEST_CAPABILITY = (8, 9)
_SHARDED: tuple[DistributedType, ...] = ("FSDP", "DEEPSPEED")
_HANDLER_BACKEND: Mapping[str, Backend] = {"AORecipeKwargs": "AO", "TERecipeKwargs": "TE", "MSAMPRecipeKwargs": "MSAMP"}


class Accelerator(Record):
    """The state of Accelerator as far as FP8 depends on it.

    Attributes:
        requested: the precision before hardware and DeepSpeed had their say.
        mixed_precision: what accelerator.mixed_precision says.
        distributed_type: what accelerator.distributed_type says.
        fp8_enabled: accelerator.fp8_enabled; None in releases without it.
        backend: accelerator.fp8_backend; a Setting of None where the release says None.
        takes_first: nobody names a backend, and it is the first one installed.
        handler: the class name of the recipe handler in use, and `recipe` what it holds.
        counted: has_fp8_handler.
        one_process: whether distributed_type NO is known, which it is not where nobody knows how many GPUs there are.
        ram_efficient: what switches cpu_ram_efficient_loading of FSDP on; None where it is off, and without FSDP.
        units: what FSDP was told of its units; None without FSDP.
    """

    requested: Setting
    mixed_precision: Setting
    distributed_type: DistributedType
    fsdp_version: int | None
    fp8_enabled: bool | None = None
    backend: Setting = Setting(None)
    takes_first: bool = False
    handler: str | None = None
    recipe: Recipe | None = None
    counted: bool = False
    one_process: bool = True
    ram_efficient: Setting | None = None
    units: units.Units | None = None

    @property
    def backend_name(self) -> Backend | None:
        """The name of accelerator.fp8_backend, without where it comes from."""
        name = self.backend.value
        return BACKENDS[BACKENDS.index(name)] if name in BACKENDS else None

    @property
    def is_fsdp2(self) -> bool:
        """accelerator.is_fsdp2."""
        return self.distributed_type == "FSDP" and self.fsdp_version == 2


def _check_dynamo(run: Run, environment: Environment) -> None:
    """accelerator.py __init__: TorchDynamoPlugin(), by a keyword, or by the variable that TrainingArguments set."""
    source = run.script.source
    own = source.dynamo if source is not None else None
    if source is not None and source.dynamo_twice and own is not None:
        text = "You cannot pass in both `dynamo_plugin` and `dynamo_backend`, please only pass in one."
        raise PredictedError("dynamo-twice", "accelerator", "ValueError", text, (own,))
    backend = run.training.compile_backend or own or environment.get("ACCELERATE_DYNAMO_BACKEND")
    is_text = backend is not None and not backend.is_later and isinstance(backend.value, str)
    if backend is not None and is_text and str(backend.value).upper() not in DYNAMO_BACKENDS:
        if run.launch.tool == "accelerate" and backend.origin.variable is not None:
            return  # the launcher has set it anew
        text = f"{str(backend.value).upper()!r} is not a valid DynamoBackend"
        raise PredictedError("unknown-dynamo-backend", "accelerator", "ValueError", text, (backend,))


def construct(run: Run, stack: Stack, started: Started, arguments: AcceleratorArguments) -> Accelerator:
    """Accelerator(...) with what the trainer handed over.

    Raises:
        PredictedError: the constructor raises.
        Undecided: it depends on a package of which it is not known whether it is installed, or on a variable that a
            file may set which could not be read.
    """
    _check_keywords(run, stack)
    argument, environment, kind = arguments.mixed_precision, started.environment, started.kind
    if argument is not None and argument.value not in PRECISIONS:
        text = f"Unknown mixed_precision mode: {argument.value}. Choose between {list(PRECISIONS)}"
        raise PredictedError("unknown-precision", "accelerator", "ValueError", text, (argument,))
    _check_deepspeed(run, stack, environment, kind)
    wrapped = units.of_plugin(started) if kind == "FSDP" else None
    _check_accumulation(run, kind)
    _check_twice(run)
    _check_dynamo(run, environment)
    passed = _passed_handler(stack, environment, arguments)
    no = Setting("no", Origin(default=stack.name("accelerate")))
    variable = environment.get("ACCELERATE_MIXED_PRECISION")
    if argument is None and variable is None and run.facts.unseen:
        what = f"whether {run.facts.unseen} sets ACCELERATE_MIXED_PRECISION"
        raise Undecided(what, "fp8check where that can be looked at")
    requested = argument.over(variable) if argument is not None else variable or no
    precision = _capable(run, stack, requested)
    if kind == "DEEPSPEED":
        precision = _deepspeed_precision(run, stack, precision)
    state = Accelerator(
        requested,
        precision,
        kind,
        started.fsdp_version,
        one_process=started.unknown is None,
        ram_efficient=_ram_efficient(environment) if kind == "FSDP" else None,
        units=wrapped,
    )
    if passed is not None:
        backend = _backend_of(arguments.handler, passed)
        state = state._replace(handler=arguments.handler, recipe=passed or None, counted=True, backend=backend)
    wants = precision.value == "fp8"
    if stack.does(Accelerate.HAS_FP8_ENABLED):
        wants = wants or (argument is not None and argument.value == "fp8")
        state = state._replace(fp8_enabled=wants)
    elif not stack.does(Accelerate.ONE_RECIPE_CLASS):
        wants = argument is not None and argument.value == "fp8"
    state = _choose(stack, environment, state, wants)
    _refuse(run, stack, state, argument, wants)
    return state


def _ram_efficient(environment: Environment) -> Setting | None:
    """The variable that the plugin reads where none is given to it, which plugins.py sets where one is."""
    given = environment.get("FSDP_CPU_RAM_EFFICIENT_LOADING")
    on = given is not None and str(given.value).lower() in ("y", "yes", "t", "true", "on", "1")
    return given if on else None


def _check_keywords(run: Run, stack: Stack) -> None:
    """A script calls Accelerator, or a recipe for it, by a keyword that the class does not have."""
    if run.script.source is None:
        return
    from fp8check.rules.releases.accelerate_classes import wrong_keywords  # most runs have no script

    for call, wrong, _ in wrong_keywords(run.script.source, stack):
        text = f"{call.name}.__init__() got an unexpected keyword argument {wrong!r}"
        raise PredictedError("wrong-keyword", "accelerator", "TypeError", text, (call.keywords[wrong],))
    for call, wrong, _ in wrong_keywords(run.script.source, stack, perhaps=True):
        what = f"{call.span.file}:{call.span.line} may give {call.name} the keyword {wrong}, which it does not have"
        raise Undecided(what, WRITTEN_OUT)


def _check_accumulation(run: Run, kind: DistributedType) -> None:
    """The launcher hands DeepSpeed's steps on as a variable; Accelerator makes a number of it, unless it gets a plugin.

    accelerator.py __init__: int(parse_choice_from_env("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", ...)). Trainers give it
    a plugin. Executed with accelerate 1.15.0.
    """
    config, maker = run.config_read, None if run.script.source is None else run.script.source.accelerator
    _check_both_ways(maker)
    if kind != "DEEPSPEED" or config is None or maker is None or run.training.is_huggingface:
        return
    steps = config.accumulation
    if steps is None or steps.value != "auto" or "gradient_accumulation_plugin" in maker.keywords:
        return
    text = "invalid literal for int() with base 10: 'auto'"
    raise PredictedError("accumulation-no-number", "accelerator", "ValueError", text, (steps,))


def _check_both_ways(maker: Call | None) -> None:
    """A script says how many steps it accumulates in both ways (accelerator.py __init__)."""
    plugin, steps = (
        None if maker is None else maker.keywords.get(f"gradient_accumulation_{one}") for one in ("plugin", "steps")
    )
    if plugin is None or plugin.value is None or steps is None or type(steps.value) is not int or steps.value == 1:
        return
    text = (
        "You can only pass one of `gradient_accumulation_steps` and `gradient_accumulation_plugin`. Please only pass "
        "in the created `GradientAccumulationPlugin` object."
    )
    raise PredictedError("accumulation-twice", "accelerator", "ValueError", text, (steps,))


def _check_twice(run: Run) -> None:
    """A script gives Accelerator two handlers of one class (accelerator.py __init__)."""
    twice = None if run.script.source is None or run.training.is_huggingface else run.script.source.twice
    if twice is not None:
        text = f"You can only pass one <class 'accelerate.utils.dataclasses.{twice.name}'> in `kwargs_handlers`."
        place = Setting(twice.name, Origin(span=twice.span))
        raise PredictedError("handler-twice", "accelerator", "ValueError", text, (place,))


def _check_deepspeed(run: Run, stack: Stack, environment: Environment, kind: DistributedType) -> None:
    """DeepSpeedPlugin.__post_init__: a DeepSpeed file beside other settings in the Accelerate file."""
    if kind != "DEEPSPEED":
        return
    config = run.config_read
    if config is None:
        return
    backend = environment.get("ACCELERATE_FP8_BACKEND")
    stage = processes.launched_stage(run, stack)
    if backend is not None and backend.value == "MSAMP" and stage is not None and str(stage.value) == "3":
        text = "MS-AMP is not supported for ZeRO Stage 3. Please use ZeRO Stage 0, 1, or 2 instead."
        raise PredictedError("msamp-with-zero3", "accelerator", "NotImplementedError", text, (stage, backend))
    named = config.deepspeed_file
    if named is None or named.is_later or named.value in (None, "none"):
        return
    if run.launch.flag("mixed_precision") is None and config.mixed_precision is not None:
        text = (
            "When using `deepspeed_config_file`, the following accelerate config variables will be ignored: "
            "['mixed_precision']."
        )
        raise PredictedError(
            "precision-beside-deepspeed-file", "accelerator", "ValueError", text, (config.mixed_precision, named)
        )
    from fp8check.rules.outcome import deepspeed_values  # few runs name such a file

    written = deepspeed_values.beside_file(run)
    if written is not None:
        text = deepspeed_values.TEXT
        raise PredictedError("settings-beside-deepspeed-file", "accelerator", "ValueError", text, (written, named))


def _passed_handler(
    stack: Stack, environment: Environment, accelerator_arguments: AcceleratorArguments
) -> Recipe | None:
    """The handler that the script or trainer constructs before Accelerator; None where it passes none."""
    if accelerator_arguments.handler is None:
        return None
    arguments = accelerator_arguments.handler_arguments
    _require_literals(accelerator_arguments.handler, arguments)
    if accelerator_arguments.handler != "FP8RecipeKwargs" and stack.does(Accelerate.ONE_RECIPE_CLASS):
        text = f"cannot import name {accelerator_arguments.handler!r} from 'accelerate.utils'"
        raise PredictedError("unknown-handler-class", "accelerator", "ImportError", text)
    if accelerator_arguments.handler == "TERecipeKwargs":
        return recipe.te_handler(environment, stack, arguments)
    if accelerator_arguments.handler == "FP8RecipeKwargs":
        return recipe.old_handler(environment, stack, arguments)
    if accelerator_arguments.handler == "MSAMPRecipeKwargs":
        return recipe.msamp_handler(environment, stack, arguments)
    return recipe.ao_handler(environment, stack, arguments) or {}


def _require_literals(handler: str, arguments: Mapping[str, object]) -> None:
    """Go on only where the script writes out what its recipe holds."""
    for name, value in arguments.items():
        if isinstance(value, Unevaluated):
            passed = f"{name}{value.text}" if name.startswith("*") else f"{name}={value.text}"
            raise Undecided(f"the script passes {passed} to {handler}", WRITTEN_OUT)


def _backend_of(handler: str | None, held: Recipe | None) -> Setting:
    if handler == "FP8RecipeKwargs":
        return (held or {}).get("backend", Setting("TE"))
    return Setting(_HANDLER_BACKEND.get(str(handler)), Origin(code=f"{handler} passed in code"))


def _capable(run: Run, stack: Stack, requested: Setting) -> Setting:
    """AcceleratorState: FP8 needs a library and a GPU of 8.9 or higher; else an exception, or FP16."""
    if requested.value != "fp8":
        return requested
    if stack.sees_fp8_library() is False:
        text = "Using `fp8` precision requires `transformer_engine` or `MS-AMP` to be installed."
        raise PredictedError("no-fp8-library", "accelerator", "ValueError", text, (requested,))
    # Accelerate asks nvidia-smi for "compute_capability", which it does not know, and then takes torch's current
    # device (utils/environment.py check_cuda_fp8_capability; seen on an H200): the first visible GPU decides.
    gpus = run.visible_gpus()
    if gpus is None or not _in_order(run, gpus):
        gpus = _any_of(gpus or run.facts.gpus)
    if gpus is None:
        return requested
    if not gpus:
        if stack.does(Accelerate.CAPABILITY_NEEDS_GPU):
            raise PredictedError(
                "no-nvidia-driver",
                "accelerator",
                "RuntimeError",
                "Found no NVIDIA driver on your system.",
                (requested,),
            )
        return requested
    if can_fp8(gpus[0]):
        return requested
    why = Origin(code=f"{stack.name('accelerate')}, as compute capability {gpus[0].compute_capability} is below 8.9")
    return Setting("fp16", why).over(requested)


def _in_order(run: Run, gpus: Sequence[Gpu]) -> bool:
    """Whether CUDA counts them in this order: by default it begins with the fastest, where they are not alike."""
    alike = len({gpu.name for gpu in gpus}) <= 1
    return alike or (run.facts.variables or {}).get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"


def _any_of(gpus: Sequence[Gpu] | None) -> Sequence[Gpu] | None:
    """GPUs of which it is not known which of them the process sees first; None where none is known.

    Raises:
        Undecided: some can FP8 and some cannot.
    """
    if not gpus:
        return None
    if len({can_fp8(gpu) for gpu in gpus}) > 1:
        what = "some of the GPUs are below compute capability 8.9, and which of them the process gets is not known"
        raise Undecided(what, "CUDA_DEVICE_ORDER=PCI_BUS_ID, by which CUDA counts them as nvidia-smi does")
    return gpus


def can_fp8(gpu: Gpu) -> bool:
    """Whether a GPU computes in FP8."""
    return tuple(int(part) for part in gpu.compute_capability.split(".")) >= SMALLEST_CAPABILITY


def _deepspeed_precision(run: Run, stack: Stack, requested: Setting) -> Setting:
    """AcceleratorState.mixed_precision under DeepSpeed: what its configuration ends with (set_mixed_precision)."""
    config = run.deepspeed
    for precision, other in (("fp16", "bf16"), ("bf16", "fp16")):
        if requested.value == precision or (precision == "bf16" and requested.value == "fp8"):
            written = config.enabled(other) if config is not None else None
            if written is not None and str(written.value).lower() == "true":
                text = (
                    f"`--mixed_precision` arg cannot be set to `{requested.value}` when `{other}` is set in the "
                    "DeepSpeed config file."
                )
                raise PredictedError(
                    "precision-against-deepspeed-file", "accelerator", "ValueError", text, (requested, written)
                )
    if requested.value == "fp8" and stack.does(Accelerate.DEEPSPEED_KEEPS_FP8):
        return requested
    if requested.value in ("fp8", "bf16"):
        off = config.enabled("bf16") if config is not None else None
        if off is not None and str(off.value).lower() == "false":
            return off._replace(value="no").over(requested)
        return Setting("bf16", Origin(code=f"{stack.name('accelerate')} DeepSpeedPlugin")).over(requested)
    return requested


def _choose(stack: Stack, environment: Environment, state: Accelerator, wants: bool) -> Accelerator:
    """The automatic recipe handler and accelerator.fp8_backend."""
    if stack.does(Accelerate.ONE_RECIPE_CLASS):
        if wants and not state.counted:
            held = recipe.old_handler(environment, stack, {})
            state = state._replace(handler="FP8RecipeKwargs", recipe=held, counted=True)
        backend = _backend_of(state.handler, state.recipe) if state.counted and wants else Setting(None)
        return state._replace(backend=backend)
    named = _named_backend(stack, environment, state)
    if wants and not state.counted:
        backend = named if named is not None and named.value != "NO" else _first(stack)
        handler, made = _build(stack, environment, backend)
        if stack.does(Accelerate.AUTOMATIC_HANDLER_NOT_COUNTED):
            return state
        first = backend is not named
        return state._replace(handler=handler, recipe=made, counted=True, backend=backend, takes_first=first)
    return state if state.counted or named is None else state._replace(backend=named)


def _named_backend(stack: Stack, environment: Environment, state: Accelerator) -> Setting | None:
    """ACCELERATE_FP8_BACKEND as accelerator.fp8_backend reads it; it is read only where there is no handler."""
    if state.counted or not stack.does(Accelerate.BACKEND_FROM_ENVIRONMENT):
        return None
    default = Setting("NO", Origin(default=stack.name("accelerate")))
    setting = environment.get("ACCELERATE_FP8_BACKEND", default)
    if setting.value not in BACKENDS:
        raise PredictedError(
            "unknown-backend-variable",
            "accelerator",
            "ValueError",
            f"{setting.value!r} is not a valid FP8BackendType",
            (setting,),
        )
    return setting


def _first(stack: Stack) -> Setting:
    return Setting(
        stack.first_backend(), Origin(code=f"{stack.name('accelerate')}, which takes the first one installed")
    )


def _build(stack: Stack, environment: Environment, backend: Setting) -> tuple[str, Recipe | None]:
    """The recipe handler that Accelerator makes for a backend: its class, and what it holds."""
    if backend.value == "AO":
        return "AORecipeKwargs", recipe.ao_handler(environment, stack, {})
    if backend.value == "TE":
        return "TERecipeKwargs", recipe.te_handler(environment, stack, {})
    return "MSAMPRecipeKwargs", recipe.msamp_handler(environment, stack, {})


def _refuse(run: Run, stack: Stack, state: Accelerator, argument: Setting | None, wants: bool) -> None:
    """What the constructor refuses once backend and handler are known."""
    plain = state.distributed_type not in _SHARDED
    if stack.does(Accelerate.HANDLER_NEEDS_ARGUMENT):
        wants = argument is not None and argument.value == "fp8"
    elif stack.does(Accelerate.ONE_RECIPE_CLASS):
        wants = state.mixed_precision.value == "fp8"
    if state.counted and plain and not wants:
        what = "a `FP8RecipeKwargs` object" if stack.does(Accelerate.ONE_RECIPE_CLASS) else "an FP8 configuration"
        text = f"Passing in {what} requires setting `mixed_precision='fp8'`."
        raise PredictedError(
            "handler-without-precision", "accelerator", "ValueError", text, (argument or state.requested,)
        )
    if state.backend_name == "AO":
        _refuse_torchao(stack, state)
    if state.backend_name == "MSAMP" and state.distributed_type == "FSDP" and state.mixed_precision.value == "fp8":
        text = "`accelerate` + `MS-AMP` + `FSDP` is not supported at this time."
        raise PredictedError("msamp-with-fsdp", "accelerator", "NotImplementedError", text, (state.backend,))
    needed = ("accelerate", "torch", *(("transformers",) if run.training.is_huggingface else ()))
    absent = [name for name in needed if run.facts.package(name) is None]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        what = f"the environment that trains: {' and '.join(absent)} {verb} not installed in this one"
        raise Undecided(what, "packages")


def _refuse_torchao(stack: Stack, state: Accelerator) -> None:
    if stack.does(Accelerate.TORCHAO_NEEDS_FSDP) and state.distributed_type != "FSDP":
        text = "`AcceleratorState` object has no attribute `fsdp_plugin`."
        raise PredictedError("torchao-without-fsdp", "accelerator", "AttributeError", text, (state.backend,))
    efficient = state.ram_efficient
    if efficient is not None and stack.does(Accelerate.TORCHAO_REFUSES_RAM_EFFICIENT_LOADING):
        text = (
            "torchao with FSDP2 and cpu_ram_efficient_loading is not supported, setting `cpu_ram_efficient_loading` to "
            "False will fix the issue and work as intended."
        )
        raise PredictedError(
            "torchao-ram-efficient-loading", "accelerator", "ValueError", text, (state.backend, efficient)
        )
