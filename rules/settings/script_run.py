"""A script followed from its first statement on, with plain values: what it hands to Accelerator and to a Trainer.

Nothing of it is executed: names, branches, loops over what is known, functions, classes and containers are followed as
far as their values are written out, come of the command line, of variables that are known, or of the GPUs. Whatever
else there is, is UNKNOWN, and what hangs on it, too. Where a condition is not known, both ways are followed, and what
they leave otherwise is UNKNOWN.
"""

from __future__ import annotations

import ast
import os
from itertools import islice

from fp8check.rules.record import Record
from fp8check.rules.settings import script_calls
from fp8check.rules.settings.script import HANDLERS, MOST_SPREAD, Made
from fp8check.rules.settings.script_files import FilePath, Opened
from fp8check.rules.settings.script_fp8 import is_word
from fp8check.rules.settings.script_mains import command_name
from fp8check.rules.settings.script_values import (
    PLAIN,
    UNKNOWN,
    Attributes,
    Class,
    Environment,
    Function,
    IfUnset,
    Method,
    Model,
    Moment,
    Named,
    Object,
    Output,
    Scope,
    bounded,
    same,
    truth,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from typing import Any, Literal

    from fp8check.rules.settings.script_following import Known

    # How a block ends: at its end, or by one of these statements; "return?": perhaps.
    End = Literal["", "return", "return?", "break", "continue", "exit"]

_PRECISION_AT = 2  # Accelerator(device_placement, split_batches, mixed_precision, ...)
_MOST_STEPS = 20_000
_DEEPEST = 12  # functions in functions
_MOST_ROUNDS = 64  # of a loop
_MOST_KEPT = 64  # calls of the same place
# Decorators that hand over the command line.
_COMMANDS = ("command", "main", "pass_context", "option", "argument", "callback")
_OF_MAPPINGS = ("get", "items", "keys", "values", "copy", "update", "pop")
_OF_MODULE = ("__name__", "__file__")
# Decorators that leave a function as it is.
_HARMLESS = ("dataclass", "record", "wraps", "lru_cache", "cache")
# Decorators that say what a function of a class is taken of.
_BOUND = ("property", "classmethod", "staticmethod")


EMPTY: Mapping[str, object] = {}


class Seen(Record):
    """One call that was met.

    Attributes:
        sure: whether the script comes there whenever it runs.
        environment: what it set of the environment before, or may have set.
    """

    made: Made
    sure: bool
    environment: Moment


class Step(Record):
    """A backward pass.

    Attributes:
        training, grad, handed: of the forward pass before it; see Output.
        sure: whether the script comes there, if it trains at all.
        line: where it stands.
        path: the module in which it stands; "" for the script itself.
    """

    training: object
    grad: bool
    handed: bool
    sure: bool
    line: int
    path: str = ""

    def seen_from(self, path: str) -> Step:
        """The same, for whoever looks into one file alone: of any other it says nothing."""
        return self if self.path == path else self._replace(training=UNKNOWN, grad=True, handed=True)


class Followed(Record):
    """What came of following a script.

    Attributes:
        seen: the calls that were looked for, each by where what is called stands (line, column of ast).
        dead: the first and last lines of branches that are never taken.
        environment: what it set of the environment at its end, or may have set.
        lines: those that the script comes to.
        told: whether a word as "fp8" is handed to something of which nothing is known.
        steps: the backward passes.
        modules: what came of following its modules, by their paths.
    """

    seen: Mapping[tuple[int, int], Sequence[Seen]]
    dead: Sequence[tuple[int, int]]
    environment: Mapping[str, tuple[object, ast.AST]]
    lines: frozenset[int]
    told: bool
    steps: Sequence[Step]
    modules: Mapping[str, Followed] = {}


class _TooLong(Exception):
    """More steps than are followed."""


def follow(tree: ast.Module, watched: Mapping[str, str], known: Known, prefixes: tuple[str, ...]) -> Followed | None:
    """Follow a script; None where it takes more steps than are followed.

    Args:
        watched: the classes whose calls are looked for: their last names, and what each is taken for.
        known: what is known of the run.
        prefixes: of the variables that are known as a whole.
    """
    follower = Follower(watched, known, prefixes)
    try:
        follower.block(tree.body, follower.top)
    except (_TooLong, RecursionError):
        return None
    return Followed(
        follower.seen,
        tuple(follower.dead()),
        follower.environment.written,
        frozenset(follower.lines),
        follower.told,
        tuple([one.seen_from("") for one in follower.steps]),
        {
            path: Followed(
                seen, (), {}, frozenset(lines), follower.told, [one.seen_from(path) for one in follower.steps]
            )
            for path, (seen, lines) in follower.files.items()
            if path
        },
    )


class Follower:
    """Follows one script.

    Attributes:
        seen: the calls that were met.
        environment: os.environ.
        lines: those that the script comes to.
        told: whether a word as "fp8" is handed to something of which nothing is known.
        steps: the backward passes.
        without_grad: how many blocks that keep no gradients lie around.
        top: the names of the script.
        known: what is known of the run.
        files: the calls that were met and the lines, of each file by its path; "" is the script, and `seen` and `lines`
            are those of the file that is followed.
    """

    def __init__(self, watched: Mapping[str, str], known: Known, prefixes: tuple[str, ...]) -> None:
        self.seen: dict[tuple[int, int], list[Seen]] = {}
        self.known = known
        self.environment = Environment(known.variables, prefixes, launched=known.launched)
        self.lines: set[int] = set()
        self.told = False
        self.steps: list[Step] = []
        self.without_grad = 0
        self.top = Scope()
        self.files: dict[str, tuple[dict[tuple[int, int], list[Seen]], set[int]]] = {"": (self.seen, self.lines)}
        self._file = ""  # whose statements are followed
        self._scopes: dict[str, Scope] = {}  # of the modules
        self._watched = watched
        self._spread_left = MOST_SPREAD
        self._steps = 0
        self._depth = 0
        self._maybe = 0  # how many unknown conditions and loops lie around
        self._loops = 0  # how many of them are loops: who trains goes through them
        self._returned: list[list[object]] = []
        self._spoiled: dict[int, object] = {}  # lists, mappings and objects of which nothing is known any more
        self._tests: dict[int, tuple[ast.If, set[bool | None]]] = {}

    def dead(self) -> Iterator[tuple[int, int]]:
        """The branches that were never taken."""
        for node, ways in self._tests.values():
            if None in ways:
                continue
            for way, body in ((True, node.body), (False, node.orelse)):
                if way not in ways and body:
                    yield body[0].lineno, body[-1].end_lineno or body[-1].lineno

    # Statements.

    def block(self, statements: Sequence[ast.stmt], scope: Scope) -> End:
        """Follow statements one after the other; how they end."""
        for number, statement in enumerate(statements):
            self._step()
            follow_one = self._statements.get(type(statement))
            end: End = "" if follow_one is None else follow_one(self, statement, scope)
            if end == "return?":
                return self._perhaps_rest(statements[number + 1 :], scope)
            if end:
                return end
        return ""

    def _perhaps_rest(self, rest: Sequence[ast.stmt], scope: Scope) -> End:
        self._maybe += 1
        end = self.block(rest, scope)
        self._maybe -= 1
        if self._returned and end != "return":
            self._returned[-1].append(None)
        return "return"

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise _TooLong

    def _assign(self, node: ast.Assign, scope: Scope) -> End:
        value = self.value(node.value, scope)
        for target in node.targets:
            self._bind(target, value, scope)
        return ""

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> End:
        if node.value is not None:
            self._bind(node.target, self.value(node.value, scope), scope)
        return ""

    def _augmented(self, node: ast.AugAssign, scope: Scope) -> End:
        target: Any = node.target
        before = self.value(_loaded(target), scope)
        added = self.value(node.value, scope)
        if isinstance(before, list) and isinstance(node.op, ast.Add):
            self.change(before, lambda: before.extend(added) if isinstance(added, (list, tuple)) else None)
            if not isinstance(added, (list, tuple)):
                self.spoil(before)
        elif before is self.environment:
            self.update_environment(added, node)
        elif isinstance(before, dict):
            self.change(before, lambda: before.update(added) if isinstance(added, dict) else None)
            if not isinstance(added, dict):
                self.spoil(before)
        else:
            self._bind(target, script_calls.computed(node.op, before, added), scope)
        return ""

    def _if(self, node: ast.If, scope: Scope) -> End:
        test = truth(self.held(self.value(node.test, scope)))
        if not self._file:
            self._tests.setdefault(id(node), (node, set()))[1].add(test)
        if test is not None:
            return self.block(node.body if test else node.orelse, scope)
        return self._both([node.body, node.orelse], scope)

    def _both(self, ways: Sequence[Sequence[ast.stmt]], scope: Scope) -> End:
        """Several ways of which one is taken: what they leave otherwise is not known."""
        before = dict(scope.names)
        left: list[tuple[dict[str, object], End]] = []
        self._maybe += 1
        for way in ways:
            scope.leave(dict(before))
            end = self.block(way, scope)
            left.append((scope.names, end))
        self._maybe -= 1
        on = [names for names, end in left if end not in ("exit", "return")]
        scope.leave(_joined(on) if on else before)
        ends = {end for _, end in left}
        if ends == {"return"}:
            return "return"
        if "return" in ends:
            return "return?"
        return "exit" if ends == {"exit"} else ""

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> End:
        items = self.items(self.value(node.iter, scope))
        if items is None or len(items) > _MOST_ROUNDS:
            self._bind(node.target, UNKNOWN, scope)
            return self._perhaps_often(node.body, scope)
        for item in items:
            self._bind(node.target, item, scope)
            end = self.block(node.body, scope)
            if end in ("return", "exit"):
                return end
            if end == "break":
                return ""
        return self.block(node.orelse, scope)

    def _perhaps_often(self, body: Sequence[ast.stmt], scope: Scope) -> End:
        self._loops += 1
        end = self._both([body, []], scope)
        self._loops -= 1
        return end

    def _while(self, node: ast.While, scope: Scope) -> End:
        if truth(self.held(self.value(node.test, scope))) is False:
            return self.block(node.orelse, scope)
        for name in _stored(node.body):
            self.set_name(name, UNKNOWN, scope)
        return self._perhaps_often(node.body, scope)

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> End:
        quiet = 0
        for item in node.items:
            value = self.value(item.context_expr, scope)
            quiet += isinstance(value, Made) and value.name == "no_grad"
            if item.optional_vars is not None:
                self._bind(item.optional_vars, value if isinstance(value, (Made, Opened)) else UNKNOWN, scope)
        self.without_grad += quiet
        end = self.block(node.body, scope)
        self.without_grad -= quiet
        return end

    def _try(self, node: ast.Try, scope: Scope) -> End:
        imports = self._imports_at_once(node.body)
        if imports is not None and node.handlers:
            way = [*node.body, *node.orelse] if imports else node.handlers[0].body
            end = self.block(way, scope)
            last = self.block(node.finalbody, scope)
            return last or end
        end = self.block([*node.body, *node.orelse], scope)
        if node.handlers and end not in ("return",):
            self._both([[], *(handler.body for handler in node.handlers)], scope)
        last = self.block(node.finalbody, scope)
        return last or end

    def _imports_at_once(self, body: Sequence[ast.stmt]) -> bool | None:
        """Whether all imports of a `try` come to their end; None where that is not known, or it does more."""
        several: list[bool | None] = []
        for statement in body:
            if isinstance(statement, ast.Import):
                several.extend(self.known.packages.get(alias.name.partition(".")[0]) for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
                there = self.known.packages.get(statement.module.partition(".")[0])
                several.append(there if there is False or "." not in statement.module else None)
            elif not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Constant):
                return None
        if False in several:
            return False if several[0] is False else None
        return True if several and None not in several else None

    def _match(self, node: ast.Match, scope: Scope) -> End:
        subject = self.value(node.subject, scope)
        for case in node.cases:
            fits = _fits(case.pattern, subject) if case.guard is None else None
            if fits is None:
                return self._both([*(one.body for one in node.cases), []], scope)
            if fits:
                return self.block(case.body, scope)
        return ""

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> End:
        made: object = self._function(node, scope)
        for decorator in reversed(node.decorator_list):
            made = self._decorated(made, decorator, scope)
        self.set_name(node.name, made, scope)
        return ""

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> Function:
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args]
        values = [self.value(one, scope) for one in arguments.defaults]
        defaults = {one.arg: value for one, value in zip(named[len(named) - len(values) :], values, strict=True)}
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                defaults[one.arg] = self.value(default, scope)
        return Function(node, scope, defaults)

    def _decorated(self, made: object, decorator: ast.expr, scope: Scope) -> object:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        value = self.value(called, scope)
        last = value.last if isinstance(value, Named) else _last(called)
        if not isinstance(made, Function):
            self.value(decorator, scope)
            return UNKNOWN
        if last in _COMMANDS:
            made = made._replace(command=True, opaque=made.opaque or last == "main")  # hydra.main hands over a file
            owner = value.owner if isinstance(value, Method) else None
            place = script_calls.place_of(owner)
            if place is not None and isinstance(made.node, ast.FunctionDef):
                name = command_name(made.node.name, decorator, lambda one: _text(self.value(one, scope)))
                self.known.commands.setdefault(place, []).append((name, made))
            return made
        if last == "group" and isinstance(value, Named):
            return made._replace(command=True, group=True)
        if last in _BOUND:
            return Method(made, last)
        if last in script_calls.WITHOUT_GRAD:
            return made._replace(without_grad=True)
        if last in _HARMLESS:
            return made
        self.value(decorator, scope)  # what it is given may tell
        return made._replace(opaque=True)

    def _class(self, node: ast.ClassDef, scope: Scope) -> End:
        inner = Scope(scope)
        self.block(node.body, inner)
        bases = [self.value(base, scope) for base in node.bases]
        own = [base for base in bases if isinstance(base, Class)]
        known = len(own) == len([base for base in bases if not (isinstance(base, Named) and base.dotted == "object")])
        known = known and all(base.known for base in own) and not node.keywords
        decorators = {_last(one) for one in node.decorator_list}
        for given in (*node.decorator_list, *(keyword.value for keyword in node.keywords)):
            self.value(given, scope)
        fields: list[str] | None = None
        if "dataclass" in decorators:
            written = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
            names = [one.id for one in written if isinstance(one, ast.Name)]
            fields = list(dict.fromkeys([*(field for base in own for field in base.members or ()), *names]))
        known = known and decorators <= {"dataclass"}
        self.set_name(node.name, Class(node.name, inner.names, tuple(own), known, fields), scope)
        return ""

    def _import(self, node: ast.Import, scope: Scope) -> End:
        for alias in node.names:
            name, _, _ = alias.name.partition(".")
            beside = self._module(alias.name)  # what it does as a module is done, whatever it is called here
            whole = alias.asname is not None or name == alias.name
            value = beside if beside is not None and whole else Named(alias.name if alias.asname else name)
            self.set_name(alias.asname or name, value, scope)
        return ""

    def _import_from(self, node: ast.ImportFrom, scope: Scope) -> End:
        module = "." * node.level + (node.module or "")
        beside = self._module(module)
        for alias in node.names:
            if alias.name == "*" and beside is not None:
                for name, value in beside.names.items():
                    if not name.startswith("_"):
                        self.set_name(name, value, scope)
                continue
            self.set_name(alias.asname or alias.name, self._of_module(module, beside, alias.name), scope)
        return ""

    def _of_module(self, module: str, beside: Scope | None, name: str) -> object:
        """What `from module import name` takes: what the module has of that name, or a module in its package."""
        if beside is not None and name in beside.names:
            return beside.names[name]
        inner = self._module(f"{module}{name}" if module.endswith(".") else f"{module}.{name}")
        if inner is not None:
            return inner
        return Named(f"{module}.{name}") if beside is None else UNKNOWN

    def _module(self, dotted: str) -> Scope | None:
        """The names of a module beside the script, which is followed once; None where it is none."""
        path = self.known.module(dotted, self._file or self.known.path) if self.known.modules else None
        if path is None:
            return None
        if path not in self._scopes:
            self._scopes[path] = scope = Scope(path=path)
            before = self._enter(path)
            self.block(ast.parse(self.known.modules[path]).body, scope)
            self._enter(before)
        return self._scopes[path]

    def _enter(self, path: str) -> str:
        """Go on in another file; returns the one before."""
        before, self._file = self._file, path
        self.seen, self.lines = self.files.setdefault(path, ({}, set()))
        return before

    def _expression(self, node: ast.Expr, scope: Scope) -> End:
        value = self.value(node.value, scope)
        return "exit" if value is script_calls.ENDS else ""

    def _return(self, node: ast.Return, scope: Scope) -> End:
        value = None if node.value is None else self.value(node.value, scope)
        if self._returned:
            self._returned[-1].append(value)
        return "return"

    def _raise(self, _node: ast.Raise, _scope: Scope) -> End:
        return "exit"

    def _break(self, _node: ast.Break, _scope: Scope) -> End:
        return "break"

    def _continue(self, _node: ast.Continue, _scope: Scope) -> End:
        return "continue"

    def _global(self, node: ast.Global | ast.Nonlocal, scope: Scope) -> End:
        for name in node.names:
            other = scope.outer
            while (
                other is not None
                and other.outer is not None
                and (isinstance(node, ast.Global) or name not in other.names)
            ):
                other = other.outer
            if other is not None:
                scope.shared[name] = other
        return ""

    def _delete(self, node: ast.Delete, scope: Scope) -> End:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                owner, key = self.value(target.value, scope), self.value(target.slice, scope)
                if owner is self.environment:
                    self.set_variable(key, None, node)
                elif isinstance(owner, (dict, list)):
                    self.spoil(owner)
            elif isinstance(target, ast.Attribute):
                self.set_attribute(self.value(target.value, scope), target.attr, UNKNOWN)
            elif isinstance(target, ast.Name):
                self.set_name(target.id, UNKNOWN, scope)
        return ""

    _statements: dict[type[ast.stmt], Callable[[Follower, Any, Scope], End]] = {  # noqa: RUF012  never changed
        ast.Assign: _assign,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _augmented,
        ast.If: _if,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.While: _while,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Try: _try,
        ast.Match: _match,
        ast.FunctionDef: _define,
        ast.AsyncFunctionDef: _define,
        ast.ClassDef: _class,
        ast.Import: _import,
        ast.ImportFrom: _import_from,
        ast.Expr: _expression,
        ast.Return: _return,
        ast.Raise: _raise,
        ast.Break: _break,
        ast.Continue: _continue,
        ast.Global: _global,
        ast.Nonlocal: _global,
        ast.Delete: _delete,
    }

    # Names and what they are set to.

    def _bind(self, target: ast.expr, value: object, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            self.set_name(target.id, value, scope)
        elif isinstance(target, ast.Attribute):
            self.set_attribute(self.value(target.value, scope), target.attr, value)
        elif isinstance(target, ast.Subscript):
            self._set_item(self.value(target.value, scope), self.value(target.slice, scope), value, target)
        elif isinstance(target, ast.Starred):
            self._bind(target.value, UNKNOWN, scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = self.items(value)
            fits = items is not None and len(items) == len(target.elts)
            for number, one in enumerate(target.elts):
                self._bind(one, items[number] if fits and items is not None else UNKNOWN, scope)

    def set_name(self, name: str, value: object, scope: Scope) -> None:
        other = scope.shared.get(name)
        if other is None:
            scope.names[name] = value
        else:
            other.names[name] = UNKNOWN if self._maybe else value

    def set_attribute(self, owner: object, name: str, value: object) -> None:
        if isinstance(owner, Object):
            owner.attributes[name] = UNKNOWN if self._maybe else value
        elif isinstance(owner, Class):
            owner.names[name] = UNKNOWN if self._maybe else value
        elif isinstance(owner, Attributes):
            self.change(owner, lambda: owner.__setitem__(name, value))
        else:
            self._tell(name, value)
            if isinstance(owner, Made):
                self.spoil(owner)

    def _set_item(self, owner: object, key: object, value: object, node: ast.AST) -> None:
        if owner is self.environment:
            self.set_variable(key, value, node)
        elif isinstance(owner, dict) and isinstance(key, PLAIN):
            self.change(owner, lambda: owner.__setitem__(key, value))
        elif isinstance(owner, (dict, list)):
            self.spoil(owner)
        else:
            self._tell(str(key), value)

    def _tell(self, name: str, value: object) -> None:
        """A name and a value are handed to something of which nothing is known."""
        self.told = self.told or _tells(value) or (is_word(name) and truth(value) is not False)

    def set_variable(self, name: object, value: object, node: ast.AST) -> None:
        if isinstance(name, str):
            same_as_before = same(self.environment.get(name), value)
            kept = value if value is None or isinstance(value, (str, IfUnset)) else UNKNOWN
            self.environment.write(name, UNKNOWN if self._maybe and not same_as_before else kept, node)
        else:
            for one in script_calls.DECIDING_VARIABLES:
                self.environment.write(one, UNKNOWN, node)

    def update_environment(self, added: object, node: ast.AST) -> None:
        held = self.held(added)
        if isinstance(held, dict):
            for name, value in held.items():
                self.set_variable(name, value, node)
        else:
            self.set_variable(UNKNOWN, UNKNOWN, node)

    def change(self, owner: object, change: Callable[[], object]) -> None:
        """Change a list or a mapping; where it is not known whether, nothing is known of it any more."""
        if self._maybe:
            self.spoil(owner)
        else:
            change()

    def spoil(self, owner: object) -> None:
        self._spoiled[id(owner)] = owner
        script_calls.hand_over([owner])

    def held(self, value: object) -> object:
        """A value, or UNKNOWN where something may have been done to it."""
        return UNKNOWN if id(value) in self._spoiled else value

    def items(self, value: object) -> Sequence[object] | None:
        """What a loop over a value or its unpacking gets; None where that is not known."""
        held = self.held(value)
        if isinstance(held, (list, tuple)):
            return list(held)
        if isinstance(held, (dict, str)):
            return list(held)
        return None

    # Expressions.

    def value(self, node: ast.expr, scope: Scope) -> object:
        """What an expression comes to."""
        self._step()
        self.lines.add(node.lineno)
        find = self._expressions.get(type(node))
        if find is None:  # nothing in it is followed
            self.told = self.told or _has_words(node)
            return UNKNOWN
        return bounded(find(self, node, scope))

    def _constant(self, node: ast.Constant, _scope: Scope) -> object:
        return node.value if isinstance(node.value, PLAIN) else UNKNOWN

    def _name(self, node: ast.Name, scope: Scope) -> object:
        here: Scope | None = scope
        while here is not None:
            if node.id in here.names:
                return here.names[node.id]
            here = here.outer
        if node.id in _OF_MODULE:
            return (self._file or self.known.path) if node.id == "__file__" else self._file or "__main__"
        return Named(node.id) if node.id in script_calls.BUILTINS or node.id in self._watched else UNKNOWN

    def _attribute(self, node: ast.Attribute, scope: Scope) -> object:
        return self.attribute(self.value(node.value, scope), node.attr)

    def attribute(self, owner: object, name: str) -> object:
        """`owner.name`."""
        owner = self.held(owner)
        if isinstance(owner, Named):
            return self._of_name(owner, name)
        if isinstance(owner, Scope):
            return owner.names.get(name, UNKNOWN)
        if isinstance(owner, Object):
            if name in owner.attributes:
                return owner.attributes[name]
            found = UNKNOWN if owner.of is None else owner.of.find(name)
            if isinstance(found, Method) and found.name == "property":
                return self.call(found.owner, [owner], {}) if isinstance(found.owner, Function) else UNKNOWN
            if isinstance(found, Method) and found.name in _BOUND:
                return _taken(found, owner.of)
            return found._replace(bound=owner) if isinstance(found, Function) else found
        if isinstance(owner, Output) and name not in script_calls.OF_OUTPUT:
            return owner
        if isinstance(owner, Attributes) and (name in owner or name not in _OF_MAPPINGS):
            return owner.get(name, UNKNOWN)
        if isinstance(owner, FilePath) and name == "parent":
            return FilePath(os.path.dirname(owner))
        if isinstance(owner, Class):
            found = owner.find(name)
            return _taken(found, owner) if isinstance(found, Method) and found.name in _BOUND[1:] else found
        if owner is UNKNOWN:
            return Method(UNKNOWN, name)
        return Method(owner, name)

    def _of_name(self, owner: Named, name: str) -> object:
        dotted = f"{owner.dotted}.{name}"
        if owner.last == "PrecisionType":  # its members are their texts (accelerate utils/dataclasses.py)
            return name.lower()
        if dotted == "os.environ":
            return self.environment
        if dotted == "sys.argv":
            return self.known.arguments
        beside = self._module(dotted)
        return Named(dotted) if beside is None else beside

    def _subscript(self, node: ast.Subscript, scope: Scope) -> object:
        owner, key = self.held(self.value(node.value, scope)), self.value(node.slice, scope)
        if owner is self.environment:
            value = self.environment.get(key) if isinstance(key, str) else UNKNOWN
            return UNKNOWN if value is None else value
        return owner if isinstance(owner, Output) else script_calls.item(owner, key)

    def _slice(self, node: ast.Slice, scope: Scope) -> object:
        ends = [None if one is None else self.value(one, scope) for one in (node.lower, node.upper, node.step)]
        whole = all(one is None or type(one) is int for one in ends)
        return slice(*ends) if whole else UNKNOWN

    def _if_else(self, node: ast.IfExp, scope: Scope) -> object:
        test = truth(self.held(self.value(node.test, scope)))
        if test is not None:
            return self.value(node.body if test else node.orelse, scope)
        self._maybe += 1
        values = [self.value(node.body, scope), self.value(node.orelse, scope)]
        self._maybe -= 1
        return values[0] if same(*values) else UNKNOWN

    def _and_or(self, node: ast.BoolOp, scope: Scope) -> object:
        wanted = isinstance(node.op, ast.Or)
        value: object = UNKNOWN
        for number, part in enumerate(node.values):
            value = self.value(part, scope)
            test = truth(self.held(value))
            if test is None:
                self._maybe += 1
                for rest in node.values[number + 1 :]:
                    self.value(rest, scope)
                self._maybe -= 1
                return UNKNOWN
            if test is wanted:
                break
        return value

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> object:
        value = self.held(self.value(node.operand, scope))
        if isinstance(node.op, ast.Not):
            test = truth(value)
            return UNKNOWN if test is None else not test
        if isinstance(node.op, ast.USub) and isinstance(value, (int, float)):
            return -value
        return UNKNOWN

    def _compare(self, node: ast.Compare, scope: Scope) -> object:
        left = self.value(node.left, scope)
        for operator, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other, scope)
            if right is self.environment and isinstance(left, str):
                has = self.environment.has(left)
                result: object = UNKNOWN if has is None else has is isinstance(operator, ast.In)
            else:
                result = script_calls.compared(operator, self.held(left), self.held(right))
            if result is not True:
                return result
            left = right
        return True

    def _binary(self, node: ast.BinOp, scope: Scope) -> object:
        one, other = self.value(node.left, scope), self.value(node.right, scope)
        if isinstance(one, Output) or isinstance(other, Output):
            return self._of_outputs((one, other) if isinstance(one, Output) else (other, one))
        return script_calls.computed(node.op, self.held(one), self.held(other))

    def _joined_text(self, node: ast.JoinedStr, scope: Scope) -> object:
        text = ""
        for part in node.values:
            plain = isinstance(part, ast.FormattedValue) and part.format_spec is None and part.conversion == -1
            value = self.value(part.value if isinstance(part, ast.FormattedValue) else part, scope)
            if not isinstance(value, PLAIN) or (isinstance(part, ast.FormattedValue) and not plain):
                return UNKNOWN
            text += str(value)
        return text

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set, scope: Scope) -> object:
        items: list[object] = []
        for one in node.elts:
            if not isinstance(one, ast.Starred):
                items.append(self.value(one, scope))
                continue
            several = self.items(self.value(one.value, scope))
            if several is None:
                return UNKNOWN
            items.extend(several)
        return items if isinstance(node, ast.List) else tuple(items)

    def _mapping(self, node: ast.Dict, scope: Scope) -> object:
        made: dict[object, object] = {}
        for key, one in zip(node.keys, node.values, strict=True):
            value = self.value(one, scope)
            if key is None:
                held = self.held(value)
                if not isinstance(held, dict):
                    return UNKNOWN
                made.update(held)
                continue
            name = self.value(key, scope)
            if not isinstance(name, PLAIN):
                return UNKNOWN
            made[name] = value
        return made

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope
    ) -> object:
        """What it makes; UNKNOWN where a loop or a condition of it is not known."""
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        made: list[tuple[object, ...]] = []
        if not self._rounds(node.generators, parts, Scope(scope), made):
            self.told = self.told or _has_words(node)
            return UNKNOWN
        if isinstance(node, ast.DictComp):
            pairs = [(key, one) for key, one in made if isinstance(key, PLAIN)]
            return dict(pairs) if len(pairs) == len(made) else UNKNOWN
        items = [one for (one,) in made]
        return items if isinstance(node, ast.ListComp) else tuple(items)

    def _rounds(
        self,
        loops: Sequence[ast.comprehension],
        parts: Sequence[ast.expr],
        scope: Scope,
        made: list[tuple[object, ...]],
    ) -> bool:
        """Go through the loops of a comprehension, and add to `made` what its parts are in each round.

        Returns:
            Whether all of them are known, and as many as are followed.
        """
        if not loops:
            made.append(tuple([self.value(part, scope) for part in parts]))
            return len(made) <= _MOST_ROUNDS
        loop, *inner = loops
        items = self.items(self.value(loop.iter, scope))
        if items is None or len(items) > _MOST_ROUNDS:
            return False
        for item in items:
            self._bind(loop.target, item, scope)
            tests = [truth(self.held(self.value(test, scope))) for test in loop.ifs]
            if None in tests or (False not in tests and not self._rounds(inner, parts, scope, made)):
                return False
        return True

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> object:
        value = self.value(node.value, scope)
        self.set_name(node.target.id, value, scope)
        return value

    def _lambda(self, node: ast.Lambda, scope: Scope) -> object:
        return self._function(node, scope)

    def _call(self, node: ast.Call, scope: Scope) -> object:
        called = self.value(node.func, scope)
        positional: list[object] = []
        whole = True
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                several = self.items(self.value(argument.value, scope))
                whole = whole and several is not None
                positional.extend(several or ())
            else:
                positional.append(self.value(argument, scope))
        keywords: dict[str, object] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, scope)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
                continue
            held = self.held(value)
            if isinstance(held, dict) and self._spread_left > 0:
                self._spread_left -= len(held)
                keywords.update({str(name): one for name, one in held.items()})
            else:
                whole = False
        name = self._class_of(called)
        if name:
            return self._made(name, node, keywords, positional, whole)
        if not whole and not isinstance(called, Model):
            return self._not_known([*positional, *keywords.values()], keywords)
        return self.call(called, positional, keywords, node)

    def _class_of(self, called: object) -> str:
        """What a class that is looked for is taken for; "" where it is none."""
        last = called.last if isinstance(called, Named) else called.name if isinstance(called, Class) else ""
        return self._watched.get(last, "")

    def _made(
        self, name: str, node: ast.Call, keywords: dict[str, object], positional: list[object], whole: bool
    ) -> Made:
        if name == "Accelerator" and whole and len(positional) > _PRECISION_AT:
            keywords.setdefault("mixed_precision", positional[_PRECISION_AT])
        held = {key: self.held(value) for key, value in keywords.items()}
        place = node.func.lineno, node.func.col_offset
        made = Made(name, held, tuple(map(self.held, positional)), whole, *place)
        met = self.seen.setdefault(place, [])
        if len(met) < _MOST_KEPT:
            met.append(Seen(made, not self._maybe, self.environment.now()))
        return made

    def call(
        self, called: object, positional: list[object], keywords: dict[str, object], node: ast.Call | None = None
    ) -> object:
        """What a call returns."""
        if isinstance(called, Function):
            return self.run(called, positional, keywords)
        if isinstance(called, Class):
            return self._instance(called, positional, keywords)
        itself = called.of.find("__call__") if isinstance(called, Object) and called.of is not None else None
        if isinstance(itself, Function):
            return self.run(itself._replace(bound=called), positional, keywords)
        result = script_calls.call(self, called, positional, keywords, node)
        if result is not script_calls.NOT_HERE:
            return result
        return self._not_known([*positional, *keywords.values()], keywords)

    def _not_known(self, given: Collection[object], keywords: Mapping[str, object] = EMPTY) -> object:
        """A call of which nothing is known may change what it is given."""
        for name, value in keywords.items():
            self._tell(name, value)
        for one in given:
            self.told = self.told or _tells(one)
            if isinstance(one, (list, dict)):
                self.spoil(one)
            elif isinstance(one, Model):
                one.put(UNKNOWN)
                one.hand_over()
        return self._of_outputs(given)

    def _of_outputs(self, given: Collection[object]) -> object:
        """What is computed of the outputs among some values: of the first of them, as a loss of predictions is.

        It keeps gradients where any of them does, or may.
        """
        output = next(iter(given), None)
        if not isinstance(output, Output):
            return UNKNOWN
        others = [one for one in given if isinstance(one, Output)]
        alike = all(one.training is output.training and one.handed is output.handed for one in others)
        grad = any(one.grad for one in others) or any(one is UNKNOWN for one in given)
        grad = grad and not self.without_grad
        return output._replace(grad=grad) if alike else Output(UNKNOWN, grad)

    def went_back(self, output: Output, line: int) -> None:
        """A backward pass of what a forward pass returned."""
        sure = self._maybe <= self._loops
        self.steps.append(Step(output.training, output.grad, output.handed, sure, line, self._file))

    def set_mode(self, model: Model, training: object) -> None:
        """model.train(), model.eval()."""
        model.put(training if self._maybe <= self._loops else UNKNOWN)

    def _instance(self, of: Class, positional: list[object], keywords: dict[str, object]) -> object:
        if not of.known:
            self._not_known([*positional, *keywords.values()])
            return Object(of, dict.fromkeys(keywords, UNKNOWN))
        made = Object(of, {})
        init = of.find("__init__")
        if isinstance(init, Function):
            self.run(init._replace(bound=made), positional, keywords)
        elif of.members is not None:
            defaults = ((name, of.find(name)) for name in of.members)
            made.attributes.update(
                (name, UNKNOWN if isinstance(value, (Made, Named)) else value) for name, value in defaults
            )
            made.attributes.update(zip(of.members, positional, strict=False))
            made.attributes.update(keywords)
            after = of.find("__post_init__")
            if isinstance(after, Function):
                self.run(after._replace(bound=made), [], {})
        return made

    def run(self, function: Function, positional: Sequence[object], keywords: Mapping[str, object]) -> object:
        """Follow a function with these arguments; what it returns."""
        if self._depth >= _DEEPEST:
            return self._not_known([*positional, *keywords.values()])
        scope = Scope(function.scope)
        given = [*([function.bound] if function.bound is not None else []), *positional]
        if function.command and not given and not keywords and not function.opaque:
            keywords = self.known.of_command_line(_parameters(function.node))
        self._fill(scope, function, given, keywords)
        body = function.node.body
        self._depth += 1
        before = self._enter(function.scope.path) if function.scope.path != self._file else self._file
        self.without_grad += function.without_grad
        self._returned.append([])
        if isinstance(body, list):
            end = self.block(body, scope)
        else:
            end, value = "return", self.value(body, scope)
            self._returned[-1].append(value)
        self._depth -= 1
        if before != self._file:
            self._enter(before)
        self.without_grad -= function.without_grad
        returned = self._returned.pop()
        if end != "return":
            returned.append(None)
        if function.group and not given and end != "exit":
            script_calls.by_command(self, function)
        if isinstance(function.node, ast.AsyncFunctionDef) or function.opaque or _yields(function.node):
            return UNKNOWN
        first = returned[0]
        return first if all(same(first, one) for one in returned[1:]) else UNKNOWN

    def _fill(self, scope: Scope, function: Function, given: Sequence[object], keywords: Mapping[str, object]) -> None:
        arguments = function.node.args
        named = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
        everything = [*named, *(one.arg for one in arguments.kwonlyargs)]
        scope.names.update((name, function.defaults.get(name, UNKNOWN)) for name in everything)
        scope.names.update(zip(named, given, strict=False))
        scope.names.update({name: value for name, value in keywords.items() if name in everything})
        if arguments.vararg is not None:
            scope.names[arguments.vararg.arg] = tuple(given[len(named) :])
        if arguments.kwarg is not None:
            scope.names[arguments.kwarg.arg] = {n: value for n, value in keywords.items() if n not in everything}

    _expressions: dict[type[ast.expr], Callable[[Follower, Any, Scope], object]] = {  # noqa: RUF012  never changed
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Subscript: _subscript,
        ast.Slice: _slice,
        ast.IfExp: _if_else,
        ast.BoolOp: _and_or,
        ast.UnaryOp: _unary,
        ast.Compare: _compare,
        ast.BinOp: _binary,
        ast.JoinedStr: _joined_text,
        ast.List: _sequence,
        ast.Tuple: _sequence,
        ast.Set: _sequence,
        ast.Dict: _mapping,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _comprehension,
        ast.NamedExpr: _walrus,
        ast.Lambda: _lambda,
        ast.Call: _call,
    }


