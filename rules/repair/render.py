"""A state as bytes: the files that differ, everything else in them untouched, read again and compared."""

from __future__ import annotations

from fp8check.rules.edits import rendering
from fp8check.rules.edits.fix import Fix
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading import read
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.repair.apply import edited
from fp8check.rules.repair.state import changed
from fp8check.rules.repair.values import edits_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    from fp8check.rules.reading import Document, Node
    from fp8check.rules.repair.state import Start, State

    StepKind = Literal["edit", "file", "launch", "variable", "package"]


class Step(Record):
    """One step of a plan: fp8check/plan/1 has it as it stands here.

    Attributes:
        before: the entry as it is, the command as it was given; None where there is none.
        after: the entry as it is to be (None where it goes), the text of a new file, the whole command,
            "NAME=value" or "NAME" to unset it, "name==version".
        why: the rule, the predicted error or the part of the goal that asks for it.
        by_hand: of an edit that people have to make, why: "bf16 is computed"; "" where it is made for them.
    """

    kind: StepKind
    file: str | None
    line: int | None
    before: str | None
    after: str | None
    why: str
    by_hand: str = ""


def files_of(start: Start, state: State, *, by_hand: bool = True) -> tuple[Document, ...]:
    """The files of a state, in the order in which they were given; a new one is the last.

    Args:
        by_hand: whether with what people have to change themselves.

    Raises:
        Unfixable: an entry cannot be written: it is shared, or twice there, or something else would change as well.
    """
    made = []
    for one in start.documents:
        data = state.files[one.path]
        if one.path == start.new_file:
            made += [_new(start, data)] if data else []
            continue
        if one.path in start.once:
            one = start.once[one.path].written  # noqa: PLW2901
        if data is start.state.files[one.path]:
            made.append(one)
            continue
        if one.path in start.sources:
            made.append(start.sources[one.path].written(start.changes(state, one.path), by_hand=by_hand))
            continue
        edits = tuple(edits_of(one, start.state.files[one.path], data))
        (document,) = edited((one,), Fix(edits, safe=False)) if edits else (one,)
        made.append(document)
    return tuple(made)


def _new(start: Start, data: object) -> Document:
    """The text of a new file, and what is read of it; a copy keeps the comments of what it is a copy of."""
    path, default = start.new_file, start.default
    if not isinstance(data, dict):
        raise Unfixable("a new file holds a map")
    if default is not None:
        copy = read(path, default.text.encode(), loader="pyyaml").as_kind(Kind("accelerate"))
        edits = tuple(edits_of(copy, start.before(path), data))
        return edited((copy,), Fix(edits, safe=False))[0] if edits else copy
    return read(path, text_of(data.items()).encode(), loader="pyyaml").as_kind(Kind("accelerate"))


def text_of(entries: Iterable[tuple[object, object]]) -> str:
    """The text of a new file with these entries."""
    return "".join(rendering.block(str(key), value, "pyyaml", "", "\n") + "\n" for key, value in entries)


def steps_of(start: Start, state: State, documents: tuple[Document, ...]) -> Iterator[Step]:
    """The steps from what was given to a state, in the order of files and lines."""
    after = {one.path: one for one in documents}
    for name, version in state.packages.items():
        yield Step("package", None, None, None, f"{name}=={version}", _why(state, "package", (name,)))
    for one in start.documents:
        document = after.get(one.path)
        if document is None or document is one:
            continue
        if one.path in start.sources:
            yield from _of_source(start, state, one.path)
        elif one.path == start.new_file:
            yield Step("file", one.path, None, None, document.text, _why(state, one.path, ()))
        else:
            every = [*_twice(start, one.path), *_edits(start, state, one, document)]
            yield from sorted(every, key=lambda step: step.line or 0)
    for name, value in state.variables.items():
        text = name if value is None else f"{name}={value}"
        yield Step("variable", None, None, None, text, _why(state, "variable", (name,)))
    if state.launch is not None and state.launch != start.state.launch:
        yield Step("launch", None, None, start.state.launch, state.launch, _why(state, "launch", ()))


def _of_source(start: Start, state: State, path: str) -> Iterator[Step]:
    """The steps in a script."""
    changes = start.sources[path].changes(start.changes(state, path))
    for one in sorted(changes, key=lambda change: change.line):
        why = _why(state, path, (one.name,))
        yield Step("edit", path, one.line, one.before, one.after, why, one.by_hand)


def _twice(start: Start, path: str) -> Iterator[Step]:
    """The entries that stand in a file once more below, and go."""
    once = start.once.get(path)
    for line, text in once.gone if once is not None else ():
        yield Step("edit", path, line, text, None, "FP904")


def _edits(start: Start, state: State, before: Document, after: Document) -> Iterator[Step]:
    for path, _ in changed(start.state.files[before.path], state.files[before.path]):
        old, new = before.get(*path), after.get(*path)
        place = old if old is not None else new
        line = place.key_span.line if place is not None and place.key_span is not None else None
        texts = _entry(before, old), _entry(after, new)
        yield Step("edit", before.path, line, *texts, _why(state, before.path, path))


def _entry(document: Document, node: Node | None) -> str | None:
    """The text of an entry, its key and its value."""
    if node is None or node.key_span is None:
        return None
    return document.text[node.key_span.start : max(node.span.end, node.key_span.end)].rstrip()


def _why(state: State, file: str, path: tuple[str, ...]) -> str:
    """What asked for an entry, or for one within it or around it."""
    for length in range(len(path), 0, -1):
        if (file, path[:length]) in state.why:
            return state.why[file, path[:length]]
    for (where, entry), why in reversed([*state.why.items()]):
        short = min(len(entry), len(path))
        if where == file and entry[:short] == path[:short]:
            return why
    return ""
