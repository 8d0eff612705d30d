"""A command that starts a shell script: `bash run.sh te.yaml`, `A=1 ./run.sh`."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.settings.command import split
from fp8check.rules.settings.launch import HERE, LaunchError
from fp8check.rules.settings.wrapper_data import ShellScript
from fp8check.rules.settings.wrappers import unwrap
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.reading import Document

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

    None also where it is one of several commands, or its wrappers change more than its variables: what starts is
    undecided then (Launch.unknown).
    """
    try:
        variables, words = split(command)
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


def _read(path: str) -> Document | None:
    from fp8check.rules.reading import Unreadable

    try:
        document = read(path)
    except Unreadable:
        return None
    return document if document.kind == "shell" else None
