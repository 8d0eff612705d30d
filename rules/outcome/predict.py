"""From a run to its outcome: the stages in their order."""

from __future__ import annotations

from fp8check.rules.outcome import accelerator, launcher, limits, prepare, processes, recipe, step, units
from fp8check.rules.outcome.effective import Effective
from fp8check.rules.outcome.prepare import Prepared
from fp8check.rules.record import Record
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.errors import PredictedError
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.versions import NEWEST
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers import beside
from fp8check.rules.trainers.data import HandedOver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.outcome.layers import ConvertedLayers
    from fp8check.rules.releases.accelerate_enums import Backend, DistributedType
    from fp8check.rules.releases.errors import ErrorCode
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.data import AcceleratorArguments, Started
    from fp8check.rules.trainers.run import Run

# What Accelerate reads of the shell beside its precision and its recipe (shell_variables.py).
READ_OF_SHELL = frozenset(
    (
        *("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM"),
        *("ACCELERATE_USE_CPU", "ACCELERATE_DEBUG_MODE", "ACCELERATE_CPU_AFFINITY", "LOCAL_RANK", *processes.SIZES),
    )
)


class Outcome(Record):
    """What will really happen.

    Attributes:
        stack: the packages, with what had to be assumed of them.
        effective: what the run really uses of the values that many places may set.
        error: where the run ends before or in its first step; None where it starts, or where that is not known.
        undecided: why the prediction ends early; None where it is whole.
        environment: the variables of the training process.
        accelerator_arguments: what the trainer hands to Accelerator; None where it is not reached.
        accelerator: Accelerator's state; None where it is not reached.
        prepared: the model after prepare().
        frozen: the setting that keeps converted weights from training; None where they train.
        checkpointing: what switches gradient checkpointing on; None where it is off.
        reentrant: the kind of gradient checkpointing; None where there is none.
    """

    run: Run
    stack: Stack
    effective: Effective
    error: PredictedError | None = None
    undecided: Undecided | None = None
    environment: Mapping[str, Setting] = {}
    accelerator_arguments: AcceleratorArguments | None = None
    accelerator: Accelerator | None = None
    prepared: Prepared = Prepared()
    frozen: Setting | None = None
    checkpointing: Setting | None = None
    reentrant: bool | None = None

    @property
    def starts(self) -> bool | None:
        """Whether the first step is reached and done; None where it is not known."""
        if self.error is not None:
            return False
        return None if self.undecided is not None else True

    def error_of(self, *codes: ErrorCode) -> PredictedError | None:
        """The error that ends the run, where it is one of these; else None."""
        return self.error if self.error is not None and self.error.code in codes else None

    @property
    def mixed_precision(self) -> Setting | None:
        """What accelerator.mixed_precision says; None before there is an Accelerator."""
        return self.accelerator.mixed_precision if self.accelerator is not None else None

    @property
    def fp8_enabled(self) -> bool | None:
        """accelerator.fp8_enabled, in releases that have it; None where FP8 comes by other means, or may."""
        if self.run.script.own:
            return None
        return self.accelerator.fp8_enabled if self.accelerator is not None else None

    @property
    def backend(self) -> Setting | None:
        """accelerator.fp8_backend."""
        return self.accelerator.backend if self.accelerator is not None else None

    @property
    def backend_name(self) -> Backend | None:
        """The name of accelerator.fp8_backend; None before there is an Accelerator, and where it says None."""
        return self.accelerator.backend_name if self.accelerator is not None else None

    @property
    def is_data_parallel(self) -> bool:
        """Whether one process sees several GPUs, and Trainer makes nn.DataParallel of a model that was to be in FP8."""
        return self.prepared.data_parallel or self.error_of("data-parallel") is not None

    @property
    def runs_te(self) -> bool:
        """Whether Transformer Engine's layers run in FP8, or the first step ends while they do."""
        return self.backend_name == "TE" and self.prepared.autocast and self.prepared.coverage.converted != 0

    @property
    def distributed_type(self) -> DistributedType | None:
        """accelerator.distributed_type; None before there is one, and where it may be NO or MULTI_GPU."""
        state = self.accelerator
        return state.distributed_type if state is not None and state.one_process else None

    @property
    def is_distributed(self) -> bool:
        """Whether Accelerator counts several processes; False before there is one."""
        return self.accelerator is not None and self.accelerator.distributed_type != "NO"

    @property
    def fp8_layers(self) -> ConvertedLayers | None:
        """How many Linear layers run in FP8: "all", "some" or "none"; None where it is not known.

        MS-AMP is not modeled beyond its start: whether its layers run in FP8 is not known.
        """
        if self.undecided is not None or self.accelerator is None:
            return None
        if self.error is not None:
            return "none"
        if self.accelerator.backend_name == "MSAMP":
            return None
        return self.prepared.coverage.word if self.prepared.autocast else "none"

    @property
    def trains_in_fp8(self) -> bool | None:
        """Whether the run starts and at least some layers run in FP8; None where it is not known."""
        if self.error is not None:
            return False
        word = self.fp8_layers
        return None if word is None else word != "none"

    def settings(self) -> Iterator[tuple[str, Setting]]:
        """Every decided value with its trace, in the order of the chain."""
        for name, setting in sorted(self.environment.items()):
            if setting.origin.variable is None or setting.overrode:
                yield name, setting
        if self.accelerator_arguments is not None and self.accelerator_arguments.mixed_precision is not None:
            yield "Accelerator(mixed_precision)", self.accelerator_arguments.mixed_precision
        if self.accelerator is not None:
            yield "mixed_precision", self.accelerator.mixed_precision
            yield "backend", self.accelerator.backend
        for name, setting in (self.prepared.recipe or {}).items():
            yield f"recipe.{name}", setting
        if self.accelerator_arguments is not None:  # else nothing of it came to be
            yield from self.effective.settings()
        for own_fp8 in self.run.script.own:
            yield "FP8 by the script" if own_fp8.sure else "FP8 by the script, perhaps", own_fp8.setting


