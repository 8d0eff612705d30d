"""A fixed sample of many cases, for tests that cost more than they say: the rest is for `make test-slow`."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


_Parameters = type(pytest.param())  # pytest names no type


def sampled(cases: Iterable[Any], one_of: int = 3) -> list[Any]:
    """The cases as parameters, of which one of so many is no slow test: the same ones until they change."""
    made = []
    for case in cases:
        one = case if isinstance(case, _Parameters) else pytest.param(*(case if isinstance(case, tuple) else (case,)))
        left = sha256(f"{one.id} {one.values}".encode()).digest()[0] % one_of
        made.append(pytest.param(*one.values, id=one.id, marks=[*one.marks, *([pytest.mark.slow] if left else [])]))
    return made
