"""The words of a command, changed where they stand.

Quotes, variables, redirections and pipes stay as they are written: a command that is taken apart and joined again has
`'>'` for a redirection, and `'$N'` for what a variable holds.
"""

from __future__ import annotations

from fp8check.rules.reading.kind import SHELLS
from fp8check.rules.settings.command import MAX_COMMAND, parsed
from fp8check.rules.settings.launch import LaunchError, Unclear

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self


# What makes of words more than one row of them, or something else than they say.
_OPERATORS = frozenset("|<>&;$`\\\n")


class Written(str):
    """A word as a shell takes it, with how it is written."""

    __slots__ = ("text",)

    def __new__(cls, said: str, text: str) -> Self:  # noqa: ARG004  __init__ keeps it
        return super().__new__(cls, said)

    def __init__(self, said: str, text: str) -> None:  # noqa: ARG002  it is the word itself
        self.text = text


def rewritten(command: str, change: Callable[[list[str]], Sequence[str] | None]) -> str | None:
    """The command with other words.

    Args:
        command: as it is typed, or stands in a script: `accelerate launch train.py > train.log 2>&1`.
        change: the new words for those that are there; None where there are none.

    Returns:
        None where there are no new words, or something other than words stands between those that are there.
    """
    try:
        text, one = parsed(command)
    except (LaunchError, Unclear):
        return _joined_anew(command, change)
    if one is None or not one.words:
        return None
    words: list[str] = []
    behind = one.words[0].start
    for word in one.words:
        if text[behind : word.start].strip(" \t"):
            return _joined_anew(command, change)  # a redirection among the words, or a bracket
        behind = word.end
        said = "".join(piece.text if piece.kind == "text" else "$" for piece in word.pieces)
        words.append(Written(said, text[word.start : word.end]))
    from shlex import quote

    at = _handed_to_shell(words)
    if at is None:
        now = change(words)
    else:
        whole = all(piece.kind == "text" for piece in one.words[at].pieces)  # else the outer shell fills it in
        inside = rewritten(words[at], change) if whole else None
        now = None if inside is None else [*words[:at], inside, *words[at + 1 :]]
    if now is None:
        return None
    between = " ".join(word.text if isinstance(word, Written) else quote(word) for word in now)
    return text[: one.words[0].start] + between + text[behind:]


def _handed_to_shell(words: Sequence[str]) -> int | None:
    """Which word is a command itself, that a shell is handed: `bash -lc "accelerate launch train.py"`."""
    for at, word in enumerate(words[:-2]):
        option = words[at + 1]
        if word.rpartition("/")[2] in SHELLS and option[:1] == "-" and option[1:2] != "-" and option[-1:] == "c":
            return at + 2
    return None


def _joined_anew(command: str, change: Callable[[list[str]], Sequence[str] | None]) -> str | None:
    """A command that no shell takes as it is written, as for an unquoted "(false,false,true)"; None where it may."""
    if len(command) > MAX_COMMAND or _OPERATORS.intersection(command):
        return None
    from shlex import join, split

    try:
        now = change(split(command))
    except ValueError:
        return None
    return None if now is None else join(now)
