"""Standard input, output and error of the commands. Nothing else of them touches these (tests/test_lint.py).

They may be closed, full, of another encoding than UTF-8, or lead to a reader that has gone. None of that changes what a
command comes to: what cannot be written in the stream's encoding is escaped, a stream that is closed leads nowhere, and
only output that is lost for want of space is an error.
"""

from __future__ import annotations

import os
import sys

from fp8check.rules.credentials import masked, masked_shapes
from fp8check.rules.input_error import InputError
from fp8check.rules.plain_text import passing, plain
from fp8check.rules.report.terminal import USUAL, width_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from fp8check.rules.plain_text import Syntax


class Lost(InputError):
    """Standard output took no more; `str()` says why."""


_passing: list[str] = []  # the line on the terminal that the next one takes the place of; nearly always none
_failures: list[OSError] = []  # the first failure of standard output; it leads nowhere since then


def open_closed() -> None:
    """Let what is closed of the three lead nowhere: a file that is opened later would get its number."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one, for those below are open
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def take(size: int) -> bytes:
    """Up to `size` bytes of standard input.

    Raises:
        Unreadable: it gives none: it is a folder, or open for writing only.
    """
    try:
        return sys.stdin.buffer.read(size)
    except OSError as problem:
        from fp8check.rules.reading import Unreadable

        raise Unreadable("-", (problem.strerror or "standard input cannot be read").lower()) from None


def say(text: str, syntax: Syntax = "text", *, painted: bool = False, fold: bool = False) -> None:
    """Write to standard output what no terminal and no CI system takes for a command (rules/plain_text.py).

    Args:
        fold: whether no line is wider than a terminal: as it is for texts, and not for tables or files.
    """
    text = masked_shapes(text)
    if fold:
        text = _folded(text, sys.stdout)
    say_exactly(plain(text, syntax, painted=painted), syntax)


def say_exactly(text: str, syntax: Syntax = "text") -> None:
    """Write to standard output as it is: a report, which its format has made safe.

    Args:
        syntax: how a character is written that the stream's encoding has not.
    """
    encoding = sys.stdout.encoding
    if encoding != "utf-8" and not text.isascii():
        text = _escaped(text, encoding or "utf-8", syntax)
    if _passing:
        pass_by("")
    try:
        sys.stdout.write(text)
    except OSError as problem:
        _lose(problem)


def say_bytes(data: bytes) -> None:
    """Write to standard output a file that is asked for, as it is: UTF-8, its mark, its line breaks."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
    except OSError as problem:
        _lose(problem)


def complain(text: str, *, fold: bool = True) -> None:
    """Write to standard error, as `say` does. Where that fails there is nobody to be told; the exit code stays.

    Args:
        fold: whether no line is wider than a terminal: as it is for texts, and not for what is to be pasted.
    """
    if _passing:
        pass_by("")
    text = masked(text)
    if fold:
        text = _folded(text, sys.stderr)
    try:
        sys.stderr.write(plain(text))
        sys.stderr.flush()
    except OSError:
        _lead_nowhere(sys.stderr.fileno())


def pass_by(text: str) -> None:
    """Tell on the terminal behind standard error what is going on, in the place of what was told before.

    Args:
        text: less than a line; "" takes away what is there.
    """
    if not text and not _passing:
        return
    _passing[:] = [text] if text else []
    from fp8check.rules.report.cells import cut

    try:
        sys.stderr.write(passing(cut(masked(text), (width_of(sys.stderr) or USUAL) - 1)))
        sys.stderr.flush()
    except OSError:
        _lead_nowhere(sys.stderr.fileno())


def _folded(text: str, stream: TextIO) -> str:
    width = width_of(stream)
    if width is None:
        return text
    from fp8check.rules.report.folding import folded  # on a terminal

    return folded(text, width)


def finish() -> None:
    """Send what waits on its way.

    Raises:
        Lost: output is lost, for another reason than that its reader has gone (`| head`).
    """
    pass_by("")
    try:
        sys.stdout.flush()
    except OSError as problem:
        _lose(problem)
    first = _failures.pop() if _failures else None
    if first is not None and not isinstance(first, BrokenPipeError):
        raise Lost(f"the output cannot be written: {(first.strerror or str(first)).lower()}")


def _lose(problem: OSError) -> None:
    """Keep the first failure for the end, and let the rest go nowhere, also what still waits to be written."""
    if not _failures:
        _failures.append(problem)
    _lead_nowhere(sys.stdout.fileno())


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _escaped(text: str, encoding: str, syntax: Syntax) -> str:
    """The text in what the encoding has. Formats for programs are UTF-8 by their rules, or ASCII with escapes."""
    if encoding.lower().replace("_", "-") in (
        "utf-8",
        "utf8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
    ):
        return text
    if syntax == "markup":
        return text.encode("ascii", "xmlcharrefreplace").decode()
    if syntax == "json":
        import json
        import re

        return re.sub(r"[^\x00-\x7f]+", lambda found: json.dumps(found.group())[1:-1], text)
    return text.encode(encoding, "backslashreplace").decode(encoding)
