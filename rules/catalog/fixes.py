"""What a rule says about mending what it found: edits of settings, in the terms of the file, not of its bytes.

`fp8check fix` turns them into byte edits (rules/fixing). A fix is safe where it says what the author evidently meant,
or removes what has no effect; it is unsafe where it changes what the run does.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading import Span
    from fp8check.rules.settings.values import Section, Setting

    Target = Setting | Section | Span  # an entry or item, a map, the key of an entry


class Edit(Record):
    """One edit.

    Attributes:
        action: "replace" the value, "rename" the key, "delete" the entry, "insert" an entry into a map, or "cut" a
            comment.
        target: the entry; for "insert" the map that gets it.
        key: the new name of the key, for "rename" and "insert".
        value: the new value, as plain data, for "replace" and "insert".
    """

    action: str
    target: Target
    key: str = ""
    value: object = None


class Fix(Record):
    """Edits that belong together: all of them or none."""

    edits: tuple[Edit, ...]
    safe: bool


def replace(setting: Setting, value: object) -> Edit:
    """Write another value in the place of this one."""
    return Edit("replace", setting, value=value)


def rename(setting: Setting, key: str) -> Edit:
    """Write another key before the same value."""
    return Edit("rename", setting, key=key)


def delete(entry: Setting | Span) -> Edit:
    """Remove an entry of a map: key, value and the line they stand on. A span is that of the entry's key."""
    return Edit("delete", entry)


def cut(comment: Span) -> Edit:
    """Remove a comment, with its line where it has one of its own."""
    return Edit("cut", comment)


def insert(section: Section, key: str, value: object) -> Edit:
    """Add an entry at the end of a map."""
    return Edit("insert", section, key=key, value=value)


def safe(*edits: Edit) -> Fix:
    """A fix that says what was evidently meant, or removes what has no effect."""
    return Fix(edits, safe=True)


def unsafe(*edits: Edit) -> Fix:
    """A fix that changes what the run does: the user has to want it."""
    return Fix(edits, safe=False)
