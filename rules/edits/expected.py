"""What a file's data must be after a fix: worked out on the data, to judge the edit of the text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.edits.fix import Edit, Part
    from fp8check.rules.reading import Document, Node, Span

Data = object


class Tree:
    """A document's data with the type of every key and value: `true` is not `1`, and `16` is not `16.0`."""

    def __init__(self, document: Document) -> None:
        self.data = _frozen(document.root) if document.root is not None else None


def _frozen(node: Node) -> Data:
    if node.kind == "map":
        return ("map", {_key(child.key): _frozen(child) for child in node.entries.values()})
    if node.kind == "list":
        return ("list", [_frozen(child) for child in node.items])
    return _plain(node.value)


def _key(key: object) -> tuple[str, object]:
    return type(key).__name__, key


def _plain(value: object) -> Data:
    """The same form for plain values, which an edit brings."""
    if isinstance(value, dict):
        return ("map", {_key(key): _plain(inner) for key, inner in value.items()})
    if isinstance(value, (list, tuple)):
        return ("list", [_plain(inner) for inner in value])
    return ("nan", "nan") if value != value else (type(value).__name__, value)  # noqa: PLR0124  NaN


def expected(document: Document, edits: Sequence[Edit]) -> Data:
    """The data after these edits, in the form of Tree."""
    return _after(document.root, _Edits(document.path, edits)) if document.root is not None else None


class _Edits:
    """The edits of one file, by where they begin: a file may have one on every line."""

    def __init__(self, path: str, edits: Sequence[Edit]) -> None:
        self._at: dict[tuple[str, int], list[Edit]] = {}
        for edit in edits:
            if edit.place is not None and edit.place.file == path:
                self._at.setdefault((edit.part, edit.place.start), []).append(edit)

    def of(self, part: Part, place: Span | None) -> list[Edit]:
        """Those of that part of a document which begins and ends there, in their order."""
        if place is None:
            return []
        return [edit for edit in self._at.get((part, place.start), ()) if edit.place == place]


def _after(node: Node, edits: _Edits) -> Data:
    if node.kind == "scalar":
        return _plain(node.value)
    if node.kind == "list":
        return ("list", [_item(child, edits) for child in node.items])
    entries: dict[object, Data] = {}
    for child in node.entries.values():
        edit = next(iter(edits.of("entry", child.key_span)), None)
        if edit is None:
            entries[_key(child.key)] = _after(child, edits)
        elif edit.action == "rename":
            entries[_key(edit.key)] = _after(child, edits)
        elif edit.action == "replace":
            entries[_key(child.key)] = _plain(edit.value)
    for one in edits.of("map", node.span):
        entries[_key(one.key)] = _plain(one.value)
    return ("map", entries)


def _item(child: Node, edits: _Edits) -> Data:
    edit = next(iter(edits.of("item", child.span)), None)
    return _after(child, edits) if edit is None else _plain(edit.value)
