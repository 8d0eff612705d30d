"""What the rules look at: one run, its outcome, and what was asked for."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Origin, Setting, Undecided, taken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Document
    from fp8check.rules.seen import Seen
    from fp8check.rules.trainers.run import Run, Unread


class Requested(Record):
    """What the user's files and command ask for.

    Attributes:
        fp8: the settings that ask for FP8; empty where nothing does.
        backend: the setting that names a backend.
        recipe: the recipe's values that somebody wrote, by their name in the recipe.
        by_script: the places of a script that turn FP8 on by other means than Accelerate's, whenever it runs.
        perhaps: where it is not known whether FP8 is asked for; "" where that is known.
    """

    fp8: tuple[Setting, ...]
    backend: Setting | None
    recipe: Mapping[str, Setting]
    by_script: tuple[Setting, ...] = ()
    perhaps: str = ""

    @property
    def concerns_fp8(self) -> bool:
        """Whether FP8 is asked for, or may be: what a message tells people to do is about FP8 only then."""
        return bool(self.fp8 or self.by_script or self.perhaps)

    @property
    def anywhere(self) -> tuple[Setting, ...]:
        """All that asks for FP8, of Accelerate or by other means: a GPU has to have it either way."""
        return self.fp8 + self.by_script


def requested(run: Run) -> Requested:
    """What a run's files and its command ask for."""
    asking: list[Setting] = []
    by_script = tuple(own_fp8.setting for own_fp8 in run.script.own if own_fp8.sure)
    perhaps = run.script.perhaps or run.launch.unknown
    for ask in (_by_launch, _by_training, _by_script, _by_variable):
        try:
            asking.extend(ask(run))
        except Undecided as reason:
            perhaps = perhaps or reason.what
    perhaps = perhaps or next((unread.needs for unread in run.unread if _may_ask(unread, run)), "")
    backend, recipe = _how(run)
    return Requested(tuple(asking), backend, recipe, by_script, perhaps)


def _may_ask(unread: Unread, run: Run) -> bool:
    """Whether a file that could not be read may be the one that asks for FP8."""
    if unread.absent and unread.place is None and unread.input == "accelerate":
        return False  # the machine's default file, which no file of the run names
    return unread.input == "training" or (unread.input == "accelerate" and run.launch.flag("mixed_precision") is None)


def _by_launch(run: Run) -> Iterator[Setting]:
    flag = run.launch.flag("mixed_precision")
    if flag == "fp8":
        yield Setting("fp8", Origin(flag="--mixed_precision fp8"))
    elif flag is None and run.accelerate is not None and run.accelerate.wants_fp8():
        file = run.accelerate.mixed_precision
        if file is not None:
            yield file


def _by_training(run: Run) -> Iterator[Setting]:
    setting = run.training.wish_for_fp8
    if setting is not None:
        yield setting


def _by_script(run: Run) -> Iterator[Setting]:
    setting = run.script.mixed_precision
    if setting is not None and _is_fp8(setting.value):
        yield setting


def _by_variable(run: Run) -> Iterator[Setting]:
    """The variable that the command itself sets, where no launcher writes it anew; the shell's may be a leftover."""
    name = "ACCELERATE_MIXED_PRECISION"
    if run.launch.tool != "accelerate" and run.launch.variables.get(name) == "fp8":
        yield Setting("fp8", Origin(variable=name))


def _is_fp8(value: object) -> bool:
    return value is True or value == "fp8" or (type(value) is int and value == 1)


def _how(run: Run) -> tuple[Setting | None, Mapping[str, Setting]]:
    """The setting that names a backend, and those of the recipe."""
    backend: Setting | None = None
    recipe: Mapping[str, Setting] = {}
    try:
        if run.accelerate is not None and run.accelerate.wants_fp8():
            backend, recipe = run.accelerate.backend, run.accelerate.recipe
        if next(_by_launch(run), None) is not None:
            recipe = {**_recipe_told(run), **recipe}  # what a file says and a flag wins over is told (FP205)
        backend = backend if backend is not None else run.training.fp8_backend
    except Undecided:  # whether any of it counts is filled in later
        return None, {}
    return backend, recipe


# The flags of `accelerate launch` that are values of a recipe, by the value's name in it.
_FLAGS = {
    "fp8_format": "fp8_format",
    "amax_history_len": "fp8_amax_history_len",
    "amax_compute_algo": "fp8_amax_compute_algo",
    "margin": "fp8_margin",
}


def _recipe_told(run: Run) -> Mapping[str, Setting]:
    """The values of a recipe that the launcher's own flags say, whatever becomes of them."""
    launch = run.launch
    if launch.tool != "accelerate":
        return {}
    told = ((name, flag, launch.flag(flag)) for name, flag in _FLAGS.items())
    return {name: taken(value, Origin(flag=f"--{flag} {value}")) for name, flag, value in told if value is not None}


class Inputs(Record):
    """The inputs of the rules, by the name that a rule's parameter has.

    Attributes:
        later: what exists only once the other rules have run, by name (rules/engine/definition.py LATE).
        day: the day that facts are held against, YYYY-MM-DD; "" for this machine's (UTC).
    """

    run: Run
    outcome: Outcome
    requested: Requested
    documents: tuple[Document, ...] = ()
    seen: Seen | None = None
    later: Mapping[str, object] = {}
    day: str = ""

    def values(self) -> dict[str, object]:
        """The inputs that the run has and that are known, by name: the training file by its trainer's name, too."""
        training = self.run.training
        values = {training.name: training, **{name: read(self) for name, read in _INPUTS.items()}, **self.later}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def concerns_fp8(self) -> bool:
        """Whether the run asks for FP8, or may get it: else nothing about it is left undecided."""
        return bool(self.requested.anywhere) or self.outcome.trains_in_fp8 is not False


def _today(inputs: Inputs) -> str:
    if inputs.day or inputs.run.facts.collected is None:
        return inputs.day
    import time  # few facts say when they were collected

    return time.strftime("%Y-%m-%d", time.gmtime())


_INPUTS: dict[str, Callable[[Inputs], object]] = {
    "run": lambda inputs: inputs.run,
    "outcome": lambda inputs: inputs.outcome,
    "requested": lambda inputs: inputs.requested,
    "launch": lambda inputs: inputs.run.launch,
    "facts": lambda inputs: inputs.run.facts,
    "today": _today,
    "accelerate": lambda inputs: inputs.run.accelerate,
    "training": lambda inputs: inputs.run.training if inputs.run.training.is_huggingface else None,
    # The same, and a script with an Accelerator of its own of whose model something is known.
    "trains": lambda inputs: (
        inputs.run.training if inputs.run.training.is_huggingface or inputs.run.model is not None else None
    ),
    "deepspeed": lambda inputs: inputs.run.deepspeed,
    "documents": lambda inputs: inputs.documents or None,
    "script": lambda inputs: inputs.run.script.source,
    "packages": lambda inputs: inputs.run.facts.packages,
    "variables": lambda inputs: inputs.run.facts.variables,
    "gpus": lambda inputs: inputs.run.facts.gpus,
    "transformer_engine": lambda inputs: inputs.run.facts.transformer_engine,
    "model": lambda inputs: inputs.run.model,
    "seen": lambda inputs: inputs.seen,
    # Whether a probe came to its end: what it saw is then judged by the FP8xx rules.
    "probed": lambda inputs: inputs.seen is not None and inputs.seen.ended == "done",
}
