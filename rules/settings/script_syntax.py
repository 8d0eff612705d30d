"""A Python script -> what of it matters here, by its syntax tree. Nothing of it is executed."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from collections import Counter
from functools import lru_cache

from fp8check.rules.reading.source import Source
from fp8check.rules.settings import script_fp8, script_options, script_trainers
from fp8check.rules.settings.script import (
    ARGUMENTS,
    HANDLERS,
    MOST_SPREAD,
    OTHER_HANDLERS,
    PARSERS,
    READERS,
    TRAINERS,
    Assigned,
    Call,
    Changed,
    ScriptSource,
    Unevaluated,
)
from fp8check.rules.settings.script_forms import Forms
from fp8check.rules.settings.script_model import (
    ADAPTERS,
    BATCHES,
    CHECKPOINTS,
    COMPILE,
    CUTS,
    FIRST,
    LOADERS,
    LOADING_TRAINERS,
)
from fp8check.rules.settings.script_names import Names
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fp8check.rules.reading import Span

MAX_CHARACTERS = 512 * 1024  # the largest script of diffusers has 100,000; a module of unsloth 340,000
MAX_CALLS = 2_000  # of those that are looked at: the Trainer of transformers has 38
_KEPT = 256  # scripts and modules that are kept: each line of a shell script may start the same one
_ENVIRONMENT = ("os.environ", "environ")
_PRECISION_AT = 2  # Accelerator(device_placement, split_batches, mixed_precision, ...)
_DEEPEST = 12
# Arguments of AutoConfig.from_pretrained that leave the model's shape as it is.
_OF_LOADING = frozenset(
    ["use_cache", "trust_remote_code", "cache_dir", "token", "revision", "attn_implementation", "local_files_only"]
)
# Without one of these no module matters: what it makes, sets, or takes of the command line.
_CALLED = (
    *("Accelerator", "_mixed_precision", *ARGUMENTS, *PARSERS, "environ", "putenv"),
    *(*LOADERS, "get_peft_model", ADAPTERS, CHECKPOINTS),
)
_WORDS = (*_CALLED, "Trainer", "Parser", "add_argument", "dataclass", "axolotl", "llamafactory", "llmtuner")
# What of a Trainer's arguments is looked at again once they are made, and decides over FP8 or ends a run.
_AFTERWARD = frozenset(
    (
        *("gradient_checkpointing", "gradient_checkpointing_kwargs", "activation_checkpointing"),
        *("activation_checkpointing_kwargs", "optim", "per_device_train_batch_size"),
    )
)
_ANEW = _AFTERWARD | {"bf16", "fp16"}  # where they are made once more
_SAVES = ("save_state", "load_state", "save_model", "save_pretrained", "eval")
_WATCHED = frozenset(
    (
        *(*READERS, *PARSERS, *HANDLERS, *_SAVES, *LOADERS, *LOADING_TRAINERS, *TRAINERS, "TorchDynamoPlugin"),
        *("prepare", "prepare_model", "train", "get_peft_model", BATCHES, ADAPTERS, CHECKPOINTS),
    )
)


def parse(source: Source, *, module: bool = False) -> ScriptSource | None:
    """What the script does; None where it is no Python that this interpreter can parse, or is too large (why_unparsed).

    Args:
        module: whether it is imported by a script: how it prepares and trains does not matter then.
    """
    found = _parsed(source.path, source.text, module)
    return found if isinstance(found, ScriptSource) else None


def why_unparsed(source: Source, *, module: bool = False) -> str:
    """Why parse() makes nothing of it."""
    found = _parsed(source.path, source.text, module)
    return found if isinstance(found, str) else ""


class _TooManyCallsError(ValueError):
    pass


@lru_cache(maxsize=_KEPT)
def _parsed(path: str, text: str, module: bool) -> ScriptSource | str:
    """What the script does, or why that is not known."""
    if len(text) > MAX_CHARACTERS:
        return f"it has more than {MAX_CHARACTERS:,} characters"
    source = Source(path, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the script: nobody asked for them
            tree = ast.parse(source.text)
            if module and not _matters(text):
                return ScriptSource(path, text, (), (), None, imports=tuple(dict.fromkeys(_imports(_statements(tree)))))
            return _Reader(source, list(ast.walk(tree)), module=module).read(tree)
    except _TooManyCallsError:
        return f"it has more than {MAX_CALLS:,} calls that decide how it trains"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "it is no Python that can be parsed here"


def _matters(text: str) -> bool:
    """Whether a module has a word of what is looked for in modules; most have none."""
    return any(word in text for word in _WORDS) or script_fp8.may_tell(text)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """All statements, without the expressions in them."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        statement = pending.pop()
        yield statement
        for name in ("body", "orelse", "finalbody"):
            pending.extend(getattr(statement, name, ()))
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            pending.extend(part.body)


