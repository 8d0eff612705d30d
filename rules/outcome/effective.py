"""What a run really uses of the values that flags, files, variables, trainers and launchers may all set.

Each is worked out once, with its trace: the trainer says what it makes of its own settings, the launcher's side is in
processes.py. Stages and rules look here, and read no such key of a file themselves (tests/test_effective.py).
"""

from __future__ import annotations

from fp8check.rules.outcome import processes
from fp8check.rules.outcome.compiled import compiled_by
from fp8check.rules.settings.values import Later, Setting, SettingLater, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.trainers.run import Run

    Asked = TypeVar("Asked")
    Answer = TypeVar("Answer")

# What only repeats other values of the trace.
_FOR_CODE = ("precision flag", "processes of all machines", "ZeRO stage")

# How each value is worked out, by its name for people.
_WAYS: dict[str, Callable[[Run, Stack], Setting | None]] = {
    "bf16": lambda run, stack: run.training.bf16(stack),
    "fp16": lambda run, stack: run.training.fp16(stack),
    "precision flag": lambda run, stack: run.training.precision_flag(stack),
    "gradient checkpointing": lambda run, stack: run.training.checkpointing(stack),
    "torch.compile": lambda run, _stack: compiled_by(run),
    "sequence length": lambda run, _stack: run.training.size("sequence"),
    "micro-batch": lambda run, _stack: run.training.size("micro_batch"),
    "processes": lambda run, _stack: processes.processes_here(run),
    "processes of all machines": lambda run, _stack: processes.everywhere(run),
    "ZeRO stage": processes.zero_stage,
    "weights": lambda run, stack: run.training.weights(stack, run.model),
}


class Effective:
    """The effective values of one run with one stack of packages.

    A value is None where the trainer has no such thing, or nothing sets it. Whoever asks for one that is not known, or
    filled in later, is undecided.
    """

    __slots__ = ("_made", "_run", "_stack")

    def __init__(self, run: Run, stack: Stack) -> None:
        self._run = run
        self._stack = stack
        self._made: dict[str, Setting | None] = {}  # a value that is not known is a SettingLater here

    @property
    def bf16(self) -> Setting | None:
        """Whether the trainer computes in BF16: True or False."""
        return self._known("bf16")

    @property
    def fp16(self) -> Setting | None:
        """Whether the trainer computes in FP16: True or False."""
        return self._known("fp16")

    @property
    def precision_flag(self) -> Setting | None:
        """The flag that decides the trainer's own precision, as "bf16" or "fp16"; None with neither."""
        return self._known("precision flag")

    @property
    def checkpointing(self) -> Setting | None:
        """What switches gradient checkpointing on; None where it is off."""
        return self._known("gradient checkpointing")

    @property
    def compiled(self) -> Setting | None:
        """What makes the trainer or Accelerator compile the model; None where neither does."""
        return self._known("torch.compile")

    @property
    def sequence(self) -> Setting | None:
        """The longest sequence, in tokens; None where there is no limit, or the script sets it."""
        return self._known("sequence length")

    @property
    def micro_batch(self) -> Setting | None:
        """Sequences in one forward pass of one GPU."""
        return self._known("micro-batch")

    @property
    def tokens(self) -> int | None:
        """The most tokens that a micro-batch has: sequences times their longest; None where one of both is not set."""
        batch, sequence = number(self.micro_batch), number(self.sequence)
        return None if batch is None or sequence is None else batch * sequence

    @property
    def all_processes(self) -> Setting | None:
        """Training processes on all machines together."""
        return self._known("processes of all machines")

    @property
    def processes(self) -> Setting | None:
        """Training processes on one machine."""
        return self._known("processes")

    @property
    def zero_stage(self) -> Setting | None:
        """DeepSpeed's ZeRO stage, where the run is DeepSpeed's; None where nothing says one."""
        return self._known("ZeRO stage")

    @property
    def weights(self) -> Setting | None:
        """What prepare() gets the weights in, one of DTYPES; None where the script or the checkpoint decides."""
        return self._known("weights")

    def settings(self) -> Iterator[tuple[str, Setting]]:
        """Every effective value that there is, by its name for people; one that is not known says what is missing."""
        for name in _WAYS:
            if name in _FOR_CODE:
                continue
            setting = self._find(name)
            if setting is not None:
                yield name, setting

    def _known(self, name: str) -> Setting | None:
        setting = self._find(name)
        if isinstance(setting, SettingLater):
            raise setting.undecided
        return setting

    def _find(self, name: str) -> Setting | None:
        if name not in self._made:  # a rule or a stage asks again and again
            try:
                self._made[name] = _WAYS[name](self._run, self._stack)
            except Undecided as reason:
                self._made[name] = SettingLater(Later("not known", reason.what, reason.needs))
        return self._made[name]


def remembered(ask: Callable[[Run, Asked], Answer]) -> Callable[[Run, Asked], Answer]:
    """The same question, with the answers for the last two outcomes that it was asked about.

    Several rules and the report ask for these: with the newest releases, and with earlier ones.
    """
    last: list[tuple[Asked, Answer]] = []

    def answer(run: Run, outcome: Asked) -> Answer:
        nonlocal last
        for asked, known in last:
            if asked is outcome:
                return known
        found = ask(run, outcome)
        last = [*last[-1:], (outcome, found)]
        return found

    return answer


def number(setting: Setting | None) -> int | None:
    """The number that an effective value is; None where there is none."""
    return setting.value if setting is not None and isinstance(setting.value, int) else None
