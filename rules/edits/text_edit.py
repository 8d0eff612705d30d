"""One edit of a file's text."""

from __future__ import annotations

from fp8check.rules.record import Record


class TextEdit(Record):
    """A stretch of one file's text, by character offsets (the end is exclusive), and what takes its place."""

    file: str
    start: int
    end: int
    text: str
