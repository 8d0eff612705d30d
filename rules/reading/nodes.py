"""What reading yields: spans, nodes, problems and the document that holds them."""

from __future__ import annotations

from fp8check.rules.input_error import InputError
from fp8check.rules.reading.kind import OTHER, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Literal

    # Why a file cannot be read: nothing has that name; not permitted; no regular file; larger than its kind can be; not
    # UTF-8; another error of the system; or what is in it.
    Reason = Literal["absent", "denied", "irregular", "large", "encoding", "failed", "content"]
    ProblemCode = Literal[
        "duplicate-key",
        "interpolation",
        "key-conflict",
        "key-type",
        "merge-order",
        "multiple-documents",
        "no-map",
        "parsers-differ",
        "utf-8-bom",
        "value-type",
    ]


class Span:
    """A stretch of one file.

    Lines and columns count from 1, in characters of the decoded text; the end is exclusive, so `end_column` is the
    column after the last character. `start` and `end` are character offsets: `document.text[start:end]` is the
    stretch itself.
    """

    __slots__ = ("column", "end", "end_column", "end_line", "file", "line", "start")

    def __init__(
        self, file: str, line: int, column: int, end_line: int, end_column: int, start: int = 0, end: int = 0
    ) -> None:
        self.file = file
        self.line = line
        self.column = column
        self.end_line = end_line
        self.end_column = end_column
        self.start = start
        self.end = end

    def _fields(self) -> tuple[object, ...]:
        return (self.file, self.line, self.column, self.end_line, self.end_column, self.start, self.end)

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        return self._fields() == other._fields() if isinstance(other, Span) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.file, self.line, self.column, self.end))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def __repr__(self) -> str:
        return f"Span({self.file!r}, {self.line}:{self.column}-{self.end_line}:{self.end_column})"


class Node:
    """One value of a document, with its place in the file.

    Attributes:
        kind: "map", "list" or "scalar".
        value: for a scalar the Python value that the loader makes of it; None for maps and lists.
        raw: the source text of a scalar as written, with its quotes; "" for maps and lists.
        style: "plain", "single", "double", "literal" or "folded" for scalars; "flow" or "block" for maps and lists.
        tag: the YAML tag in full, written or resolved ("tag:yaml.org,2002:bool"); JSON values carry the tag of their
            type.
        span: where the value itself stands, without its anchor and tag.
        key_span: where its key stands; None in lists and for the root.
        pointer: JSON pointer from the root, "" for the root itself.
        key: the key as the loader makes it (`1`, `True`, ...); the index in lists; None for the root.
        children: for maps a dict from str(key) to Node, in the order of the loaded data; for lists a list of Node;
            an empty dict for scalars. Typed access is `entries` and `items`.
        alias: the place of the alias (`*name`) or of the merged value that brought this value here; None for a value
            that is written where it is used.
    """

    __slots__ = ("alias", "children", "key", "key_span", "kind", "pointer", "raw", "span", "style", "tag", "value")

    def __init__(
        self,
        kind: str,
        span: Span,
        *,
        value: object = None,
        raw: str = "",
        style: str = "plain",
        tag: str = "",
        pointer: str = "",
        children: Any = None,
    ) -> None:
        self.kind = kind
        self.value = value
        self.raw = raw
        self.style = style
        self.tag = tag
        self.span = span
        self.key_span: Span | None = None
        self.pointer = pointer
        self.key: object = None
        self.children: Any = {} if children is None else children
        self.alias: Span | None = None

    @property
    def entries(self) -> dict[str, Node]:
        """The children of a map by str(key); empty for anything else."""
        children: dict[str, Node] = self.children
        return children if self.kind == "map" else {}

    @property
    def items(self) -> list[Node]:
        """The children of a list; empty for anything else."""
        children: list[Node] = self.children
        return children if self.kind == "list" else []

    def get(self, *path: str | int) -> Node | None:
        """The node at that path of keys and list indices; None where there is none."""
        node = self
        for step in path:
            if node.kind == "list":
                if not isinstance(step, int) or not 0 <= step < len(node.items):
                    return None
                node = node.items[step]
            else:
                child = node.entries.get(str(step))
                if child is None:
                    return None
                node = child
        return node

    def data(self) -> object:
        """Plain Python data as the loader returns it, anchors and merge keys resolved.

        What an alias repeats is one shared object, as it is for the loaders themselves.
        """
        return _data(self, {})

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in order; what an alias repeats comes once, where it is written."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            if node.kind != "scalar" and (node.alias is None or node is self):
                pending.extend(reversed(list(node.entries.values()) or node.items))

    def __repr__(self) -> str:
        shown = repr(self.value) if self.kind == "scalar" else f"{len(self.children)} children"
        return f"Node({self.kind} {self.pointer or '/'} {shown} at {self.span})"


