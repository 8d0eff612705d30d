"""Mutants of a catalog file: the same code with one small fault each."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.Continue: ast.Break,
}  # fmt: skip


class Mutant(NamedTuple):
    """One fault.

    Attributes:
        line: where, in the original file.
        what: the change, for people.
        function: the function it is in; "" for a table of the module.
        tree: the module with the fault.
    """

    line: int
    what: str
    function: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a file's code. Docstrings, decorators, annotations and imports are not code here."""
    tree = ast.parse(source)
    places = list(_places(tree))
    for number, (node, function) in enumerate(places):
        for what, change in _changes(node):
            mutated = copy.deepcopy(tree)
            target = [one for one, _ in _places(mutated)][number]
            change(target)
            yield Mutant(getattr(node, "lineno", 0), what, function, ast.fix_missing_locations(mutated))


def _places(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """The nodes that may be changed, each with its function."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            body = statement.body[1:] if ast.get_docstring(statement) is not None else statement.body
            for inner in body:
                yield from ((node, statement.name) for node in _walk(inner))
        elif isinstance(statement, (ast.Assign, ast.AugAssign)) and ast.unparse(statement) != "TYPE_CHECKING = False":
            yield from ((node, "") for node in _walk(statement.value))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "format_spec"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, (ast.Import, ast.ImportFrom)):
                yield from _walk(child)


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            swap = SWAPS[type(operator)]
            yield f"{type(operator).__name__} -> {swap.__name__}", _set_operator(index, swap)
    elif isinstance(node, (ast.BoolOp, ast.BinOp)) and type(node.op) in SWAPS:
        swap = SWAPS[type(node.op)]
        yield f"{type(node.op).__name__} -> {swap.__name__}", _set("op", swap())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not x -> x", _set("op", ast.UAdd(), wrap=True)
    elif isinstance(node, (ast.If, ast.IfExp)):
        for truth in (True, False):
            yield f"if -> if {truth}", _set("test", ast.Constant(truth))
    elif isinstance(node, ast.Continue):
        yield "continue -> pass", _become(ast.Pass())
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield "return x -> return None", _set("value", ast.Constant(None))
    elif isinstance(node, ast.Constant):
        yield from _constants(node)


def _constants(node: ast.Constant) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} -> {not value}", _set("value", not value)
    elif isinstance(value, (int, float)):
        yield f"{value} -> {value + 1}", _set("value", value + 1)
    elif isinstance(value, str):
        # In the middle: a case that pins a part of the text notices it only where it pins that part.
        half = len(value) // 2
        yield f"{value[:30]!r} -> '...XX...'", _set("value", f"{value[:half]}XX{value[half:]}")


def _set(field: str, value: object, *, wrap: bool = False) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        if wrap and isinstance(node, ast.UnaryOp):  # `not x` becomes `bool(x)`, written as `not not x`
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
            return
        setattr(node, field, copy.deepcopy(value))

    return change


def _set_operator(index: int, swap: type[ast.AST]) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        node.ops[index] = swap()  # type: ignore[attr-defined]

    return change


def _become(other: ast.stmt) -> Callable[[ast.AST], None]:
    def change(node: ast.AST) -> None:
        node.__class__ = other.__class__

    return change