def predict(run: Run, assumed_versions: Mapping[str, str] = NEWEST) -> Outcome:
    """What the real packages will do with this run.

    Args:
        assumed_versions: the releases to assume of packages whose version is not known.
    """
    return as_known(predict_plain(run, assumed_versions))


def as_known(outcome: Outcome) -> Outcome:
    """The outcome without what would be said of a run whose files could not all be read: that it starts, and in FP8."""
    # The model's file decides which layers there are, and not whether they run.
    unread = next((file for file in outcome.run.unread if file.input != "model"), None)
    if unread is None or outcome.error is not None or outcome.undecided is not None:
        return outcome
    return outcome._replace(undecided=unread.undecided())


def predict_plain(run: Run, assumed_versions: Mapping[str, str] = NEWEST) -> Outcome:
    """The same, where a file that could not be read says nothing out of the ordinary: what rules look at.

    A script then makes its Accelerator without arguments. What such a file itself would decide stays undecided here,
    too: the Accelerate file at the launch, DeepSpeed's once there is an Accelerator.
    """
    stack = Stack(run.facts, assumed_versions, run.training.newest_taken)
    reached = start = Outcome(run, stack, Effective(run, stack))
    try:
        for reached in _stages(start):  # noqa: B007  the last one that is reached stays
            pass
    except PredictedError as error:
        guess = _guess_behind(run, error)
        return reached._replace(error=error) if guess is None else reached._replace(undecided=guess)
    except Undecided as undecided:
        return reached._replace(undecided=undecided)
    return reached


def _guess_behind(run: Run, error: PredictedError) -> Undecided | None:
    """That an error comes of a default of a trainer which is but guessed; None where it does not."""
    training = run.training
    packages = (training.name, "transformers")
    for setting in error.because if training.guessed else ():
        if setting.origin.default is not None and setting.origin.default.partition(" ")[0] in packages:
            try:
                training.rest_on(setting)
            except Undecided as guess:
                return guess
    return None


def _stages(outcome: Outcome) -> Iterator[Outcome]:
    """The outcome as it grows, stage by stage.

    Raises:
        PredictedError: the run ends in the stage after the last one.
        Undecided: what that stage does is not known.
    """
    outcome, launched, started, arguments = yield from _to_arguments(outcome)
    outcome, state = yield from _to_accelerator(outcome, launched, started, arguments)
    outcome = yield from _to_prepared(outcome, state, arguments)
    _first_step(outcome, state)


