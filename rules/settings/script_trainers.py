"""Which Trainer a Python script uses: by what it imports and names, and not by what it is called here."""

from __future__ import annotations

import ast

from fp8check.rules.settings.script import ARGUMENTS, UsedTrainer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.settings.script_names import Names

    _Located = ast.expr | ast.stmt | ast.keyword

# Whose Trainer a package brings, by the names of rules/trainers: those of Sentence Transformers and Optimum derive from
# transformers', those of Unsloth from TRL's (its trainer.py).
_BROUGHT = {
    "transformers": "transformers",
    "sentence_transformers": "transformers",
    "optimum": "transformers",
    "trl": "trl",
    "unsloth": "trl",
    "axolotl": "axolotl",
    "llamafactory": "llamafactory",
    "llmtuner": "llamafactory",  # its name before 0.7
}
# To import these is to train by them: they have no parts for scripts of another's own.
_WHOLE = ("axolotl", "llamafactory", "llmtuner")
_MOST = 16  # classes that one parser is given
_ENDINGS = ("Trainer", "TrainingArguments")


def find(nodes: Sequence[ast.AST], names: Names, span: Callable[[_Located], Span]) -> tuple[UsedTrainer, ...]:
    """What a script uses of Trainers, each once, in the order of the file."""
    for_types = {id(part) for node in nodes for statement in _for_types(node) for part in ast.walk(statement)}
    found: dict[str, UsedTrainer] = {}
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    for node in nodes:
        if id(node) in for_types or not isinstance(node, (ast.Import, ast.ImportFrom, ast.Attribute, ast.Name)):
            continue
        idle = _idle(node, used) if isinstance(node, ast.ImportFrom) else ()
        for what in _named(node, names):
            trainer = _trainer(what)
            if trainer is not None and what not in found:
                found[what] = UsedTrainer(what, trainer, span(node), what.rpartition(".")[2] in idle)
    return tuple(sorted(found.values(), key=lambda one: one.span.start))


def _idle(node: ast.ImportFrom, used: set[str]) -> set[str]:
    """What a statement imports of a package with parts, and nothing names again."""
    if (node.module or "").partition(".")[0] in _WHOLE:
        return set()
    return {one.name for one in node.names if (one.asname or one.name) not in used}


def derived(nodes: Sequence[ast.AST], names: Names) -> dict[str, str]:
    """The classes that are derived from a Trainer's arguments, each with the one that it comes from.

    Those of a Trainer of TRL that is not named here, too: SDFTConfig, beside SDFTTrainer.
    """
    imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    trainers = {name for name in imported if name.endswith("Trainer")}
    pairs = {f"{name.removesuffix('Trainer')}Config" for name in trainers if name != "Trainer"} & imported
    found = dict.fromkeys(pairs.difference(ARGUMENTS), "SFTConfig")
    for node in nodes:  # a class stands behind the one that it is derived from
        if isinstance(node, ast.ClassDef) and node.name not in ARGUMENTS:
            for base in node.bases:
                for dotted in names.dotted(base):
                    last = dotted.rpartition(".")[2]
                    if last in ARGUMENTS or last in found:
                        found[node.name] = found.get(last, last)
    return found


def parsers(nodes: Sequence[ast.AST], names: Names) -> frozenset[str]:
    """The classes that parsers are given: HfArgumentParser((ModelArguments, TrainingArguments)), tyro.cli(Args)."""
    found: set[str] = set()
    for node in nodes:
        if not isinstance(node, ast.Call) or not (node.args or node.keywords):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if not name.endswith("Parser") and name not in ("cli", "parse"):
            continue
        for given in (*node.args, *(keyword.value for keyword in node.keywords)):
            meant = (names.value(given.id) or given) if isinstance(given, ast.Name) else given
            parts = meant.elts[:_MOST] if isinstance(meant, (ast.Tuple, ast.List)) else [meant]
            classes = (part for part in parts if isinstance(part, (ast.Name, ast.Attribute)))
            last = (dotted.rpartition(".")[2] for part in classes for dotted in names.dotted(part))
            found.update(one for one in last if one[:1].isupper())
    return frozenset(found)


def _for_types(node: ast.AST) -> Sequence[ast.stmt]:
    """The statements that are never run: `if TYPE_CHECKING:`."""
    if not isinstance(node, ast.If):
        return ()
    test = node.test
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    return node.body if name == "TYPE_CHECKING" else ()


def _named(node: ast.Import | ast.ImportFrom | ast.Attribute | ast.Name, names: Names) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        yield from (f"{module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Attribute):
        if node.attr.endswith(_ENDINGS) or node.attr in ARGUMENTS:
            yield from names.dotted(node)
    elif node.id in ARGUMENTS or (names.stars and node.id.endswith(_ENDINGS)):
        yield from names.dotted(node)


def _trainer(what: str) -> str | None:
    """Whose Trainer that is; "" where it is one of another package, None where it is none."""
    if "()" in what:
        return None
    if what.startswith("."):
        return "" if what.endswith(_ENDINGS) else None
    package, dot, rest = what.partition(".")
    last = rest.rpartition(".")[2]
    if package in _WHOLE:
        return _BROUGHT[package]
    if not dot:
        return None if what not in ARGUMENTS else "transformers" if what.endswith(_ENDINGS) else "trl"
    if last.endswith(_ENDINGS) or last in ARGUMENTS:
        return _BROUGHT.get(package, "")
    return None
