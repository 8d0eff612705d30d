"""Files as values: an entry changed without its text, and what that comes to as edits of the text.

The search tries many states of the same few files. Here a file's data is changed copy on write, and its document made
anew around the nodes that stay: nothing is written and nothing is parsed until a plan is found.
"""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT, Assign
from fp8check.rules.edits.fix import Edit
from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.nodes import Document, Node, Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.edits.fix import Fix

    Path = tuple[str, ...]


def data_of(document: Document) -> object:
    """The data of a document; an empty map where it holds nothing."""
    return {} if document.root is None else document.root.data()


def assigned(data: object, path: Path, value: object) -> object:
    """The data with that entry changed; what is not on the way to it stays the same objects."""
    if not isinstance(data, dict):
        data = {}
    key = next((one for one in data if str(one) == path[0]), path[0])
    if len(path) > 1:
        inner = data.get(key)
        if value is ABSENT and not isinstance(inner, dict):
            return data
        return {**data, key: assigned(inner, path[1:], value)}
    if value is ABSENT:
        return {one: inner for one, inner in data.items() if one != key}
    return {**data, key: value}


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


def frozen(data: object) -> object:
    """The same for data that is the same to a loader, and hashable."""
    if isinstance(data, dict):
        return ("map", frozenset((type(key).__name__, str(key), frozen(value)) for key, value in data.items()))
    if isinstance(data, (list, tuple)):
        return ("list", tuple(frozen(value) for value in data))
    return type(data).__name__, repr(data)


def empty(path: str) -> Document:
    """An Accelerate file that is not there yet."""
    root = Node("map", Span(path, 1, 1, 1, 1), style="block", tag="tag:yaml.org,2002:map")
    return Document(path, "", "yaml", root, loader="pyyaml", kind=Kind("accelerate"))


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


class Places:
    """Where the entries and maps of some documents stand."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._entries: dict[tuple[str, int, int], Path] = {}
        self._maps: dict[tuple[str, int, int], Path] = {}
        self._values: dict[tuple[str, int, int], Node] = {}
        for document in documents:
            if document.root is not None:
                self._walk(document.path, document.root, ())

    def _walk(self, file: str, root: Node, path: Path) -> None:
        pending = [(root, path)]
        while pending:
            node, path = pending.pop()
            if node.key_span is not None:
                self._entries.setdefault((file, node.key_span.start, node.key_span.end), path)
                self._values.setdefault((file, node.key_span.start, node.key_span.end), node)
            if node.kind == "map":
                self._maps.setdefault((file, node.span.start, node.span.end), path)
            pending.extend((child, (*path, str(child.key))) for child in node.entries.values())

    def assigns(self, fix: Fix) -> tuple[Assign, ...] | None:
        """What a fix comes to; None where an edit of it is of the text alone, or of a file that was not given."""
        found: list[Assign] = []
        for edit in fix.edits:
            if edit.place is None or edit.part not in ("entry", "map"):
                return None
            at = (edit.place.file, edit.place.start, edit.place.end)
            path = (self._maps if edit.part == "map" else self._entries).get(at)
            if path is None:
                return None
            if edit.action == "rename":
                found += [
                    Assign(at[0], path, ABSENT),
                    Assign(at[0], (*path[:-1], edit.key), self._values[at].data()),
                ]
                continue
            value = ABSENT if edit.action == "delete" else edit.value
            found.append(Assign(at[0], (*path, edit.key) if edit.action == "insert" else path, value))
        return tuple(found)


def edits_of(document: Document, base: object, data: object) -> Iterator[Edit]:
    """The edits that make that data of the document."""
    if document.root is not None:
        yield from _edits(document.root, base, data)


def _edits(node: Node, base: object, data: object) -> Iterator[Edit]:
    if not isinstance(base, dict) or not isinstance(data, dict):
        return
    gone = [key for key in base if key not in data]
    new = [key for key in data if key not in base]
    renamed = {key: other for key in gone if (other := _moved(base[key], new, data)) is not None}
    for key, before in base.items():
        child = node.entries.get(str(key))
        if child is None:
            continue
        if key in renamed:
            yield Edit("rename", child.key_span, key=str(renamed[key]))
        elif key not in data:
            yield Edit("delete", child.key_span)
        elif not same(before, data[key]):
            yield from _changed(child, before, data[key])
    taken = [*renamed.values()]
    for key in new:
        if key not in taken:
            yield Edit("insert", node.span, "map", key=str(key), value=data[key])


def _moved(value: object, new: Sequence[object], data: dict[object, object]) -> object:
    """The one new key that has the value of a key that is gone; None where there is none, or more than one."""
    found = [key for key in new if same(data[key], value)]
    return found[0] if len(found) == 1 else None


def _changed(child: Node, before: object, after: object) -> Iterator[Edit]:
    if isinstance(before, dict) and isinstance(after, dict) and any(key in after for key in before):
        yield from _edits(child, before, after)
    else:
        yield Edit("replace", child.key_span, value=after)