def _to_arguments(outcome: Outcome) -> Generator[Outcome, None, tuple[Outcome, Started, Started, AcceleratorArguments]]:
    """From the launch to what the trainer hands to Accelerator.

    Returns:
        The outcome, the training process as the launcher starts it and as Accelerator finds it, and the arguments.
    """
    run, stack, training = outcome.run, outcome.stack, outcome.run.training
    if stack.does(Accelerate.IMPORTS_TORCHAO):
        recipe.import_torchao(stack, "launch" if run.launch.tool == "accelerate" else "accelerator")
    launched = launcher.start(run, stack)
    training.check_packages(stack, launched.environment, by_itself=run.starts_trainer)
    if "training" in run.refused and training.is_huggingface:
        raise run.refused["training"].error("arguments")
    handed = HandedOver(launched.environment)
    yield (outcome := outcome._replace(environment=handed.environment))
    deciding = next((file for file in run.unread if file.decides), None)
    if deciding is not None:
        raise deciding.undecided()
    _check_words(run)
    beside.check_deepspeed(run, stack, launched.kind)
    if launched.kind == "DEEPSPEED":
        from fp8check.rules.outcome import deepspeed_values  # most runs have no DeepSpeed

        deepspeed_values.check_trainers_file(run, launched.kind)
    for handed in training.hand_over(stack, launched.environment, run.script):
        yield (outcome := outcome._replace(environment=handed.environment))
    if training.deepspeed is not None and run.launch.given and launched.kind == "NO" and launched.unknown is None:
        run.require("deepspeed", "arguments")
        training.check_alone()
    if training.is_huggingface:
        beside.check_values(run, stack, "arguments")
        if not any(file.input == "training" for file in run.unread):
            training.check_given(stack, run.launch, run.script)
        beside.check_loading(run, stack)
    started = training.distribute(stack, launched._replace(environment=handed.environment))
    if not READ_OF_SHELL.isdisjoint(started.environment):
        from fp8check.rules.outcome import shell_variables  # few shells have any

        if training.is_huggingface:
            shell_variables.check_arguments(run, stack, started)
        shell_variables.check_plugins(run, stack, started, launched=launched.kind == "DEEPSPEED")
    if training.is_huggingface:
        beside.check_process_group(run, started.kind)
        beside.check_values(run, stack, "trainer")
    started = _by_variable(_by_objects(run, stack, started))
    yield (outcome := outcome._replace(environment=started.environment, accelerator_arguments=handed.arguments))
    return outcome, launched, started, handed.arguments


def _to_accelerator(
    outcome: Outcome, launched: Started, started: Started, arguments: AcceleratorArguments
) -> Generator[Outcome, None, tuple[Outcome, Accelerator]]:
    """To an Accelerator that nothing of the run refuses."""
    run, stack, training = outcome.run, outcome.stack, outcome.run.training
    if training.meets_early:
        processes.check_gpus(run, "trainer")
    reads_shell = not training.is_huggingface and not READ_OF_SHELL.isdisjoint(started.environment)
    if reads_shell:  # else its arguments have made the state
        from fp8check.rules.outcome import shell_variables  # as above

        shell_variables.check_state(run, stack, started)
    state = accelerator.construct(run, stack, started, arguments)
    if reads_shell:
        shell_variables.check_steps(run, started.environment)
    yield (outcome := outcome._replace(accelerator=state))
    if training.is_huggingface:
        beside.check_trainer(run, stack)
        beside.check_values(run, stack, "callbacks")
    else:
        beside.check_own_loading(run, stack)
    if training.deepspeed is not None and training.asks_for_fsdp and run.launch.given:
        from fp8check.rules.outcome import plugins  # most runs have no DeepSpeed

        plugins.check_rank(stack, launched, training.deepspeed)
    _before_prepare(outcome, state, started, launched)
    return outcome, state


def _before_prepare(outcome: Outcome, state: Accelerator, started: Started, launched: Started) -> None:
    """What a trainer or a script does between its Accelerator and prepare(), in their order.

    Raises:
        PredictedError: one of them refuses.
        Undecided: what comes of it was not executed.
    """
    run, stack, training = outcome.run, outcome.stack, outcome.run.training
    if started.unknown is None and prepare.visible_to_one(run, started.kind):
        training.check_replicas(stack, run.launch, run.script)
    training.check_distribution(started.kind, run.launch, run.config_read, processes.launched_stage(run, stack))
    if started.kind == "FSDP":
        training.check_fsdp(stack, run.fsdp_checkpointing)
    training.check_model(stack, run.model)
    limits.check_quantized(run, stack, state)
    if training.is_huggingface:
        beside.check_batches(run)
    if started.kind == "DEEPSPEED":
        run.require("deepspeed", "arguments" if training.deepspeed is not None else "accelerator")
    training.check_deepspeed(stack, started.kind, started.environment, run.deepspeed)
    if started.kind == "DEEPSPEED":
        from fp8check.rules.outcome import deepspeed_values  # most runs have no DeepSpeed

        deepspeed_values.check_matches(run, started.kind, outcome.effective)
    _check_objects(run, stack, started, launched)
    if training.is_huggingface:
        beside.check_optimizer(run, stack)
        beside.check_values(run, stack, "optimizer")
    if not state.is_fsdp2:  # whose optimizer is made before prepare(), as PEFT's policy is not
        units.check_adapters(run, stack, state.units)


