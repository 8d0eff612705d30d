"""Expressions of a script that hang on its command line: what they come to, once that is known.

A form is plain data made of an expression: ("value", True), ("option", "bf16"), ("if", test, one, other), ("not", one),
("and", one, other, ...), ("or", ...), ("==", one, other) and its kin. Whatever else an expression is made of has none.
"""

from __future__ import annotations

import ast

from fp8check.rules.settings.values import Setting, Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from fp8check.rules.settings.script_names import Names

    # The word that says what it is, and its parts: plain values, names of options, and other forms.
    Form = tuple[Any, ...]

_DEEPEST = 12
_LARGEST = 64  # parts of a form: what hangs on more of them is not known
_COMPARED = {ast.Eq: "==", ast.NotEq: "!=", ast.Is: "==", ast.IsNot: "!=", ast.In: "in", ast.NotIn: "not in"}
_PLAIN = (str, int, float, type(None))


class Forms:
    """Makes forms of the expressions of one script."""

    def __init__(self, names: Names, option: Callable[[ast.Attribute, str, str], bool]) -> None:
        """`option`: whether a variable's attribute is an option of the command line, and unchanged where it stands."""
        self._names = names
        self._is_option = option
        self._made: dict[int, Form | None] = {}

    def of(self, node: ast.expr, depth: int = _DEEPEST) -> Form | None:
        """The form of an expression; None where it has none."""
        if id(node) not in self._made:
            self._made[id(node)] = None  # so that what hangs on itself has none
            form = self._form(node, depth) if depth else None
            self._made[id(node)] = None if form is None or _size(form) > _LARGEST else form
        return self._made[id(node)]

    def _form(self, node: ast.expr, depth: int) -> Form | None:
        if isinstance(node, ast.Constant):
            return ("value", node.value) if isinstance(node.value, _PLAIN) else None
        if isinstance(node, ast.Name):
            value = self._names.value(node.id)
            return None if value is None else self.of(value, depth - 1)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        parts: tuple[str, list[ast.expr]] | None = None
        if isinstance(node, ast.IfExp):
            parts = "if", [node.test, node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            parts = ("and" if isinstance(node.op, ast.And) else "or"), node.values
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            parts = "not", [node.operand]
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARED:
            parts = _COMPARED[type(node.ops[0])], [node.left, node.comparators[0]]
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            parts = "list", node.elts
        elif isinstance(node, ast.Call):
            return self._call(node)
        if parts is None:
            return None
        forms = [self.of(part, depth - 1) for part in parts[1][:_LARGEST]]
        return None if None in forms or len(parts[1]) > _LARGEST else (parts[0], *forms)

    def _attribute(self, node: ast.Attribute) -> Form | None:
        if isinstance(node.value, ast.Name) and self._is_option(node, node.value.id, node.attr):
            return ("option", node.attr)
        return None

    def _call(self, node: ast.Call) -> Form | None:
        """getattr(args, "bf16", False)."""
        called = node.func
        if not (isinstance(called, ast.Name) and called.id == "getattr" and len(node.args) in (2, 3)):
            return None
        held, name = node.args[0], self._names.text(node.args[1])
        if not isinstance(held, ast.Name) or name is None:
            return None
        place = ast.copy_location(ast.Attribute(held, name, ast.Load()), node)
        return ("option", name) if self._is_option(place, held.id, name) else None


def _size(form: Form) -> int:
    return 1 + sum(_size(part) for part in form[1:] if isinstance(part, tuple))


def value_of(form: Form, options: Mapping[str, Setting], place: Setting) -> Setting:
    """What a form comes to: an option's own setting, or what is worked out of several, at the place of the expression.

    Raises:
        Undecided: it hangs on an option that is not known.
    """
    if form[0] == "option":
        return _option(str(form[1]), options)
    return place._replace(value=_worked_out(form, options))


def _option(name: str, options: Mapping[str, Setting]) -> Setting:
    if name not in options:
        raise Undecided(f"no option {name} was found", "the script")
    return options[name]


def _worked_out(form: Form, options: Mapping[str, Setting]) -> object:
    word, *parts = form
    if word == "value":
        return parts[0]
    if word == "option":
        return _option(str(parts[0]), options).value
    if word == "if":
        return _worked_out(parts[1] if _worked_out(parts[0], options) else parts[2], options)
    if word in ("and", "or"):
        value: object = None
        for part in parts:
            value = _worked_out(part, options)
            if bool(value) is (word == "or"):
                break
        return value
    values = [_worked_out(part, options) for part in parts]
    if word == "not":
        return not values[0]
    if word == "list":
        return values
    if word in ("==", "!="):
        return (values[0] == values[1]) is (word == "==")
    return _within(values[0], values[1]) is (word == "in")


def _within(one: object, several: object) -> bool:
    if isinstance(several, str) and isinstance(one, str):
        return one in several
    if isinstance(several, list):
        return one in several
    raise Undecided(f"{one!r} in {several!r} raises TypeError", "the script")
