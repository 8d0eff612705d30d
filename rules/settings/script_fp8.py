"""Where a Python script turns FP8 on by other means than Accelerate's: torchao, Transformer Engine, Unsloth, a cast.

What is known to compute in FP8, and is run whenever the script is, is sure. Everything else that has to do with FP8 by
its name is told as well: what becomes of it is not known. Read in the released sources: torchao 0.18.0 float8/ and
quantization/, Transformer Engine 2.20.0 pytorch/__init__.py, Unsloth 2026.10.9 models/loader.py, transformers 5.24.0
utils/quantization_config.py, accelerate 1.15.0 utils/.
"""

from __future__ import annotations

import ast
import re

from fp8check.rules.settings.script import ARGUMENTS, HANDLERS, OwnFp8
from fp8check.rules.settings.script_names import LOOKED_UP, MADE
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.settings.script_names import Names

    _Located = ast.expr | ast.stmt | ast.keyword

# A sampler has "mSamp" in it.
_WORD = r"fp8|float8|f8e[45]m|e4m3|e5m2|mxfp(?!_?4)|nvfp4|scaled_(?:grouped_)?mm|ms_?amp(?!l)|transformer[-_]?engine"
_SPELLED = r"-{0,2}(?:fp8|float8|mxfp(?!_?4)|nvfp4|e4m3|e5m2|transformer[-_]engine)[\w.=-]*"
_PACKAGES = ("torchao", "transformer_engine", "transformer_engine_torch", "msamp")
# Their names alone change nothing: they are looked at where they are used.
_LOOKED_INTO = (*_PACKAGES, "accelerate", "transformers", "torch", "unsloth", "trl", "peft", "deepspeed", "lightning")

# What computes in FP8, by its last name, in the package that has it.
_CONVERTS = {
    "torchao": (
        *("convert_to_float8_training", "convert_to_float8_nocompile_training", "swap_linear_with_float8_linear"),
        "Float8Linear",
    ),
    "transformer_engine": ("fp8_autocast", "autocast", "fp8_model_init", "quantized_model_init"),
    "accelerate": ("convert_model_to_fp8_ao",),
    "msamp": ("initialize",),
}
_BACKENDS = {"torchao": "torchao", "transformer_engine": "Transformer Engine", "msamp": "MS-AMP", "unsloth": "Unsloth"}
_SWITCHED = ("fp8_autocast", "autocast", "fp8_model_init", "quantized_model_init")  # enabled=True, by default
# transformer_engine/common/recipe/__init__.py
_RECIPES = ("DelayedScaling", "Float8CurrentScaling", "Float8BlockScaling", "MXFP8BlockScaling", "NVFP4BlockScaling")
_KEYWORDS = ("load_in_fp8", "float8_training")
# They ask, or only tell.
_HARMLESS = re.compile(
    r"(?i:is|has|check|supports?)_\w*|\w*_(?i:available|supported)|get_(?:cudnn|device)\w*|fp8_enabled|fp8_backend|fp8_recipe_handler|__\w+__|FP8BackendType"
    r"|RotaryPositionEmbedding|Format|checkpoint"
)
_MODULE = 2  # transformer_engine.pytorch, torchao.float8
# What is built of integers or 4-bit floats: no FP8.
_INTEGER = re.compile(r"(?i)u?int[1-8]|uint|nf4|intx|gemlite|hqq|marlin|gptq|awq")
_WEIGHT_ONLY = re.compile(r"(?i)weight_?only")
# Calls whose text arguments are for people or for a parser, and tests that change nothing.
TALKS = frozenset(
    [
        "add_argument",
        "print",
        "info",
        "warning",
        "warn",
        "debug",
        "error",
        "log",
        "critical",
        "exception",
        "format",
        "version",
        "find_spec",
        "join",
        "startswith",
        "endswith",
        "getenv",
        "hasattr",
        "isinstance",
        "issubclass",
        "init_trackers",
    ]
)
_TELLS = re.compile(r"(?i)name|project|tag|dir|path|file|group|label|title|desc|help|prefix|suffix|notes|doc")
_RUNS = ("exec", "eval", "builtins.exec", "builtins.eval", "runpy.run_path", "runpy.run_module", "execfile")
# Classes of options: they do something only where they are handed on.
_OPTIONS = re.compile(r"dict|\w*(?:Config|Kwargs|Scaling|Recipe|RecipeName|Granularity|Type|Options)")


