"""Documents, nodes and spans: the plain cases, and the ones that editors and tools count differently."""

from __future__ import annotations

import pytest

from fp8check.rules.reading import Document, Node, Span
from fp8check.rules.trainers.detect import read


def document(text: str | bytes, path: str = "f.yaml", loader: str | None = None) -> Document:
    return read(path, text if isinstance(text, bytes) else text.encode(), loader=loader)


def node(text: str | bytes, *path: str | int) -> Node:
    found = document(text).get(*path)
    assert found is not None
    return found


def place(span: Span | None) -> tuple[int, int, int, int]:
    assert span is not None
    return span.line, span.column, span.end_line, span.end_column


def test_a_value_and_its_key_know_their_place() -> None:
    backend = node("mixed_precision: fp8\nfp8_config:\n  backend: 'TE'  # not AO\n", "fp8_config", "backend")
    assert (backend.value, backend.raw, backend.style, backend.pointer) == (
        "TE",
        "'TE'",
        "single",
        "/fp8_config/backend",
    )
    assert place(backend.span) == (3, 12, 3, 16)
    assert place(backend.key_span) == (3, 3, 3, 10)
    assert str(backend.span) == "f.yaml:3:12"


def test_paths_into_lists_and_missing_ones() -> None:
    text = "a:\n- b: [1, 2]\n"
    assert node(text, "a", 0, "b", 1).value == 2
    assert document(text).get("a", 1) is None
    assert document(text).get("a", "0") is None
    assert document(text).get("a", 0, "b", 0, "c") is None
    assert document("").get("a") is None


def test_keys_that_are_no_strings_keep_both_forms() -> None:
    root = node("on: push\n2: a\n'2': b\nnull: c\n")
    assert list(root.entries) == ["True", "2 (int)", "2", "None"]
    assert [child.key for child in root.entries.values()] == [True, 2, "2", None]
    assert root.data() == {True: "push", 2: "a", "2": "b", None: "c"}


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_line_breaks(line_break: str) -> None:
    text = f"a: 1{line_break}b:{line_break}  c: x{line_break}"
    found = document(text)
    assert place(node(text, "b", "c").span) == (3, 6, 3, 7)
    assert [found.line(number) for number in (0, 1, 2, 3, 4, 5)] == ["", "a: 1", "b:", "  c: x", "", ""]


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_line_breaks_of_unicode_are_no_lines_for_people(separator: str) -> None:
    text = f"a: x # {separator}b: y\n"
    assert node(text, "b").span.line == 1
    assert document(text).line(1) == text.removesuffix("\n")


def test_columns_count_characters() -> None:
    assert place(node("名前: '😀' \n", "名前").span) == (1, 5, 1, 8)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    found = document(b"\xef\xbb\xbfbf16: true\n")
    assert found.bom
    assert found.text == "bf16: true\n"
    assert [problem.code for problem in found.problems] == ["utf-8-bom"]
    assert place(node(b"\xef\xbb\xbfbf16: true\n", "bf16").key_span) == (1, 1, 1, 5)


def test_an_aliased_value_is_where_it_is_written() -> None:
    text = "x: &n {a: [1]}\ny: *n\n"
    aliased = node(text, "y")
    assert place(aliased.span) == (1, 7, 1, 15)
    assert place(aliased.alias) == (2, 4, 2, 6)
    assert place(aliased.key_span) == (2, 1, 2, 2)
    assert aliased.pointer == "/y"
    assert aliased.data() == {"a": [1]}
    data = document(text).root
    assert data is not None
    loaded = data.data()
    assert isinstance(loaded, dict)
    assert loaded["x"] is loaded["y"]


def test_merged_values_know_both_places() -> None:
    text = "base: &b\n  backend: TE\n  margin: 1\nfp8_config:\n  <<: *b\n  margin: 0\n"
    config = node(text, "fp8_config")
    assert config.data() == {"backend": "TE", "margin": 0}
    backend = config.get("backend")
    assert backend is not None
    assert place(backend.span) == (2, 12, 2, 14)
    assert place(backend.alias) == (5, 7, 5, 9)
    assert backend.pointer == "/fp8_config/backend"
    margin = config.get("margin")
    assert margin is not None
    assert margin.alias is None


def test_walk_visits_everything_once() -> None:
    root = node("a: &x [1, {b: 2}]\nc: *x\n")
    assert [each.pointer for each in root.walk()] == ["", "/a", "/a/0", "/a/1", "/a/1/b", "/c"]
    aliased = root.get("c")
    assert aliased is not None
    assert len(list(aliased.walk())) == 4


def test_anchors_and_tags_are_no_part_of_a_span() -> None:
    text = "a: &x !!str 5\nb: !!map # why\n  c: 1\n"
    assert place(node(text, "a").span) == (1, 13, 1, 14)
    assert place(node(text, "b").span) == (3, 3, 3, 7)


def test_blocks_end_with_their_last_value() -> None:
    text = "a:\n  b: 1\n\n# comment\nc:\n- d\n-\n\ne:\n"
    assert place(node(text, "a").span) == (2, 3, 2, 7)
    assert place(node(text, "c").span) == (6, 1, 7, 2)
    assert place(node(text, "e").span) == (9, 3, 9, 3)


@pytest.mark.parametrize("text", ["", "\n", "# only this\n", "   \n# x"])
def test_nothing_in_the_file(text: str) -> None:
    found = document(text)
    assert (found.root, found.kind, found.problems) == (None, "other", ())


def test_spans_are_values() -> None:
    one, other = Span("f", 1, 2, 1, 3, 1, 2), Span("f", 1, 2, 1, 3, 1, 2)
    assert one == other
    assert len({one, other}) == 1
    assert one != Span("g", 1, 2, 1, 3, 1, 2)
    assert one != "f:1:2"
    assert repr(one) == "Span('f', 1:2-1:3)"
    assert repr(node("a: 1", "a")) == "Node(scalar /a 1 at f.yaml:1:4)"


def test_a_loader_has_to_be_known() -> None:
    with pytest.raises(ValueError, match="no such loader"):
        read("f.yaml", b"", loader="toml")


def test_the_dialect_decides_the_loader() -> None:
    factory = document("model_name_or_path: x\nfinetuning_type: full\nlearning_rate: 1e-5\nrun: 2026-01-01\n")
    assert (factory.loader, factory.get("learning_rate").value) == ("omegaconf", 1e-5)  # type: ignore[union-attr]
    hugging = document("model_name_or_path: x\noutput_dir: y\nlearning_rate: 1e-5\n")
    assert (hugging.loader, hugging.get("learning_rate").value) == ("pyyaml", "1e-5")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("a.json", '{"a": 1}', "json"),
        ("-", ' {"a": 1}', "json"),
        ("-", "{a: 1}", "yaml"),
        ("a.yaml", "[1, 2]", "json"),
        ("a.txt", "a: 1", "yaml"),
    ],
)
def test_the_format(path: str, text: str, expected: str) -> None:
    assert document(text, path).format == expected
