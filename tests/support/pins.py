"""What findings say, in the form in which a case file pins it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fp8check.rules.edits.instruction import Words
from fp8check.rules.engine.definition import span_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document

PINS = ("at", "times", "message", "messages", "places", "label", "help", "note", "notes", "related", "fix")


def pinned(case: Mapping[str, Any]) -> dict[str, object]:
    """What a case pins of its findings."""
    return {name: case[name] for name in PINS if name in case}


def said(case: Mapping[str, Any], found: Sequence[Finding], documents: Sequence[Document]) -> dict[str, object]:
    """What the findings say of everything that the case pins, in the same form."""
    return {name: _said(name, case[name], found, documents) for name in pinned(case)}


def help_of(finding: Finding, documents: Sequence[Document]) -> str:
    """The help of a finding once its cure is proved (rules/checking/advising.py)."""
    what = Words(documents).of(finding.fix, finding.action, finding.span)
    return "; ".join(part for part in (what, finding.help) if part)


def _said(name: str, wanted: Any, found: Sequence[Finding], documents: Sequence[Document]) -> object:
    first = found[0]
    if name == "help":
        return help_of(first, documents)
    if name == "times":
        return len(found)
    if name == "at":
        return str(first.span)
    if name == "messages":
        return [one.message for one in found]
    if name == "places":
        return [str(one.span) for one in found]
    if name == "note":
        return wanted if any(wanted in note for note in first.notes) else list(first.notes)
    if name == "notes":
        return list(first.notes)
    if name == "related":
        places = [str(span_of(one.place)) for one in first.related]
        if isinstance(wanted, str):
            return ", ".join(places)
        return [f"{place} {one.message}" for place, one in zip(places, first.related, strict=True)]
    if name == "fix":
        return _safety(first.fix) if isinstance(wanted, str) else _edits(first.fix)
    return getattr(first, name)


def _safety(fix: Fix | None) -> str:
    return "none" if fix is None else "safe" if fix.safe else "unsafe"


def _edits(fix: Fix | None) -> list[str] | None:
    """`safe` or `unsafe`, and each edit: what is done, where, and what is written there."""
    if fix is None:
        return None
    words = [_safety(fix)]
    for edit in fix.edits:
        written = [edit.key] if edit.key else []
        written += [repr(edit.value)] if edit.action in ("replace", "insert") else []
        words.append(" ".join([edit.action, str(edit.place), *written]))
    return words
