"""What a loader makes of a text, compared with what fp8check reads."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.reading import Document, Span


def same(one: object, other: object) -> bool:
    """Equality of type and value, NaN being equal to itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        paired = zip(one.items(), other.items(), strict=True) if len(one) == len(other) else ()
        return len(one) == len(other) and all(same(a, c) and same(b, d) for (a, b), (c, d) in paired)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return one == other


def attempt(load: Callable[[], object]) -> tuple[bool, object]:
    """Whether the loader made something of the text, and what. Its own uncaught errors count as a refusal."""
    try:
        return True, load()
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, IndexError, OverflowError):
        return False, None


def merges_differently(text: str) -> bool:
    """Whether the installed PyYAML puts merged keys in another order, and lets others win, than all before it.

    6.0.4 compares keys by the identity of their strings (constructor.py flatten_mapping). What that changes for
    people is tested in test_document.py.
    """
    return "<<" in text and yaml.__version__ == "6.0.4"


def check_span(document: Document, span: Span) -> None:
    """Lines and columns count what the offsets count."""
    for offset, line, column in ((span.start, span.line, span.column), (span.end, span.end_line, span.end_column)):
        before = document.text[:offset]
        breaks = list(re.finditer("\r\n|\r|\n", document.text))
        passed = [found.end() for found in breaks if found.end() <= len(before)]
        assert line == 1 + len(passed)
        assert column == 1 + offset - (passed[-1] if passed else 0)
