"""A Python script -> what of it matters here, by its syntax tree. Nothing of it is executed."""

from __future__ import annotations

import ast
import warnings

from fp8check.rules.settings.script import HANDLERS, PARSERS, READERS, Assigned, Call, ScriptSource, Unevaluated
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.reading import Span
    from fp8check.rules.reading.source import Source

_ENVIRONMENT = ("os.environ", "environ")
_WATCHED = frozenset((*READERS, *PARSERS, *HANDLERS, "prepare", "train", "from_pretrained"))


def parse(source: Source) -> ScriptSource | None:
    """What the script does; None where it is no Python that this interpreter can parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the script: nobody asked for them
            return _Reader(source).read(ast.parse(source.text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._bound: dict[str, list[ast.expr]] = {}
        self._calls: list[Call] = []
        self._assigned: list[Assigned] = []
        self._nodes: list[tuple[Call, ast.Call]] = []
        self._blocks = 0

    def read(self, tree: ast.Module) -> ScriptSource:
        self._block(tree.body, ())
        calls = tuple(sorted(self._calls, key=lambda call: call.span.start))
        return ScriptSource(self._source.path, self._source.text, calls, tuple(self._assigned), self._passed())

    def _block(self, statements: list[ast.stmt], outer: tuple[int, ...], sign: int = 1) -> None:
        self._blocks += 1
        block = (*outer, sign * self._blocks)
        for statement in statements:
            inner = [
                value
                for name, value in ast.iter_fields(statement)
                if name in ("body", "orelse", "finalbody", "handlers", "cases") and isinstance(value, list)
            ]
            for node in _outside(statement, [part for value in inner for part in value]):
                self._look(node, block)
            for value in inner:
                bodies = [part.body for part in value if isinstance(part, (ast.ExceptHandler, ast.match_case))]
                function = isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))
                for body in bodies or [value]:
                    self._block(body, block, -1 if function else 1)

    def _look(self, node: ast.AST, block: tuple[int, ...]) -> None:
        if isinstance(node, ast.Call):
            name = _name(node.func)
            if name in _WATCHED:
                call = self._call(name, node, block)
                self._calls.append(call)
                self._nodes.append((call, node))
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            self._assign(node.targets[0], node.value, block)

    def _assign(self, target: ast.expr, value: ast.expr, block: tuple[int, ...]) -> None:
        if isinstance(target, ast.Name):
            self._bound.setdefault(target.id, []).append(value)
        if not isinstance(target, ast.Subscript) or ast.unparse(target.value) not in _ENVIRONMENT:
            return
        if isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str):
            setting = self._setting(value)
            self._assigned.append(Assigned(target.slice.value, setting, self._span(target), block))

    def _call(self, name: str, node: ast.Call, block: tuple[int, ...]) -> Call:
        keywords = {
            keyword.arg: self._setting(keyword.value, keyword) for keyword in node.keywords if keyword.arg is not None
        }
        spread = next((keyword.value for keyword in node.keywords if keyword.arg is None), None)
        if spread is not None:
            keywords["**"] = Setting(Unevaluated(ast.unparse(spread)), Origin(span=self._span(spread)))
        starred = any(isinstance(argument, ast.Starred) for argument in node.args)
        positional = None if starred else tuple(ast.unparse(argument) for argument in node.args)
        return Call(name, keywords, positional, self._span(node.func), block)

    def _setting(self, value: ast.expr, keyword: ast.keyword | None = None) -> Setting:
        try:
            literal: object = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            literal = Unevaluated(ast.unparse(value))
        key = self._span(keyword, len(str(keyword.arg))) if keyword is not None else None
        return Setting(literal, Origin(span=self._span(value), key_span=key))

    def _passed(self) -> Call | None:
        """The FP8 recipe handler that the only Accelerator gets."""
        makers = [node for call, node in self._nodes if call.name == "Accelerator"]
        if len(makers) != 1:
            return None
        given = [keyword.value for keyword in makers[0].keywords if keyword.arg == "kwargs_handlers"]
        calls = {id(node): call for call, node in self._nodes if call.name in HANDLERS}
        for value in given:
            listed = self._meant(value)
            for item in listed.elts if isinstance(listed, (ast.List, ast.Tuple)) else []:
                handler = calls.get(id(self._meant(item)))
                if handler is not None:
                    return handler
        return None

    def _meant(self, value: ast.expr) -> ast.expr:
        """What a name stands for, where it is assigned once; anything else is itself."""
        bound = self._bound.get(value.id, []) if isinstance(value, ast.Name) else []
        return bound[0] if len(bound) == 1 else value

    def _span(self, node: ast.expr | ast.keyword, length: int | None = None) -> Span:
        start = self._offset(node.lineno, node.col_offset)
        if length is not None:
            return self._source.span(start, start + length)
        return self._source.span(start, self._offset(node.end_lineno or 0, node.end_col_offset or 0))

    def _offset(self, line: int, column: int) -> int:
        """The character offset of a line and a column in bytes of UTF-8, as the syntax tree counts."""
        start = self._source.start_of(line)
        if self._source.text.isascii():
            return start + column
        return start + len(self._source.text[start : start + column].encode()[:column].decode(errors="ignore"))


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _outside(statement: ast.stmt, blocks: list[ast.AST]) -> Iterator[ast.AST]:
    """The statement and what stands in it, but not in its blocks of statements."""
    skipped = {id(node) for node in blocks}
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(child for child in ast.iter_child_nodes(node) if id(child) not in skipped)
