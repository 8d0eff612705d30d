"""Edits of entries -> edits of text: what is replaced, from which character to which.

Works on the parsed nodes, the tree as the parser sees it: a fix touches what is written, also the first of two equal
keys, which no loader keeps.
"""

from __future__ import annotations

from bisect import bisect

from fp8check.rules.edits import rendering
from fp8check.rules.edits.text_edit import TextEdit
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading.source import Source
from fp8check.rules.reading.tree import tree_of
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fp8check.rules.edits.fix import Edit, Fix
    from fp8check.rules.edits.python_file import PythonFile
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.reading.syntax import SyntaxNode


NOWHERE = "what decides this stands in no file of this run"


def text_edits(fix: Fix, documents: tuple[Document, ...]) -> tuple[TextEdit, ...]:
    """The text edits of a fix.

    Raises:
        Unfixable: as Editor.edits.
    """
    return Editor(documents).edits(fix)


class Editor:
    """Makes text edits for these documents. Each of them is parsed once, however many fixes it has."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = {document.path: document for document in documents}
        self._trees: dict[str, FileTree | str] = {}  # a text is why there is no tree
        self._scripts: dict[str, PythonFile] = {}

    def tree(self, path: str) -> FileTree:
        """The tree of the document of that path.

        Raises:
            Unfixable: there is no such document, or it cannot be edited.
        """
        if path not in self._documents:
            raise Unfixable(NOWHERE)
        tree = self._trees.get(path)
        if tree is None:
            try:
                tree = FileTree(self._documents[path])
            except Unfixable as reason:
                tree = str(reason)
            self._trees[path] = tree
        if isinstance(tree, str):
            raise Unfixable(tree)
        return tree

    def span(self, edit: TextEdit) -> Span:
        """Where a text edit of one of the documents stands: of a script, too, which has no tree."""
        document = self._documents[edit.file]
        source = Source(edit.file, document.text) if document.kind == "script" else self.tree(edit.file).source
        return source.span(edit.start, edit.end)

    def edits(self, fix: Fix) -> tuple[TextEdit, ...]:
        """The text edits of a fix.

        Raises:
            Unfixable: the place is shared through an anchor, comes from no file, or cannot be edited by itself.
        """
        return tuple(self._one(edit) for edit in fix.edits)

    def map_of(self, edit: Edit) -> SyntaxNode:
        """The map that an entry is renamed in, deleted from or inserted into.

        Raises:
            Unfixable: as `edits`.
        """
        file, span = self._where(edit)
        return file.at(span, "map").parsed if edit.part == "map" else file.at(span).parent

    def _where(self, edit: Edit) -> tuple[FileTree, Span]:
        if edit.place is None:
            raise Unfixable(NOWHERE)
        return self.tree(edit.place.file), edit.place

    def is_in_script(self, edit: Edit) -> bool:
        """Whether it edits a literal of a Python script."""
        document = self._documents.get(edit.file or "")
        return document is not None and document.kind == "script" and edit.action in ("replace", "delete")

    def _one(self, edit: Edit) -> TextEdit:
        if self.is_in_script(edit):
            return self._in_script(edit)
        file, span = self._where(edit)
        if edit.action == "cut":
            return file.cut(span)
        if edit.action == "insert":
            comment = "" if edit.taken is None else self.tree(edit.taken.file).comment_of(edit.taken)
            return file.insert(file.at(span, "map"), edit.key, edit.value, comment)
        if edit.action == "rename":
            return file.rename(file.at(span), edit.key)
        if edit.action == "delete":
            return file.delete(file.at(span))
        return file.replace(file.at(span), edit.value)

    def _in_script(self, edit: Edit) -> TextEdit:
        from fp8check.rules.edits.python_file import PythonFile, changes_of

        path = str(edit.file)
        if path not in self._scripts:
            self._scripts[path] = PythonFile(self._documents[path])
        script = self._scripts[path]
        (made,) = script.text_edits(changes_of(script, (edit,)))
        return made


class _Place(Record):
    """A parsed node, its `index` in the items of the collection around it, and that collection's own place."""

    parsed: SyntaxNode
    index: int
    outer: _Place | None

    def around(self) -> Iterator[SyntaxNode]:
        """The collections around it, the innermost first."""
        place = self.outer
        while place is not None:
            yield place.parsed
            place = place.outer

    @property
    def in_flow(self) -> bool:
        """Whether it stands between brackets."""
        return any(node.style == "flow" for node in self.around())

    @property
    def parent(self) -> SyntaxNode:
        """The collection that it stands in; the root stands in itself."""
        return self.outer.parsed if self.outer is not None else self.parsed

    @property
    def value(self) -> SyntaxNode:
        """What an entry's key stands before."""
        return self.parent.items[self.index + 1]