def _imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The modules that are imported, and the names that are taken of them."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            dot = "" if module.endswith(".") else "."
            yield from (module if alias.name == "*" else f"{module}{dot}{alias.name}" for alias in node.names)


class _Reader:
    def __init__(self, source: Source, nodes: Sequence[ast.AST], *, module: bool) -> None:
        self._source = source
        self._calls_matter = not module or any(word in source.text for word in _CALLED)
        self._nodes_of_tree = nodes
        self._names = Names(nodes)
        self._calls: list[Call] = []
        self._assigned: list[Assigned] = []
        self._nodes: list[tuple[Call, ast.Call]] = []
        self._blocks = 0
        self._command_line = script_options.NOTHING
        self._forms = Forms(self._names, self._is_option)
        self._units: list[int] = []
        self._spread_left = MOST_SPREAD
        self._changes: dict[str, list[tuple[int, set[int]]]] = {}
        self._fallbacks = {id(made) for node in nodes if isinstance(node, ast.If) for made in _made_for_none(node)}
        tries = any(isinstance(node, ast.Try) for node in nodes)
        self._retried = {id(call) for call in _retried(nodes[0])} if tries else set()
        self._conditional = _conditional(nodes)
        # Accelerator().process_index: asked, and thrown away.
        self._peeked = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr != "prepare"}
        self._derived: dict[str, str] = {}
        self._holders: set[str] = set()
        self._changed: list[Changed] = []

    def read(self, tree: ast.Module) -> ScriptSource:
        self._derived = script_trainers.derived(self._nodes_of_tree, self._names)
        options = script_options.Reader(self._names, self._span, self._setting, {*ARGUMENTS, *self._derived})
        self._command_line = options.read(self._source.text, self._nodes_of_tree)
        self._units = [part.lineno for part in tree.body]
        if self._calls_matter:
            self._block(tree.body, ())
        calls = tuple(sorted(self._calls, key=lambda call: call.span.start))
        own = script_fp8.find(self._source.text, tree, self._nodes_of_tree, self._names, self._span)
        passed, unknown = self._passed()
        return ScriptSource(
            self._source.path,
            self._source.text,
            calls,
            tuple(self._assigned),
            passed,
            own,
            self._hidden(tree),
            tuple(dict.fromkeys(_imports(self._nodes_of_tree))),
            script_trainers.find(self._nodes_of_tree, self._names, self._span),
            self._command_line,
            script_trainers.parsers(self._nodes_of_tree, self._names),
            self._derived,
            unknown,
            changed=tuple(one for one in self._changed if one.holder in self._holders),
        )

    def _is_option(self, node: ast.Attribute, variable: str, name: str) -> bool:
        """Whether an attribute is an option of the command line, and as the command line set it where it is used."""
        return variable in self._command_line.results and all(
            first > node.lineno and units == {self._unit(node.lineno)} for first, units in self._changes_of(name)
        )

    def _changes_of(self, name: str) -> list[tuple[int, set[int]]]:
        """Where the script changes an option itself: the first line, and in which functions: these run from the top."""
        if name not in self._changes:
            changed = self._command_line.changed
            lines = [span.line for key in (name, "*") for span in changed.get(key, ())]
            self._changes[name] = [(min(lines), set(map(self._unit, lines)))] if lines else []
        return self._changes[name]

    def _unit(self, line: int) -> int:
        """Which statement of the script itself a line stands in: its functions are statements."""
        return bisect_right(self._units, line)

    def _block(self, statements: list[ast.stmt], outer: tuple[int, ...], sign: int = 1) -> None:
        self._blocks += 1
        block = (*outer, sign * self._blocks)
        for statement in _always(statements):
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
            self._look_at_environment(node, block)
            self._look_at_map(node, block)
            self._look_at_arguments(node)
            name = self._watched(node.func) or (CUTS if _cuts(node) else "")
            if name and not (name == "Accelerator" and id(node) in self._peeked):
                call = self._call(name, node, block)
                self._calls.append(call)
                self._nodes.append((call, node))
                if len(self._calls) > MAX_CALLS:
                    raise _TooManyCallsError
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Subscript) and self._is_environment(target.value):
                    self._assign(self._names.text(target.slice), node.value, target, block)
                elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    self._change(target.value.id, target.attr, node.value, _AFTERWARD)
                elif isinstance(target, ast.Name) and self._makes_arguments(node.value):
                    self._holders.add(target.id)
        elif isinstance(node, ast.AugAssign) and self._is_environment(node.target):
            self._assign_all(node.value, node, block)

    def _makes_arguments(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self._watched(node.func) in ARGUMENTS

    def _look_at_arguments(self, node: ast.Call) -> None:
        """Trainer(args=args), setattr(args, "optim", "sgd"), dataclasses.replace(args, bf16=True)."""
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0] if node.args else None
        if called == "setattr" and isinstance(first, ast.Name) and len(node.args) == 3:
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            self._change(first.id, str(name), node.args[2], _AFTERWARD)
        elif called == "replace" and isinstance(first, ast.Name):
            for keyword in node.keywords:
                self._change(first.id, str(keyword.arg), keyword.value, _ANEW, anew=True)
        elif self._watched(node.func) in TRAINERS:
            given = (keyword.value for keyword in node.keywords if keyword.arg == "args")
            self._holders.update(value.id for value in given if isinstance(value, ast.Name))

    def _change(self, holder: str, name: str, value: ast.expr, names: frozenset[str], *, anew: bool = False) -> None:
        if name not in names:
            return
        setting = self._setting(value)
        entries = self._entries(value) if isinstance(value, ast.Call) else None  # dict(use_reentrant=False)
        if entries is not None:
            keys: list[ast.expr | None] = [ast.Constant(key) for key in entries]
            setting = self._setting(ast.copy_location(ast.Dict(keys, list(entries.values())), value))
        self._changed.append(Changed(holder, name, setting, anew, self._is_conditional(value)))

    def _look_at_map(self, node: ast.Call, block: tuple[int, ...]) -> None:
        """map(accelerator.prepare, (model, optimizer)): a call for each."""
        if not (isinstance(node.func, ast.Name) and node.func.id == "map" and len(node.args) == 2):
            return
        called, given = node.args
        if not isinstance(given, (ast.Tuple, ast.List)) or not isinstance(called, ast.Attribute):
            return
        if self._watched(called) != "prepare":
            return
        for one in given.elts:
            call = ast.copy_location(ast.Call(called, [one], []), node)
            self._calls.append(self._call("prepare", call, block))

    def _watched(self, function: ast.expr) -> str:
        """The name of what is called, by whatever name the script calls it; "" where it does not matter here."""
        last = list(script_options.last_names(self._names, function))
        if "compile" in last and "torch.compile" in self._names.dotted(function):
            return COMPILE
        return next((name for one in last if (name := self._derived.get(one, one)) in _WATCHED), "")

    def _is_environment(self, node: ast.expr) -> bool:
        return isinstance(node, (ast.Name, ast.Attribute)) and any(
            dotted in _ENVIRONMENT for dotted in self._names.dotted(node)
        )

    def _look_at_environment(self, node: ast.Call, block: tuple[int, ...]) -> None:
        """os.environ.update(), os.environ.setdefault(). os.putenv() reaches no os.environ, where Accelerate looks."""
        function = node.func
        if not isinstance(function, ast.Attribute) or not self._is_environment(function.value):
            return
        if function.attr == "setdefault" and node.args:
            self._assign(self._names.text(node.args[0]), node, node, block)
        elif function.attr == "update":
            for argument in node.args:
                self._assign_all(argument, node, block)
            for keyword in node.keywords:
                self._assign(keyword.arg, keyword.value, node, block)

    def _assign_all(self, value: ast.expr, place: ast.expr | ast.stmt, block: tuple[int, ...]) -> None:
        if isinstance(value, ast.Dict):
            for key, one in zip(value.keys, value.values, strict=True):
                self._assign(None if key is None else self._names.text(key), one, place, block)
        else:
            self._assign(None, value, place, block)

    def _assign(self, name: str | None, value: ast.expr, place: ast.expr | ast.stmt, block: tuple[int, ...]) -> None:
        if name is not None:
            self._assigned.append(Assigned(name, self._setting(value), self._span(place), block))

    def _call(self, name: str, node: ast.Call, block: tuple[int, ...]) -> Call:
        keywords = {
            keyword.arg: self._setting(keyword.value, keyword) for keyword in node.keywords if keyword.arg is not None
        }
        for spread in (keyword.value for keyword in node.keywords if keyword.arg is None):
            text, origin = ast.unparse(spread), Origin(span=self._span(spread))
            if self._spread_left < 0:
                keywords["**"] = Setting(Unevaluated(text), origin)
                continue
            written, filled = self._spread(spread, node)
            self._spread_left -= len(written or ()) + len(filled)
            for key in filled:
                perhaps = key not in (written or ())
                keywords.setdefault(key, Setting(Unevaluated(f"{text}[{key!r}]", perhaps=perhaps), origin))
            if written is None:
                keywords["**"] = Setting(Unevaluated(text), origin)
            else:
                keywords.update({key: self._setting(value) for key, value in written.items() if key not in filled})
        starred = any(isinstance(argument, ast.Starred) for argument in node.args)
        positional = None if starred else tuple(ast.unparse(argument) for argument in node.args)
        if name == "Accelerator" and positional is not None and len(node.args) > _PRECISION_AT:
            keywords.setdefault("mixed_precision", self._setting(node.args[_PRECISION_AT]))
        if name in (*LOADERS, *LOADING_TRAINERS, BATCHES) and positional is not None:
            self._complete(name, node, keywords)
        return Call(
            name,
            keywords,
            positional,
            self._span(node.func),
            block,
            id(node) in self._fallbacks,
            id(node) in self._retried,
            self._is_conditional(node),
        )

    def _is_conditional(self, node: ast.expr) -> bool:
        """Whether a call stands under a condition of its function, or of the script."""
        at = bisect_right(self._conditional, ((node.lineno, node.col_offset), _BEHIND))
        return at > 0 and (node.lineno, node.col_offset) < self._conditional[at - 1][1]

    def _complete(self, name: str, node: ast.Call, keywords: dict[str, Setting]) -> None:
        """What a call that loads a model, or makes batches, is given by its place, or by the name of a type."""
        if name == BATCHES:
            if len(node.args) > 1:
                keywords.setdefault("batch_size", self._setting(node.args[1]))
            return
        if name in LOADING_TRAINERS:  # their first argument, in all of them
            if node.args:
                keywords.setdefault("model", self._setting(node.args[0]))
            return
        first = FIRST[name]
        value = node.args[0] if node.args else next((one.value for one in node.keywords if one.arg == first), None)
        if value is not None:
            keywords[first] = self._setting(value if name == "from_pretrained" else self._configured(value))
        for keyword in node.keywords:
            meant = self._meant(keyword.value)
            if keyword.arg in ("torch_dtype", "dtype") and isinstance(meant, ast.Attribute):
                keywords[keyword.arg] = keywords[keyword.arg]._replace(value=meant.attr)
            made = self._names.dotted(meant.func) if isinstance(meant, ast.Call) else ()
            if keyword.arg == "quantization_config" and any(one.endswith("BitsAndBytesConfig") for one in made):
                keywords[keyword.arg] = keywords[keyword.arg]._replace(value=True)

    def _configured(self, value: ast.expr) -> ast.expr:
        """The model whose configuration this is, where nothing of it is changed: AutoConfig.from_pretrained(name)."""
        meant = self._meant(value)
        if not isinstance(meant, ast.Call) or not isinstance(meant.func, ast.Attribute) or len(meant.args) != 1:
            return value
        plain = meant.func.attr == "from_pretrained" and {keyword.arg for keyword in meant.keywords} <= _OF_LOADING
        return meant.args[0] if plain else value

    def _setting(self, value: ast.expr, keyword: ast.keyword | None = None) -> Setting:
        meant = self._meant(value)
        if meant is not value and not isinstance(meant, (ast.Constant, ast.UnaryOp)):
            meant = value  # what can be added to
        try:
            literal: object = ast.literal_eval(meant)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            literal = Unevaluated(ast.unparse(value), self._forms.of(value))
        key = self._span(keyword, len(str(keyword.arg))) if keyword is not None else None
        return Setting(literal, Origin(span=self._span(value), key_span=key))

    def _passed(self) -> tuple[Call | None, str]:
        """The FP8 recipe handler that the only Accelerator gets, and what of its handlers is not known."""
        made = [(call, node) for call, node in self._nodes if call.name == "Accelerator"]
        makers = [node for _, node in made]
        same = {ast.unparse(one.value) for node in makers for one in node.keywords if one.arg == "kwargs_handlers"}
        if not makers or (len(makers) > 1 and len(same) != 1):
            return None, ""
        calls = {id(node): call for call, node in self._nodes if call.name in HANDLERS}
        unknown, given = "", self._given(makers[0], "kwargs_handlers")
        put = made[0][0].keywords.get("kwargs_handlers")
        if not given and put is not None and isinstance(put.value, Unevaluated):
            unknown = f"{self._source.path} passes kwargs_handlers={put.value.text} to Accelerator"
        for value in given:
            listed = self._listed(value, makers[0], 0)
            for item in listed or ():
                handler = calls.get(id(self._meant(item)))
                if handler is not None:
                    return self._with_options(handler, self._meant(item)), ""
            if listed is None or not all(self._is_no_recipe(item) for item in listed):
                unknown = self._unknown_handlers(value, calls.values())
        return None, unknown

    def _given(self, maker: ast.Call, name: str) -> list[ast.expr]:
        """The expressions for that keyword, also in a mapping that is spread."""
        given = [keyword.value for keyword in maker.keywords if keyword.arg == name]
        for spread in (keyword.value for keyword in maker.keywords if keyword.arg is None):
            given.extend(value for key, value in (self._written_out(spread, maker) or {}).items() if key == name)
        return given

    def _spread(self, spread: ast.expr, user: ast.Call) -> tuple[dict[str, ast.expr] | None, tuple[str, ...]]:
        """The entries of a mapping that is spread, and the keys under which the script puts others."""
        filled = self._names.filled(spread.id, user) if isinstance(spread, ast.Name) else None
        if filled is None:
            return self._written_out(spread, user), ()
        written = self._entries(filled[0])
        return written, () if written is None else filled[1]

    def _written_out(self, spread: ast.expr, user: ast.Call) -> dict[str, ast.expr] | None:
        """The entries of a mapping that is spread, where it is written out and nothing changes it; else None."""
        return self._entries(self._names.unchanged(spread.id, user) if isinstance(spread, ast.Name) else spread)

    def _entries(self, value: ast.expr | None) -> dict[str, ast.expr] | None:
        """The entries of a mapping that is written out; else None."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
            if value.args or any(keyword.arg is None for keyword in value.keywords):
                return None
            return {str(keyword.arg): keyword.value for keyword in value.keywords}
        if not isinstance(value, ast.Dict):
            return None
        keys = [None if key is None else self._names.text(key) for key in value.keys]
        return None if None in keys else dict(zip(map(str, keys), value.values, strict=True))

    def _listed(self, value: ast.expr, user: ast.Call, depth: int) -> list[ast.expr] | None:
        """The items of a list that is written out and that nothing adds to; None where it is made otherwise."""
        if depth > _DEEPEST:
            return None
        if isinstance(value, ast.Name):
            held = self._names.unchanged(value.id, user)
            return None if held is None else self._listed(held, user, depth + 1)
        if isinstance(value, ast.Constant):
            return [] if value.value is None else None
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            parts = [self._listed(part, user, depth + 1) for part in (value.left, value.right)]
        elif isinstance(value, (ast.List, ast.Tuple)):
            parts = [
                self._listed(item.value, user, depth + 1) if isinstance(item, ast.Starred) else [item]
                for item in value.elts
            ]
        else:
            return None
        return None if None in parts else [item for part in parts for item in part or ()]

    def _is_no_recipe(self, item: ast.expr) -> bool:
        """Whether an item is certainly another kind of handler: an object of accelerate's other classes."""
        meant = self._meant(item)
        last = {dotted.rpartition(".")[2].removesuffix("()") for dotted in self._names.dotted(meant)}
        return isinstance(meant, ast.Call) and bool(last) and last <= OTHER_HANDLERS

    def _unknown_handlers(self, value: ast.expr, calls: Iterable[Call]) -> str:
        """That the handlers are not known, with both ways that it may go."""
        passes = f"{self._source.path} passes kwargs_handlers={ast.unparse(value)[:80]} to Accelerator"
        names = " or ".join(dict.fromkeys(call.name for call in sorted(calls, key=lambda call: call.span.start)))
        if not names:
            return f"{passes}: with a recipe handler among them it trains in FP8, without one it may not"
        return f"{passes}: with {names} among them it trains in FP8, without it may not"

    def _with_options(self, handler: Call, node: ast.expr) -> Call:
        """The handler with torchao's Float8LinearConfig as a mapping, where it is written out."""
        given = handler.keywords.get("config")
        if given is None or not isinstance(node, ast.Call) or not isinstance(given.value, Unevaluated):
            return handler
        value = next(iter(self._given(node, "config")), None)
        made = self._meant(value) if value is not None else None
        if not isinstance(made, ast.Call) or made.args[1:]:
            return handler
        options = self._float8_options(made)
        return (
            handler
            if options is None
            else handler._replace(keywords={**handler.keywords, "config": given._replace(value=options)})
        )

    def _float8_options(self, made: ast.Call) -> dict[str, object] | None:
        last = {dotted.rpartition(".")[2] for dotted in self._names.dotted(made.func)}
        keywords = {keyword.arg: self._setting(keyword.value).value for keyword in made.keywords}
        if last == {"from_recipe_name"} and made.args and not keywords:
            recipe = self._names.text(made.args[0])
            return None if recipe is None else {"recipe": recipe}
        unknown = None in keywords or any(isinstance(value, Unevaluated) for value in keywords.values())
        if last != {"Float8LinearConfig"} or made.args or unknown:
            return None
        return {str(name): value for name, value in keywords.items()}

    def _hidden(self, tree: ast.Module) -> str:
        """That the class Accelerator is handed on, derived from or changed: how it is made cannot be told."""
        if "Accelerator" not in self._source.text and "_mixed_precision" not in self._source.text:
            return ""
        called = {id(node.func) for node in self._nodes_of_tree if isinstance(node, ast.Call)}
        for node in _used_parts(tree):
            if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in called:
                if isinstance(node.ctx, ast.Store):
                    if isinstance(node, ast.Attribute) and node.attr == "_mixed_precision":
                        return f"{self._source.path}:{node.lineno} changes the precision of Accelerator itself"
                elif any(dotted.rpartition(".")[2] == "Accelerator" for dotted in self._names.dotted(node)):
                    return f"{self._source.path}:{node.lineno} hands the class Accelerator on, or derives from it"
            elif isinstance(node, ast.Call) and (node.args or node.keywords):
                called_ones = self._names.dotted(node.func)
                if any(dotted.rpartition(".")[2] == "AcceleratorState" for dotted in called_ones):
                    return f"{self._source.path}:{node.lineno} makes the state of Accelerator itself"
        return ""

    def _meant(self, value: ast.expr) -> ast.expr:
        """What a name stands for, where it is assigned once; anything else is itself."""
        for _ in range(_DEEPEST):
            bound = self._names.value(value.id) if isinstance(value, ast.Name) else None
            if bound is None:
                break
            value = bound
        return value

    def _span(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg, length: int | None = None) -> Span:
        start = self._source.offset_of(node.lineno, node.col_offset)
        if length is not None:
            return self._source.span(start, start + length)
        return self._source.span(start, self._source.offset_of(node.end_lineno or 0, node.end_col_offset or 0))


