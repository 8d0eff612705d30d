"""The trainers that fp8check knows, and which of them a command starts: a new one is a line here, and a file."""

from __future__ import annotations

from fp8check.rules.input_error import InputError
from fp8check.rules.settings.launch import (
    HERE,
    LAUNCHERS,
    SEVERAL,
    Foreign,
    Launch,
    LaunchError,
    NotARun,
    Unclear,
    module_as_command,
    one_line,
    split,
    started_by,
)
from fp8check.rules.trainers.axolotl import Axolotl
from fp8check.rules.trainers.llamafactory import LlamaFactory
from fp8check.rules.trainers.script import OwnScript
from fp8check.rules.trainers.training import Training
from fp8check.rules.trainers.transformers import Transformers
from fp8check.rules.trainers.trl import Trl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TRAINERS: tuple[type[Training], ...] = (LlamaFactory, Transformers, Trl, Axolotl, OwnScript)

_BY_NAME = {trainer.name: trainer for trainer in TRAINERS}
_BY_PROGRAM = {program: trainer for trainer in TRAINERS for program in trainer.programs}
NAMES = tuple(_BY_NAME)
_BY_MODULE = {module: trainer.programs[0] for trainer in TRAINERS for module in trainer.launching_modules}
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

    Where that is not known, the launch says why: `Launch.unknown`.

    Args:
        trainer: one that an installed package brings, whose programs count, too.

    Raises:
        LaunchError: it cannot be read: nothing in it, unbalanced quotes, a flag without its value.
    """
    variables: Mapping[str, str] = {}
    try:
        variables, words = split(command)
        if not words:
            raise LaunchError("the launch command is empty")
        launch = of_words(words, variables, trainer)
    except (NotARun, Unclear) as reason:
        launch = Launch("", variables=variables, unknown=str(reason))
    return _among_several(command, trainer) if launch.unknown == SEVERAL else launch


def _among_several(command: str, trainer: type[Training] | None) -> Launch:
    """The one launch of a command line that has several commands: `cd out && A=1 accelerate launch train.py; date`."""
    from fp8check.rules.facts.variables import matters
    from fp8check.rules.reading.shell_syntax import read
    from fp8check.rules.reading.source import Source
    from fp8check.rules.settings.programs import FOREIGN
    from fp8check.rules.settings.shell import lines

    found: list[tuple[Launch, str | None]] = []
    script = read(Source("the launch command", one_line(command)))
    for line in lines(script, LAUNCHERS | PROGRAMS | FOREIGN.keys() | {"accelerate-launch"}, matters, {}):
        variables = {name: place.text for name, place in line.variables.items()}
        try:
            launch = of_words([word.text for word in line.words], variables, trainer)
        except NotARun:
            continue
        unset = (*launch.surroundings.unset, *line.unset)
        found.append((launch._replace(surroundings=launch.surroundings._replace(unset=unset)), line.folder))
    if len(found) != 1:
        return Launch("", unknown=SEVERAL)
    ((launch, folder),) = found
    if folder in ("", "."):
        return launch
    there = "another folder" if folder is None else folder
    return Launch("", variables=launch.variables, unknown=f"it is started in {there}: start fp8check there")


def of_words(words: Sequence[str], variables: Mapping[str, str], trainer: type[Training] | None = None) -> Launch:
    """How a command starts a run, once a shell has made words of it: the one place where commands are understood.

    Where it is a launch, and not known of what, it says why: `Launch.unknown`.

    Args:
        words: the command without the variables in front of it; at least one.
        variables: those that are set for it, by its line or before.
        trainer: one that an installed package brings, whose programs count, too.

    Raises:
        NotARun: a program that starts no training, or none that is known here.
        LaunchError: there is no word, or the last flag has no value.
    """
    from fp8check.rules.settings.wrappers import unwrap

    if not words:
        raise LaunchError("the launch command is empty")
    try:
        inside = unwrap(words, variables)
        launch = _started(inside.words, trainer)
    except Unclear as reason:
        if not isinstance(reason, Foreign) and not _names_a_launch(words):
            raise NotARun(str(reason)) from None
        return Launch("", variables=dict(variables), unknown=str(reason))
    return launch._replace(variables=inside.variables, surroundings=inside.surroundings)


def _names_a_launch(words: Sequence[str]) -> bool:
    text = " ".join(words)
    return any(name in text for name in ("python", ".py", *LAUNCHERS, *PROGRAMS))


# Launchers in launchers in launchers: nobody writes more.
_DEEPEST = 4


def _started(words: Sequence[str], trainer: type[Training] | None, depth: int = 0) -> Launch:
    """What the words start, through all launchers that start each other."""
    program, rest = words[0].rpartition("/")[2], words[1:]
    own = trainer if trainer is not None and program in trainer.programs else of_program(program)
    launch = started_by(program, rest) if own is None else own.launch(program, rest)
    command = _BY_MODULE.get(launch.script or "") if launch.as_module else None
    if command is not None:
        return of_command(command, launch.arguments)
    inner = _command_of(launch)
    if inner is None:
        return launch
    if depth == _DEEPEST:
        raise Unclear("it has more launchers in each other than are looked at")
    return _joined(launch, inner, trainer, depth)


def of_command(program: str, words: Sequence[str]) -> Launch:
    """What a trainer's own command starts with these words behind it."""
    return _BY_PROGRAM[program].launch(program, words)


