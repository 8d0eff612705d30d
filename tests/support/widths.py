"""Texts of a width: which lines are too wide, whether anything is lost, and whether the marks stand below what they mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fp8check.rules.report.cells import CUT, cells
from fp8check.rules.report.folding import is_path

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTHS = (40, 60, 80, 120)
PAINT = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;;[^\x1b]*\x1b\\")
MARKS = "\x1c\x1d\x1e\x1f"
_QUOTED = re.compile(r" *\d+ \|(?: |$)")
_GUTTER = re.compile(r" *\|(?: |$)")
_POINTS = re.compile(r" *\| +([\^-]+)(?: |$)")


def unpainted(text: str) -> str:
    """A text without paint and links."""
    return PAINT.sub("", text)


def too_wide(text: str, width: int) -> list[str]:
    """The lines that are wider than that, less those that are the name of a file and nothing else.

    What keeps a line from being a command of a CI log is written once it is folded, and takes a column more.
    """
    lines = [re.sub(r"^(\s*)\\::", r"\1::", line) for line in unpainted(text).split("\n")]
    return [line for line in lines if cells(line) > width and not _is_name(line)]


def _is_name(line: str) -> bool:
    words = _GUTTER.sub("", line).removesuffix(" \\").split()
    return len(words) == 1 and is_path(words[0])


def said(text: str) -> str:
    """All that a text says but for quoted lines, which are cut, without what its lines are broken with."""
    kept = []
    for line in unpainted(text).split("\n"):
        if _QUOTED.match(line):
            continue
        points = _POINTS.match(line)
        kept.append(line[points.end(1) :] if points else _GUTTER.sub("", line) if _GUTTER.match(line) else line)
    joined = "\n".join(kept)
    for mark, whole in (("'\\\n'", ""), (" \\\n", ""), ("\\\n", "")):
        joined = joined.replace(mark, whole)
    return "".join(joined.split())


def pointed(text: str) -> Iterator[tuple[str, bool]]:
    """What stands above each row of marks, by columns; and whether the line was cut."""
    quoted = ""
    for line in unpainted(text).split("\n"):
        if _QUOTED.match(line):
            quoted = line
        elif points := _POINTS.match(line):
            yield _between(quoted, points.start(1), points.end(1)), CUT in quoted


def _between(text: str, first: int, last: int) -> str:
    column, found = 0, []
    for char in text:
        size = cells(char)
        if (size and first <= column < last) or (not size and found and column <= last):
            found.append(char)
        column += size
    return "".join(found)
