"""What functions and classes take of the command line by fire, typer, click and tyro: their parameters are options.

Read in fire 0.7.1 core.py, typer 0.29.2 main.py, click 8.5.1 core.py and tyro 1.0.17; executed with them.
"""

from __future__ import annotations

import ast

from fp8check.rules.record import Record
from fp8check.rules.settings.values import Origin, Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Literal

    from fp8check.rules.settings.script_names import Names

    Tool = Literal["fire", "typer", "click", "tyro"]
    _Function = ast.FunctionDef | ast.AsyncFunctionDef

_RUNS: Mapping[str, Tool] = {"fire.Fire": "fire", "typer.run": "typer", "tyro.cli": "tyro"}
_MOST = 64  # parameters that are looked at of one function


class Parameter(Record):
    """One parameter of a function that the command line fills.

    Attributes:
        name: as the function has it.
        tool: by what it is filled.
        flags: as they are written; empty where it is filled by its place.
        default: the expression; None where it has to be given.
        switch: whether a flag stands alone, and is its value.
        kind: what a value is read as.
        node: where it is defined.
        choices: the only texts that it takes; empty where it takes others.
        variable: the environment variable that goes before the default; "" where none does.
    """

    name: str
    tool: Tool
    flags: tuple[str, ...]
    default: ast.expr | None
    switch: bool
    kind: str
    node: ast.arg | ast.expr | ast.stmt
    choices: tuple[str, ...] = ()
    variable: str = ""


class Fire(Record):
    """What fire calls with the words of the command line: parameters by their names, in order.

    Attributes:
        places: of the one function that it was given.
        functions: of those of which a word names one: all of the module, those of a mapping, or the methods of a class.
        constructor: of the class that is made first, which takes flags alone, wherever they stand; None where none is.
    """

    places: tuple[str, ...] = ()
    functions: Mapping[str, tuple[str, ...]] = {}
    constructor: tuple[str, ...] | None = None


class Mains(Record):
    """What of a script the command line is handed to.

    Attributes:
        parameters: of its functions and classes.
        classes: dataclasses that tyro fills.
        fire: what fire calls; None where it reads no command line, or that is not known.
        tools: by what the command line is read.
        commands: the words of which the first names what is called, where several functions are commands of a group.
        configured: whether tyro is told to read the command line in another way than by itself.
    """

    parameters: tuple[Parameter, ...] = ()
    classes: frozenset[str] = frozenset()
    fire: Fire | None = None
    tools: frozenset[str] = frozenset()
    commands: tuple[str, ...] = ()
    configured: bool = False


