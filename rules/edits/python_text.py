"""What stands around an argument of a Python script: spaces, comments, commas, brackets; how a literal is written."""

from __future__ import annotations

from fp8check.rules.edits.unfixable import Unfixable

_SPACE = " \t\f\r\n"
_LITERALS = (bool, int, float, str, type(None), list, tuple, dict)


def skipped(text: str, at: int) -> int:
    """The offset of the next character behind spaces, line breaks and comments."""
    size = len(text)
    while at < size:
        sign = text[at]
        if sign == "#":
            at = line_end(text, at)
        elif sign in _SPACE or (sign == "\\" and text[at + 1 : at + 2] in ("\n", "\r")):
            at += 1
        else:
            break
    return at


def line_end(text: str, at: int) -> int:
    """The offset of the line break that ends the line; the end of the text where there is none."""
    breaks = [found for sign in "\r\n" if (found := text.find(sign, at)) >= 0]
    return min(breaks, default=len(text))


def line_start(text: str, at: int) -> int:
    """The offset at which the line begins."""
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def behind_break(text: str, at: int) -> int:
    """Behind the line break that stands there."""
    return at + 2 if text.startswith("\r\n", at) else min(at + 1, len(text))


def entry_end(text: str, end: int, close: int) -> int:
    """Where an argument ends: behind the brackets that are around it, as in `f((1), 2)`.

    Args:
        end: where the expression ends.
        close: where what it is an argument of is closed.
    """
    at = skipped(text, end)
    while at < close and text[at] == ")":
        end = at + 1
        at = skipped(text, end)
    return end


def own_lines(text: str, start: int, end: int, *, comma: bool = True) -> tuple[int, int] | None:
    """Where the lines begin and end that hold an entry, its comma and its comment, and nothing else."""
    begin = line_start(text, start)
    if text[begin:start].strip(" \t"):
        return None
    at = end
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    if comma and text[at : at + 1] == ",":
        at += 1
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    stop = line_end(text, at)
    if stop > at and text[at] != "#":
        return None
    if stop == len(text):
        return None
    return begin, behind_break(text, stop)


def literal(value: object, before: str) -> str:
    """A value as Python writes it; a text between the quotes that what it replaces has.

    Raises:
        Unfixable: it is no literal.
    """
    if not isinstance(value, _LITERALS) or value != value:  # noqa: PLR0124  NaN
        raise Unfixable(f"{value!r} cannot be written")
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise Unfixable(f"{value!r} cannot be written")
    if isinstance(value, str) and not before.startswith("'") and value.isprintable() and not set('"\\') & set(value):
        return f'"{value}"'
    return repr(value)