class FileTree:
    """One file's text and tree, while it is edited."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.text
        self.newline = next((one for one in ("\r\n", "\n", "\r") if one in document.text), "\n")
        self.source = Source(document.path, document.text)
        root = tree_of(document)
        if document.format == "python":
            raise Unfixable("a script is changed by its author")
        if root is None:
            raise Unfixable("the file holds no single document")
        self.root = root
        twice = [problem for problem in document.problems if problem.code == "duplicate-key"]
        # Of several equal keys the last one counts; any other can go.
        losers = {problem.related.start for problem in twice if problem.related is not None}
        self.winners = {problem.span.start for problem in twice} - losers
        self.aliased: set[int] = set()
        self._names: dict[int, frozenset[str]] = {}  # the keys of maps, by the map's identity
        self._starting: dict[int, list[_Place]] = {}  # by where they begin: a file may have a fix on every line
        for place in self._walk():
            if place.parsed.target is not None:
                self.aliased.add(id(place.parsed.target))
            else:
                self._starting.setdefault(place.parsed.start, []).append(place)

    def _walk(self) -> Iterator[_Place]:
        pending = [_Place(self.root, 0, None)]
        while pending:
            place = pending.pop()
            yield place
            pending.extend(_Place(item, index, place) for index, item in reversed([*enumerate(place.parsed.items)]))

    def at(self, span: Span, kind: str | None = None) -> _Place:
        """The place that begins there: an entry's key, a list's item, or, with `kind`, the map.

        Raises:
            Unfixable: it is shared: whoever else uses the anchor would change too.
        """
        found = self._starting.get(span.start)
        if not found:
            raise Unfixable("the value comes from somewhere else through an alias")
        # A block map begins where its first key does.
        place = next((one for one in found if kind == one.parsed.kind or one.parsed.end == span.end), found[0])
        for parsed in (place.parsed, *place.around()):
            if id(parsed) in self.aliased:
                raise Unfixable(f"it is shared through the anchor &{parsed.anchor}")
        return place

    def cut(self, comment: Span) -> TextEdit:
        """The comment away, and the space before it."""
        start, end = self._line_start(comment.start), self._line_end(comment.end)
        before = self.text[start : comment.start].rstrip(" \t")
        if not before:
            return self._edit(start, end, "")
        return self._edit(start + len(before), comment.end, "")

    def replace(self, key: _Place, value: object) -> TextEdit:
        """Another value; of a scalar its quotes stay."""
        parsed = key.value if _is_key(key) else key.parsed
        if parsed.target is not None:
            raise Unfixable("the value comes from somewhere else through an alias")
        if id(parsed) in self.aliased or parsed.origin != parsed.start:
            raise Unfixable("the value has an anchor or a tag")
        is_list = parsed.kind == "list" and not isinstance(value, dict)
        if parsed.style == "block" and (is_list or (parsed.kind == "map" and isinstance(value, dict))):
            return self._replace_block(key, value)
        if parsed.style in ("literal", "folded") or (parsed.kind != "scalar" and parsed.style == "block"):
            raise Unfixable("the value stands on lines of its own")
        flow = key.in_flow
        if isinstance(value, (dict, list, tuple)):
            text = rendering.inline_text(value, self.document.loader)
        else:
            style = parsed.style if parsed.kind == "scalar" else "plain"
            text = rendering.scalar(value, self.document.loader, style=style, flow=flow)
        if parsed.start == parsed.end:  # nothing is written there: `backend:`
            colon = self._after_space(key.parsed.end)
            if self.text[colon : colon + 1] != ":":
                raise Unfixable("the key has no colon")
            return self._edit(colon + 1, colon + 1, f" {text}")
        return self._edit(parsed.start, parsed.end, text)

    def _replace_block(self, key: _Place, value: object) -> TextEdit:
        """Another map or list in the place of one that stands on lines of its own, with no comment between these."""
        start = key.parsed.end
        end = _last(key.value, key.parsed) if _is_key(key) else start
        indent = self.text[self._line_start(key.parsed.start) : key.parsed.start]
        if start == end or "#" in self.text[start : self._line_end(end)] or indent.strip():
            raise Unfixable("the value stands on lines of its own")
        for parsed in _below(key.value):
            if id(parsed) in self.aliased:
                raise Unfixable(f"others use the anchor &{parsed.anchor} in it")
        items = value if isinstance(value, list) else []
        if items and not any(isinstance(item, (dict, list, tuple)) for item in items):
            first = key.value.items[0].start
            dash = self.newline + self.text[self._line_start(first) : first]
            scalars = (rendering.scalar(item, self.document.loader) for item in items)
            return self._edit(start, end, ":" + "".join(f"{dash}{item}" for item in scalars))
        text = rendering.block("k", value, self.document.loader, indent, self.newline)
        return self._edit(start, end, text[len(indent) + 1 :])

    def rename(self, key: _Place, name: str) -> TextEdit:
        """Another key."""
        self._check_single(key)
        if name in self._keys(key.parent):
            raise Unfixable(f"{name} is there already")
        flow = key.in_flow
        text = rendering.scalar(name, self.document.loader, style=key.parsed.style, flow=flow)
        return self._edit(key.parsed.start, key.parsed.end, text)

    def comment_of(self, key: Span) -> str:
        """The comment behind an entry, with the space before it, if it goes with the entry: "" if there is none."""
        place = self.at(key)
        if place.in_flow or place.parent.style == "flow":
            return ""
        end = _last(place.value, place.parsed)
        rest = self.text[end : self._line_end(end)].rstrip().removeprefix(":")  # the colon of an empty value
        return rest if rest.lstrip().startswith("#") else ""

    def insert(self, place: _Place, key: str, value: object, comment: str = "") -> TextEdit:
        """One more entry, after the last, with a comment behind it."""
        parsed = place.parsed
        if parsed.kind != "map":
            raise Unfixable("there is no map to write it into")
        if key in self._keys(parsed):
            raise Unfixable(f"{key} is there already")
        loader = self.document.loader
        if parsed.style == "flow":
            if comment:
                raise Unfixable("its comment cannot be moved between brackets")
            text = f"{rendering.entry(key, loader, flow=True)}{rendering.inline_text(value, loader)}"
            return self._insert_flow(parsed, text)
        indent = " " * (parsed.start - self._line_start(parsed.start))
        text = rendering.block(key, value, loader, indent, self.newline) + comment
        end = self._line_end(_last(parsed))
        if self.text[end - 1 : end] in ("\n", "\r"):
            return self._edit(end, end, f"{text}{self.newline}")
        return self._edit(end, end, f"{self.newline}{text}")

    def _keys(self, parsed: SyntaxNode) -> frozenset[str]:
        """The keys of a map, as they are written."""
        names = self._names.get(id(parsed))
        if names is None:
            names = self._names[id(parsed)] = frozenset([key.text for key in parsed.items[::2]])
        return names

    def _check_single(self, key: _Place) -> None:
        if key.parsed.start in self.winners:
            raise Unfixable("the key is here twice: without this one, the other would count")

    def _insert_flow(self, parsed: SyntaxNode, text: str) -> TextEdit:
        if not parsed.items:
            return self._edit(parsed.start + 1, parsed.end - 1, text)
        last = parsed.items[-1].end
        first = parsed.items[0].start
        before = self.text[self._line_start(first) : first]
        own_line = not before.strip()
        after = self._after_space(last)
        if self.text[after : after + 1] == ",":
            return self._edit(after + 1, after + 1, f"{self.newline}{before}{text}," if own_line else f" {text},")
        return self._edit(last, last, f",{self.newline}{before}{text}" if own_line else f", {text}")

    def delete(self, key: _Place) -> TextEdit:
        """The entry away, with its line where it has one of its own; a map's only entry leaves `{}`."""
        if not _is_key(key):
            raise Unfixable("it is no entry of a map")
        self._check_single(key)
        for parsed in _below(key.value):
            if id(parsed) in self.aliased:
                raise Unfixable(f"others use the anchor &{parsed.anchor} in it")
        parent = key.parent
        if len(parent.items) == 2:
            return self._delete_only(key)
        if parent.style == "flow":
            return self._delete_flow(key)
        start = self._line_start(key.parsed.origin)
        end = self._line_end(_last(key.value, key.parsed))
        if not self.text[start : key.parsed.origin].strip():
            comments = self._comments_in(key, start, end)
            if not comments and end == len(self.text) and self.text[end - 1 : end] not in ("\n", "\r") and start > 0:
                start -= len(self.newline)  # the last line of a file that ends without a line break
            return self._edit(start, end, comments)
        if key.index + 2 == len(parent.items):
            raise Unfixable("the entry shares its line with what is before it")
        return self._edit(key.parsed.origin, parent.items[key.index + 2].origin, "")  # the first entry behind a `- `

    def _delete_only(self, key: _Place) -> TextEdit:
        parent = key.parent
        if parent.style == "flow":
            return self._edit(parent.start + 1, parent.end - 1, "")
        place = key.outer
        if place is None or place.outer is None or place.parent.kind != "map" or place.index % 2 == 0:
            raise Unfixable("it is the only entry of its map")
        colon = self.text.index(":", place.parent.items[place.index - 1].end) + 1
        end = self._line_end(_last(key.value, key.parsed))
        rest = self.text[colon : self._line_start(key.parsed.origin)]
        if rest.strip():  # a comment after the colon, or lines of comments before the entry
            raise Unfixable("it is the only entry of its map")
        last = self.text[self._last_offset(key) : end]
        return self._edit(colon, end, f" {{}}{last}{self._comments_in(key, colon, end)}")

    def _comments_in(self, key: _Place, start: int, end: int) -> str:
        """The lines within an entry that are comments alone, to stand in its place: they stay when it goes."""
        if "#" not in self.text[start:end] or key.value.kind == "scalar":
            return ""
        texts = sorted((node.start, node.end) for node in _below(key.value) if node.kind == "scalar")
        indent = " " * (key.parsed.origin - self._line_start(key.parsed.origin))
        kept = []
        here = key.parsed.end
        while (here := self._line_end(here + 1)) < end:
            line = self.text[here : self._line_end(here + 1)].strip()
            before = bisect(texts, (here, 0)) - 1
            if line.startswith("#") and (before < 0 or texts[before][1] <= here):  # and not in a text of several lines
                kept.append(f"{indent}{line}{self.newline}")
        return "".join(kept)

    def _last_offset(self, key: _Place) -> int:
        return _last(key.value, key.parsed)

    def _delete_flow(self, key: _Place) -> TextEdit:
        parent = key.parent
        following = parent.items[key.index + 2].origin if key.index + 2 < len(parent.items) else None
        if following is not None:
            return self._edit(key.parsed.origin, following, "")
        before = parent.items[key.index - 1].end
        return self._edit(before, max(key.value.end, key.parsed.end), "")

    def _edit(self, start: int, end: int, text: str) -> TextEdit:
        return TextEdit(self.document.path, start, end, text)

    def _after_space(self, offset: int) -> int:
        """The offset of the next character that is no space and no line break."""
        while self.text[offset : offset + 1] in (" ", "\t", "\r", "\n"):
            offset += 1
        return offset

    def _line_start(self, offset: int) -> int:
        return self.source.start_of(self.source.place(offset)[0])

    def _line_end(self, offset: int) -> int:
        """After the line break of the line that ends at or after `offset`; a block scalar's end is behind its own."""
        if offset > 0 and self.text[offset - 1] in "\r\n":
            return offset
        return self.source.start_of(self.source.place(offset)[0] + 1)


def _is_key(place: _Place) -> bool:
    return place.outer is not None and place.parent.kind == "map" and place.index % 2 == 0


def _below(parsed: SyntaxNode) -> Iterator[SyntaxNode]:
    pending = [parsed]
    while pending:
        one = pending.pop()
        yield one
        pending.extend(one.items)


def _last(parsed: SyntaxNode, key: SyntaxNode | None = None) -> int:
    """The offset after the last character of a value; of its key where no value is written."""
    if parsed.kind in ("map", "list") and parsed.style == "block" and parsed.items:
        return _last(parsed.items[-1], parsed.items[-2] if parsed.kind == "map" else None)
    if parsed.start == parsed.end and key is not None:
        return key.end
    return parsed.end
