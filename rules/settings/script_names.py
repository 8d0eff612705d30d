"""What the names of a Python script stand for: imports, whatever they are called here, and what is assigned to a name.

Nothing is executed, and the order of statements is not looked at: a name stands for all that it is ever bound to.
"""

from __future__ import annotations

import ast
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

# A part of a name that is made while the script runs.
MADE = "?"
LOOKED_UP = ("importlib.import_module", "import_module", "__import__")
_DEEPEST = 12  # levels of an expression that makes a text
_MOST = 16  # names that one expression may stand for
_LONGEST = 12  # parts of a name
_ROUNDS = 8
_CHANGING = frozenset(
    ("append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "add")
)


class Names:
    """The names of one script.

    Attributes:
        stars: the modules of which it imports all names.
        loaded: the names that it uses.
    """

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self._imported: dict[str, list[str]] = {}
        self._assigned: dict[str, list[ast.expr]] = {}
        self._bindings: dict[str, int] = {}
        self._changed: set[str] = set()
        self._keys: dict[str, dict[str, None]] = {}  # what is set by name["key"] = ..., in the order of the file
        self._passed: dict[str, list[ast.Call]] = {}
        self._known: dict[str, tuple[str, ...]] = {}
        self._met: dict[int, tuple[str, ...]] = {}
        self.stars: list[str] = []
        self.loaded: set[str] = set()
        for node in nodes:
            look = self._looks.get(type(node))
            if look is not None:
                look(self, node)
        self._follow()

    def _look_at_import(self, node: ast.Import) -> None:
        for alias in node.names:
            name, _, _ = alias.name.partition(".")
            self._import(alias.asname or name, alias.name if alias.asname else name)

    def _look_at_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(module)
            else:
                self._import(alias.asname or alias.name, f"{module}.{alias.name}")

    def _look_at_assignment(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            self._assign(target, node.value)
        # Under another name, too.
        shared = [*targets, node.value] if len(targets) > 1 else [node.value]
        self._changed.update(one.id for one in shared if isinstance(one, ast.Name))

    def _look_at_name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.loaded.add(node.id)
        else:
            self._bind(node.id)

    def _look_at_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._bind(node.name)

    def _look_at_argument(self, node: ast.arg) -> None:
        self._bind(node.arg)

    def _look_at_handler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self._bind(node.name)

    def _look_at_call(self, node: ast.Call) -> None:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, ast.Name):
                self._passed.setdefault(argument.id, []).append(node)
        function = node.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.attr in _CHANGING:
            self._changed.add(function.value.id)

    def _look_at_item(self, node: ast.Subscript) -> None:
        if isinstance(node.value, ast.Name) and not isinstance(node.ctx, ast.Load):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if isinstance(key, str):
                self._keys.setdefault(node.value.id, {})[key] = None
            else:
                self._changed.add(node.value.id)

    def _look_at_addition(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._changed.add(node.target.id)

    _looks: dict[type[ast.AST], Callable[[Names, Any], None]] = {  # noqa: RUF012  never changed
        ast.Import: _look_at_import,
        ast.ImportFrom: _look_at_from,
        ast.Assign: _look_at_assignment,
        ast.AnnAssign: _look_at_assignment,
        ast.NamedExpr: _look_at_assignment,
        ast.Name: _look_at_name,
        ast.FunctionDef: _look_at_definition,
        ast.AsyncFunctionDef: _look_at_definition,
        ast.ClassDef: _look_at_definition,
        ast.arg: _look_at_argument,
        ast.ExceptHandler: _look_at_handler,
        ast.Call: _look_at_call,
        ast.Subscript: _look_at_item,
        ast.AugAssign: _look_at_addition,
    }

    def _assign(self, target: ast.expr, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name) and value is not None:
            self._assigned.setdefault(target.id, []).append(value)
        elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
            for one, part in zip(target.elts, value.elts, strict=False):
                self._assign(one, part)

    def _import(self, name: str, dotted: str) -> None:
        self._imported.setdefault(name, []).append(dotted)
        self._bind(name)

    def _bind(self, name: str) -> None:
        self._bindings[name] = self._bindings.get(name, 0) + 1

    def value(self, name: str) -> ast.expr | None:
        """The one expression that a name is ever bound to; None where there are several, or it is bound otherwise."""
        assigned = self._assigned.get(name, ())
        return assigned[0] if len(assigned) == 1 and self._bindings.get(name) == 1 else None

    def unchanged(self, name: str, user: ast.Call) -> ast.expr | None:
        """The same, where nothing adds to what the name holds, and no other call than this one gets it."""
        return None if name in self._keys else self._held(name, user)

    def filled(self, name: str, user: ast.Call) -> tuple[ast.expr, tuple[str, ...]] | None:
        """The same of what gets entries under these keys alone; None where anything else is done with it, too."""
        value = self._held(name, user)
        return None if value is None else (value, tuple(self._keys.get(name, ())))

    def _held(self, name: str, user: ast.Call) -> ast.expr | None:
        if name in self._changed:
            return None
        others = any(call is not user and not _only_looks(call) for call in self._passed.get(name, ()))
        return None if others else self.value(name)

    def dotted(self, expression: ast.expr) -> tuple[str, ...]:
        """All that an expression may name, each with its module; a part that is made while the script runs is "?".

        The result of a call is named `what.is.called()`.
        """
        found = self._met.get(id(expression))
        if found is None:
            found = self._met[id(expression)] = tuple(islice(dict.fromkeys(self._dotted(expression)), _MOST))
        return found

    def _follow(self) -> None:
        """Find out what assigned names stand for, round after round, until nothing is new."""
        for _ in range(_ROUNDS):
            changed = [name for name in self._assigned if self._follow_once(name)]
            self._met.clear()
            if not changed:
                return
        for name in changed:  # a chain that is longer than anybody writes
            self._known[name] = (*self._known[name], MADE)

    def _follow_once(self, name: str) -> bool:
        found = dict.fromkeys(self._imported.get(name, ()))
        for value in self._assigned[name]:
            found.update(dict.fromkeys(self.dotted(value)))
        after = tuple(islice(found, _MOST))
        changed = after != self._known.get(name, ())
        self._known[name] = after
        return changed

    def _dotted(self, node: ast.expr) -> Iterator[str]:
        if isinstance(node, ast.Name):
            yield from self._of_name(node.id)
        elif isinstance(node, ast.Attribute):
            for base in self.dotted(node.value):
                yield _attribute(base, node.attr)
        elif isinstance(node, ast.Subscript):
            yield from self._looked_up(node.value, node.slice)
        elif isinstance(node, ast.Call):
            yield from self._called(node)
        else:
            for part in _alternatives(node):
                yield from self.dotted(part)

    def _of_name(self, name: str) -> Iterator[str]:
        if name in self._known:
            yield from self._known[name]
        elif name in self._imported:
            yield from self._imported[name]
        elif name not in self._assigned:
            yield name
            if name not in self._bindings:
                yield from (f"{module}.{name}" for module in self.stars)

    def _called(self, node: ast.Call) -> Iterator[str]:
        first = node.args[0] if node.args else None
        for called in self.dotted(node.func):
            if called in LOOKED_UP and first is not None:
                module = self.text(first) or MADE
                yield module
                if called == "__import__":  # it returns the outermost package, or the module itself
                    yield module.partition(".")[0]
            elif called in ("getattr", "builtins.getattr") and len(node.args) >= 2:
                yield from self._looked_up(node.args[0], node.args[1])
            elif called.rpartition(".")[2] == "partial" and first is not None:
                yield from self.dotted(first)
            elif called in ("vars", "globals", "locals") or called.endswith(".__dict__"):
                yield from self.dotted(first) if first is not None else ("",)
            else:
                yield f"{called.partition('()')[0]}()"

    def _looked_up(self, base: ast.expr, key: ast.expr) -> Iterator[str]:
        """`getattr(base, key)`, `sys.modules[key]`, `globals()[key]`, `module.__dict__[key]`."""
        table = self.value(base.id) if isinstance(base, ast.Name) else base
        if isinstance(table, ast.Dict):
            yield from self.dotted(table)
            return
        name = self.text(key) or MADE
        for one in self.dotted(base):
            if one == "sys.modules":
                yield name
            elif one == "":
                yield from self._of_name(name)
            else:
                yield f"{one.removesuffix('.__dict__')}.{name}"

    def text(self, node: ast.expr) -> str | None:
        """The text that an expression comes to, where it is written out; None where it is made otherwise."""
        return self._text(node, _DEEPEST)

    def _text(self, node: ast.expr, depth: int) -> str | None:
        if depth == 0:
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name):
            value = self.value(node.id)
            return None if value is None else self._text(value, depth - 1)
        if isinstance(node, ast.JoinedStr):
            parts = [one.value if isinstance(one, ast.FormattedValue) else one for one in node.values]
            return self._joined(parts, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined([node.left, node.right], depth)
        return None

    def _joined(self, parts: Sequence[ast.expr], depth: int) -> str | None:
        texts = [self._text(part, depth - 1) for part in parts]
        return None if None in texts else "".join(str(text) for text in texts)


def _only_looks(call: ast.Call) -> bool:
    looking = ("len", "print", "str", "repr", "bool", "isinstance", "Accelerator")
    return isinstance(call.func, ast.Name) and call.func.id in looking


def _attribute(base: str, name: str) -> str:
    """An attribute of what has that name; of the results of calls only the first is kept, and no name grows forever."""
    called, result, _ = base.partition("()")
    if base.count(".") >= _LONGEST:
        return f"{base.partition('.')[0]}.{name}"
    return f"{called}().{name}" if result else f"{base}.{name}"


def _alternatives(node: ast.expr) -> Sequence[ast.expr]:
    """The expressions of which this one comes to be one."""
    if isinstance(node, ast.IfExp):
        return (node.body, node.orelse)
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.NamedExpr):
        return (node.value,)
    if isinstance(node, ast.Dict):
        return node.values
    if isinstance(node, (ast.List, ast.Tuple)):
        return node.elts
    return ()