def _command_of(launch: Launch) -> Sequence[str] | None:
    """The command that a launcher starts in the place of a Python file; None where it starts one."""
    script = launch.script
    if script is None:
        return None
    if launch.tool != "python" and launch.flag("no_python"):
        return (script, *launch.arguments)
    if launch.is_module:
        return _command_of_module(script, launch)
    name = script.rpartition("/")[2]
    if name != script and (name in LAUNCHERS or name in PROGRAMS):  # python /opt/env/bin/torchrun: a Python file
        return (script, *launch.arguments)
    return None


def _command_of_module(module: str, launch: Launch) -> Sequence[str] | None:
    from fp8check.rules.settings.programs import FOREIGN_PACKAGES, RUNNERS, WRAPPING

    command = module_as_command(module) or _BY_MODULE.get(module) or (module if module in WRAPPING else None)
    if command is not None:
        return (command, *launch.arguments)
    if module in RUNNERS and launch.tool != "python":
        return ("python", "-m", module, *launch.arguments)
    whose = FOREIGN_PACKAGES.get(module.partition(".")[0])
    if whose is not None:
        raise Foreign(f"this is {whose}, which is not checked: -m {module}")
    return None


def _joined(launch: Launch, words: Sequence[str], trainer: type[Training] | None, depth: int) -> Launch:
    """A launcher and the command that it starts, as one launch: what Accelerate's launcher says of it stands first."""
    from fp8check.rules.settings.wrappers import unwrap

    try:
        inside = unwrap(words, {})
        inner = _started(inside.words, trainer, depth + 1)
    except NotARun:
        return launch  # a program of which nothing is known: no script of it is read
    if inside.variables or inside.surroundings != HERE:
        raise Unclear("what stands between the launcher and the script is not looked at")
    if launch.tool == "python":
        return inner
    if inner.tool == "python" and inner.script not in PROGRAMS and not inner.flags:
        flags = {name: value for name, value in launch.flags.items() if name not in ("no_python", "m", "module")}
        return inner._replace(tool=launch.tool, flags=flags)
    if inner.tool == "python":
        return launch  # a trainer's command, which may start a launcher by itself
    bare = launch._replace(script=None, arguments=())
    if launch.tool == "accelerate" and not any(one.tool == "accelerate" for one in (inner, *inner.inner)):
        return launch._replace(
            script=inner.script,
            arguments=inner.arguments,
            flags={name: value for name, value in launch.flags.items() if name not in ("no_python", "m", "module")},
            as_module=inner.is_module,
            inner=(inner._replace(script=None, arguments=()), *inner.inner),
        )
    return inner._replace(outer=(bare, *inner.outer))


def by_command(launch: Launch) -> type[Training] | None:
    """The trainer whose own command or module is started; None where a script or an unknown program is."""
    if launch.through is not None:
        return find(launch.through)
    own = of_program(launch.script)
    if own is not None or not launch.is_module:
        return own
    ours = _BY_NAME.get(str(launch.script).partition(".")[0])
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
