"""The literals of a Python script by where they stand, and its text when some of them are other ones.

An entry is an argument of a call, one of a mapping that is written out, or what a statement assigns. Whatever is
changed, the syntax tree afterwards is compared with the one before: they differ in these entries and in nothing else.
"""

from __future__ import annotations

import ast
import warnings
from itertools import pairwise

from fp8check.rules.edits.action import GONE
from fp8check.rules.edits.python_text import entry_end, literal, own_lines, skipped
from fp8check.rules.edits.text_edit import TextEdit
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading.source import Source
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.edits.fix import Edit
    from fp8check.rules.reading import Document, Span

    Groups = ast.Call | ast.Dict | ast.Assign | ast.AnnAssign
    Changes = Mapping[str, object]
    _Instead = dict[tuple[ast.AST, str], object]

VALUE = "="
_BLOCKS = ("body", "orelse", "finalbody")
_LONGEST = 200  # characters of a literal that is changed
MOST_CHARACTERS = 256 * 1024  # of a script that is looked at; the largest of diffusers has 100,000
MOST_GROUPS = 20_000


class Computed(Record):
    """An expression that is no literal, as it is written."""

    text: str


class _Entry(Record):
    """One entry: what it is called from outside, where it begins and ends, and its value in it."""

    path: str
    name: str
    start: int
    end: int
    node: ast.expr
    keyword: ast.keyword | None = None


class _Group:
    """A call, a mapping or a statement.

    Attributes:
        every: all that stands in it, in the order of the text.
        entries: what of it can be named, by its name.
    """

    __slots__ = ("entries", "every", "node", "start")

    def __init__(self, node: Groups, start: int, every: Sequence[_Entry]) -> None:
        self.node = node
        self.start = start
        self.every = every
        twice = {entry.name for entry, other in pairwise(sorted(every, key=_name)) if entry.name == other.name}
        self.entries = {entry.name: entry for entry in every if entry.name and entry.name not in twice}


