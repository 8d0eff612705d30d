"""Which run a command starts: wrappers, launchers that start each other, and the trainers' own commands."""

from __future__ import annotations

import os

from fp8check.rules.settings.command import SEVERAL, module_as_command, one_line, split, started_by
from fp8check.rules.settings.launch import HERE, LAUNCHERS, Elsewhere, Foreign, Launch, LaunchError, NotARun, Unclear
from fp8check.rules.trainers.registry import BY_MODULE, BY_PROGRAM, PROGRAMS, of_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fp8check.rules.trainers.training import Training

    Load = Callable[[str, str], str | None]

# What pages write in the place of a program.
_LEFT_OUT = ("...", "\u2026", "[...]", "<...>")


def parse(command: str, trainer: type[Training] | None = None, load: Load | None = None) -> Launch:
    """How a command starts a run: "accelerate launch --config_file a.yaml train.py cfg.yaml", or a tool's bare name.

    Where that is not known, the launch says why: `Launch.unknown`.

    Args:
        trainer: one that an installed package brings, whose programs count, too.
        load: gives the text of a shell script that one of several commands starts; see shell.lines.

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
    return _among_several(command, trainer, load) if launch.unknown == SEVERAL else launch


def _among_several(command: str, trainer: type[Training] | None, load: Load | None) -> Launch:
    """The one launch of a command line that has several commands: `cd out && A=1 accelerate launch train.py; date`."""
    from fp8check.rules.facts.variables import matters
    from fp8check.rules.reading.shell_syntax import read
    from fp8check.rules.reading.source import Source
    from fp8check.rules.settings.programs import FOREIGN
    from fp8check.rules.settings.shell import lines

    found: list[Launch] = []
    script = read(Source("the launch command", one_line(command)))
    for line in lines(script, LAUNCHERS | PROGRAMS | FOREIGN.keys() | {"accelerate-launch"}, matters, {}, load):
        variables = {name: place.text for name, place in line.variables.items()}
        if line.folder is None:
            found.append(
                Launch("", variables=variables, unknown="it is started in another folder: start fp8check there")
            )
            continue
        try:
            launch = of_words([word.text for word in line.words], variables, trainer, line.folder)
        except NotARun:
            continue
        around = launch.surroundings
        folder = os.path.join(line.folder, around.folder).rstrip("/")
        found.append(launch._replace(surroundings=around._replace(unset=(*around.unset, *line.unset), folder=folder)))
    return found[0] if len(found) == 1 else Launch("", unknown=SEVERAL)


def of_words(
    words: Sequence[str],
    variables: Mapping[str, str],
    trainer: type[Training] | None = None,
    folder: str | None = "",
) -> Launch:
    """How a command starts a run, once a shell has made words of it: the one place where commands are understood.

    Where it is a launch, and not known of what, it says why: `Launch.unknown`.

    Args:
        words: the command without the variables in front of it; at least one.
        variables: those that are set for it, by its line or before.
        trainer: one that an installed package brings, whose programs count, too.
        folder: in which the command is started, from here: its files are then called as from here. None where they
            are called so already, whatever its wrappers do.

    Raises:
        NotARun: a program that starts no training, or none that is known here.
        LaunchError: there is no word, or the last flag has no value.
    """
    from fp8check.rules.settings.wrappers import unwrap

    if not words:
        raise LaunchError("the launch command is empty")
    try:
        inside = unwrap(words, variables)
        gone = "" if folder is None else os.path.join(folder, inside.surroundings.folder).rstrip("/")
        if gone:
            from fp8check.rules.settings.working_folder import moved, places_of

            inside = inside._replace(words=moved(inside.words, gone))
        launch = _started(inside.words, trainer)
    except Unclear as reason:
        if not isinstance(reason, Foreign) and not _names_a_launch(words):
            raise NotARun(str(reason)) from None
        if isinstance(reason, Elsewhere) and _starts_nothing(reason.words, trainer):
            raise NotARun(str(reason)) from None
        return Launch("", variables=dict(variables), unknown=str(reason))
    if launch.script in _LEFT_OUT and launch.tool != "python":
        why = f"what {launch.script} stands for is not known: a page leaves out what is started"
        return Launch("", variables=inside.variables, unknown=why)
    launch = launch._replace(variables=inside.variables, surroundings=inside.surroundings)
    return launch._replace(modules_in=tuple(places_of(gone))) if gone else launch


def _starts_nothing(words: Sequence[str], trainer: type[Training] | None) -> bool:
    """Whether what another machine is handed is known to be no run: pdsh -w HOSTS "pip install deepspeed"."""
    try:
        variables, inner = split(" ".join(words))
        of_words(inner, variables, trainer)
    except NotARun:
        return True
    except LaunchError:
        pass
    return False


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
    command = BY_MODULE.get(launch.script or "") if launch.as_module else None
    if command is not None:
        return of_command(command, launch.arguments)._replace(by_module=launch.script)
    inner = _command_of(launch)
    if inner is None:
        return launch
    if depth == _DEEPEST:
        raise Unclear("it has more launchers in each other than are looked at")
    return _joined(launch, inner, trainer, depth)


def of_command(program: str, words: Sequence[str]) -> Launch:
    """What a trainer's own command starts with these words behind it."""
    return BY_PROGRAM[program].launch(program, words)


def _command_of(launch: Launch) -> Sequence[str] | None:
    """The command that a launcher starts in the place of a Python file; None where it starts one."""
    script = launch.script
    if script is None:
        return None
    if launch.tool != "python" and launch.flag("no_python") and not launch.is_module:
        return (script, *launch.arguments)
    if launch.is_module:
        return _command_of_module(script, launch)
    name = script.rpartition("/")[2]
    if name != script and name.endswith(".py"):
        _stop_at_foreign(script)
    if name != script and (name in LAUNCHERS or name in PROGRAMS):  # python /opt/env/bin/torchrun: a Python file
        return (script, *launch.arguments)
    return None


def _stop_at_foreign(script: str) -> None:
    """Go on only with a file that is none of a tool's own programs: torchrun torchtitan/train.py.

    Raises:
        Foreign: it is one.
    """
    from fp8check.rules.settings.programs import FOREIGN_FILES

    for path, whose in FOREIGN_FILES.items():
        if f"/{path}" in f"/{script}":
            raise Foreign(f"this is {whose}, which is not checked: {script}")


def _command_of_module(module: str, launch: Launch) -> Sequence[str] | None:
    from fp8check.rules.settings.programs import FOREIGN_PACKAGES, RUNNERS, WRAPPING

    command = module_as_command(module) or BY_MODULE.get(module) or (module if module in WRAPPING else None)
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