def _taken(found: Method, of: Class | None) -> object:
    """A method of a class, or a function that stands in it, as it is called."""
    if not isinstance(found.owner, Function):
        return UNKNOWN
    return found.owner._replace(bound=of) if found.name == "classmethod" else found.owner


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _tells(value: object, depth: int = 4) -> bool:
    """Whether a value has a word as "fp8" in it."""
    if isinstance(value, str):
        return is_word(value)
    if isinstance(value, Made):
        return value.name in HANDLERS
    if isinstance(value, Function):
        return isinstance(value.node, ast.Lambda) and _has_words(value.node)
    if isinstance(value, (Object, Class)):
        own = value.attributes if isinstance(value, Object) else value.names
        of = value.of if isinstance(value, Object) else value
        return of is not None and depth > 0 and _tells(dict(own), depth - 1)
    if isinstance(value, dict) and depth:
        pairs = value.items()
        return any((is_word(str(n)) and truth(one) is not False) or _tells(one, depth - 1) for n, one in pairs)
    return isinstance(value, (list, tuple)) and depth > 0 and any(_tells(one, depth - 1) for one in value)


def _has_words(node: ast.AST) -> bool:
    """Whether there is a word as "fp8" in an expression, or a keyword as fp8=."""
    return any(
        (isinstance(part, ast.Constant) and isinstance(part.value, str) and is_word(part.value))
        or (isinstance(part, ast.keyword) and part.arg is not None and is_word(part.arg))
        for part in islice(ast.walk(node), _MOST_STEPS)
    )


