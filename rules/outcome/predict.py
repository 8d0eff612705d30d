"""From a run to its outcome: the stages in their order."""

from __future__ import annotations

from fp8check.rules.outcome import accelerator, launcher, prepare, recipe, step
from fp8check.rules.outcome.fsdp import apply_arguments, check_deepspeed, check_fsdp
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.errors import PredictedError, Undecided
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.versions import NEWEST
from fp8check.rules.settings.values import Setting
from fp8check.rules.trainers import hand_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.outcome.accelerator import Accelerator
    from fp8check.rules.releases.errors import ErrorCode
    from fp8check.rules.trainers.run import Run


class Outcome:
    """What will really happen.

    Attributes:
        error: where the run ends before or in its first step; None where it starts, or where that is not known.
        undecided: why the prediction ends early; None where it is whole.
        environment: the variables of the training process.
        handed: what the trainer hands to Accelerator; None where it is not reached.
        accelerator: Accelerator's state; None where it is not reached.
        prepared: the model after prepare().
        stack: the packages, with what had to be assumed of them.
        frozen: the setting that keeps converted weights from training; None where they train.
        checkpointing: what switches gradient checkpointing on; None where it is off.
        reentrant: the kind of gradient checkpointing; None where there is none.
    """

    __slots__ = (
        "accelerator",
        "accelerator_arguments",
        "checkpointing",
        "environment",
        "error",
        "frozen",
        "kind",
        "prepared",
        "reentrant",
        "run",
        "stack",
        "undecided",
    )

    def __init__(self, run: Run, assumed_versions: Mapping[str, str] = NEWEST) -> None:
        self.run = run
        self.stack = Stack(run.facts, assumed_versions)
        self.error: PredictedError | None = None
        self.undecided: Undecided | None = None
        self.environment: launcher.Environment = {}
        self.kind = "NO"
        self.accelerator_arguments: hand_over.AcceleratorArguments | None = None
        self.accelerator: Accelerator | None = None
        self.prepared = prepare.Prepared()
        self.frozen: Setting | None = None
        self.checkpointing: Setting | None = None
        self.reentrant: bool | None = None

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
        """accelerator.fp8_enabled, in releases that have it."""
        return self.accelerator.fp8_enabled if self.accelerator is not None else None

    @property
    def backend(self) -> Setting | None:
        """accelerator.fp8_backend."""
        return self.accelerator.backend if self.accelerator is not None else None

    @property
    def distributed_type(self) -> str | None:
        """accelerator.distributed_type."""
        return self.accelerator.distributed_type if self.accelerator is not None else None

    @property
    def fp8_layers(self) -> str | None:
        """How many Linear layers run in FP8: "all", "some" or "none"; None where it is not known.

        MS-AMP is not modeled beyond its start: whether its layers run in FP8 is not known.
        """
        if self.undecided is not None or self.accelerator is None:
            return None
        if self.error is not None:
            return "none"
        if self.accelerator.backend.value == "MSAMP":
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


def predict(run: Run, assumed_versions: Mapping[str, str] = NEWEST) -> Outcome:
    """What the real packages will do with this run.

    Args:
        world: the releases to assume of packages whose version is not known.
    """
    outcome = Outcome(run, assumed_versions)
    try:
        _stages(run, outcome)
    except PredictedError as stop:
        outcome.error = stop
    except Undecided as undecided:
        outcome.undecided = undecided
    return outcome


def _stages(run: Run, outcome: Outcome) -> None:
    stack = outcome.stack
    if stack.does(Accelerate.IMPORTS_TORCHAO):
        recipe.import_torchao(stack, "launch" if run.launch.tool == "accelerate" else "accelerator")
    started = launcher.start(run, stack)
    outcome.environment = started.environment
    outcome.accelerator_arguments = hand_over.hand_over(run, stack, started)
    kind, fsdp_version = apply_arguments(run, stack, started)
    state = accelerator.construct(run, stack, started.environment, outcome.accelerator_arguments, kind, fsdp_version)
    outcome.accelerator = state
    check_fsdp(run, kind)
    check_deepspeed(run, started.environment, kind)
    prepare.prepare(run, stack, state, outcome.accelerator_arguments, outcome.prepared)
    outcome.checkpointing = step.checkpointing(run, stack)
    outcome.reentrant = step.checkpointing_reentrant(run, stack)
    if outcome.accelerator_arguments.prepares == "together":  # else it may make its optimizer of the new weights
        outcome.frozen = step.frozen_by_torchao(state, outcome.prepared)
    step.step(run, stack, state, outcome.prepared)