def _cuts(node: ast.Call) -> bool:
    """Whether a call cuts texts to a length: tokenizer(text, truncation=True, max_length=2048)."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    cut = given.get("truncation")
    return "max_length" in given and cut is not None and not (isinstance(cut, ast.Constant) and cut.value is False)


def _made_for_none(node: ast.If) -> Iterator[ast.expr]:
    """What a variable gets where nothing was handed over: `if x is None: x = ...`."""
    test = node.test
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and isinstance(test.ops[0], ast.Is):
        for statement in node.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            if isinstance(statement, ast.Assign) and any(
                isinstance(one, ast.Name) and one.id == test.left.id for one in targets
            ):
                yield statement.value


_BEHIND = (1 << 30, 0)  # any place of a script


def _always(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements, in the place of `if True:` what stands in it."""
    for statement in statements:
        if isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant):
            yield from _always(statement.body if statement.test.value else statement.orelse)
        else:
            yield statement


def _conditional(nodes: Iterable[ast.AST]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """What of a script stands under a condition: where it begins and ends, in order, without gaps in it."""
    found = []
    for node in nodes:
        parts: list[Sequence[ast.AST]] = []
        if (
            isinstance(node, ast.If)
            and not isinstance(node.test, ast.Constant)
            and "__name__" not in _names_in(node.test)
        ):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.IfExp):
            parts = [[node.body], [node.orelse]]
        elif isinstance(node, ast.BoolOp):
            parts = [node.values[1:]]
        elif isinstance(node, (ast.ExceptHandler, ast.match_case)):
            parts = [node.body]
        found += [((one[0].lineno, one[0].col_offset), _end(one[-1])) for one in parts if one]  # type: ignore[attr-defined]
    joined: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for begin, end in sorted(found):
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _end(node: ast.AST) -> tuple[int, int]:
    return (getattr(node, "end_lineno", None) or 0, getattr(node, "end_col_offset", None) or 0)