def _joined(several: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The names that all ways leave alike; UNKNOWN where they differ."""
    first = several[0]
    names = dict.fromkeys(name for one in several for name in one)
    return {
        name: first[name]
        if all(name in one and same(first.get(name, UNKNOWN), one[name]) for one in several) and name in first
        else UNKNOWN
        for name in names
    }


def _loaded(target: ast.expr) -> ast.expr:
    """The same expression, to be read."""
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    return target


def _stored(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that statements set."""
    nodes = (node for statement in body for node in islice(ast.walk(statement), _MOST_STEPS))
    return (node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load))


def _fits(pattern: ast.pattern, subject: object) -> bool | None:
    """Whether a case fits a value; None where that is not known."""
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
        return True if pattern.name is None else None
    if not isinstance(subject, PLAIN):
        return None
    if isinstance(pattern, ast.MatchValue) and isinstance(pattern.value, ast.Constant):
        return bool(pattern.value.value == subject)
    if isinstance(pattern, ast.MatchSingleton):
        return pattern.value is subject
    if isinstance(pattern, ast.MatchOr):
        ways = [_fits(one, subject) for one in pattern.patterns]
        return True if True in ways else None if None in ways else False
    return None


def _last(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[str]:
    return [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]


def _yields(node: ast.AST) -> bool:
    return any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in islice(ast.walk(node), _MOST_STEPS))