# Without one of these in its text no script has anything to do with FP8.
_TELLTALE = rf"(?i){_WORD}|torchao|RecipeKwargs|quantize_|import_module|__import__|getattr|exec|eval\(|runpy|modules\["


def is_word(text: str) -> bool:
    """Whether a text asks for FP8, or is the name of something that does."""
    return re.search(f"(?i){_WORD}", text) is not None


def may_tell(text: str) -> bool:
    """Whether a script may have anything to do with FP8."""
    return re.search(_TELLTALE, text) is not None


def find(
    text: str, tree: ast.Module, nodes: Sequence[ast.AST], names: Names, span: Callable[[_Located], Span]
) -> tuple[OwnFp8, ...]:
    """The places of a script that turn FP8 on, or may: those that are sure first, each line once.

    Args:
        text: that of the script.
        nodes: all parts of the tree.
        span: where a part of the tree stands.
    """
    if not may_tell(text):
        return ()
    finder = _Finder(names, span)
    finder.statements(tree.body, runs=True)
    finder.imports(nodes)
    found = sorted(finder.found(), key=lambda one: (not one.sure, one.span.start))
    lines: dict[int, OwnFp8] = {}
    for one in found:
        lines.setdefault(one.span.line, one)
    recipe = finder.recipe
    return tuple(one._replace(recipe=recipe) if one.sure else one for one in lines.values())


