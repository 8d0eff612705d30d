"""The trainers that fp8check knows, and which of them a command starts: a new one is a line here, and a file."""

from __future__ import annotations

from fp8check.rules.input_error import InputError
from fp8check.rules.trainers.axolotl import Axolotl
from fp8check.rules.trainers.llamafactory import LlamaFactory
from fp8check.rules.trainers.script import OwnScript
from fp8check.rules.trainers.training import Training
from fp8check.rules.trainers.transformers import Transformers
from fp8check.rules.trainers.trl import Trl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.settings.launch import Launch

TRAINERS: tuple[type[Training], ...] = (LlamaFactory, Transformers, Trl, Axolotl, OwnScript)

BY_NAME = {trainer.name: trainer for trainer in TRAINERS}
BY_PROGRAM = {program: trainer for trainer in TRAINERS for program in trainer.programs}
NAMES = tuple(BY_NAME)
BY_MODULE = {module: trainer.programs[0] for trainer in TRAINERS for module in trainer.launching_modules}
PROGRAMS = frozenset(BY_PROGRAM)


class UnknownTrainer(InputError):
    """No trainer has that name."""


def find(name: str) -> type[Training]:
    """The trainer of that name: one of ours, or one that an installed package brings.

    Raises:
        UnknownTrainer: there is none.
        BadTrainer: see plugins.load, which lets through whatever else goes wrong with a package's trainer.
    """
    if name in BY_NAME:
        return BY_NAME[name]
    from fp8check.rules.trainers import plugins

    trainer = plugins.load(name, NAMES)
    if trainer is None:
        known = ", ".join((*NAMES, *plugins.installed()))
        raise UnknownTrainer(f"no trainer is called {name}; there are {known}")
    return trainer


def is_known(name: str) -> bool:
    """Whether there is a trainer of that name. Nothing of an installed package is loaded."""
    if name in BY_NAME:
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
    return BY_NAME.get(dialect or "", OwnScript)


def of_program(program: str | None) -> type[Training] | None:
    """The trainer whose command that is; None where it is no trainer's."""
    return BY_PROGRAM.get(program or "")


def by_command(launch: Launch) -> type[Training] | None:
    """The trainer whose own command or module is started; None where a script or an unknown program is."""
    if launch.through is not None:
        return find(launch.through)
    own = of_program(launch.script)
    if own is not None or not launch.is_module:
        return own
    ours = BY_NAME.get(str(launch.script).partition(".")[0])
    return ours if ours is not None and ours.programs else None


def starter(launch: Launch) -> type[Training]:
    """The trainer whose command starts the launcher by itself; Training where the launcher was started directly."""
    return Training if launch.through is None else find(launch.through)


def launched_by_itself(launch: Launch) -> type[Training] | None:
    """The trainer whose command or module the launcher starts, and which may start processes itself; else None."""
    if launch.flag("no_python") and launch.script in PROGRAMS:
        return of_program(launch.script)
    as_module = launch.flag("m") or launch.flag("module")
    return next((one for one in TRAINERS if as_module and launch.script in one.launching_modules), None)