def _data(node: Node, made: dict[int, object]) -> object:
    if node.kind == "scalar":
        return node.value
    known = made.get(id(node.children))
    if known is not None:
        return known
    result = _collection(node, made)
    made[id(node.children)] = result
    return result


def _collection(node: Node, made: dict[int, object]) -> object:
    if node.kind == "map":
        if node.tag == "tag:yaml.org,2002:set":
            return {child.key for child in node.entries.values()}
        return {child.key: _data(child, made) for child in node.entries.values()}
    values = [_data(child, made) for child in node.items]
    if node.tag in {"tag:yaml.org,2002:omap", "tag:yaml.org,2002:pairs"}:
        return [next(iter(value.items())) for value in values if isinstance(value, dict)]
    return values


class Problem:
    """Something wrong with the file itself that does not stop reading.

    Attributes:
        code: a stable name, for example "duplicate-key".
        message: one sentence for people.
        span: where it is.
        related: the other place that belongs to it (the first of two equal keys), if there is one.
        detail: what the tool itself says of it; "" where the message is all.
        fatal: whether the tool that consumes the file stops here, although reading could go on.
    """

    __slots__ = ("code", "detail", "fatal", "message", "related", "span")

    def __init__(
        self,
        code: ProblemCode,
        message: str,
        span: Span,
        related: Span | None = None,
        *,
        detail: str = "",
        fatal: bool,
    ) -> None:
        self.code = code
        self.message = message
        self.span = span
        self.related = related
        self.detail = detail
        self.fatal = fatal

    def __repr__(self) -> str:
        return f"Problem({self.code} at {self.span}: {self.message})"


class Unreadable(InputError):
    """A file that cannot be read, or that its tool cannot load. `str()` is "file:line:column: message".

    Attributes:
        file: the path as given.
        line, column: where, from 1; None where the fault is the file as a whole (missing, too large).
        offset: the same place as a character offset; 0 where the fault is the file as a whole.
        message: one sentence for people.
        hint: what to do about it; "" where there is nothing to say.
        kind: what the file is ("training", "other", ...), where that could be told; else None.
        reason: what kind of fault it is.
    """

    def __init__(
        self,
        file: str,
        message: str,
        line: int | None = None,
        column: int | None = None,
        *,
        offset: int = 0,
        hint: str = "",
        reason: Reason = "content",
    ) -> None:
        place = file if line is None else f"{file}:{line}:{column}"
        super().__init__(f"{place}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.offset = offset
        self.message = message
        self.hint = hint
        self.kind: str | None = None
        self.reason = reason


class Document:
    """One file as it was read.

    Attributes:
        path: the path as given; "-" for standard input.
        text: the decoded text, without a byte-order mark.
        format: "yaml" or "json".
        root: the top node; None where the file holds nothing but comments.
        problems: what is wrong with the file, in the order of the file.
        kind, dialect: what the file is: the name and the dialect of its Kind.
        loader: whose rules made the values: "pyyaml", "omegaconf" or "json".
        bom: whether the file began with a UTF-8 byte-order mark.
        libyaml: whether its syntax is libyaml's, where that is not PyYAML's own.
    """

    __slots__ = ("bom", "dialect", "format", "kind", "libyaml", "loader", "path", "problems", "root", "text")

    def __init__(
        self,
        path: str,
        text: str,
        format: str,  # noqa: A002 - the name of the attribute
        root: Node | None,
        *,
        loader: str,
        problems: Sequence[Problem] = (),
        bom: bool = False,
        kind: Kind = OTHER,
        libyaml: bool = False,
    ) -> None:
        self.libyaml = libyaml
        self.path = path
        self.text = text
        self.format = format
        self.root = root
        self.problems = tuple(problems)
        self.kind = kind.name
        self.dialect = kind.dialect
        self.loader = loader
        self.bom = bom

    def loaded(self) -> Document:
        """The document with all that it says: one that was not kept is read again (rules/checking/later.py)."""
        return self

    def as_kind(self, kind: Kind) -> Document:
        """The same file, taken for something else: whoever runs it knows better than its keys tell."""
        return self._copy(kind, self.problems)

    def with_problems(self, problems: Sequence[Problem]) -> Document:
        """The same file, as if these alone stood in it."""
        return self._copy(Kind(self.kind, self.dialect, self.loader), problems)

    def _copy(self, kind: Kind, problems: Sequence[Problem]) -> Document:
        return Document(
            self.path,
            self.text,
            self.format,
            self.root,
            loader=self.loader,
            problems=problems,
            bom=self.bom,
            kind=kind,
            libyaml=self.libyaml,
        )

    def get(self, *path: str | int) -> Node | None:
        """The node at that path from the root; None where there is none."""
        return None if self.root is None else self.root.get(*path)

    def line(self, number: int) -> str:
        """A source line by its number from 1, without its line break; "" where there is no such line."""
        lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""
