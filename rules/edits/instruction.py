"""What a fix or an action does, in words: the one place that tells somebody what to do about a finding."""

from __future__ import annotations

from fp8check.rules.edits import rendering
from fp8check.rules.edits.unfixable import Unfixable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.edits.action import Action
    from fp8check.rules.edits.fix import Edit, Fix
    from fp8check.rules.reading import Document, Span

_ORDERS = ("write", "delete", "unset", "export")


class Words:
    """Says what is to be done to these documents; each is walked once, and only where an entry is to come in."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = {document.path: document for document in documents}
        self._sections: dict[str, dict[tuple[int, int], str]] = {}

    def of(self, fix: Fix | None, action: Action | None, home: Span | None) -> str:
        """What to do, as an order: "write bf16: false and delete fp16"; "" where nothing is to be done.

        Args:
            home: the place of the finding, which need not be named again.
        """
        parts = [] if fix is None else [*self._edits(fix, home)]
        parts += [] if action is None else _elsewhere(action)
        parts = [*dict.fromkeys(parts)]
        orders = [part.partition(" ")[0] for part in parts]
        # "write a: 1, b: 2 and delete c": an order is given once for what follows it.
        parts = [
            one.partition(" ")[2] if at and order == orders[at - 1] and order in _ORDERS else one
            for at, (order, one) in enumerate(zip(orders, parts, strict=True))
        ]
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)

    def _edits(self, fix: Fix, home: Span | None) -> Iterator[str]:
        moved = [edit.taken for edit in fix.edits if edit.taken is not None]
        here = None if home is None else home.file
        for edit in fix.edits:
            if edit.action == "delete" and edit.place in moved:
                continue
            where = "" if edit.file in (here, None) else f" in {edit.file}"
            yield f"{self._words(edit, home)}{where}"

    def _words(self, edit: Edit, home: Span | None) -> str:
        document = self._documents.get(edit.file or "")
        written = "" if document is None or edit.place is None else document.text[edit.place.start : edit.place.end]
        loader = "pyyaml" if document is None else document.loader
        if edit.action == "cut":
            return "delete the comment"
        if edit.action == "delete":
            line = edit.place.line if edit.place is not None else 0
            elsewhere = home is None or home.file != edit.file or home.line != line
            return f"delete {written}{f' (line {line})' if elsewhere else ''}"
        if edit.action == "rename":
            return f"write {edit.key} instead of {written}"
        if loader == "python":
            return _in_script(edit, written)
        value = _value(edit.value, loader)
        if edit.action == "insert":
            section = self._section(document, edit)
            nested = home is not None and home.column > 1 and home.file == edit.file
            where = f" under {section}" if section else " at the top level" if nested else ""
            return f"{'move it: ' if edit.taken is not None else ''}write {edit.key}: {value}{where}"
        return f"write {value} instead of {written}" if edit.part == "item" else f"write {written}: {value}"

    def _section(self, document: Document | None, edit: Edit) -> str:
        """The key of the map that an entry is to come into; "" for that of the file."""
        if document is None or document.root is None or edit.place is None:
            return ""
        if document.path not in self._sections:
            found = self._sections[document.path] = {}
            pending = [document.root]
            while pending:
                node = pending.pop()
                if node.kind == "map" and node.key_span is not None:
                    found.setdefault((node.span.start, node.span.end), str(node.key))
                pending.extend(node.entries.values())
        return self._sections[document.path].get((edit.place.start, edit.place.end), "")


def _in_script(edit: Edit, written: str) -> str:
    """What to write in a script: an argument by its name, or a literal instead of another."""
    from fp8check.rules.edits.python_text import literal

    try:
        value = literal(edit.value, written)
    except Unfixable:  # then the edit cannot be made either
        value = str(edit.value)
    if written.isidentifier() and edit.part == "entry":
        return f"write {written}={value}"
    return f"write {value} instead of {written}"


def _value(value: object, loader: str) -> str:
    try:
        return rendering.inline_text(value, loader)
    except Unfixable:  # a date, or what no file can hold: then the edit cannot be made either
        return str(value)


def _elsewhere(action: Action) -> Iterator[str]:
    """What is to be done outside of the files."""
    if action.packages:
        yield f"pip install {' '.join(f'{name}=={version}' for name, version in action.packages.items())}"
    for name, value in action.variables.items():
        yield f"unset {name}" if value is None else f"export {name}={value}"
    for flag in action.without:
        yield f"leave {flag} out of the command"
    if action.launch is not None:
        yield f"start with: {action.launch}"
