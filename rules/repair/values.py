"""Files as values: an entry changed without its text, and what that comes to as edits of the text.

The search tries many states of the same few files. Here a file's data is changed copy on write, and what stays is the
same object: its document is made anew around the nodes that stay (rules/reading/overlay.py).
"""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT, Assign
from fp8check.rules.edits.fix import Edit
from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.nodes import Document, Node, Span
from fp8check.rules.reading.overlay import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fp8check.rules.edits.fix import Fix

    Path = tuple[str, ...]


def data_of(document: Document) -> object:
    """The data of a document; an empty map where it holds nothing."""
    return {} if document.root is None else document.root.data()


def assigned(data: object, assigns: Iterable[tuple[Path, object]]) -> object:
    """The data with these entries changed; what is not on the way to one stays the same objects.

    Each map is copied once, however many of its entries change.
    """
    copies: dict[Path, dict[object, object]] = {(): dict(data) if isinstance(data, dict) else {}}
    for path, value in assigns:
        inner = _opened(copies, path[:-1], is_made=value is not ABSENT)
        if inner is None:
            continue  # there is no such section, and so no entry that could go
        key = _key(inner, path[-1])
        if len(copies) > 1:  # a section that is replaced is not the one that was copied
            copies = {one: copy for one, copy in copies.items() if one[: len(path)] != path}
        if value is ABSENT:
            inner.pop(key, None)
        else:
            inner[key] = value
    return copies[()]


def value_at(data: object, path: Path) -> object:
    """The value of an entry; ABSENT where there is none."""
    for name in path:
        if not isinstance(data, dict):
            return ABSENT
        data = data.get(_key(data, name), ABSENT)
    return data


def _opened(copies: dict[Path, dict[object, object]], path: Path, *, is_made: bool) -> dict[object, object] | None:
    """The copy of the map at a path; made where none is there, or None where none is to be made."""
    inner = copies[()]
    for depth in range(1, len(path) + 1):
        here = path[:depth]
        if here not in copies:
            key = _key(inner, here[-1])
            below = inner.get(key)
            if not is_made and not isinstance(below, dict):
                return None
            inner[key] = copies[here] = dict(below) if isinstance(below, dict) else {}
        inner = copies[here]
    return inner


def _key(data: dict[object, object], name: str) -> object:
    """The key of that text: true and 1 are keys as well."""
    return name if name in data else next((one for one in data if str(one) == name), name)


def frozen(data: object) -> object:
    """The same for data that is the same to a loader, and hashable."""
    if isinstance(data, dict):
        # Most values are scalars, of which a large file has thousands: these take no call, and one tuple.
        entries = [
            (type(key).__name__, str(key), frozen(value))
            if isinstance(value, _COLLECTIONS)
            else (type(key).__name__, str(key), type(value).__name__, _scalar(value))
            for key, value in data.items()
        ]
        if len(entries) > _MANY and all(len(entry) == _SCALAR for entry in entries):
            return "map", _digest(entries)
        return "map", frozenset(entries)
    if isinstance(data, (list, tuple)):
        return ("list", tuple([frozen(value) for value in data]))
    return type(data).__name__, _scalar(data)


def _scalar(value: object) -> object:
    """What is equal where a scalar is the same, beside its type: nan is not equal to itself, and -0.0 is to 0.0."""
    return value if isinstance(value, (str, int)) or value is None else repr(value)


def _digest(entries: Sequence[tuple[object, ...]]) -> bytes:
    """What stands for the entries of a large map, of which each state would keep thousands for itself."""
    from hashlib import sha256

    return sha256(repr(sorted(entries)).encode("utf-8", "surrogatepass")).digest()


_COLLECTIONS = (dict, list, tuple)
_SCALAR = 4  # parts of an entry whose value is a scalar
_MANY = 256


def empty(path: str) -> Document:
    """An Accelerate file that is not there yet."""
    root = Node("map", Span(path, 1, 1, 1, 1), style="block", tag="tag:yaml.org,2002:map")
    return Document(path, "", "yaml", root, loader="pyyaml", kind=Kind("accelerate"))


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
    once = [*renamed.values()]
    renamed = {key: other for key, other in renamed.items() if once.count(other) == 1}  # else nobody knows which moved
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
