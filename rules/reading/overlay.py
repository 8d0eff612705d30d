"""A document with other data than its text has, as if it had been read: nothing is written, and nothing is parsed."""

from __future__ import annotations

from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.nodes import Document, Node, Span


def same(one: object, other: object) -> bool:
    """Whether two values are equal to a loader: `true` is not `1`."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return one == other or (one != one and other != other)  # noqa: PLR0124  NaN


class Overlay:
    """A document with other data. What is new stands nowhere: its places are before the file."""

    def __init__(self, document: Document, base: object) -> None:
        self._document = document
        self._base = base
        self._places = 0

    def with_data(self, data: object) -> Document:
        """The document as it would be read with that data."""
        document = self._document
        if data is self._base or document.root is None:
            return document
        kind = Kind(document.kind, document.dialect, document.loader)
        return Document(
            document.path,
            document.text,
            document.format,
            self._node(document.root, self._base, data),
            loader=document.loader,
            problems=document.problems,
            bom=document.bom,
            kind=kind,
            libyaml=document.libyaml,
        )

    def _place(self) -> Span:
        self._places += 1
        return Span(self._document.path, 1, 1, 1, 1, -self._places, -self._places)

    def _node(self, node: Node, base: object, data: object) -> Node:
        """The node as it is with that data, at the place where it stands."""
        if data is base or same(base, data):
            return node
        if node.kind == "map" and isinstance(base, dict) and isinstance(data, dict):
            made = _copy(node, {})
            for key, value in data.items():
                child = node.entries.get(str(key))
                name = f"{node.pointer}/{key}"
                there = child is not None and key in base
                made.children[str(key)] = (
                    self._node(child, base[key], value) if child is not None and there else self._new(key, value, name)
                )
            return made
        made = self._new(node.key, data, node.pointer)
        made.span, made.key_span = node.span, node.key_span
        return made

    def _new(self, key: object, value: object, pointer: str) -> Node:
        """A node of plain data."""
        if isinstance(value, dict):
            children: object = {str(name): self._new(name, one, f"{pointer}/{name}") for name, one in value.items()}
            made = Node("map", self._place(), style="block", pointer=pointer, children=children)
        elif isinstance(value, (list, tuple)):
            children = [self._new(at, one, f"{pointer}/{at}") for at, one in enumerate(value)]
            made = Node("list", self._place(), style="flow", pointer=pointer, children=children)
        else:
            made = Node("scalar", self._place(), value=value, raw=str(value), pointer=pointer)
        made.key, made.key_span = key, self._place()
        return made


def _copy(node: Node, children: object) -> Node:
    made = Node(
        node.kind, node.span, raw=node.raw, style=node.style, tag=node.tag, pointer=node.pointer, children=children
    )
    made.key, made.key_span, made.alias = node.key, node.key_span, node.alias
    return made
