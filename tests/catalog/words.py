"""What findings say, as case files write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import span_of
from fp8check.rules.settings.values import Section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.catalog import Finding
    from fp8check.rules.catalog.fixes import Fix


def words_of(found: Sequence[Finding]) -> dict[str, object]:
    """What the findings say beyond message, label and help, as case files write it."""
    first = found[0]
    return {
        "messages": [one.message for one in found],
        "places": [str(one.span) for one in found],
        "notes": list(first.notes),
        "related": [f"{span_of(one.place)} {one.message}" for one in first.related],
        "fix": _edits(first.fix) if first.fix is not None else None,
    }


def _edits(fix: Fix) -> list[str]:
    """`safe` or `unsafe`, and each edit: what is done, where, and what is written there."""
    words = ["safe" if fix.safe else "unsafe"]
    for edit in fix.edits:
        target = edit.target.node if isinstance(edit.target, Section) else edit.target
        written = [edit.key] if edit.key else []
        written += [repr(edit.value)] if edit.action in ("replace", "insert") else []
        words.append(" ".join([edit.action, str(span_of(target)), *written]))
    return words