def _names_in(test: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(test) if isinstance(node, ast.Name)]


_CATCHING = ("TypeError", "Exception", "BaseException")


def _retried(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of a `try` that are made in another way where they end in a TypeError."""
    again: Counter[str] = Counter()  # what the handlers around the place call
    pending: list[ast.AST | tuple[Iterable[str], int]] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            again.update(dict.fromkeys(*node))
            continue
        if isinstance(node, ast.Call) and any(again[name] > 0 for name in _names(node.func)):
            yield node
        if not isinstance(node, ast.Try):
            pending.extend(ast.iter_child_nodes(node))
            continue
        caught = [
            one for one in node.handlers if one.type is None or any(name in _CATCHING for name in _names(one.type))
        ]
        names = {name for one in caught[:1] for call in _calls_in(one.body) for name in _names(call.func)}
        pending += [*node.handlers, *node.orelse, *node.finalbody, (names, -1), *node.body, (names, 1)]


def _calls_in(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    """The calls in these statements, but not in a `try` among them, which is looked at itself."""
    pending: list[ast.AST] = [*body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, ast.Try):
            pending.extend(ast.iter_child_nodes(node))


def _names(node: ast.expr) -> list[str]:
    """The last names of what is called, or caught."""
    if isinstance(node, ast.Tuple):
        return [name for one in node.elts for name in _names(one)]
    return [node.attr] if isinstance(node, ast.Attribute) else [node.id] if isinstance(node, ast.Name) else []


def _used_parts(tree: ast.Module) -> Iterator[ast.AST]:
    """The parts of a script without annotations, tests by isinstance(), and names that get another name."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "type"):
            continue
        renamed = isinstance(node, (ast.Assign, ast.NamedExpr)) and isinstance(node.value, (ast.Name, ast.Attribute))
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns") or (renamed and name == "value"):
                continue
            parts = value if isinstance(value, list) else [value]
            pending.extend(part for part in parts if isinstance(part, ast.AST))


def _outside(statement: ast.stmt, blocks: list[ast.AST]) -> Iterator[ast.AST]:
    """The statement and what stands in it, but not in its blocks of statements."""
    skipped = {id(node) for node in blocks}
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(child for child in ast.iter_child_nodes(node) if id(child) not in skipped)