def find(nodes: Sequence[ast.AST], names: Names) -> Mains:
    """What the command line is handed to."""
    functions = {node.name: node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    parameters: list[Parameter] = []
    filled: set[str] = set()
    fire: Fire | None = None
    configured = False
    for node in nodes:
        if isinstance(node, ast.Call):
            tool = next((_RUNS[one] for one in names.dotted(node.func) if one in _RUNS), None)
            target = node.args[0] if node.args else None
            if tool == "tyro":
                configured |= any(one.arg not in ("args", "prog", "description") for one in node.keywords)
            if tool == "fire" and not node.keywords:
                fire, made = _fired(target, functions, classes)
                parameters.extend(made)
            elif tool is None or not isinstance(target, ast.Name):
                continue
            elif target.id in functions:
                parameters.extend(_signature(functions[target.id], tool))
            elif target.id in classes and tool == "tyro":
                filled.add(target.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parameters.extend(_decorated(node, names))
    tools = {one.tool for one in parameters} | ({"tyro"} if filled else set())
    groups = [one for one in functions.values() if _groups(one, names)]
    commands = [*_of_groups(functions.values(), {one.name for one in groups}, names)] if groups else []
    commands = commands or _of_typers(functions.values(), nodes, names)
    return Mains(tuple(parameters), frozenset(filled), fire, frozenset(tools), tuple(commands), configured)


def _groups(node: _Function, names: Names) -> bool:
    """Whether it is a group of click."""
    called = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
    return any("click.group" in names.dotted(one) for one in called)


def _of_groups(functions: Iterable[_Function], groups: Collection[str], names: Names) -> Iterator[str]:
    """The commands of groups of click: @cli.command(), @cli.command("name")."""
    for node in functions:
        for one in node.decorator_list:
            called = one.func if isinstance(one, ast.Call) else one
            owner = called.value if isinstance(called, ast.Attribute) and called.attr == "command" else None
            if isinstance(owner, ast.Name) and owner.id in groups:
                yield command_name(node.name, one, names.text)


def _of_typers(functions: Iterable[_Function], nodes: Sequence[ast.AST], names: Names) -> list[str]:
    """The commands of the only typer.Typer(), where it has several."""
    apps = [one for one in nodes if isinstance(one, ast.Call) and "typer.Typer" in names.dotted(one.func)]
    called = (
        (node, one)
        for node in (functions if len(apps) == 1 else ())
        for one in node.decorator_list
        if isinstance(one, ast.Call)
    )
    found = [
        command_name(node.name, one, names.text)
        for node, one in called
        if any(last.startswith("typer.") and last.endswith(".command") for last in names.dotted(one.func))
    ]
    return found if len(found) > 1 else []


def command_name(function: str, decorator: ast.expr, text: Callable[[ast.expr], str | None]) -> str:
    """What a command is called: by its decorator, or as the function, with dashes (click decorators.py command)."""
    given = decorator.args[:1] if isinstance(decorator, ast.Call) else []
    given += [one.value for one in decorator.keywords if one.arg == "name"] if isinstance(decorator, ast.Call) else []
    name = text(given[0]) if given else None
    return name if name is not None else function.lower().replace("_", "-")


def _fired(
    target: ast.expr | None, functions: Mapping[str, _Function], classes: Mapping[str, ast.ClassDef]
) -> tuple[Fire | None, list[Parameter]]:
    """What fire.Fire(target) calls, with parameters: a function, those of a mapping or the module, or methods."""
    if isinstance(target, ast.Name) and target.id in functions:
        made = [*_signature(functions[target.id], "fire")]
        return Fire(_names(made)), made
    constructor: list[Parameter] | None = None
    called: Mapping[str, list[Parameter]] | None
    if target is None:
        called = {name: [*_signature(one, "fire")] for name, one in functions.items()}
    elif isinstance(target, ast.Dict):
        called = _of_mapping(target, functions)
    else:
        called = _of_methods(target, classes)
        if called is not None and isinstance(target, ast.Name):  # not an object, which is made already
            constructor = called.get("__init__", [])
            called = {name: made for name, made in called.items() if not name.startswith("_")}
    if called is None:
        return None, []
    first = None if constructor is None else _names(constructor)
    fire = Fire((), {name: _names(made) for name, made in called.items()}, first)
    return fire, [*(constructor or ()), *(one for made in called.values() for one in made)]


def _of_mapping(target: ast.Dict, functions: Mapping[str, _Function]) -> Mapping[str, list[Parameter]] | None:
    """The functions of fire.Fire({"train": train}) with their parameters; None where it holds anything else."""
    found: dict[str, list[Parameter]] = {}
    for key, value in zip(target.keys, target.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(value, ast.Name) or value.id not in functions:
            return None
        found[str(key.value)] = [*_signature(functions[value.id], "fire")]
    return found


def _of_methods(target: ast.expr, classes: Mapping[str, ast.ClassDef]) -> Mapping[str, list[Parameter]] | None:
    """The methods of fire.Fire(Job) or fire.Fire(Job()), with parameters; None where a base has some, too."""
    is_made = isinstance(target, ast.Call)
    name = target.func if isinstance(target, ast.Call) and not target.args and not target.keywords else target
    found = classes.get(name.id) if isinstance(name, ast.Name) else None
    if found is None or any(not isinstance(base, ast.Name) or base.id != "object" for base in found.bases):
        return None
    methods = [one for one in found.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {
        one.name: [*_signature(one, "fire")][1:]  # without self
        for one in methods
        if not one.decorator_list and not (is_made and one.name.startswith("_"))
    }


def _names(parameters: Sequence[Parameter]) -> tuple[str, ...]:
    return tuple(one.name for one in parameters)


def _decorated(node: _Function, names: Names) -> Iterator[Parameter]:
    """The options of a function that is a command of click or typer."""
    called = [one for one in node.decorator_list if isinstance(one, ast.Call)]
    dotted = [(one, last) for one in called for last in names.dotted(one.func)]
    options = [one for one, name in dotted if name == "click.option"]
    if options:
        yield from (made for one in options[:_MOST] if (made := _clicked(one, names)) is not None)
    elif any(name.endswith(".command") and name.startswith("typer.") for _, name in dotted):
        yield from _signature(node, "typer")


def _clicked(node: ast.Call, names: Names) -> Parameter | None:
    """@click.option("--bf16/--no-bf16", default=True)."""
    words = [text for text in map(names.text, node.args) if text is not None]
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    plain = next((word for word in words if word.isidentifier()), None)
    flags = [part.strip() for word in words if not word.isidentifier() for part in word.split("/")[:1]]
    variable = names.text(given["envvar"]) if "envvar" in given else ""
    if (
        not flags
        or len(words) != len(node.args)
        or {"multiple", "callback", "nargs"} & given.keys()
        or variable is None
    ):
        return None
    long = next((flag for flag in flags if flag.startswith("--")), flags[0])
    name = plain or long.lstrip("-").replace("-", "_")
    default, kind = given.get("default"), ast.unparse(given["type"]) if "type" in given else ""
    is_flag = _is_true(given.get("is_flag")) or any("/" in word for word in words)
    plain_default = isinstance(default, ast.Constant) and isinstance(default.value, bool)
    kind = kind or ("bool" if plain_default else "int" if _is_int(default) else "str")
    if is_flag and default is None:
        default = ast.copy_location(ast.Constant(value=False), node)
    choices = _choices(given.get("type"), names)
    kind = "str" if choices else kind
    return Parameter(name, "click", tuple(flags), default, is_flag, kind, node, choices, variable)


def _choices(kind: ast.expr | None, names: Names) -> tuple[str, ...]:
    """The texts of click.Choice(["te", "ao"]); none where it is anything else, or is not told by case."""
    if (
        not isinstance(kind, ast.Call)
        or "click.Choice" not in names.dotted(kind.func)
        or kind.keywords
        or not kind.args
    ):
        return ()
    listed = kind.args[0].elts if isinstance(kind.args[0], (ast.List, ast.Tuple)) else []
    texts = [names.text(one) for one in listed]
    return () if None in texts else tuple(text for text in texts if text is not None)


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_int(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _signature(node: _Function, tool: Tool) -> Iterator[Parameter]:
    """The parameters of a function as its tool reads them."""
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(named) - len(arguments.defaults))
    pairs = [*zip(named, [*defaults, *arguments.defaults], strict=True)]
    pairs.extend(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    for argument, default in pairs[:_MOST]:
        yield _parameter(argument, default, tool)


def _parameter(argument: ast.arg, default: ast.expr | None, tool: Tool) -> Parameter:
    annotation = argument.annotation
    flags: tuple[str, ...] = ()
    if tool == "typer":
        default, flags = _typed(default)
        if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Annotated"):
            parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
            _, named = _typed(next((part for part in parts[1:] if isinstance(part, ast.Call)), None))
            annotation, flags = parts[0], flags or named
    kind = "" if annotation is None else ast.unparse(annotation)
    if tool == "tyro":
        kind = plain_kind(annotation)
    kind = next((word for word in ("bool", "int", "float", "str") if word in kind), "")
    if not flags and (default is not None or tool != "typer"):
        flags = (f"--{argument.arg}",) if tool == "fire" else (f"--{argument.arg.replace('_', '-')}",)
        flags = flags if tool != "tyro" else (*flags, f"--{argument.arg}")
    switch = is_switch(annotation, default) if tool == "tyro" else kind == "bool" and tool != "fire"
    return Parameter(argument.arg, tool, flags, default, switch, kind, argument)


def plain_kind(annotation: ast.expr | None) -> str:
    """What tyro reads the one word behind a flag as; "" where it takes several, a class, or a flag has other names."""
    kind = "" if annotation is None else ast.unparse(annotation).strip("'\"").replace(" ", "")
    for optional in ("Optional[", "typing.Optional["):
        if kind.startswith(optional):
            kind = kind[len(optional) : -1]
    kind = kind.removesuffix("|None").removeprefix("None|")
    return kind if kind in ("bool", "int", "float", "str") else ""


def is_switch(annotation: ast.expr | None, default: ast.expr | None) -> bool:
    """Whether tyro takes no word behind a flag: one that may be None, or has no default, takes True or False."""
    return default is not None and annotation is not None and ast.unparse(annotation).strip("'\"") == "bool"


def _typed(default: ast.expr | None) -> tuple[ast.expr | None, tuple[str, ...]]:
    """The default and the names of typer.Option(False, "--bf16/--no-bf16")."""
    if not isinstance(default, ast.Call):
        return default, ()
    words = [one.value for one in default.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    flags = tuple(part for word in words if word.startswith("-") for part in word.split("/")[:1])
    keyword = next((one.value for one in default.keywords if one.arg == "default"), None)
    first = default.args[0] if default.args else None
    is_name = isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.startswith("-")
    return keyword if keyword is not None else None if is_name else first, flags


def by_fire(words: Sequence[str], fire: Fire) -> dict[str, Setting]:
    """What fire makes of the words behind a script.

    A word is what Python makes of it, else text; a flag alone is True, and `--noNAME` False (fire core.py
    _ParseKeywordArgs).
    """
    given: dict[str, Setting] = {}
    if fire.constructor is not None:
        made, words = of_constructor(words, fire.constructor)
        given = _filled(made, fire.constructor)
    if not fire.functions:
        return _filled(words, fire.places)
    places = fire.functions.get(words[0].replace("-", "_")) if words else None
    return given if places is None else {**_filled(words[1:], places), **given}


def of_constructor(words: Sequence[str], parameters: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that the constructor of a class takes: flags with their values, wherever they stand. And the others.

    Of the others what is no flag comes first (fire core.py _ParseFn): a method's flags may stand before its name.
    A class takes nothing by its place (decorators.py GetMetadata).
    """
    taken: list[str] = []
    loose: list[str] = []
    flags: list[str] = []
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        length = 1
        if _is_flag(word):
            length += "=" not in word and at + 1 < len(words) and not _is_flag(words[at + 1])
            name = word.lstrip("-").partition("=")[0].replace("-", "_")
            is_off = length == 1 and "=" not in word and name.startswith("no") and name[2:] in parameters
            near = [one for one in parameters if one.startswith(name)] if len(name) == 1 else []
            is_taken = name in parameters or is_off or len(near) == 1
            (taken if is_taken else flags).extend(words[at : at + length])
        else:
            loose.append(word)
        at += length
    return taken, [*loose, *flags, *words[at:]]


def _filled(words: Sequence[str], places: Sequence[str]) -> dict[str, Setting]:
    """What the parameters of one function are filled with."""
    given: dict[str, Setting] = {}
    loose: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--":  # what follows is for fire itself
            break
        if not _is_flag(word):
            loose.append(word)
            continue
        name, equals, text = word.lstrip("-").partition("=")
        name = name.replace("-", "_")
        if equals:
            _put(given, places, name, _literal(text), word)
        elif at < len(words) and not _is_flag(words[at]):
            _put(given, places, name, _literal(words[at]), f"{word} {words[at]}")
            at += 1
        elif name not in places and name.startswith("no") and name[2:] in places:
            _put(given, places, name[2:], False, word)
        else:
            _put(given, places, name, True, word)
    free = [name for name in places if name not in given]
    for name, word in zip(free, loose, strict=False):
        given[name] = Setting(_literal(word), Origin(flag=word))
    return given


def _put(given: dict[str, Setting], places: Sequence[str], name: str, value: object, written: str) -> None:
    if len(name) == 1 and name not in places:  # the only parameter that begins so
        near = [one for one in places if one.startswith(name)]
        name = near[0] if len(near) == 1 else name
    given[name] = Setting(value, Origin(flag=written))


def _is_flag(word: str) -> bool:
    return word.startswith("--") or (len(word) > 1 and word[0] == "-" and word[1].isalpha())


def _literal(text: str) -> object:
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = text
    # Text that is not empty counts as true, whatever it says, and so does what is none of the plain types here.
    return True if isinstance(value, str) and value.lower() in ("false", "no", "off") else value
