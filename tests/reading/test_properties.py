"""What holds for every YAML file: spans are the source text, values are the loader's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fp8check.rules.reading import Node, Unreadable
from fp8check.rules.trainers.detect import read
from tests.support.loaded import attempt, check_span, merges_differently, same
from tests.support.yaml_texts import block, documents

if TYPE_CHECKING:
    from fp8check.rules.reading import Document, Span


def whole(document: Document) -> object:
    return None if document.root is None else document.root.data()


@given(documents)
@settings(max_examples=400, deadline=None)
def test_data_is_what_safe_load_returns(text: str) -> None:
    loads, expected = attempt(lambda: yaml.safe_load(text))
    try:
        document = read("f.yaml", text.encode(), loader="pyyaml")
    except Unreadable:
        assert not loads, "safe_load takes this file"
    else:
        assert loads or any(problem.fatal for problem in document.problems)
        assert not loads or merges_differently(text) or same(whole(document), expected)


@given(documents)
@settings(max_examples=300, deadline=None)
def test_every_span_is_the_source_text(text: str) -> None:
    for document, node in nodes_of(text):
        check_span(document, node.span)
        if node.kind == "scalar":
            assert document.text[node.span.start : node.span.end] == node.raw
        if node.key_span is not None:
            check_span(document, node.key_span)
            written = yaml.safe_load(sliced(document, node.key_span))
            assert same(written, node.key) or written == node.key  # of the keys `true` and `1` the first one stays


@given(documents)
@settings(max_examples=300, deadline=None)
def test_the_slice_of_a_node_parses_to_its_value(text: str) -> None:
    if "*" in text or "&" in text:
        return  # a slice cannot hold both an alias and its anchor
    for document, node in nodes_of(text):
        if node.style in {"plain", "single", "double", "flow"} and "\r" not in text:
            assert same(yaml.safe_load(sliced(document, node.span)), node.data())


@given(block())
@settings(max_examples=200, deadline=None)
def test_a_block_ends_with_its_last_value(text: str) -> None:
    for document, node in nodes_of(text):
        children = list(node.entries.values()) or node.items
        if node.style == "block" and children:
            last = max(children, key=lambda child: child.span.end)
            tail = document.text[last.span.end : node.span.end]
            assert last.span.end <= node.span.end or last.raw == ""
            assert not tail.strip()


@given(documents)
@settings(max_examples=300, deadline=None)
def test_pointers_lead_back_to_their_nodes(text: str) -> None:
    nodes = [node for _, node in nodes_of(text)]
    if any(node.key_span is not None and not isinstance(node.key, str) for node in nodes):
        return  # a pointer cannot tell the key 1 from the key "1"
    for node in nodes:
        assert follow(nodes[0], node.pointer) is node


def follow(root: Node, pointer: str) -> Node | None:
    found: Node | None = root
    for step in pointer.split("/")[1:]:
        if found is not None:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(int(key) if found.kind == "list" else key)
    return found


@given(st.text(st.sampled_from("a: -[]{}&*!|>'\"%@`#?,<\n\r\t\\~0\x85\u2028\ufeffé"), max_size=60))
@settings(max_examples=1500, deadline=None)
def test_no_text_does_more_than_refuse(text: str) -> None:
    document = None
    with contextlib.suppress(Unreadable):
        document = read("f.yaml", text.encode())
    assert document is None or document.root is None or document.root.data() is not Ellipsis


@given(st.binary(max_size=60), st.sampled_from(["f.yaml", "f.json"]))
@settings(max_examples=600, deadline=None)
def test_no_bytes_do_more_than_refuse(data: bytes, path: str) -> None:
    document = None
    with contextlib.suppress(Unreadable):
        document = read(path, data)
    assert document is None or document.path == path


def nodes_of(text: str) -> list[tuple[Document, Node]]:
    """The nodes of a text with their document; none where it cannot be read."""
    try:
        document = read("f.yaml", text.encode(), loader="pyyaml")
    except Unreadable:
        return []
    return [] if document.root is None else [(document, node) for node in document.root.walk()]


def sliced(document: Document, span: Span) -> str:
    return document.text[span.start : span.end]


@pytest.mark.parametrize("libyaml", [True, False])
def test_both_parsers_make_the_same_tree(libyaml: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: [1, 'two'], c: \"d\"}\ne: *x\nf:\n- |\n  g\n- h # i\n"
    monkeypatch.setattr(yaml, "__with_libyaml__", libyaml and yaml.__with_libyaml__)
    document = read("f.yaml", text.encode())
    assert document.root is not None
    pieces = [(node.pointer, text[node.span.start : node.span.end]) for node in document.root.walk()]
    assert pieces == [
        ("", text.removesuffix(" # i\n")),
        ("/a", "{b: [1, 'two'], c: \"d\"}"),
        ("/a/b", "[1, 'two']"),
        ("/a/b/0", "1"),
        ("/a/b/1", "'two'"),
        ("/a/c", '"d"'),
        ("/e", "{b: [1, 'two'], c: \"d\"}"),
        ("/f", "- |\n  g\n- h"),
        ("/f/0", "|\n  g\n"),
        ("/f/1", "h"),
    ]