class PythonFile:
    """One script, while it is edited."""

    def __init__(self, document: Document) -> None:
        """Raises Unfixable where it is no Python, or too large."""
        self.path = document.path
        self.text = document.text
        self.bom = document.bom
        if len(self.text) > MOST_CHARACTERS:
            raise Unfixable("the script is too large")
        self._source = Source(document.path, document.text)
        self._tree = _parsed(self.text)
        self._groups = dict(_groups(self._tree, self._source))
        self._places: dict[int, _Entry] = {}
        for group in self._groups.values():
            for entry in group.entries.values():
                self._places.setdefault(entry.start, entry)
                self._places[self._start(entry.node)] = entry
        self._names: dict[str, tuple[list[int], int]] | None = None

    def at(self, span: Span) -> str | None:
        """The entry whose name or value begins there; of a name that stands for one literal, what assigns that."""
        found = self._places.get(span.start)
        if found is None or not isinstance(found.node, ast.Name):
            return None if found is None else found.path
        stores, loads = self._uses(found.node.id)
        held = self._places.get(stores[0]) if len(stores) == 1 else None
        if held is None or held.name != VALUE or loads != 1 or isinstance(self._value(held), Computed):
            return found.path
        return held.path

    def only(self, name: str) -> tuple[str, ...]:
        """The literals that stand under a name, anywhere: what is spread into a call has its values elsewhere."""
        entries = [
            entry
            for group in self._groups.values()
            for entry in group.every
            if entry.name == name or (entry.name == VALUE and _is_item(group.node, name))
        ]
        return tuple(entry.path for entry in entries if not isinstance(self._value(entry), Computed))

    def argument(self, span: Span, name: str) -> str | None:
        """The argument of that name of the call of the function that stands there; None where there is no such call."""
        group = _call(span.start, span.end)
        return f"{group} {name}" if group in self._groups else None

    @property
    def names(self) -> tuple[str, ...]:
        """The entries, in the order in which they were found."""
        return tuple(entry.path for group in self._groups.values() for entry in group.entries.values())

    def called(self, path: str) -> str:
        """What is called with an argument: the last of its names; "" of what is no argument."""
        node = self._groups[path.split(" ", maxsplit=1)[0]].node
        if not isinstance(node, ast.Call):
            return ""
        return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")

    def is_new(self, path: str) -> bool:
        """Whether there is no such entry yet."""
        return self._entry(path) is None

    def value(self, path: str) -> object:
        """The value of an entry, or Computed; None where there is no such entry."""
        entry = self._entry(path)
        return None if entry is None else self._value(entry)

    def why_not(self, path: str) -> str:
        """Why an entry is not to be written by a program; "" where it may."""
        entry = self._entry(path)
        if entry is None or not isinstance(self._value(entry), Computed):
            return ""
        if isinstance(entry.node, ast.Name) and self._uses(entry.node.id)[0]:
            return f"comes from {entry.node.id}, which is used elsewhere, too"
        return "is computed"

    def is_plain(self, path: str) -> bool:
        """Whether an entry does nothing but make an object, so that it may go."""
        entry = self._entry(path)
        return entry is not None and _makes_only(entry.node)

    def line(self, path: str) -> int:
        """The line of an entry; of one that is not there yet, that of its group."""
        entry = self._entry(path)
        return self._source.place(self._groups[path.split(" ", maxsplit=1)[0]].start if entry is None else entry.start)[
            0
        ]

    def name(self, path: str) -> str:
        """What an entry is called: an argument, a key, or the variable that is assigned."""
        entry = self._entry(path)
        if entry is None or entry.name != VALUE:
            return path.partition(" ")[2]
        return self.text[entry.start : self._start(entry.node)].rstrip(" =(").partition(":")[0]

    def shown(self, path: str) -> str | None:
        """The text of an entry; None where there is none."""
        entry = self._entry(path)
        return None if entry is None else self.text[entry.start : entry.end]

    def written(self, path: str, value: object) -> str | None:
        """The text of an entry with another value; None where it goes."""
        entry = self._entry(path)
        if value is GONE:
            return None
        if entry is None:
            return f"{self.name(path)}={literal(value, '')}"
        start, end = self._start(entry.node), self._end(entry.node)
        text = literal(value, self.text[start:end])
        return f"{self.text[entry.start : start]}{text}{self.text[end : entry.end]}"

    def text_edits(self, changes: Changes) -> tuple[TextEdit, ...]:
        """What makes these values of the script, in the order of the text.

        Raises:
            Unfixable: an entry cannot be written, or two of them overlap.
        """
        edits = [edit for name, one in _by_group(changes).items() for edit in self._of_group(self._group(name), one)]
        edits.sort(key=lambda one: (one.start, one.end))
        if any(one.end > other.start for one, other in pairwise(edits)):
            raise Unfixable("its edits overlap")
        return tuple(edits)

    def check(self, changes: Changes, text: str) -> None:
        """Whether a text is the script with these values, and nothing else of its syntax tree is another.

        Raises:
            Unfixable: it is not.
        """
        instead: _Instead = {}
        for name, values in _by_group(changes).items():
            instead.update(_wanted(self._group(name), values))
        instead.update(_without(self._tree, [node for (node, _), value in instead.items() if value is GONE]))
        if not _same(self._tree, _parsed(text), {(id(node), field): value for (node, field), value in instead.items()}):
            raise Unfixable("the edit would change something else as well")

    def _group(self, name: str) -> _Group:
        if name not in self._groups:
            raise Unfixable("what is to be changed is not there any more")
        return self._groups[name]

    def _entry(self, path: str) -> _Entry | None:
        group, _, name = path.partition(" ")
        found = self._groups.get(group)
        return None if found is None else found.entries.get(name)

    def _value(self, entry: _Entry) -> object:
        start, end = self._start(entry.node), self._end(entry.node)
        if end - start > _LONGEST:
            return Computed(self.text[start : start + _LONGEST])
        try:
            value: object = ast.literal_eval(entry.node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return Computed(self.text[start:end])
        return value

    def _start(self, node: ast.expr) -> int:
        return self._source.offset_of(node.lineno, node.col_offset)

    def _end(self, node: ast.expr) -> int:
        return self._source.offset_of(node.end_lineno or 0, node.end_col_offset or 0)

    def _uses(self, name: str) -> tuple[list[int], int]:
        """Where a name is assigned, and how often it is read."""
        if self._names is None:
            made: dict[str, tuple[list[int], int]] = {}
            for node in ast.walk(self._tree):
                if isinstance(node, ast.Name):
                    stores, loads = made.get(node.id, ([], 0))
                    if isinstance(node.ctx, ast.Load):
                        loads += 1
                    else:
                        stores.append(self._start(node))
                    made[node.id] = stores, loads
                elif isinstance(node, (ast.Global, ast.Nonlocal)):
                    for one in node.names:
                        made[one] = made.get(one, ([], 0))[0], made.get(one, ([], 0))[1] + 1
                elif isinstance(node, ast.arg):
                    made.setdefault(node.arg, ([], 0))[0].append(-1)
                elif isinstance(node, ast.alias):
                    made.setdefault((node.asname or node.name).partition(".")[0], ([], 0))[0].append(-1)
            self._names = made
        return self._names.get(name, ([], 0))

    def _of_group(self, group: _Group, changes: Mapping[str, object]) -> Iterator[TextEdit]:
        gone = [entry for name, entry in group.entries.items() if changes.get(name) is GONE]
        for name, entry in group.entries.items():
            if name in changes and changes[name] is not GONE:
                start, end = self._start(entry.node), self._end(entry.node)
                yield TextEdit(self.path, start, end, literal(changes[name], self.text[start:end]))
        if gone and isinstance(group.node, (ast.Assign, ast.AnnAssign)):
            yield self._statement_gone(group.node)
        elif gone:
            yield from self._gone(group, gone)
        new = {name: value for name, value in changes.items() if name not in group.entries and value is not GONE}
        if new:
            yield from self._new(group, new, gone)

    def _gone(self, group: _Group, gone: Sequence[_Entry]) -> Iterator[TextEdit]:
        """Entries away, each with its comma: with its lines where it has lines of its own, else with its neighbors."""
        if isinstance(group.node, ast.Call) and any(entry.keyword is None for entry in gone):
            raise Unfixable("an argument without a name cannot go")
        paths = {entry.path for entry in gone}
        run: list[int] = []  # of entries that share a line, one behind the other: a comment between lines stays
        for at, entry in enumerate((*group.every, None)):
            if entry is not None and entry.path in paths:
                lines = own_lines(self.text, entry.start, entry.end)
                if lines is None:
                    if run and not self._is_one_line(group.every[run[-1]].end, entry.start):
                        yield self._run_gone(group, run[0], run[-1], paths)
                        run = []
                    run.append(at)
                    continue
                yield TextEdit(self.path, *lines, "")
            if run:
                yield self._run_gone(group, run[0], run[-1], paths)
                run = []

    def _is_one_line(self, start: int, end: int) -> bool:
        return "\n" not in self.text[start:end] and "\r" not in self.text[start:end]

    def _run_gone(self, group: _Group, first: int, last: int, paths: set[str]) -> TextEdit:
        start, end = group.every[first].start, group.every[last].end
        comma = skipped(self.text, end)
        behind = comma + 1 if self.text[comma : comma + 1] == "," else end
        if last + 1 < len(group.every):
            following = group.every[last + 1].start
            return TextEdit(self.path, start, following if self._is_one_line(end, following) else behind, "")
        if first == 0 or group.every[first - 1].path in paths:  # which takes its comma with it
            return TextEdit(self.path, start, behind, "")
        before = skipped(self.text, group.every[first - 1].end)
        if self._is_one_line(before, start):
            return TextEdit(self.path, before, end, "")
        return TextEdit(self.path, start, behind, "")  # the comma in front stays, with the comment behind it

    def _statement_gone(self, node: ast.Assign | ast.AnnAssign) -> TextEdit:
        start = self._source.offset_of(node.lineno, node.col_offset)
        end = self._source.offset_of(node.end_lineno or 0, node.end_col_offset or 0)
        lines = own_lines(self.text, start, end, comma=False)
        if lines is None or _body_of(self._tree, node) is None:
            raise Unfixable("the statement shares its line, or is the only one of its block")
        return TextEdit(self.path, *lines, "")

    def _new(self, group: _Group, new: Mapping[str, object], gone: Sequence[_Entry]) -> Iterator[TextEdit]:
        """More arguments of a call, behind the last one."""
        if not isinstance(group.node, ast.Call):
            raise Unfixable("only a call gets more arguments")
        if any(keyword.arg is None for keyword in group.node.keywords) or any(
            isinstance(argument, ast.Starred) for argument in group.node.args
        ):
            raise Unfixable("its arguments are spread: it may have this one already")
        texts = [f"{name}={literal(value, '')}" for name, value in new.items()]
        close = self._end(group.node) - 1
        left = [entry for entry in group.every if entry not in gone]
        if not left:
            if gone:
                raise Unfixable("all of its arguments would go")
            yield TextEdit(self.path, close, close, ", ".join(texts))
            return
        last = left[-1]
        behind = group.every[group.every.index(last) + 1 :]
        if behind and own_lines(self.text, behind[0].start, behind[0].end) is None:  # its comma goes with them
            yield TextEdit(self.path, last.end, last.end, "".join(f", {text}" for text in texts))
            return
        comma = skipped(self.text, last.end)
        has_comma = self.text[comma : comma + 1] == ","
        lines = own_lines(self.text, last.start, last.end)
        if lines is None or lines[1] > close:
            if has_comma:
                yield TextEdit(self.path, comma + 1, comma + 1, "".join(f" {text}," for text in texts))
            else:
                yield TextEdit(self.path, last.end, last.end, "".join(f", {text}" for text in texts))
            return
        if not has_comma:
            yield TextEdit(self.path, last.end, last.end, ",")
        line = self._source.start_of(self._source.place(last.start)[0])
        indent = self.text[line : last.start]
        newline = "\r\n" if self.text[: lines[1]].endswith("\r\n") else self.text[lines[1] - 1]
        yield TextEdit(self.path, lines[1], lines[1], "".join(f"{indent}{text},{newline}" for text in texts))


def changes_of(script: PythonFile, edits: Sequence[Edit]) -> dict[str, object]:
    """What edits of settings are in the names of a script's entries.

    Raises:
        Unfixable: one is of no literal.
    """
    found: dict[str, object] = {}
    for edit in edits:
        name = None if edit.place is None or edit.action not in ("replace", "delete") else script.at(edit.place)
        if name is None:
            raise Unfixable("it is no literal of the script")
        why = script.why_not(name)
        if why and not (edit.action == "delete" and script.is_plain(name)):
            raise Unfixable(f"{script.name(name)} {why}: this is for you to change")
        found[name] = GONE if edit.action == "delete" else edit.value
    return found


def _parsed(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the script: nobody asked for them
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise Unfixable("it is no Python that can be read") from problem


def _groups(tree: ast.Module, source: Source) -> Iterator[tuple[str, _Group]]:
    """The groups by where they begin; a statement's is that of its target."""

    def start(node: ast.expr | ast.stmt | ast.keyword) -> int:
        return source.offset_of(node.lineno, node.col_offset)

    def end(node: ast.expr | ast.stmt | ast.keyword) -> int:
        return source.offset_of(node.end_lineno or 0, node.end_col_offset or 0)

    count = 0
    for node in ast.walk(tree):
        every: list[_Entry] = []
        if isinstance(node, ast.Call):
            group, close = _call(start(node.func), end(node.func)), end(node) - 1
            every = [
                _entry(group, keyword.arg or "", start(keyword), end(keyword), keyword.value, keyword)
                for keyword in node.keywords
            ]
            for at, expression in enumerate(node.args):
                every.append(
                    _entry(
                        group, f"#{at}", start(expression), entry_end(source.text, end(expression), close), expression
                    )
                )
        elif isinstance(node, ast.Dict):
            group, close = f"{start(node)}{{", end(node) - 1
            for key, expression in zip(node.keys, node.values, strict=True):
                stop = entry_end(source.text, end(expression), close)
                every.append(_entry(group, _key(key), start(expression if key is None else key), stop, expression))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            group = f"{start(target)}="
            every = [_entry(group, VALUE, start(target), end(node), node.value)]
        else:
            continue
        count += 1
        if count > MOST_GROUPS:
            raise Unfixable("the script has more calls than anybody writes")
        yield group, _Group(node, start(node), sorted(every, key=lambda one: one.start))


def _entry(group: str, name: str, start: int, end: int, node: ast.expr, keyword: ast.keyword | None = None) -> _Entry:
    return _Entry(f"{group} {name}", name, start, end, node, keyword)


def _by_group(changes: Changes) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for path, value in changes.items():
        group, _, name = path.partition(" ")
        found.setdefault(group, {})[name] = value
    return found


def _call(start: int, end: int) -> str:
    return f"{start}-{end}"


def _name(entry: _Entry) -> str:
    return entry.name


def _is_item(node: ast.AST, name: str) -> bool:
    """Whether a statement sets that item of a mapping: `options["bf16"] = True`."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return False
    (target,) = node.targets
    return isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and target.slice.value == name


def _key(key: ast.expr | None) -> str:
    """The name of an entry of a mapping; "" where it is no text."""
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _makes_only(node: ast.expr) -> bool:
    """Whether an expression makes objects of classes, by their names, of literals, and does nothing else."""
    pending: list[ast.expr] = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, (ast.List, ast.Tuple)):
            pending.extend(one.elts)
        elif isinstance(one, ast.Call):
            name = one.func.id if isinstance(one.func, ast.Name) else getattr(one.func, "attr", "")
            if not name[:1].isupper():
                return False
            pending.extend((*one.args, *(keyword.value for keyword in one.keywords)))
        elif not isinstance(one, ast.Constant):
            return False
    return True


def _wanted(group: _Group, changes: Mapping[str, object]) -> _Instead:
    """What stands in the fields of a group's node once it has these values; GONE of a statement that goes."""
    node = group.node
    entries = {id(entry.node): entry for entry in group.entries.values()}

    def value_of(value: ast.expr) -> ast.expr | None:
        entry = entries.get(id(value))
        if entry is None or entry.name not in changes:
            return value
        changed = changes[entry.name]
        return None if changed is GONE else _parsed_value(changed)

    if isinstance(node, ast.Call):
        keywords = [(keyword.arg, value_of(keyword.value)) for keyword in node.keywords]
        keywords += [(name, _parsed_value(value)) for name, value in changes.items() if name not in group.entries]
        return {
            (node, "keywords"): [ast.keyword(name, value) for name, value in keywords if value is not None],
            (node, "args"): [value_of(argument) for argument in node.args],
        }
    if isinstance(node, ast.Dict):
        pairs = [(key, value_of(value)) for key, value in zip(node.keys, node.values, strict=True)]
        left = [(key, value) for key, value in pairs if value is not None]
        return {(node, "keys"): [key for key, _ in left], (node, "values"): [value for _, value in left]}
    value = node.value if node.value is None else value_of(node.value)
    return {(node, "value"): GONE if value is None else value}


def _without(tree: ast.Module, gone: Sequence[ast.AST]) -> _Instead:
    """The blocks of statements without these."""
    ids = {id(one) for one in gone}
    found: _Instead = {}
    for node in ast.walk(tree) if ids else ():
        for name in _BLOCKS:
            body = getattr(node, name, None)
            if isinstance(body, list) and any(id(statement) in ids for statement in body):
                found[node, name] = [statement for statement in body if id(statement) not in ids]
    return found


def _parsed_value(value: object) -> ast.expr:
    return ast.parse(repr(value), mode="eval").body


def _body_of(tree: ast.Module, statement: ast.stmt) -> list[ast.stmt] | None:
    """The statements among which one stands; None where it is the only one."""
    for node in ast.walk(tree):
        for name in _BLOCKS:
            body = getattr(node, name, None)
            if isinstance(body, list) and any(one is statement for one in body):
                return body if len(body) > 1 else None
    return None


def _same(node: ast.AST, other: ast.AST, instead: Mapping[tuple[int, str], object]) -> bool:
    """Whether two syntax trees are equal, their places aside.

    Args:
        instead: what stands in a field of a node of the first one, where that is to be another.
    """
    pending: list[tuple[object, object]] = [(node, other)]
    while pending:
        left, right = pending.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pending.extend(zip(left, right, strict=True))
        elif isinstance(left, ast.AST):
            for name in left._fields:
                field = instead.get((id(left), name), getattr(left, name, None))
                pending.append((field, getattr(right, name, None)))
        elif repr(left) != repr(right):
            return False
    return True
