"""JSON: the values of `json.loads`, and where they stand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fp8check.rules.reading import Unreadable
from fp8check.rules.trainers.detect import read
from tests.support.loaded import check_span, same

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)
layouts = st.fixed_dictionaries({"indent": st.sampled_from([None, 0, 2, "\t"]), "ensure_ascii": st.booleans()})


@given(values, layouts)
@settings(max_examples=300, deadline=None)
def test_the_values_of_json_loads(value: object, layout: dict[str, object]) -> None:
    text = json.dumps(value, **layout)  # type: ignore[arg-type]
    document = read("f.json", text.encode())
    assert document.root is not None
    assert same(document.root.data(), json.loads(text))
    for node in document.root.walk():
        check_span(document, node.span)
        assert same(json.loads(text[node.span.start : node.span.end]), node.data())
        if node.key_span is not None:
            assert json.loads(text[node.key_span.start : node.key_span.end]) == node.key


@given(st.text(st.sampled_from('{}[]":,\\u0041dD8 \t\n\r.-+eE1tfnNIrualsyi\x00\x7f\x85é'), max_size=24))
@settings(max_examples=3000, deadline=None)
def test_takes_what_json_loads_takes(text: str) -> None:
    try:
        loads, expected = True, json.loads(text)
    except ValueError:
        loads, expected = False, None
    try:
        document = read("f.json", text.encode())
    except Unreadable:
        assert not loads
    else:
        assert loads
        assert document.root is not None
        assert same(document.root.data(), expected)


@pytest.mark.parametrize("text", [
    "NaN", "-Infinity", "[Infinity]", "-0", "-0.0", "1E5", "1e400", "01", "1.", ".5", "+1", "- 1", '"\\ud83d\\ude00"',
    '"\\ud800"', '"\\x"', '"\n"', '"\x7f"', "'a'", "{a: 1}", '{"a": 1,}', "[1,]", "[,]", "{,}", "// c\n1", "1 2", "",
    " ", '{"a" 1}', '{"a": }', '{"a": 1', "[1", '"a', "nul", "\x00", "\x0c1", '{"a": 1, "a": {"b": 2}}', "\xa01",
    "[1 2]", "1" * 5000, "True", "tru", '{"a": 1]',
])  # fmt: skip
def test_corner_cases(text: str) -> None:
    test_takes_what_json_loads_takes.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ('{"a": 1,}', 8, "a comma before '}'", "JSON has no trailing commas"),
        ("{'a': 1}", 2, "expected a key in double quotes", "JSON has double quotes only"),
        ('{"a": // c', 7, "expected a JSON value here", "JSON has no comments"),
        ('{"a" 1}', 6, "expected ':' after the key", ""),
        ('["a" 1]', 6, "expected ',' or ']'", ""),
        ("1 2", 3, "more text after the end of the JSON value", ""),
        ("1" * 5000, 1, "a number too long for Python", ""),
    ],
)
def test_what_is_wrong_and_where(text: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read("f.json", text.encode())
    assert (caught.value.line, caught.value.column) == (1, column)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_byte_order_mark_stops_json() -> None:
    with pytest.raises(Unreadable, match=r"^f\.json:1:1: .*byte-order mark"):
        read("f.json", b"\xef\xbb\xbf{}")


def test_pointers_escape_slashes() -> None:
    document = read("f.json", b'{"a/b": {"~": [null]}}')
    assert document.root is not None
    assert [node.pointer for node in document.root.walk()] == ["", "/a~1b", "/a~1b/~0", "/a~1b/~0/0"]
