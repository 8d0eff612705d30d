"""What calls, operators and lookups come to in a script that is followed (script_run.py); else UNKNOWN.

Only what changes nothing outside of the script's own values is worked out, and only on values that are small.
"""

from __future__ import annotations

import ast
import os

from fp8check.rules.settings import script_files
from fp8check.rules.settings.script import Made
from fp8check.rules.settings.script_files import FilePath, Opened
from fp8check.rules.settings.script_fp8 import TALKS
from fp8check.rules.settings.script_mains import of_constructor
from fp8check.rules.settings.script_values import (
    PLAIN,
    UNKNOWN,
    Class,
    Environment,
    Function,
    IfUnset,
    Method,
    Model,
    Named,
    Object,
    Output,
    truth,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from fp8check.rules.settings.script_following import Follower


class _Sign:
    __slots__ = ()


ENDS = _Sign()  # what a call returns after which nothing comes
NOT_HERE = _Sign()  # it is not known what a call does
# Variables that decide over FP8 by themselves: a script that sets what cannot be told may set any of them.
DECIDING_VARIABLES = ("ACCELERATE_MIXED_PRECISION", "ACCELERATE_FP8_BACKEND")
BUILTINS = frozenset(
    [
        "bool",
        "int",
        "float",
        "str",
        "list",
        "dict",
        "tuple",
        "set",
        "len",
        "getattr",
        "setattr",
        "hasattr",
        "print",
        "range",
        "vars",
        "min",
        "max",
        "any",
        "all",
        "sorted",
        "object",
        "enumerate",
        "zip",
        "exit",
        "quit",
        "isinstance",
        "type",
        "super",
        "property",
        "staticmethod",
        "classmethod",
        "repr",
        "open",
    ]
)
_ENDING = ("sys.exit", "exit", "quit", "os._exit")
_PARSES = ("parse_args", "parse_known_args", "parse_intermixed_args")
_TYPERS = ("Typer", "Group")
_MOST_COUNTED = 64
WITHOUT_GRAD = ("no_grad", "inference_mode")
OF_OUTPUT = ("backward", "detach", "item", "numpy", "tolist")  # what these return is no output any more
# What is loaded under these names is no model.
_NO_MODELS = ("Tokenizer", "Processor", "Config", "Extractor", "Scheduler", "Dataset")
_FIRST_WITH_BF16 = 8  # compute capability: what is older has BF16 by emulation alone


def item(owner: object, key: object) -> object:
    """`owner[key]`."""
    try:
        if isinstance(owner, dict) and isinstance(key, PLAIN):
            return owner[key]
        if isinstance(owner, (list, tuple, str)) and isinstance(key, (int, slice)):
            return owner[key]
    except (LookupError, ValueError, TypeError):
        pass
    return UNKNOWN


def compared(operator: ast.cmpop, one: object, other: object) -> object:
    """`one < other`, `one in other`."""
    if isinstance(operator, (ast.Is, ast.IsNot)):
        known = (*PLAIN, list, tuple, dict, Function, Class, Made, Object)
        if not isinstance(one, known) or not isinstance(other, known):
            return UNKNOWN
        return (one is other) is isinstance(operator, ast.Is)
    several = (*PLAIN, list, tuple, dict)
    if not isinstance(one, several) or not isinstance(other, several) or not (_is_plain(one) and _is_plain(other)):
        return UNKNOWN
    compare = _COMPARED[type(operator)]
    try:
        return bool(compare(one, other))
    except TypeError:
        return UNKNOWN


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return isinstance(value, PLAIN)


_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], object]] = {
    ast.Eq: lambda one, other: one == other,
    ast.NotEq: lambda one, other: one != other,
    ast.Lt: lambda one, other: one < other,
    ast.LtE: lambda one, other: one <= other,
    ast.Gt: lambda one, other: one > other,
    ast.GtE: lambda one, other: one >= other,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
_COMPUTED: dict[type[ast.operator], Callable[[Any, Any], object]] = {
    ast.Add: lambda one, other: one + other,
    ast.Sub: lambda one, other: one - other,
    ast.FloorDiv: lambda one, other: one // other,
    ast.Div: lambda one, other: one / other,
}


def computed(operator: ast.operator, one: object, other: object) -> object:
    """`one + other`."""
    if isinstance(operator, ast.BitOr) and isinstance(one, dict) and isinstance(other, dict):
        return {**one, **other}
    if isinstance(operator, ast.Div) and isinstance(one, FilePath) and isinstance(other, str):
        return FilePath(os.path.join(one, other))
    if isinstance(operator, ast.Mult) and isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one * other
    compute = _COMPUTED.get(type(operator))
    if compute is None or not isinstance(one, (*PLAIN, list, tuple)) or not isinstance(other, (*PLAIN, list, tuple)):
        return UNKNOWN
    try:
        return compute(one, other)
    except (TypeError, ArithmeticError):
        return UNKNOWN


def call(
    follower: Follower,
    called: object,
    positional: Sequence[object],
    keywords: Mapping[str, object],
    node: ast.Call | None,
) -> object:
    """What a call of something else than the script's own functions and classes returns; NOT_HERE, or ENDS."""
    if isinstance(called, Method):
        return _method(follower, called, positional, keywords, node)
    if isinstance(called, Made) and called.name in _TYPERS:
        commands = follower.known.commands.get((called.line, called.column), [])
        return follower.run(commands[0][1], [], {}) if len(commands) == 1 else by_command(follower, called)
    if isinstance(called, Output):  # a method of it, or of a part of it: logits.float()
        return called._replace(grad=called.grad and not follower.without_grad)
    if isinstance(called, Model):
        return Output(called.training, follower.without_grad == 0, called.handed)
    if not isinstance(called, Named):
        return NOT_HERE
    if called.last in WITHOUT_GRAD and called.dotted.startswith("torch."):
        return Made("no_grad")
    loaded = _model(called)
    if loaded is not None:
        return loaded
    if called.dotted in _ENDING:
        return ENDS
    if called.last in _TYPERS and node is not None:
        return Made(called.last, line=node.func.lineno, column=node.func.col_offset)
    for table, key in ((_FUNCTIONS, called.dotted), (_BY_LAST_NAME, called.last)):
        if key in table:
            return table[key](follower, [follower.held(one) for one in positional], keywords, node)
    return UNKNOWN if called.last in TALKS else NOT_HERE


def place_of(owner: object) -> tuple[int, int] | None:
    """Where that of which functions are commands is made: an app of typer, a group of click."""
    if isinstance(owner, Made):
        return owner.line, owner.column
    if isinstance(owner, Function) and owner.group:
        return owner.node.lineno, owner.node.col_offset
    return None


def by_command(follower: Follower, owner: Made | Function) -> object:
    """The command that a word of the command line names, called with the others."""
    words, place = follower.known.words, place_of(owner)
    commands = [] if place is None else follower.known.commands.get(place, [])
    chosen = [one for name, one in commands if words is not None and name in words]
    return follower.run(chosen[0], [], {}) if len(chosen) == 1 else NOT_HERE


def _method(
    follower: Follower,
    method: Method,
    positional: Sequence[object],
    keywords: Mapping[str, object],
    node: ast.Call | None,
) -> object:
    owner, name = method.owner, method.name
    if name in TALKS:
        return UNKNOWN
    if isinstance(owner, Model):
        return _of_model(follower, owner, name, positional, keywords)
    if name == "backward":
        output = owner if isinstance(owner, Output) else positional[0] if positional else None
        if isinstance(output, Output):
            follower.went_back(output, node.lineno if node is not None else 0)
            return None
    if name == "prepare" and positional:
        hand_over(positional)
        return positional[0] if len(positional) == 1 else tuple(positional)
    if isinstance(owner, Made) and owner.name == "Accelerator" and name in _LEAVES_THEM:
        return UNKNOWN
    if name in _PARSES:
        return _parsed(follower, name, positional, keywords)
    if isinstance(owner, Environment):
        return _of_environment(follower, owner, name, positional, keywords, node)
    if isinstance(owner, list):
        return _of_list(follower, owner, name, positional)
    if isinstance(owner, dict):
        return _of_dict(follower, owner, name, positional, keywords)
    if isinstance(owner, (FilePath, Opened)):
        return script_files.of_file(follower, owner, name, list(positional), keywords)
    return _of_text(owner, name, positional) if isinstance(owner, str) else NOT_HERE


# Methods of Accelerator that leave a model as it is.
_LEAVES_THEM = ("accumulate", "no_sync", "unwrap_model", "clip_grad_norm_", "clip_grad_value_", "wait_for_everyone")


def _model(called: Named) -> Model | None:
    """What loads or makes a model: from_pretrained() leaves it in evaluation mode (transformers modeling_utils.py)."""
    owner, _, name = called.dotted.rpartition(".")
    if name not in ("from_pretrained", "from_config") or any(word in owner for word in _NO_MODELS):
        return None
    return Model(name == "from_config")


_RETURN_IT = ("to", "cuda", "cpu", "float", "half", "bfloat16", "requires_grad_")


def _of_model(
    follower: Follower, owner: Model, name: str, positional: Sequence[object], keywords: Mapping[str, object]
) -> object:
    if name in ("train", "eval"):
        mode = [*positional, *keywords.values(), True][0]
        test = truth(follower.held(mode))
        follower.set_mode(owner, False if name == "eval" else UNKNOWN if test is None else test)
        return owner
    return owner if name in _RETURN_IT else UNKNOWN


def hand_over(given: Sequence[object]) -> None:
    """Models among these, and in lists and mappings of them, may have become others."""
    for one in given:
        if isinstance(one, Model):
            one.hand_over()
        elif isinstance(one, (list, tuple)):
            hand_over(one)
        elif isinstance(one, dict):
            hand_over(tuple(one.values()))


def _parsed(follower: Follower, name: str, positional: Sequence[object], keywords: Mapping[str, object]) -> object:
    """What a parser makes of the command line, or of the words that it is given."""
    known = follower.known
    words = positional[0] if positional else keywords.get("args")
    options = known.options
    if words is not None:
        listed = follower.items(words)
        whole = listed is not None and all(isinstance(word, str) for word in listed)
        options = known.options_of([str(word) for word in listed or ()]) if whole else dict.fromkeys(options, UNKNOWN)
    made = Object(None, dict(options))
    return (made, UNKNOWN) if name == "parse_known_args" else made


def _of_environment(
    follower: Follower,
    owner: Environment,
    name: str,
    positional: Sequence[object],
    keywords: Mapping[str, object],
    node: ast.Call | None,
) -> object:
    first = positional[0] if positional else UNKNOWN
    place = node if node is not None else ast.Pass()
    if name == "get" and isinstance(first, str):
        return _or_default(owner.get(first), positional, keywords)
    if name == "setdefault" and isinstance(first, str):
        has = owner.has(first)
        if has is not True:
            value = positional[1] if len(positional) > 1 else UNKNOWN
            if has is None and isinstance(value, str) and first not in owner.written:
                follower.set_variable(first, IfUnset(value), place)
            else:
                follower.set_variable(first, value if has is False else UNKNOWN, place)
        return _or_default(owner.get(first), (), {})
    if name == "pop" and isinstance(first, str):
        before = owner.get(first)
        follower.set_variable(first, None, place)
        return _or_default(before, positional, keywords)
    if name in ("update", "__setitem__"):
        for one in positional:
            follower.update_environment(one, place)
        for key, value in keywords.items():
            follower.set_variable(key, value, place)
        return None
    return UNKNOWN


def _or_default(value: object, positional: Sequence[object], keywords: Mapping[str, object]) -> object:
    if value is not None:
        return value
    return positional[1] if len(positional) > 1 else keywords.get("default")


def _of_list(follower: Follower, owner: list[object], name: str, positional: Sequence[object]) -> object:
    if name == "append" and len(positional) == 1:
        follower.change(owner, lambda: owner.append(positional[0]))
    elif name == "extend" and len(positional) == 1 and (more := follower.items(positional[0])) is not None:
        follower.change(owner, lambda: owner.extend(more))
    elif name == "copy":
        return list(owner)
    else:
        follower.spoil(owner)
        return UNKNOWN
    return None


def _of_dict(
    follower: Follower,
    owner: dict[object, object],
    name: str,
    positional: Sequence[object],
    keywords: Mapping[str, object],
) -> object:
    first = positional[0] if positional else UNKNOWN
    if name == "get" and isinstance(first, PLAIN):
        return owner[first] if first in owner else _or_default(None, positional, keywords)
    if name == "items":
        return tuple(owner.items())
    if name in ("keys", "values"):
        return tuple(getattr(owner, name)())
    if name == "copy":
        return dict(owner)
    if name == "update" and all(isinstance(follower.held(one), dict) for one in positional):
        for one in positional:
            follower.change(owner, lambda one=one: owner.update(one))  # type: ignore[misc]
        follower.change(owner, lambda: owner.update(keywords))
        return None
    if name == "pop" and isinstance(first, PLAIN) and first in owner:
        value = owner[first]
        follower.change(owner, lambda: owner.pop(first))
        return value
    follower.spoil(owner)
    return UNKNOWN


_OF_TEXT = ("lower", "upper", "strip", "startswith", "endswith", "split", "replace", "removeprefix", "removesuffix")


def _of_text(owner: str, name: str, positional: Sequence[object]) -> object:
    if name not in _OF_TEXT or not all(isinstance(one, (str, tuple)) for one in positional):
        return UNKNOWN
    try:
        return getattr(owner, name)(*positional)
    except (TypeError, ValueError):
        return UNKNOWN


# Functions of packages and of Python itself. Each gets the follower, what is given, and the call.


def _getenv(follower: Follower, given: list[object], keywords: Mapping[str, object], node: ast.Call | None) -> object:
    return _of_environment(follower, follower.environment, "get", given, keywords, node)


def _putenv(_follower: Follower, _given: list[object], _keywords: object, _node: object) -> object:
    return None  # it changes the process, and not os.environ, where Accelerate looks


def _dotenv(follower: Follower, given: list[object], keywords: Mapping[str, object], node: ast.Call | None) -> object:
    """A file that may set any variable; where it is not told to override, those that are set stay."""
    place = node if node is not None else ast.Pass()
    over = keywords.get("override", False) is not False
    file = follower.known.dotenv
    if file is None or {"dotenv_path", "stream"} & keywords.keys() or given:
        file = dict.fromkeys(DECIDING_VARIABLES, "")
        whole = False
    else:
        whole = True
    for name, value in file.items():
        has = follower.environment.has(name)
        if over or has is not True:
            follower.set_variable(name, value if whole and (over or has is False) else UNKNOWN, place)
    return UNKNOWN


def _capability(follower: Follower, given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    gpus, device = follower.known.gpus, [*given, *keywords.values(), None][0]
    index = 0 if device is None else device
    if not gpus or type(index) is not int or not 0 <= index < len(gpus):
        return UNKNOWN
    major, _, minor = gpus[index].partition(".")
    return int(major), int(minor or 0)


def _properties(follower: Follower, given: list[object], keywords: Mapping[str, object], node: object) -> object:
    pair = _capability(follower, given, keywords, node)
    return Object(None, {"major": pair[0], "minor": pair[1]}) if isinstance(pair, tuple) else UNKNOWN


def _available(follower: Follower, _given: list[object], _keywords: object, _node: object) -> object:
    gpus = follower.known.gpus
    return UNKNOWN if gpus is None else bool(gpus)


def _count(follower: Follower, _given: list[object], _keywords: object, _node: object) -> object:
    gpus = follower.known.gpus if follower.known.counted else None
    return UNKNOWN if gpus is None else len(gpus)


def _bf16(follower: Follower, given: list[object], keywords: Mapping[str, object], node: object) -> object:
    """torch 2.13.0 cuda/__init__.py is_bf16_supported: every GPU has it by emulation, which counts by default."""
    available = _available(follower, given, keywords, node)
    emulated = [*given, *keywords.values(), True][0]
    if available is not True or emulated is True:
        return available
    pair = _capability(follower, [], {}, node)
    return pair[0] >= _FIRST_WITH_BF16 if isinstance(pair, tuple) and emulated is False else UNKNOWN


def _fire(follower: Follower, given: list[object], _keywords: object, _node: ast.Call | None) -> object:
    """fire.Fire(main), typer.run(main), tyro.cli(main), tyro.cli(Args): the command line is what it is called with."""
    words = follower.known.words
    if words is None:
        return UNKNOWN
    target = given[0] if given else follower.top.names.get(words[0]) if words else None
    if isinstance(target, dict):
        target = target.get(words[0]) if words else None
    elif isinstance(target, Object) or (isinstance(target, Class) and target.members is None):
        return _method_by_fire(follower, target, words)
    if isinstance(target, Function):
        names = [one.arg for one in (*target.node.args.args, *target.node.args.kwonlyargs)]
        return follower.run(target, [], follower.known.of_command_line(names))
    if isinstance(target, Class) and target.members is not None:
        nested = {name.partition(".")[0] for name in follower.known.options if "." in name}
        plain = [name for name in target.members if name not in nested]
        made = follower.call(target, [], follower.known.of_command_line(plain))
        if isinstance(made, Object):
            _fill_nested(made, follower.known.options)
        return made
    return NOT_HERE


def _fill_nested(made: Object, options: Mapping[str, object]) -> None:
    """`--recipe.history 8` sets a field of a field."""
    for name, value in options.items():
        field, dot, inner = name.partition(".")
        held = made.attributes.get(field)
        if dot and isinstance(held, Object):
            made.attributes[field] = Object(held.of, {**held.attributes, inner: value})


def _method_by_fire(follower: Follower, target: Class | Object, words: Sequence[str]) -> object:
    """fire.Fire(Job): its constructor takes flags, then a word names the method that takes the others."""
    known = follower.known
    owner: object = target
    if isinstance(target, Class):
        init = target.find("__init__")
        taken = _parameters_of(init) if isinstance(init, Function) else []
        if not target.known or not set(taken) <= known.options.keys():
            return NOT_HERE
        words = of_constructor(words, taken)[1]
        owner = follower.call(target, [], known.of_command_line(taken))
    method = follower.attribute(owner, words[0].replace("-", "_")) if words else None
    if not isinstance(method, Function) or getattr(method.node, "decorator_list", None):
        return NOT_HERE  # a static method has no self, and what a decorator makes is not known
    if not set(_parameters_of(method)) <= known.options.keys():
        return NOT_HERE
    return follower.run(method, [], known.of_command_line(_parameters_of(method)))


def _parameters_of(method: Function) -> list[str]:
    """What a method takes, without self."""
    return [one.arg for one in (*method.node.args.args, *method.node.args.kwonlyargs)][1:]


def _notebook(follower: Follower, given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    """notebook_launcher(f, args, num_processes=1): it calls f here (accelerate launchers.py)."""
    called, arguments, count = (
        given[at] if len(given) > at else keywords.get(name)
        for at, name in enumerate(("function", "args", "num_processes"))
    )
    items = () if arguments is None else follower.items(arguments)
    if count != 1 or items is None or not isinstance(called, Function):
        return NOT_HERE
    return follower.run(called, list(items), {})


def _field(follower: Follower, _given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    """A field of a dataclass is its default."""
    factory = keywords.get("default_factory")
    if isinstance(factory, (Function, Named)):
        made = follower.call(factory, [], {})
        return UNKNOWN if made is NOT_HERE else made
    return keywords.get("default", UNKNOWN)


def _vars(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    held = given[0] if given else UNKNOWN
    return dict(held.attributes) if isinstance(held, Object) else UNKNOWN


def _getattr(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    if len(given) < 2 or not isinstance(given[1], str):
        return UNKNOWN
    owner = given[0]
    if len(given) == 3 and isinstance(owner, Object) and owner.of is None and given[1] not in owner.attributes:
        return UNKNOWN
    return follower.attribute(owner, given[1])


def _setattr(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    if len(given) == 3 and isinstance(given[1], str):
        follower.set_attribute(given[0], given[1], given[2])
    elif given and isinstance(given[0], Object):
        given[0].attributes.update(dict.fromkeys(given[0].attributes, UNKNOWN))
    return None


def _bool(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    test = truth(given[0]) if given else False
    return UNKNOWN if test is None else test


def _number(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    if len(given) != 1 or not isinstance(given[0], (str, int, float)) or len(str(given[0])) > _MOST_COUNTED:
        return UNKNOWN
    try:
        return int(given[0])
    except (ValueError, OverflowError):
        return UNKNOWN


def _text(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    return str(given[0]) if len(given) == 1 and isinstance(given[0], PLAIN) else UNKNOWN


def _list(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    items = follower.items(given[0]) if given else ()
    return UNKNOWN if items is None else list(items)


def _dict(_follower: Follower, given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    first = given[0] if given else {}
    return {**first, **keywords} if isinstance(first, dict) else UNKNOWN


def _len(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    items = follower.items(given[0]) if given else None
    return UNKNOWN if items is None else len(items)


def _range(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    whole = [one for one in given if type(one) is int]
    if len(whole) != len(given) or not 1 <= len(whole) <= 3 or 0 in whole[2:]:
        return UNKNOWN
    numbers = range(*whole)
    return tuple(numbers) if len(numbers) <= _MOST_COUNTED else UNKNOWN


def _nothing(_follower: Follower, _given: list[object], _keywords: object, _node: object) -> object:
    return None


def _unknown(_follower: Follower, _given: list[object], _keywords: object, _node: object) -> object:
    return UNKNOWN  # of which it is known that it changes nothing


def _find_spec(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    """importlib.util.find_spec(): an object, or None."""
    there = follower.known.packages.get(given[0]) if given and isinstance(given[0], str) else None
    return UNKNOWN if there is None else Object(None, {}) if there else None


# What Accelerate and transformers ask for by these names (utils/imports.py, utils/import_utils.py).
_AVAILABLE = {
    "is_transformer_engine_available": "transformer_engine",
    "is_deepspeed_available": "deepspeed",
    "is_peft_available": "peft",
    "is_bitsandbytes_available": "bitsandbytes",
    "is_bnb_available": "bitsandbytes",
    "is_msamp_available": "msamp",
}


def _is_there(follower: Follower, _given: list[object], _keywords: object, node: ast.Call | None) -> object:
    named = "" if node is None else node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    return follower.known.packages.get(_AVAILABLE.get(named, ""), UNKNOWN)


_FUNCTIONS: dict[str, Callable[[Follower, list[object], Any, Any], object]] = {
    "os.getenv": _getenv,
    "os.putenv": _putenv,
    "dotenv.load_dotenv": _dotenv,
    "torch.cuda.get_device_capability": _capability,
    "torch.cuda.get_device_properties": _properties,
    "torch.cuda.is_available": _available,
    "torch.cuda.device_count": _count,
    "torch.cuda.is_bf16_supported": _bf16,
    "fire.Fire": _fire,
    "typer.run": _fire,
    "tyro.cli": _fire,
    "dataclasses.field": _field,
    **dict.fromkeys(("accelerate.notebook_launcher", "accelerate.launchers.notebook_launcher"), _notebook),
    "importlib.util.find_spec": _find_spec,
    "vars": _vars,
    "getattr": _getattr,
    "setattr": _setattr,
    "bool": _bool,
    "int": _number,
    "str": _text,
    "list": _list,
    "dict": _dict,
    "len": _len,
    "range": _range,
    "print": _nothing,
    **script_files.FUNCTIONS,
    **dict.fromkeys(("isinstance", "hasattr", "type", "repr", "min", "max", "any", "all", "sorted"), _unknown),
}
# Whatever they are called with, lists and mappings stay as they are.
_BY_LAST_NAME: dict[str, Callable[[Follower, list[object], Any, Any], object]] = dict.fromkeys(
    ("set_seed", "deepcopy", "info", "warning", "debug", "is_main_process"), _unknown
) | dict.fromkeys(_AVAILABLE, _is_there)
