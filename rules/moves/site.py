"""Where a move is made: one run as it is now, with the files that can be written."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT, Action, Assign
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.moves.options import option_of, with_option
from fp8check.rules.outcome.processes import machines
from fp8check.rules.record import Record
from fp8check.rules.settings.script import in_script
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Literal

    from fp8check.rules.moves.sources import Scripts
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training

    Goal = Literal["fp8", "bf16"]
    Move = Callable[["Site"], Iterator[Action]]


COMMAND = ""  # the file of what is to stand in the command, as an option of the trainer


class Site(Record):
    """One run, and what of it can be written.

    Attributes:
        why: the rule, the predicted error or the part of the goal that is to be answered.
        training, accelerate: the paths of its files; None where there is none, or none that was given.
        new_file: the name that a new Accelerate file gets.
        command: the launch command as it was given, or as a shell script has it that can be written; else None.
        wanted: how many processes the run had as it was given; None where that is not known.
        scripts: what is written by scripts, and can be changed there; None where none is.
        starts: the command that starts the shell script in which the launch command stands; None where none does.
    """

    why: str
    goal: Goal
    run: Run
    outcome: Outcome
    training: str | None
    accelerate: str | None
    new_file: str
    command: str | None
    wanted: int | None = None
    scripts: Scripts | None = None
    starts: str | None = None

    @property
    def trainer(self) -> Training:
        """The training configuration as its trainer sees it."""
        return self.run.training

    @property
    def stack(self) -> Stack:
        """The packages of the run."""
        return self.outcome.stack

    @property
    def processes(self) -> int | None:
        """Training processes on all machines together; None where that is not known."""
        return self.wanted or known_number(lambda: self.outcome.effective.all_processes)

    @property
    def machines(self) -> int:
        """Over how many machines the run is spread, as far as that is known."""
        return machines(self.run)

    def act(self, *parts: Iterable[Assign], launch: str | None = None, backend: str = "") -> Iterator[Action]:
        """One action of these entries, where there are any.

        Args:
            backend: one that has to be installed for it.
        """
        assigns = tuple(assign for part in parts for assign in part)
        if assigns or launch is not None:
            yield Action(self.why, assigns, launch, packages=self.lacking(backend))

    def switched(self, assigns: list[Assign]) -> Iterator[Action]:
        """One action of entries that are switches, of which what is off by a word of the command goes first.

        Most are off without a word, and not every script has one that says so.
        """
        without = without_words(assigns)
        if without != assigns:
            yield from self.act(without)
        yield from self.act(assigns)

    def lacking(self, backend: str) -> dict[str, str]:
        """The package of a backend, where it is known to be absent, in its newest release that was looked at."""
        name = {"TE": "transformer_engine", "AO": "torchao"}.get(backend)
        newest = None if name is None else self.stack.newest(name)
        return {} if name is None or newest is None or self.stack.has(name) is not False else {name: newest}

    def in_training(self, *entries: tuple[str, object]) -> list[Assign]:
        """Entries of the training configuration, each where it stands: in a script, in the file, or in the command.

        None where there is neither a file nor anything else that sets some of it.
        """
        return [assign for key, value in entries for assign in self._in_training(key, value)]

    def _in_training(self, key: str, value: object) -> list[Assign]:
        setting = self.trainer.top.get(key)
        on_command = setting is not None and setting.origin.flag is not None and self.command is not None
        if setting is not None and (in_script(setting) or on_command):
            return self.write(setting, value, key)
        if self.training is not None:
            return [Assign(self.training, (key,), value)]
        others = [one for _, one in self.trainer.top.settings()]
        if setting is None and self.scripts is not None:
            beside = self.scripts.beside((one for one in others if in_script(one)), key, value)
            if beside:
                return beside
        if self.command is not None and any((one.origin.flag or "").startswith("--") for one in others):
            return [Assign(COMMAND, (key,), value)]
        return []

    def write(self, setting: Setting | None, value: object, key: str = "") -> list[Assign]:
        """What sets a setting of a script with another value: an entry of it, or an option of the command.

        Args:
            key: what the setting is called.
        """
        flag = None if setting is None else setting.origin.flag
        if flag is not None:
            name = option_of(flag)
            return [Assign(COMMAND, (name,), value)] if name and self.command is not None else []
        return [] if self.scripts is None else self.scripts.write(setting, value, key)

    def placed(self, action: Action) -> Action:
        """The action with what it does to the command where the command stands: in a shell script, or in none.

        Raises:
            Unfixable: it cannot be written there.
        """
        options = [assign for assign in action.assigns if assign.file == COMMAND]
        launch = action.launch
        if len(options) * len(launch or self.command or "") > MOST_REWRITTEN:
            raise Unfixable("it would take too long to write so many options of the command")
        for assign in options:
            launch = with_option(self.command if launch is None else launch, assign.path[0], assign.value)
        assigns = tuple(assign for assign in action.assigns if assign.file != COMMAND)
        line = self.run.launch.line
        if launch is not None and line is not None and self.scripts is not None:
            from shlex import split

            assigns += tuple(self.scripts.relaunched(line, split(launch)))
            launch = None
        return action._replace(assigns=assigns, launch=launch)

    def in_accelerate(self, *entries: tuple[tuple[str, ...], object]) -> list[Assign]:
        """Entries of the Accelerate file; none where there is no such file."""
        return [] if self.accelerate is None else [Assign(self.accelerate, path, value) for path, value in entries]

    def without(self, *keys: str | None) -> list[Assign]:
        """These keys gone from the training file, as far as it has them."""
        top = self.trainer.top
        return self.in_training(*((key, ABSENT) for key in keys if key is not None and key in top))


MOST_REWRITTEN = 1_000_000  # characters of a command that is written anew for each option: a third of a second


def without_words(assigns: list[Assign]) -> list[Assign]:
    """The same, with what a word of the command would switch off gone from it."""
    return [
        assign._replace(value=ABSENT) if assign.file == COMMAND and assign.value is False else assign
        for assign in assigns
    ]


def known_setting(read: Callable[[], Setting | None]) -> Setting | None:
    """A setting; None where it is not known."""
    try:
        return read()
    except Undecided:
        return None


def known_number(read: Callable[[], Setting | None]) -> int | None:
    """The number that a setting is; None where it is none, or not known."""
    setting = known_setting(read)
    if setting is None or setting.is_later or not isinstance(setting.value, int):
        return None
    return setting.value
