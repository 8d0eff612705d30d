"""A command that starts a shell script: `bash run.sh te.yaml`, `A=1 ./run.sh`."""

from __future__ import annotations

import shlex

from fp8check.rules.record import Record
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.reading import Document

_SHELLS = ("bash", "sh", "dash", "source", ".")
_PASSED_BY = ("nohup", "time", "exec", "env")
_ENDS = (">", "<", "|", "&", ";", "2>", "1>")  # what stands behind one is no argument


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
    """The shell script that a command starts; None where it starts another program, or the script cannot be read."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    variables: dict[str, str] = {}
    while words and (words[0] in _PASSED_BY or _is_assignment(words[0])):
        name, equals, value = words.pop(0).partition("=")
        if equals:
            variables[name] = value
    by_shell = bool(words) and words[0].rpartition("/")[2] in _SHELLS
    words = words[by_shell:]
    while by_shell and words and words[0].startswith("-") and "c" not in words[0] and words[0] != "-o":
        words.pop(0)
    if not words or words[0].startswith("-") or not (by_shell or words[0].endswith(".sh")):
        return None
    document = _read(words[0])
    if document is None:
        return None
    arguments = []
    for word in words[1:]:
        if word.startswith(_ENDS):
            break
        arguments.append(word)
    return Started(document, tuple(arguments), variables)


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _read(path: str) -> Document | None:
    from fp8check.rules.reading import Unreadable

    try:
        document = read(path)
    except Unreadable:
        return None
    return document if document.kind == "shell" else None