def _to_prepared(
    outcome: Outcome, state: Accelerator, arguments: AcceleratorArguments
) -> Generator[Outcome, None, Outcome]:
    """To the model as prepare() leaves it."""
    run, stack, training = outcome.run, outcome.stack, outcome.run.training
    for prepared in prepare.prepare(run, stack, state, arguments):
        yield (outcome := outcome._replace(prepared=prepared))
    if state.distributed_type == "DEEPSPEED" and run.script.source is not None:
        from fp8check.rules.outcome import plugins  # as below

        plugins.check_batches(run, state.distributed_type)
    if state.distributed_type == "FSDP":
        units.check(run, state.units, fsdp2=state.is_fsdp2)
    # The first collective comes when the model is wrapped: what converts it fails before.
    processes.check_gpus(run, "prepare")
    if state.distributed_type == "FSDP":
        mixed = state.mixed_precision.value != "no"
        casts = state.is_fsdp2 and mixed and not stack.does(Accelerate.FSDP2_LEAVES_WEIGHTS)
        if not casts:
            training.check_wrapped(stack, run.model, fsdp2=state.is_fsdp2)
    together = arguments.prepares == "together"  # else it may make its optimizer of the new weights
    checkpointing = _checkpointing(outcome, state)
    outcome = outcome._replace(
        checkpointing=checkpointing,
        reentrant=None if checkpointing is None else training.reentrant(stack),
        frozen=step.frozen_by_torchao(state, outcome.prepared) if together else None,
    )
    yield outcome
    return outcome


def _first_step(outcome: Outcome, state: Accelerator) -> None:
    """Raise what ends the first step, or keeps it from being known."""
    run, stack = outcome.run, outcome.stack
    beside.check_columns(run)
    beside.check_values(run, stack, "step")
    limits.check_kernels(run, state)
    step.check_engine(run, stack, state)
    step.check_compiled_before(run, state, outcome.prepared)
    if outcome.runs_te:
        step.check_traced(run, stack, state, outcome.effective)
    limits.check_thawed(run, state, outcome.prepared, outcome.effective)
    step.step(run, stack, state, outcome.prepared, outcome.checkpointing)
    if state.mixed_precision.value == "fp8" or outcome.prepared.coverage.converted != 0:
        limits.check_memory(run, stack, state, outcome.effective)
    beside.check_values(run, stack, "update")
    arguments = outcome.accelerator_arguments
    if outcome.runs_te and arguments is not None:
        beside.check_states(run, state.distributed_type, together=arguments.prepares == "together")
    limits.check_own_recipes(run, stack)
    if run.script.own:
        raise Undecided(run.script.own[0].describe(), "only a step of the script itself shows it; no probe runs that")


def _checkpointing(outcome: Outcome, state: Accelerator) -> Setting | None:
    """What switches gradient checkpointing on; that it is not known keeps a run with Transformer Engine undecided.

    What else is predicted does not hang on it, and what does, as memory, asks by itself.
    """
    try:
        return outcome.effective.checkpointing
    except Undecided:
        if state.backend_name == "TE" and outcome.prepared.coverage.converted != 0:
            raise
        return None


def _check_words(run: Run) -> None:
    """The script's own parser ends it at a word that none of its options takes (argparse, typer, click, tyro)."""
    refused = run.script.refused
    if refused is not None:
        is_word = refused.value == refused.origin.flag
        text = f"unrecognized arguments: {refused.value}" if is_word else str(refused.value)
        if text.startswith("ambiguous option"):
            choices = tuple(text.rpartition(" could match ")[2].split(", "))
            raise PredictedError("ambiguous-flag", "arguments", "SystemExit", text, (refused,), choices=choices)
        raise PredictedError("script-refuses-words", "arguments", "SystemExit", text, (refused,))


def _by_objects(run: Run, stack: Stack, started: Started) -> Started:
    """The training process as the objects that a script gives to Accelerator distribute it."""
    if not run.script.plugins:
        return started
    from fp8check.rules.outcome import plugins  # most runs have none

    return plugins.distribute(run, stack, started)


def _by_variable(started: Started) -> Started:
    """A variable that another run left makes Accelerator one of DeepSpeed (accelerator.py __init__).

    Raises:
        Undecided: there are several processes; what the defaults of its plugin make of them is not modeled.
    """
    left = _left_over(started)
    if left is None:
        return started
    if started.kind == "MULTI_GPU":
        what = f"{left.origin.describe()} makes it a run of DeepSpeed, with a plugin of defaults"
        raise Undecided(what, "the command without that variable")
    return started._replace(kind="DEEPSPEED", fsdp_version=None)


def _left_over(started: Started) -> Setting | None:
    left = started.environment.get("ACCELERATE_USE_DEEPSPEED")
    plain = started.kind in ("NO", "MULTI_GPU") and left is not None and str(left.value).lower() == "true"
    return left if plain else None


def _check_objects(run: Run, stack: Stack, started: Started, before: Started) -> None:
    asked = run.training.deepspeed if run.launch.given and started.kind == "DEEPSPEED" else None
    asked = asked or _left_over(before)
    if run.script.plugins or asked is not None:
        from fp8check.rules.outcome import plugins

        plugins.check_deepspeed(run, started.kind, stack, before)
        if asked is not None:
            plugins.check_rank(stack, before, asked)
