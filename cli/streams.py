"""Where the commands write: standard output and standard error. Nothing else of them does (tests/test_lint.py)."""

from __future__ import annotations

import sys

from fp8check.rules.plain_text import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.plain_text import Syntax


def say(text: str, syntax: Syntax = "text", *, painted: bool = False) -> None:
    """Write to standard output what no terminal and no CI system takes for a command (rules/plain_text.py)."""
    sys.stdout.write(plain(text, syntax, painted=painted))


def say_exactly(text: str) -> None:
    """Write to standard output as it is: a report, which its format has made safe, or a file that is asked for."""
    sys.stdout.write(text)


def say_bytes(data: bytes) -> None:
    """Write a file that came by standard input to standard output, as it came: UTF-8, its mark, its line breaks."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write to standard error, as `say` does."""
    sys.stderr.write(plain(text))
