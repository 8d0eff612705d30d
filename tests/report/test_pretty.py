"""JSON for people is the standard library's, byte by byte."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.report.pretty import dumps

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
DATA = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner))


@given(DATA)
def test_as_the_standard_library_writes_it(data: object) -> None:
    assert dumps(data) == json.dumps(data, indent=2, ensure_ascii=False)
