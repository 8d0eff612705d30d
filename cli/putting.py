"""Files that a command has changed: written, all or none, or shown as a diff."""

from __future__ import annotations

import os
from contextlib import suppress

from fp8check.cli.output import discreet
from fp8check.cli.streams import say_bytes
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.writing import Change, replace_all, tidy, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.reading import Document

STDIN = "-"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def put(before: Sequence[Document], after: Sequence[Document], *, diff: bool) -> None:
    """Print or write what has changed: standard input goes to standard output, and the files change all or none.

    Raises:
        Unwritable: a file cannot be written, would lose something, or has been changed since it was read.
    """
    pairs = list(zip(before, after, strict=True))
    if diff:
        say_bytes("".join(_diff(old, new) for old, new in pairs).encode())
        return
    for old, new in pairs:
        if old.path == STDIN:
            say_bytes(_bytes(new))
    files = [(old, new) for old, new in pairs if old.path != STDIN]
    changed = [(old, new) for old, new in files if old.text != new.text]
    if changed:
        replace_all([Change(old.path, _bytes(old), _bytes(new)) for old, new in changed])
    tidy([old.path for old, new in files if old.text == new.text])


def put_new(documents: Sequence[Document]) -> None:
    """Write files that are not there yet, all or none.

    Raises:
        Unwritable: one cannot be written; those before it were taken away again.
    """
    made: list[str] = []
    try:
        for document in documents:
            write(document.path, _bytes(document))
            made.append(document.path)
    except BaseException:
        for path in made:
            with suppress(OSError):
                os.unlink(path)
        raise


def _bytes(document: Document) -> bytes:
    return (BYTE_ORDER_MARK if document.bom else b"") + document.text.encode()


def _diff(old: Document, new: Document) -> str:
    """What would change, for `patch`; a line that holds what may not leave fits no file any more."""
    import difflib

    names = shown(old.path), f"{shown(new.path)} (fixed)"
    lines = difflib.unified_diff(_lines(discreet(old)), _lines(discreet(new)), *names)
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return "\r\n".join(map(plain, text.split("\r\n")))


def _lines(text: str) -> list[str]:
    """The lines of a text as `patch` counts them, with their ends."""
    lines = [f"{line}\n" for line in text.split("\n")]
    return [*lines[:-1], lines[-1][:-1]] if lines[-1] != "\n" else lines[:-1]
