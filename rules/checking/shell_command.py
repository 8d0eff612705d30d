"""A command that starts a shell script: `bash run.sh te.yaml`, `A=1 ./run.sh`."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.command import one_line, split
from fp8check.rules.settings.launch import HERE, LaunchError
from fp8check.rules.settings.wrapper_data import ShellScript
from fp8check.rules.settings.wrappers import unwrap
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.reading import Document

_BETWEEN = (";", "&&")
# What changes nothing for the command behind it.
_HARMLESS = frozenset(
    ("chmod", "date", "echo", "hostname", "ls", "mkdir", "nvidia-smi", "pwd", "sleep", "true", "which")
)
_BY_THIS_SHELL = ("source", ".")


class Started(Record):
    """A shell script, and what it is started with.

    Attributes:
        arguments: "$1" and so on.
        variables: what the command sets.
    """

    script: Document
    arguments: tuple[str, ...]
    variables: Mapping[str, str]


def started(command: str) -> Started | None:
    """The shell script that a command starts; None where it starts another program, or the script cannot be read.

    None also where it is one of several commands that do something (`chmod +x run.sh` does not), or its wrappers change
    more than its variables.
    """
    try:
        variables, words = split(_alone(command))
        if not words:
            return None
        inside = unwrap(words, variables)
        if inside.words[0] in _BY_THIS_SHELL:
            inside = inside._replace(words=inside.words[1:])
        elif not inside.words[0].endswith(".sh"):
            return None
    except ShellScript as script:
        inside = script.inside
    except LaunchError:
        return None
    if not inside.words or inside.surroundings != HERE:
        return None
    name, *arguments = inside.words
    document = _read(name)
    return None if document is None else Started(document, tuple(arguments), inside.variables)


def _alone(command: str) -> str:
    """The one of several commands that does something; the whole where that is not one of a plain list."""
    if not any(sign in command for sign in _BETWEEN):
        return command
    from fp8check.rules.reading import Unreadable
    from fp8check.rules.reading.shell import Command, Enter, Leave
    from fp8check.rules.reading.shell_syntax import read as parse
    from fp8check.rules.reading.source import Source

    text = one_line(command)
    try:
        script = parse(Source("the launch command", text))
    except Unreadable:
        return command
    others = [item for item in script.items if not isinstance(item, Command)]
    if any(not isinstance(item, (Enter, Leave)) or item.kind != "and" for item in others):
        return command
    commands = [item for item in script.items if isinstance(item, Command)]
    left = [one for one in commands if not one.words or one.words[0].bare not in _HARMLESS]
    return text[left[0].start : left[0].end] if len(left) == 1 else command


def _read(path: str) -> Document | None:
    from fp8check.rules.reading import Unreadable

    try:
        document = read(path)
    except Unreadable:
        return None
    return document if document.kind == "shell" else None
