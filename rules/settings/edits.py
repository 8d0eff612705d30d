"""Edits of settings, for rules and trainers that know what should be written instead."""

from __future__ import annotations

from fp8check.rules.edits.fix import Edit
from fp8check.rules.settings.values import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading import Span
    from fp8check.rules.settings.values import Section


def replace(setting: Setting, value: object) -> Edit:
    """Write another value in the place of this one."""
    origin = setting.origin
    if origin.key_span is None:
        return Edit("replace", origin.span, "item", value=value)
    return Edit("replace", origin.key_span, "entry", "", value)


def rename(setting: Setting, key: str) -> Edit:
    """Write another key before the same value."""
    return Edit("rename", setting.origin.key_span or setting.origin.span, key=key)


def delete(entry: Setting | Span) -> Edit:
    """Remove an entry of a map: key, value and the line they stand on. A span is that of the entry's key."""
    place = entry.origin.key_span or entry.origin.span if isinstance(entry, Setting) else entry
    return Edit("delete", place)


def move(setting: Setting, section: Section, key: str, value: object) -> tuple[Edit, Edit]:
    """Take an entry out of its map, and write it at the end of another under this key, with its comment.

    Args:
        value: what is written under the key: the entry's value, or a map around it.
    """
    gone, new = delete(setting), insert(section, key, value)
    return gone, new._replace(taken=gone.place)


def insert(section: Section, key: str, value: object) -> Edit:
    """Add an entry at the end of a map."""
    return Edit("insert", section.node.span if section.node is not None else None, "map", key, value)
