"""What is to be done about a finding: edits of entries, in the terms of the file, not of its bytes.

`text_edits` turns them into edits of text. A fix is safe where it says what the author evidently meant, or removes what
has no effect; it is unsafe where it changes what the run does. rules/settings/edits.py makes edits of settings.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.reading import Span

    Part = Literal["entry", "item", "map", "comment"]
    Action = Literal["replace", "rename", "delete", "insert", "cut"]


class Edit(Record):
    """One edit.

    Attributes:
        action: "replace" the value, "rename" the key, "delete" the entry, "insert" an entry into a map, or "cut" a
            comment.
        place: where it begins: an entry at its key, a list's item at its value, a map and a comment at themselves;
            None for what stands in no file.
        part: what begins there.
        key: the new name of the key, for "rename" and "insert".
        value: the new value, as plain data, for "replace" and "insert".
        taken: for "insert", the entry that moves here: where its key stands. Its comment comes with it.
    """

    action: Action
    place: Span | None
    part: Part = "entry"
    key: str = ""
    value: object = None
    taken: Span | None = None

    @property
    def file(self) -> str | None:
        """The file that it edits; None where its place is in none."""
        return self.place.file if self.place is not None else None


class Fix(Record):
    """Edits that belong together: all of them or none."""

    edits: tuple[Edit, ...]
    safe: bool


def cut(comment: Span) -> Edit:
    """Remove a comment, with its line where it has one of its own."""
    return Edit("cut", comment, "comment")


def safe(*edits: Edit) -> Fix:
    """A fix that says what was evidently meant, or removes what has no effect."""
    return Fix(edits, True)  # not by name, which takes twice as long: a file may have thousands


def unsafe(*edits: Edit) -> Fix:
    """A fix that changes what the run does: the user has to want it."""
    return Fix(edits, False)
