"""Options of a trainer in the words of a command."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT
from fp8check.rules.moves.wording import rewritten
from fp8check.rules.settings.launch import SWITCHES


def with_option(command: str | None, name: str, value: object) -> str | None:
    """The command with that option, in the form in which it stands there last; at its end where it is new."""
    return None if command is None else rewritten(command, lambda words: _with_option(words, name, value))


def _with_option(words: list[str], name: str, value: object) -> list[str]:
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        flag, equals, _ = word.partition("=")
        if flag.lstrip("-").replace("-", "_") != name or (not equals and not flag.startswith("--")):
            continue
        takes = not equals and at + 1 < len(words) and _is_value(name, words[at + 1])
        behind = words[at + 2 if takes else at + 1 :]
        if value is ABSENT:
            return [*words[:at], *behind]
        text = _text(value, words[at + 1] if takes else word.partition("=")[2])
        return [*words[:at], *([f"{flag}={text}"] if equals else [flag, text]), *behind]
    return words if value is ABSENT else [*words, f"--{name}", _text(value, "")]


def _is_value(name: str, following: str) -> bool:
    """Whether a word is the value of the option before it: behind a switch of the launcher stands the program.

    So it does behind an option that the launcher does not have.
    """
    if name in SWITCHES:
        return following.lower() in ("true", "false")
    return not following.startswith("--") and not following.endswith(".py")


def option_of(flag: str) -> str:
    """The name of an option, by how it is set: "--mixed_precision bf16", "bf16=true"."""
    return flag.split(maxsplit=1)[0].partition("=")[0].lstrip("-").replace("-", "_") if flag.strip() else ""


def _text(value: object, before: str) -> str:
    """A value as the command has it: true or True as what it replaces."""
    if isinstance(value, bool):
        return str(value).lower() if before[:1].islower() else str(value)
    return str(value)