class _Finder:
    def __init__(self, names: Names, span: Callable[[_Located], Span]) -> None:
        self._names = names
        self._span = span
        self._found: list[OwnFp8] = []
        self._held: list[tuple[str, OwnFp8]] = []  # options, by the variable that holds them
        self._used: set[str] = set()  # variables that are used elsewhere than in Accelerator's arguments
        self._recipes: list[tuple[Setting, bool]] = []  # and whether each is made whenever the script runs
        self._word = re.compile(_WORD, re.IGNORECASE)
        self._spelled = re.compile(_SPELLED, re.IGNORECASE)

    @property
    def recipe(self) -> Setting | None:
        """The only recipe of Transformer Engine; None where there are several, or it is made under a condition."""
        if len(self._recipes) != 1:
            return None
        setting, runs = self._recipes[0]
        return setting if runs else None

    def found(self) -> Iterator[OwnFp8]:
        yield from self._found
        yield from (one for name, one in self._held if name in self._used)

    def _add(
        self, node: _Located, what: str, *, sure: bool = False, package: str = "", held: str = "", word: bool = False
    ) -> None:
        one = OwnFp8(what, sure, _BACKENDS.get(package), self._span(node), word=word)
        if held and not sure:
            self._held.append((held, one))
        else:
            self._found.append(one)

    def imports(self, nodes: Sequence[ast.AST]) -> None:
        """Names that have to do with FP8, of modules that are not looked into: those of a folder's own, above all."""
        for node in nodes:
            if isinstance(node, ast.Import):
                self._imported(node, [alias.name for alias in node.names])
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                self._imported(node, [f"{module}.{alias.name}" for alias in node.names])

    def _imported(self, node: ast.stmt, dotted: Sequence[str]) -> None:
        for one in dotted:
            if self._has_word(one) and one.partition(".")[0] not in _LOOKED_INTO:
                self._add(node, one)

    def _has_word(self, dotted: str) -> bool:
        return any(self._word.search(part) and not _HARMLESS.fullmatch(part) for part in dotted.split("."))

    def statements(self, body: Sequence[ast.stmt], *, runs: bool) -> None:
        """Look at statements; `runs`: whether they run whenever the script does."""
        for statement in body:
            self._statement(statement, runs)
            if isinstance(statement, ast.If) and _ends_early(statement) and not _always(statement.test):
                runs = False

    def _statement(self, node: ast.stmt, runs: bool) -> None:
        if isinstance(node, ast.If):
            self._expression(node.test, runs)
            always = _always(node.test)
            self.statements(node.body, runs=runs and always)
            self.statements(node.orelse, runs=False)
        elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            self._try(node, runs)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            self._assignment(node, runs)
        elif isinstance(node, ast.Match):
            self._expression(node.subject, runs, quiet=True)
            for case in node.cases:
                self.statements(case.body, runs=False)
        else:
            self._other(node, runs)

    def _try(self, node: ast.AST, runs: bool) -> None:
        for name, value in ast.iter_fields(node):
            for part in value:
                if isinstance(part, ast.ExceptHandler):
                    self.statements(part.body, runs=False)
            if name != "handlers":
                self.statements(value, runs=runs)

    def _other(self, node: ast.stmt, runs: bool) -> None:
        """Blocks that run as what they stand in does, and plain statements."""
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return
        if isinstance(node, ast.FunctionDef) and not node.decorator_list and node.col_offset == 0:
            runs = runs and node.name in self._names.loaded
        for name, value in ast.iter_fields(node):
            if name == "returns":
                continue
            parts = value if isinstance(value, list) else [value]
            if parts and isinstance(parts[0], ast.stmt):
                self.statements(parts, runs=runs)
                continue
            for part in parts:
                if isinstance(part, ast.withitem):
                    self._expression(part.context_expr, runs)
                elif isinstance(part, ast.arguments):
                    for default in (*part.defaults, *part.kw_defaults):
                        if default is not None:
                            self._expression(default, runs)
                elif isinstance(part, ast.keyword):
                    self._expression(part.value, runs)
                elif isinstance(part, ast.expr):
                    self._expression(part, runs)

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, runs: bool) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        held = targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""
        for target in targets:
            if not isinstance(target, (ast.Attribute, ast.Subscript)):
                continue
            key = target.attr if isinstance(target, ast.Attribute) else self._names.text(target.slice) or ""
            environment = isinstance(target, ast.Subscript) and ast.unparse(target.value).endswith("environ")
            if self._word.search(key) and not _off(node.value) and not environment:
                self._add(target, key, word=True)
            elif self._is_spelled(node.value) and not _TELLS.search(key) and not environment:
                self._add(node, f"{key} = {ast.unparse(node.value)}" if node.value is not None else key, word=True)
        if node.value is not None:
            self._expression(node.value, runs, held=held)

    def _expression(self, top: ast.expr, runs: bool, *, quiet: bool = False, held: str = "") -> None:
        """Look at an expression and all in it.

        Args:
            quiet: only what converts counts, and not what is merely named.
            held: the variable that gets the expression.
        """
        pending: list[tuple[ast.AST, bool, bool, str]] = [(top, runs, quiet, held)]
        while pending:
            node, does_run, is_quiet, variable = pending.pop()
            if isinstance(node, ast.Call):
                is_quiet = self._call(node, does_run, is_quiet, variable) or is_quiet
                pending.append((node.func, does_run, True, ""))
                self._used.update(part.id for part in ast.walk(node.func) if isinstance(part, ast.Name))
                nested = "" if not is_quiet and not _OPTIONS.fullmatch(_last(node.func)) else variable
                pending.extend((argument, does_run, is_quiet, nested) for argument in node.args)
                for keyword in node.keywords:
                    for_people = _TELLS.search(keyword.arg or "") is not None
                    pending.append((keyword.value, does_run, is_quiet or for_people, nested))
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if not is_quiet:
                    self._used.add(node.id)
                    self._named(node, variable)
            elif isinstance(node, ast.Attribute):
                if not is_quiet:
                    self._named(node, variable)
            elif isinstance(node, (ast.Dict, ast.List, ast.Tuple, ast.Set)):
                if not is_quiet:
                    self._written(node, variable)
            elif isinstance(node, ast.Compare):
                is_quiet = True
            if isinstance(node, (ast.IfExp, ast.BoolOp)):
                does_run = False
            pending.extend((child, does_run, is_quiet, variable) for child in ast.iter_child_nodes(node))

    def _named(self, node: ast.Name | ast.Attribute, held: str) -> None:
        """What is only named: `torch.float8_e4m3fn`, `te.Linear` handed to a function, `args.fp8`."""
        for dotted in self._names.dotted(node):
            package, last = dotted.partition(".")[0], dotted.rpartition(".")[2]
            if _HARMLESS.fullmatch(last) or "()" in last:
                continue
            package = "" if "()" in dotted else package
            own = package in _PACKAGES and isinstance(node, ast.Attribute) and package != "torchao"
            word = self._word.search(last) if isinstance(node, ast.Attribute) or "." in dotted else None
            if word or (own and last[:1].isupper()):
                plain = isinstance(node, ast.Attribute) and package not in _LOOKED_INTO
                self._add(node, dotted, package=package, held=held, word=plain)
                return

    def _written(self, node: ast.Dict | ast.List | ast.Tuple | ast.Set, held: str) -> None:
        """Words as "fp8" in a list, {"load_in_fp8": True}, {"precision": "fp8"}."""
        if not isinstance(node, ast.Dict):
            for one in node.elts:
                if self._is_spelled(one):
                    self._add(one, ast.unparse(one), held=held, word=True)
            return
        for key, value in zip(node.keys, node.values, strict=True):
            name = self._names.text(key) or "" if key is not None else ""
            if self._word.search(name) and not _off(value):
                self._add(value, name, held=held, word=True)
            elif self._is_spelled(value) and name and not _TELLS.search(name):
                self._add(value, f"{name}: {ast.unparse(value)}", held=held, word=True)

    def _is_spelled(self, value: ast.expr | None) -> bool:
        """Whether a value is a word as "fp8" or "float8_e4m3fn"."""
        text = self._names.text(value) if isinstance(value, (ast.Constant, ast.Name)) else None
        return text is not None and self._spelled.fullmatch(text) is not None

    def _call(self, node: ast.Call, runs: bool, quiet: bool, held: str) -> bool:
        """Look at a call; whether what it is given is Accelerate's own business, or only text."""
        called = self._names.dotted(node.func)
        last = {dotted.rpartition(".")[2] for dotted in called} | {*called}.intersection(LOOKED_UP)
        if last & {*HANDLERS, "Accelerator"}:
            if not quiet and last & {*HANDLERS}:
                self._add(node, called[0], held=held, word=True)
            return True
        if last & TALKS or last & {*LOOKED_UP}:
            return True
        for dotted in called:
            self._called(node, dotted, runs, held)
        if not quiet:
            self._given(node, runs, held)
        return False

    def _called(self, node: ast.Call, dotted: str, runs: bool, held: str) -> None:
        package, last = dotted.partition(".")[0], dotted.rpartition(".")[2]
        result = "()" in dotted
        if result:  # of what a call returned: only its own name says something
            package, dotted = "", dotted.rpartition("()")[2].lstrip(".")
        family = "transformer_engine" if package.startswith("transformer_engine") else package
        alone = len(self._names.dotted(node.func)) == 1
        if last in _CONVERTS.get(family, ()):
            state = _switch(node) if last in _SWITCHED else True
            if state is not False:
                self._add(node, dotted, sure=bool(state) and runs and alone, package=family)
        elif last == "quantize_":
            self._quantize(node, dotted, runs and alone)
        elif dotted in _RUNS and not result:
            self._add(node, f"{dotted}({ast.unparse(node.args[0])[:60] if node.args else ''})")
        elif not dotted or _HARMLESS.fullmatch(last):
            return
        elif last == MADE and (package in _PACKAGES or package == MADE):
            self._add(node, f"a function of {dotted.rpartition('.')[0] or 'a module'} that is chosen while it runs")
        elif family in ("transformer_engine", "msamp") or self._word.search(dotted):
            option = held if _OPTIONS.fullmatch(last) else ""
            self._add(node, dotted, package=family, held=option)
            if family == "transformer_engine" and last in _RECIPES:
                self._recipes.append((Setting(last, Origin(span=self._span(node))), runs and alone))

    def _quantize(self, node: ast.Call, dotted: str, runs: bool) -> None:
        """torchao's quantize_: what it does is said by the configuration that it is given."""
        given = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "config")]
        options = [one for value in given for one in self._options(value)]
        if options and all(_INTEGER.search(one) and not self._word.search(one) for one in options):
            return
        sure = len(options) == 1 and self._word.search(options[0]) and not _WEIGHT_ONLY.search(options[0])
        self._add(node, dotted, sure=bool(sure) and runs and not _INTEGER.search(options[0]), package="torchao")

    def _options(self, value: ast.expr) -> Iterator[str]:
        """The names of the classes of options that an expression may make."""
        for dotted in self._names.dotted(value):
            yield dotted.removesuffix("()").rpartition(".")[2]

    def _given(self, node: ast.Call, runs: bool, held: str) -> None:
        """Arguments that ask for FP8: load_in_fp8=True, precision="transformer-engine"."""
        option = held if _OPTIONS.fullmatch(_last(node.func)) else ""
        for keyword in node.keywords:
            name, value = keyword.arg or "", keyword.value
            if self._word.search(name) and not _off(value):
                loads = _last(node.func) == "from_pretrained"
                sure = name in _KEYWORDS and loads and isinstance(value, ast.Constant) and runs
                self._add(
                    value, f"{name}={ast.unparse(value)[:60]}", sure=sure, package="unsloth", held=option, word=not sure
                )
            elif self._is_spelled(value) and not _TELLS.search(name):
                self._add(value, f"{name}={ast.unparse(value)}", held=option, word=True)
        names_folder = _last(node.func) in ARGUMENTS  # the first argument of a Trainer's arguments
        for value in node.args:
            if self._is_spelled(value) and not names_folder:
                self._add(value, f"{_last(node.func)}({ast.unparse(value)})", held=option, word=True)
            self._handed_on(value)

    def _handed_on(self, value: ast.expr) -> None:
        """A package of FP8 as a whole, or a part of it that is chosen while the script runs."""
        for dotted in self._names.dotted(value):
            parts = dotted.split(".")
            whole = isinstance(value, ast.Name) and dotted.islower() and "()" not in dotted and len(parts) <= _MODULE
            if parts[0] in _PACKAGES and (whole or parts[-1] == MADE):
                self._add(value, f"{dotted.rpartition('.')[0] if parts[-1] == MADE else dotted}, handed on")
                return


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _off(value: ast.expr | None) -> bool:
    """Whether a value is written out, and switches nothing on."""
    return isinstance(value, ast.Constant) and value.value in (None, False, 0, "", "no", "none", "bf16", "fp16")


def _switch(node: ast.Call) -> bool | None:
    """`enabled` of an autocast: the first argument; None where it is no literal."""
    given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "enabled")]
    if not given:
        return None if any(keyword.arg is None for keyword in node.keywords) else True
    return bool(given[0].value) if isinstance(given[0], ast.Constant) else None


def _always(test: ast.expr) -> bool:
    """Whether a condition holds wherever FP8 is trained: `__name__ == "__main__"`, a GPU is there."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    text = ast.unparse(test)
    return text in ("__name__ == '__main__'", "'__main__' == __name__") or text.endswith("cuda.is_available()")


def _ends_early(node: ast.If) -> bool:
    return any(isinstance(part, (ast.Return, ast.Continue)) for part in (*node.body, *node.orelse))
