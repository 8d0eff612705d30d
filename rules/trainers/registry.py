"""The trainers that fp8check knows, and which of them a command starts: a new one is a line here, and a file."""

from __future__ import annotations

from fp8check.rules.input_error import InputError
from fp8check.rules.settings.launch import LaunchError, split, started_by
from fp8check.rules.trainers.axolotl import Axolotl
from fp8check.rules.trainers.llamafactory import LlamaFactory
from fp8check.rules.trainers.script import OwnScript
from fp8check.rules.trainers.training import Training
from fp8check.rules.trainers.transformers import Transformers
from fp8check.rules.trainers.trl import Trl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.settings.launch import Launch

TRAINERS: tuple[type[Training], ...] = (LlamaFactory, Transformers, Trl, Axolotl, OwnScript)

_BY_NAME = {trainer.name: trainer for trainer in TRAINERS}
_BY_PROGRAM = {program: trainer for trainer in TRAINERS for program in trainer.programs}
NAMES = tuple(_BY_NAME)
PROGRAMS = frozenset(_BY_PROGRAM)


class UnknownTrainer(InputError):
    """No trainer has that name."""


def find(name: str) -> type[Training]:
    """The trainer of that name: one of ours, or one that an installed package brings.

    Raises:
        UnknownTrainer: there is none.
        BadTrainer: see plugins.load, which lets through whatever else goes wrong with a package's trainer.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    from fp8check.rules.trainers import plugins

    trainer = plugins.load(name, NAMES)
    if trainer is None:
        known = ", ".join((*NAMES, *plugins.installed()))
        raise UnknownTrainer(f"no trainer is called {name}; there are {known}")
    return trainer


def is_known(name: str) -> bool:
    """Whether there is a trainer of that name. Nothing of an installed package is loaded."""
    if name in _BY_NAME:
        return True
    from fp8check.rules.trainers import plugins

    return name in plugins.installed()


def is_trainer(name: str) -> bool:
    """Whether a rule's input of that name is the configuration of one trainer alone.

    A script of the user's own has no configuration that rules know: the input `script` is the script itself.
    """
    return name != OwnScript.name and is_known(name)


def of_dialect(dialect: str | None) -> type[Training]:
    """The trainer of files that are told as that dialect; a script where none is."""
    return _BY_NAME.get(dialect or "", OwnScript)


def of_program(program: str | None) -> type[Training] | None:
    """The trainer whose command that is; None where it is no trainer's."""
    return _BY_PROGRAM.get(program or "")


def parse(command: str, trainer: type[Training] | None = None) -> Launch:
    """How a command starts a run: "accelerate launch --config_file a.yaml train.py cfg.yaml", or a tool's bare name.

    Args:
        trainer: one that an installed package brings, whose programs count, too.

    Raises:
        LaunchError: unbalanced quotes, or a program that starts no training that is known here.
    """
    variables, words = split(command)
    return of_words(words, variables, trainer)


def of_words(words: Sequence[str], variables: Mapping[str, str], trainer: type[Training] | None = None) -> Launch:
    """How a command starts a run, once a shell has made words of it: the one place where commands are understood.

    Args:
        words: the command without the variables in front of it; at least one.
        variables: those that are set for it, by its line or before.
        trainer: one that an installed package brings, whose programs count, too.

    Raises:
        LaunchError: a program that starts no training that is known here.
    """
    if not words:
        raise LaunchError("the launch command is empty")
    program, rest = words[0].rsplit("/", 1)[-1], words[1:]
    own = trainer if trainer is not None and program in trainer.programs else of_program(program)
    launch = started_by(program, rest) if own is None else own.launch(program, rest)
    return launch._replace(variables=dict(variables))


def starter(launch: Launch) -> type[Training]:
    """The trainer whose command starts the launcher by itself; Training where the launcher was started directly."""
    return Training if launch.through is None else find(launch.through)


def launched_by_itself(launch: Launch) -> type[Training] | None:
    """The trainer whose command or module the launcher starts, and which may start processes itself; else None."""
    if launch.flag("no_python") and launch.script in PROGRAMS:
        return of_program(launch.script)
    as_module = launch.flag("m") or launch.flag("module")
    return next((one for one in TRAINERS if as_module and launch.script in one.launching_modules), None)
