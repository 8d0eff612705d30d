"""A script that is followed: what its expressions and statements come to, and what of it is not known."""

from __future__ import annotations

import ast

import pytest

from fp8check.rules.settings.script_following import Known
from fp8check.rules.settings.script_run import Followed, follow
from fp8check.rules.settings.script_values import FROM_LAUNCHER, UNKNOWN, Made
from fp8check.rules.settings.values import Setting

WATCHED = {"A": "Accelerator", "TERecipeKwargs": "TERecipeKwargs"}


def followed(
    text: str,
    words: tuple[str, ...] | None = ("--x", "1"),
    variables: dict[str, str] | None = None,
    gpus: tuple[str, ...] | None = ("9.0", "8.0"),
    *,
    launched: bool = False,
    counted: bool = True,
    dotenv: dict[str, str] | None = None,
) -> Followed | None:
    options: dict[str, object] = {"bf16": True, "late": UNKNOWN, "name": "fp8"}
    known = Known(
        {"SHELL": "bash"} if variables is None else variables,
        gpus,
        words,
        lambda given: {**options, "words": len(given or ())},
        launched=launched,
        counted=counted,
        dotenv=dotenv,
    )
    return follow(ast.parse(text), WATCHED, known, ("ACCELERATE_",))


def value(setup: str, expression: str, **about: object) -> object:
    """What an expression comes to behind a setup; None where it was not reached."""
    found = followed(f"{setup}\nA(v={expression})\n", **about)  # type: ignore[arg-type]
    assert found is not None
    seen = [one for several in found.seen.values() for one in several if "v" in one.made.keywords]
    return seen[-1].made.keywords["v"] if seen else None


# What stands before, an expression, and what it comes to; "?" is UNKNOWN.
VALUES: dict[str, tuple[str, str, object]] = {
    "constant": ("", "'fp8'", "fp8"),
    "bytes": ("", "b'fp8'", "?"),
    "name": ("x = 'fp8'", "x", "fp8"),
    "annotated": ("x: str = 'fp8'\ny: int", "x", "fp8"),
    "two targets": ("x = y = 1", "y", 1),
    "no name": ("", "x", "?"),
    "dunder name": ("", "__name__", "__main__"),
    "unpacked": ("x, y = 1, 2", "y", 2),
    "unpacked wrongly": ("x, y = 1, 2, 3", "y", "?"),
    "unpacked unknown": ("x, y = z", "y", "?"),
    "starred target": ("x, *y = 1, 2", "y", "?"),
    "list target": ("[x, y] = 'ab'", "y", "b"),
    "item": ("x = {'a': [1, 2]}", "x['a'][1]", 2),
    "item of text": ("", "'abc'[0]", "a"),
    "no item": ("x = {}", "x['a']", "?"),
    "item by unknown": ("x = {}", "x[y]", "?"),
    "slice": ("x = [1, 2, 3]", "x[1:]", [2, 3]),
    "unknown slice": ("x = [1, 2, 3]", "x[y:]", "?"),
    "wrong slice": ("x = [1]", "x[::0]", "?"),
    "item set": ("x = {}\nx['a'] = 1", "x['a']", 1),
    "item set by unknown": ("x = {'a': 1}\nx[y] = 2", "x['a']", "?"),
    "item of a list set": ("x = [1]\nx[0] = 2", "x[0]", "?"),
    "item of nothing set": ("y[0] = 2\nx = 1", "x", 1),
    "item deleted": ("x = {'a': 1}\ndel x['a']", "x['a']", "?"),
    "item of nothing deleted": ("del y[0]\nx = 1", "x", 1),
    "name deleted": ("x = 1\ndel x", "x", "?"),
    "attribute deleted": ("class C:\n    x = 1\ndel C.x", "C.x", "?"),
    "tuple deleted": ("x = 1\ndel (x, y)", "x", 1),
    "both": ("", "1 if True else 2", 1),
    "else": ("", "1 if [] else 2", 2),
    "either": ("", "1 if x else 2", "?"),
    "either the same": ("", "1 if x else 1", 1),
    "or": ("", "'' or 'fp8'", "fp8"),
    "and": ("", "'' and 'fp8'", ""),
    "and all": ("", "1 and 2", 2),
    "or unknown": ("", "x or 1", "?"),
    "not": ("", "not []", True),
    "not unknown": ("", "not x", "?"),
    "minus": ("", "-1", -1),
    "plus": ("", "+1", "?"),
    "minus text": ("", "-'a'", "?"),
    "equal": ("", "1 == 1", True),
    "chain": ("", "1 < 2 < 2", False),
    "whole chain": ("", "1 < 2 <= 2", True),
    "wrong order": ("", "1 < 'a'", "?"),
    "unknown order": ("", "1 < x", "?"),
    "not equal": ("", "1 != 2", True),
    "above": ("", "(2, 1) >= (2, 0)", True),
    "more": ("", "2 > 1", True),
    "within": ("", "1 in [1, 2]", True),
    "not within": ("", "'a' not in {'a': 1}", False),
    "within unknown": ("", "1 in [x]", "?"),
    "within an unknown value": ("", "'a' in {'a': x}", "?"),
    "is": ("", "None is None", True),
    "is not": ("x = []", "x is not None", True),
    "is unknown": ("", "x is None", "?"),
    "sum": ("", "1 + 2", 3),
    "sum of lists": ("", "[1] + [2]", [1, 2]),
    "wrong sum": ("", "1 + 'a'", "?"),
    "division": ("", "7 // 2", 3),
    "real division": ("", "1 / 2", 0.5),
    "by nothing": ("", "1 / 0", "?"),
    "difference": ("", "3 - 1", 2),
    "product": ("", "3 * 2", 6),
    "repeated": ("", "'a' * 3", "?"),
    "power": ("", "2 ** 3", "?"),
    "merged": ("", "{'a': 1} | {'b': 2}", {"a": 1, "b": 2}),
    "unknown sum": ("", "x + 1", "?"),
    "large": (f"x = {2**62}\nx = x * 4", "x", "?"),
    "formatted": ("x = 8", "f'fp{x}'", "fp8"),
    "formatted specially": ("x = 8", "f'{x:d}'", "?"),
    "formatted unknown": ("", "f'{x}'", "?"),
    "list": ("x = [1]", "[*x, 2]", [1, 2]),
    "list of unknown": ("", "[*x]", "?"),
    "set": ("", "{1}", (1,)),
    "mapping": ("x = {'a': 1}", "{**x, 'b': 2}", {"a": 1, "b": 2}),
    "mapping of unknown": ("", "{**x}", "?"),
    "mapping by unknown": ("", "{x: 1}", "?"),
    "walrus": ("", "(x := 1)", 1),
    "lambda": ("f = lambda x: x + 1", "f(1)", 2),
    "comprehension": ("", "[x for x in y]", "?"),
    # Branches.
    "if": ("if True:\n    x = 1\nelse:\n    x = 2", "x", 1),
    "if unknown": ("if y:\n    x = 1\nelse:\n    x = 2", "x", "?"),
    "if unknown, the same": ("if y:\n    x = 1\nelse:\n    x = 1", "x", 1),
    "if unknown, one way": ("x = 1\nif y:\n    x = 2", "x", "?"),
    "if unknown, only there": ("if y:\n    x = 2", "x", "?"),
    "if unknown, that raises": ("x = 1\nif y:\n    x = 2\n    raise E", "x", 1),
    "if unknown, both raise": ("x = 1\nif y:\n    raise E\nelse:\n    raise E", "x", None),
    "unknown else": ("x = 1\nif y:\n    pass\nelse:\n    raise E", "x", 1),
    "list changed perhaps": ("x = []\nif y:\n    x.append(1)", "x", "?"),
    "list added to": ("x = [1]\nx += [2]", "x", [1, 2]),
    "list added unknown": ("x = [1]\nx += y", "x", "?"),
    "mapping added": ("x = {'a': 1}\nx |= {'b': 2}", "x", {"a": 1, "b": 2}),
    "mapping added unknown": ("x = {'a': 1}\nx |= y", "x", "?"),
    "number added": ("x = 1\nx += 2", "x", 3),
    "attribute added": ("class C:\n    x = 1\nC.x += 1", "C.x", 2),
    "for": ("x = []\nfor y in (1, 2):\n    x.append(y)", "x", [1, 2]),
    "for with break": ("for x in [1, 2]:\n    break", "x", 1),
    "for with continue": ("for x in [1, 2]:\n    continue\n    x = 9\nelse:\n    z = 1", "x", 2),
    "for with exit": ("def f():\n    for x in [1, 2]:\n        return x\n", "f()", 1),
    "for unknown": ("x = 1\nfor y in z:\n    x = y", "x", "?"),
    "for long": ("x = 1\nfor y in 'a' * 3:\n    x = y\nfor y in range(999):\n    x = y", "x", "?"),
    "for mapping": ("for x in {'a': 1}:\n    pass", "x", "a"),
    "while": ("x = 1\nwhile True:\n    x += 1", "x", "?"),
    "while never": ("x = 1\nwhile False:\n    x = 2\nelse:\n    x = 3", "x", 3),
    "with": ("with open('f') as f:\n    x = 1", "x", 1),
    "with a name": ("with open('f') as f:\n    x = 1", "f", "?"),
    "with alone": ("with lock:\n    x = 1", "x", 1),
    "try": ("try:\n    x = 1\nexcept E:\n    x = 2", "x", "?"),
    "try finally": ("try:\n    x = 1\nfinally:\n    y = 2", "x", 1),
    "try in a function": ("def f():\n    try:\n        return 1\n    except E:\n        return 2\n", "f()", 1),
    "match": ("match 'a':\n    case 'b':\n        x = 1\n    case 'a' | 'c':\n        x = 2", "x", 2),
    "match nothing": ("x = 1\nmatch 'a':\n    case 'b':\n        x = 2", "x", 1),
    "match none": ("match None:\n    case None:\n        x = 2", "x", 2),
    "match any": ("match 'a':\n    case _:\n        x = 2", "x", 2),
    "match a name": ("match 'a':\n    case y:\n        x = 2", "x", "?"),
    "match a guard": ("match 'a':\n    case 'a' if y:\n        x = 2", "x", "?"),
    "match unknown": ("match z:\n    case 'a':\n        x = 2\n    case 'b':\n        x = 2", "x", "?"),
    "match unknown in or": ("match 'a':\n    case 'b' | [1]:\n        x = 2", "x", "?"),
    "match no word of an or": ("x = 1\nmatch 'a':\n    case 'b' | 'c':\n        x = 2", "x", 1),
    "match a class": ("match 'a':\n    case str():\n        x = 2", "x", "?"),
    # Functions and classes.
    "function": ("def f(x, y=2, *, z=3):\n    return x + y + z", "f(1)", 6),
    "function by keyword": ("def f(x, y=2):\n    return x + y", "f(x=1, y=1)", 2),
    "function without return": ("def f():\n    pass", "f()", None),
    "bare return": ("def f():\n    return", "f()", None),
    "several returns": ("def f(x):\n    if x:\n        return 1\n    return 2", "f(y)", "?"),
    "several equal returns": ("def f(x):\n    if x:\n        return 1\n    return 1", "f(y)", 1),
    "perhaps a return": ("def f(x):\n    if x:\n        return 1\n", "f(y)", "?"),
    "both return": ("def f(x):\n    if x:\n        return 1\n    else:\n        return 1\n", "f(y)", 1),
    "perhaps a return, then an end": ("def f(x):\n    if x:\n        return 1\n    raise E", "f(y)", "?"),
    "rest and options": ("def f(*x, **y):\n    return [x, y]", "f(1, a=2)", [(1,), {"a": 2}]),
    "starred arguments": ("def f(x, y):\n    return y\nz = [1, 2]", "f(*z)", 2),
    "unknown arguments": ("def f(x, y):\n    return y", "f(*z)", "?"),
    "spread options": ("def f(x):\n    return x\nz = {'x': 1}", "f(**z)", 1),
    "unknown options": ("def f(x):\n    return x", "f(**z)", "?"),
    "recursion": ("def f():\n    return f()", "f()", "?"),
    "async": ("async def f():\n    return 1", "f()", "?"),
    "generator": ("def f():\n    yield 1", "f()", "?"),
    "global": ("x = 1\ndef f():\n    global x\n    x = 2\nf()", "x", 2),
    "global perhaps": ("x = 1\ndef f():\n    global x\n    x = 2\nif y:\n    f()", "x", "?"),
    "nonlocal": (
        "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    g()\n    return x",
        "f()",
        2,
    ),
    "keyword that has to be given": ("def f(*, x):\n    return x", "f(x=1)", 1),
    "return at the top": ("return 1", "1", None),
    "nonlocal of two": (
        (
            "def f():\n    x = 1\n    def g():\n        y = 1\n        def h():\n            nonlocal x\n            x = 3\n"
            "        h()\n    g()\n    return x"
        ),
        "f()",
        3,
    ),
    "global at the top": ("global x\nx = 1", "x", 1),
    "wrapped": ("@record\ndef f():\n    return 1", "f()", 1),
    "wrapped by something": ("@other\ndef f():\n    return 1", "f()", "?"),
    "wrapped by calls": ("@other(1)\n@record\ndef f():\n    return 1", "f()", "?"),
    "property of nothing": ("@record\n@property\ndef f():\n    return 1", "f()", "?"),
    "command": ("@click.command()\n@click.option('--bf16')\ndef f(bf16):\n    return bf16", "f()", True),
    "command with arguments": ("@click.command()\ndef f(bf16):\n    return bf16", "f(2)", 2),
    "hydra": ("@hydra.main()\ndef f(c):\n    return 1", "f()", "?"),
    "class": ("class C:\n    x = 1", "C.x", 1),
    "class without": ("class C:\n    x = 1", "C.y", "?"),
    "derived": ("class B:\n    x = 1\nclass C(B):\n    pass", "C.x", 1),
    "derived from a package": ("class C(B):\n    x = 1\n    def __init__(self):\n        self.x = 2", "C(y=1).x", 1),
    "object": ("class C(object):\n    def __init__(self, x):\n        self.x = x", "C(1).x", 1),
    "method": ("class C:\n    x = 1\n    def f(self, y):\n        return self.x + y", "C().f(1)", 2),
    "property": ("class C:\n    @property\n    def x(self):\n        return 1", "C().x", 1),
    "attribute perhaps": ("class C:\n    x = 1\nif y:\n    C.x = 2", "C.x", "?"),
    "attribute of an object perhaps": ("class C:\n    x = 1\nc = C()\nif y:\n    c.x = 2", "c.x", "?"),
    "attribute of what is made": ("m = A(x=1)\nm.x = 2", "m", "?"),
    "attribute of nothing": ("y.x = 2\nx = 1", "x", 1),
    "dataclass": ("@dataclass\nclass C:\n    x: int = 1\n    y: int = field(default=2)", "C(3).x", 3),
    "field": (
        "from dataclasses import dataclass, field\n@dataclass\nclass C:\n    y: int = field(default=2)",
        "C().y",
        2,
    ),
    "factory": (
        "from dataclasses import field\n@dataclass\nclass C:\n    y: list = field(default_factory=list)",
        "C().y",
        [],
    ),
    "other factory": (
        "from dataclasses import field\n@dataclass\nclass C:\n    y: list = field(default_factory=os.getcwd)",
        "C().y",
        "?",
    ),
    "field without": ("from dataclasses import field\n@dataclass\nclass C:\n    y: list = field()", "C().y", "?"),
    "dataclass of a name": ("@dataclass\nclass C:\n    y: object = os.path", "C().y", "?"),
    "derived dataclass": (
        "@dataclass\nclass B:\n    x: int = 1\n@dataclass\nclass C(B):\n    C.y: int = 1\n    y: int = 2",
        "C(5).x",
        5,
    ),
    "after init": (
        "@dataclass\nclass C:\n    x: int = 1\n    def __post_init__(self):\n        self.x = 7",
        "C().x",
        7,
    ),
    "decorated class": ("@other\nclass C:\n    x = 1", "C().x", 1),
    "class with keywords": ("class C(metaclass=M):\n    x = 1", "C().x", 1),
    "empty class": ("class C:\n    pass", "C().x", "?"),
    # Calls.
    "length": ("", "len([1, 2])", 2),
    "unknown length": ("", "len(x)", "?"),
    "no length": ("", "len()", "?"),
    "number": ("", "int('8')", 8),
    "no number": ("", "int('x')", "?"),
    "two numbers": ("", "int('8', 16)", "?"),
    "text": ("", "str(8)", "8"),
    "text of a list": ("", "str([])", "?"),
    "truth": ("", "bool('')", False),
    "no truth": ("", "bool()", False),
    "unknown truth": ("", "bool(x)", "?"),
    "truth of a function": ("def f():\n    pass", "bool(f)", True),
    "copy": ("", "list((1,))", [1]),
    "new list": ("", "list()", []),
    "unknown copy": ("", "list(x)", "?"),
    "new mapping": ("", "dict({'a': 1}, b=2)", {"a": 1, "b": 2}),
    "unknown mapping": ("", "dict(x)", "?"),
    "range": ("", "range(1, 3)", (1, 2)),
    "wrong range": ("", "range('a')", "?"),
    "range by nothing": ("", "range(1, 2, 0)", "?"),
    "long range": ("", "range(1000)", "?"),
    "print": ("x = [1]\nprint(x)", "x", [1]),
    "told": ("x = [1]\nlogger.info(x)", "x", [1]),
    "isinstance": ("x = [1]", "isinstance(x, list)", "?"),
    "given away": ("x = [1]\nf(x)", "x", "?"),
    "set seed": ("import utils\nx = [1]\nutils.set_seed(x)", "x", [1]),
    "getattr": ("class C:\n    x = 1", "getattr(C, 'x')", 1),
    "getattr with default": ("args = p.parse_args()", "getattr(args, 'nothing', 1)", "?"),
    "getattr of an option": ("args = p.parse_args()", "getattr(args, 'bf16', 1)", True),
    "unknown getattr": ("", "getattr(x)", "?"),
    "setattr": ("class C:\n    x = 1\nsetattr(C, 'x', 2)", "C.x", 2),
    "setattr by unknown": ("args = p.parse_args()\nsetattr(args, y, 2)", "args.bf16", "?"),
    "setattr of nothing": ("x = 1\nsetattr(y, z, 2)", "x", 1),
    "vars": ("args = p.parse_args()", "vars(args)['bf16']", True),
    "vars of nothing": ("", "vars(x)", "?"),
    "extended": ("x = []\nx.extend((1, 2))", "x", [1, 2]),
    "extended by unknown": ("x = []\nx.extend(y)", "x", "?"),
    "copied": ("x = [1]", "x.copy()", [1]),
    "unknown copied": ("x = [1]\nx.pop()", "x.copy()", "?"),
    "got": ("x = {'a': 1}", "x.get('a')", 1),
    "got default": ("x = {}", "x.get('a', 2)", 2),
    "got default by keyword": ("x = {}", "x.get('a', default=3)", 3),
    "got unknown": ("x = {}", "x.get(y)", "?"),
    "items": ("x = {'a': 1}", "x.items()", (("a", 1),)),
    "keys": ("x = {'a': 1}", "x.keys()", ("a",)),
    "values": ("x = {'a': 1}", "x.values()", (1,)),
    "mapping copied": ("x = {'a': 1}", "x.copy()", {"a": 1}),
    "unknown mapping copied": ("x = {'a': 1}\nf(x)", "x.copy()", "?"),
    "updated": ("x = {}\nx.update({'a': 1}, b=2)", "x", {"a": 1, "b": 2}),
    "updated by unknown": ("x = {}\nx.update(y)", "x", "?"),
    "popped": ("x = {'a': 1}", "x.pop('a')", 1),
    "popped nothing": ("x = {'a': 1}\nx.pop('b', 1)", "x", "?"),
    "lower": ("", "'FP8'.lower()", "fp8"),
    "split": ("", "'a,b'.split(',')", ["a", "b"]),
    "wrong split": ("", "'a'.split('')", "?"),
    "another method": ("", "'a'.encode()", "?"),
    "by unknown": ("", "'a'.split(x)", "?"),
    "argv": ("import sys", "'--x' in sys.argv", True),
    "parsed": ("args = p.parse_args()", "args.name", "fp8"),
    "parsed late": ("args = p.parse_args()", "args.late", "?"),
    "parsed of words": ("args = p.parse_args(['a', 'b'])", "args.words", 2),
    "parsed of unknown": ("args = p.parse_args(x)", "args.words", "?"),
    "parsed in part": ("args, rest = p.parse_known_args()", "args.bf16", True),
    "parsed by keyword": ("args = p.parse_args(args=['a'])", "args.words", 1),
    "changed": ("args = p.parse_args()\nargs.bf16 = False", "args.bf16", False),
    "fire": ("import fire\ndef f(bf16):\n    A(v=bf16)\nfire.Fire(f)", "True", True),
    "fire of a class": ("import fire\nclass C:\n    pass\nx = fire.Fire(C)", "x", "?"),
    "tyro": ("import tyro\n@dataclass\nclass C:\n    bf16: bool = False", "tyro.cli(C).bf16", True),
    "typer": (
        "import typer\napp = typer.Typer()\n@app.command()\ndef f(bf16: bool = False):\n    A(w=bf16)\nx = app()",
        "x",
        None,
    ),
    "typer of two": (
        "import typer\napp = typer.Typer()\n@app.command()\ndef f():\n    pass\n@app.command()\ndef g():\n    pass",
        "app()",
        "?",
    ),
    "capability": ("import torch", "torch.cuda.get_device_capability()", (9, 0)),
    "capability of the second": ("import torch", "torch.cuda.get_device_capability(1)", (8, 0)),
    "capability of a third": ("import torch", "torch.cuda.get_device_capability(2)", "?"),
    "properties": ("import torch", "torch.cuda.get_device_properties(0).major", 9),
    "properties of a third": ("import torch", "torch.cuda.get_device_properties(2).major", "?"),
    "available": ("import torch", "torch.cuda.is_available()", True),
    "count": ("import torch", "torch.cuda.device_count()", 2),
    "bf16": ("import torch", "torch.cuda.is_bf16_supported()", True),
    "native bf16": ("import torch", "torch.cuda.is_bf16_supported(including_emulation=False)", True),
    "perhaps native bf16": ("import torch", "torch.cuda.is_bf16_supported(x)", "?"),
    "import as": ("import torch.cuda as c", "c.is_available()", True),
    "import from": ("from torch import cuda", "cuda.is_available()", True),
    "unknown call": ("x = []\ny = f(x)", "y", "?"),
    "call of unknown": ("", "f()()", "?"),
    "result of what is made": ("a = A()", "a.device", "?"),
    "getenv": ("import os", "os.getenv('SHELL')", "bash"),
    "getenv of unknown": ("import os", "os.getenv('OTHER', 'x')", "?"),
    "getenv of none": ("import os", "os.getenv('ACCELERATE_X', 'x')", "x"),
    "environ": ("import os", "os.environ['SHELL']", "bash"),
    "environ of none": ("import os", "os.environ['ACCELERATE_X']", "?"),
    "environ by unknown": ("import os", "os.environ[x]", "?"),
    "environ has": ("import os", "'ACCELERATE_X' in os.environ", False),
    "environ has not": ("import os", "'SHELL' not in os.environ", False),
    "environ may have": ("import os", "'OTHER' in os.environ", "?"),
    "environ set": ("import os\nos.environ['X'] = 'a'", "os.environ.get('X')", "a"),
    "environ set to a number": ("import os\nos.environ['X'] = 1", "os.environ.get('X')", "?"),
    "environ set perhaps": ("import os\nif y:\n    os.environ['X'] = 'a'", "os.environ.get('X')", "?"),
    "environ set by default": ("import os\nx = os.environ.setdefault('ACCELERATE_X', 'a')", "x", "a"),
    "environ set by no default": ("import os\nx = os.environ.setdefault('ACCELERATE_X')", "x", "?"),
    "environ has a default": ("import os\nx = os.environ.setdefault('SHELL', 'a')", "x", "bash"),
    "environ may have a default": ("import os\nx = os.environ.setdefault('OTHER', 'a')", "x", "?"),
    "environ popped": ("import os\nx = os.environ.pop('SHELL')", "os.environ.get('SHELL', 'none')", "none"),
    "environ popped is": ("import os", "os.environ.pop('SHELL')", "bash"),
    "environ updated": ("import os\nos.environ.update({'X': 'a'}, Y='b')", "os.environ.get('Y')", "b"),
    "environ updated by unknown": (
        "import os\nos.environ.update(y)",
        "os.environ.get('ACCELERATE_MIXED_PRECISION')",
        "?",
    ),
    "environ merged": ("import os\nos.environ |= {'X': 'a'}", "os.environ.get('X')", "a"),
    "environ deleted": ("import os\ndel os.environ['SHELL']", "os.environ.get('SHELL', 'none')", "none"),
    "environ set by unknown": ("import os\nos.environ[y] = 'a'", "os.environ.get('ACCELERATE_FP8_BACKEND')", "?"),
    "environ copied": ("import os", "os.environ.copy()", "?"),
    "putenv": ("import os\nos.putenv('X', 'a')", "os.environ.get('ACCELERATE_X', 'none')", "none"),
    "list of a loop": ("", "[x + 1 for x in (1, 2, 3) if x > 1]", [3, 4]),
    "set of a loop": ("", "{x for x in 'ab'}", ("a", "b")),
    "generator, listed": ("", "list(x for x in (1, 2))", [1, 2]),
    "mapping of a loop": ("x = {'a': 1, 'b': 2}", "{k: v for k, v in x.items() if k != 'a'}", {"b": 2}),
    "mapping of a loop, unhashable": ("", "{[k]: 1 for k in (1, 2)}", "?"),
    "two loops": ("", "[(x, y) for x in (1, 2) for y in 'ab' if x > 1]", [(2, "a"), (2, "b")]),
    "loop over what is not known": ("", "[x for x in y]", "?"),
    "condition that is not known": ("", "[x for x in (1, 2) if y]", "?"),
    "long loop": ("", "[x for x in range(9)]", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    "too long a loop": ("", "[(x, y) for x in range(9) for y in range(9)]", "?"),
    "name behind a loop": ("x = 'here'\ny = [x for x in (1, 2)]", "x", "here"),
    "object that is called": ("class F:\n    def __call__(self, x):\n        return x\nf = F()", "f('fp8')", "fp8"),
    "object that is not": ("class F:\n    pass\nf = F()", "f('fp8')", "?"),
    "prepared": ("a = A()\nx = a.prepare(1)", "x", 1),
    "prepared two": ("a = A()\nx, y = a.prepare(1, 2)", "y", 2),
    "a decorator of nothing": ("@record\n@other\n@property\ndef f():\n    return 1", "1", 1),
    "output": ("from transformers import M\nm = M.from_pretrained('a')\nx = m(1).loss / 2", "x", "output"),
    "output, cast": (
        "from transformers import M\nm = M.from_pretrained('a')\nx = m(1).logits.flatten(0, 1).float()",
        "x",
        "output",
    ),
    "output, detached": ("from transformers import M\nm = M.from_pretrained('a')\nx = m(1).loss.detach()", "x", "?"),
    "output, its number": ("from transformers import M\nm = M.from_pretrained('a')\nx = m(1).loss.item()", "x", "?"),
    "output of a sum": ("from transformers import M\nm = M.from_pretrained('a')\nx = f(m(1)[0])", "x", "output"),
    "model": ("from transformers import M\nm = M.from_pretrained('a').to('cuda')\nx = m.config", "bool(m)", True),
    "no model": ("from transformers import AutoTokenizer\nm = AutoTokenizer.from_pretrained('a')", "bool(m)", "?"),
}


@pytest.mark.parametrize(("setup", "expression", "expected"), VALUES.values(), ids=VALUES)
def test_what_an_expression_comes_to(setup: str, expression: str, expected: object) -> None:
    found = value(setup, expression)
    if expected == "?":
        assert not isinstance(found, (str, int, float, list, dict, tuple, type(None)))
    elif expected == "output":
        assert type(found).__name__ == "Output"
    else:
        assert found == expected
        assert type(found) is type(expected)


@pytest.mark.parametrize("ends", ["raise E", "import sys\nsys.exit(1)", "exit()", "if True:\n    raise E"])
def test_what_comes_behind_the_end_is_not_followed(ends: str) -> None:
    assert value(ends, "1") is None


def test_words_and_gpus_that_are_not_known() -> None:
    assert value("import sys", "sys.argv", words=None) is UNKNOWN
    assert value("import fire\ndef f(x):\n    return 1", "fire.Fire(f)", words=None) is UNKNOWN
    assert value("import torch", "torch.cuda.is_available()", gpus=None) is UNKNOWN
    assert value("import torch", "torch.cuda.is_bf16_supported()", gpus=None) is UNKNOWN
    assert value("import torch", "torch.cuda.is_available()", gpus=()) is False
    assert value("import torch", "torch.cuda.get_device_capability()", gpus=()) is UNKNOWN
    assert value("import torch", "torch.cuda.device_count()", counted=False) is UNKNOWN
    assert value("import torch", "torch.cuda.is_bf16_supported(False)", gpus=("7.5",)) is False


def test_fire_without_a_function_takes_the_first_word() -> None:
    text = "import fire\ndef f(bf16):\n    return bf16"
    assert value(text, "fire.Fire()", words=("f",)) is True
    assert isinstance(value(text, "fire.Fire()", words=()), type(UNKNOWN))


def test_fire_with_a_class_an_object_and_a_mapping() -> None:
    job = "import fire\nclass C:\n    def __init__(self, bf16=2):\n        self.v = bf16\n    def f(self):\n        return self.v\n"
    assert value(job, "fire.Fire(C)", words=("f",)) is True
    assert value(job, "fire.Fire(C())", words=("f",)) == 2
    assert value("import fire\ndef f(bf16):\n    return bf16", "fire.Fire({'g': f})", words=("g",)) is True
    assert value(job, "fire.Fire(C)", words=()) is UNKNOWN


@pytest.mark.parametrize("decorator", ["staticmethod", "classmethod", "wrapped"])
def test_fire_with_a_method_that_a_decorator_makes_is_not_known(decorator: str) -> None:
    """A static method has no self: its first parameter was taken for it, and what was given was lost."""
    text = f"import fire\nclass C:\n    @{decorator}\n    def f(bf16=2):\n        return bf16\n"
    assert value(text, "fire.Fire(C)", words=("f",)) is UNKNOWN


def test_variables_under_the_launcher() -> None:
    name = "ACCELERATE_MIXED_PRECISION"
    assert value("import os", f"'{name}' in os.environ", launched=True) is True
    assert value("import os", f"os.environ.get('{name}')", launched=True) is FROM_LAUNCHER
    before = {name: "bf16", "SHELL": "bash"}
    assert value("import os", f"os.environ.get('{name}')", launched=True, variables=before) is FROM_LAUNCHER
    assert value("import os", "os.environ.get('SHELL')", launched=True, variables=before) == "bash"
    assert value("import os", "'ACCELERATE_X' in os.environ", launched=True) is UNKNOWN


DOTENV = "import os\nfrom dotenv import load_dotenv\nload_dotenv({})"


@pytest.mark.parametrize(
    ("given", "file", "variables", "expected"),
    [
        ("", {"ACCELERATE_MIXED_PRECISION": "fp8"}, {}, "fp8"),
        ("", {"ACCELERATE_MIXED_PRECISION": "fp8"}, {"ACCELERATE_MIXED_PRECISION": "no"}, "no"),
        ("override=True", {"ACCELERATE_MIXED_PRECISION": "fp8"}, {"ACCELERATE_MIXED_PRECISION": "no"}, "fp8"),
        ("", None, {}, UNKNOWN),
        ("'other'", {"ACCELERATE_MIXED_PRECISION": "fp8"}, {}, UNKNOWN),
        ("dotenv_path='other'", {}, {}, UNKNOWN),
    ],
)
def test_load_dotenv(given: str, file: dict[str, str] | None, variables: dict[str, str], expected: object) -> None:
    read = "os.environ.get('ACCELERATE_MIXED_PRECISION')"
    assert value(DOTENV.format(given), read, dotenv=file, variables=variables) == expected


LOAD = "from transformers import AutoModel\nm = AutoModel.from_pretrained('a')\n"
BACK = "a = A()\nm, o = a.prepare(m, o)\nloss = m(x).loss\na.backward(loss)\n"
STEPS = {
    "evaluated": (LOAD + BACK, (False, True, True)),
    "trained": (f"{LOAD}m.train()\n{BACK}", (True, True, True)),
    "from a configuration": (LOAD.replace("from_pretrained", "from_config") + BACK, (True, True, True)),
    "evaluated again": (f"{LOAD}m.train()\nm.eval()\n{BACK}", (False, True, True)),
    "train(False)": (f"{LOAD}m.train(mode=False)\n{BACK}", (False, True, True)),
    "train(unknown)": (f"{LOAD}m.train(y)\n{BACK}", (UNKNOWN, True, True)),
    "perhaps": (f"{LOAD}if y:\n    m.train()\n{BACK}", (UNKNOWN, True, True)),
    "in a loop": (f"{LOAD}for y in z:\n    m.train()\n{BACK}", (True, True, True)),
    "handed over": (f"{LOAD}f(m)\n{BACK}", (UNKNOWN, True, True)),
    "no gradients": (
        f"import torch\n{LOAD}with torch.no_grad():\n    loss = m(x)\nloss.backward()",
        (False, False, True),
    ),
    "a function without": (
        f"import torch\n{LOAD}@torch.inference_mode()\ndef f():\n    return m(x)\nf().backward()",
        (False, False, True),
    ),
    "no gradients of what came before": (
        f"import torch\n{LOAD}loss = m(x)\nwith torch.no_grad():\n    loss = g(loss)\nloss.backward()",
        (False, False, True),
    ),
    "of two, one without gradients": (
        f"import torch\n{LOAD}with torch.no_grad():\n    t = m(x)\nf(m(x), t).backward()",
        (False, True, True),
    ),
    "of two, in two modes": (f"{LOAD}t = m(x)\nm.train()\nf(m(x), t).backward()", (UNKNOWN, True, True)),
    "a sum of two": (f"{LOAD}(m(x).loss + m(y).loss).backward()", (False, True, True)),
    "a number times an output": (f"{LOAD}(0.5 * m(x).loss).backward()", (False, True, True)),
    "perhaps back": (f"{LOAD}if y:\n    m(x).backward()", (False, True, False)),
}


@pytest.mark.parametrize(("text", "expected"), STEPS.values(), ids=STEPS)
def test_steps(text: str, expected: tuple[object, bool, bool]) -> None:
    found = followed(text)
    assert found is not None
    (step,) = found.steps
    assert (step.training, step.grad, step.sure) == expected


MODULES = {
    "conf.py": "P = 'fp8'\n_hidden = 'bf16'\n",
    "pkg/__init__.py": "",
    "pkg/conf.py": "P = 'bf16'\n",
    "pkg/use.py": "from .conf import P\nfrom . import conf\nQ = conf.P\n",
    "pkg/load.py": "from transformers import M\ndef go(train):\n    m = M.from_pretrained('a')\n"
    "    m.train(train)\n    m(1).backward()\n",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import conf\nA(v=conf.P)", "fp8"),
        ("import conf as c\nA(v=c.P)", "fp8"),
        ("from conf import *\nA(v=P)", "fp8"),
        ("from conf import *\nA(v=_hidden)", UNKNOWN),
        ("from conf import Q\nA(v=Q)", UNKNOWN),
        ("import pkg.conf\nA(v=pkg.conf.P)", "bf16"),
        ("from pkg import conf\nA(v=conf.P)", "bf16"),
        ("from pkg.use import P, Q\nA(v=(P, Q))", ("bf16", "bf16")),
        ("import pkg.use as u\nA(v=u.conf.P)", "bf16"),
        ("import other\nA(v=other.P)", UNKNOWN),
    ],
)
def test_what_is_taken_of_modules(text: str, expected: object) -> None:
    found = with_modules(text)
    ((seen,),) = found.seen.values()
    taken = seen.made.keywords["v"]
    assert taken == expected if expected is not UNKNOWN else not isinstance(taken, (str, tuple))


def with_modules(text: str) -> Followed:
    known = Known({}, ("9.0",), (), lambda _given: {}, modules=MODULES)
    found = follow(ast.parse(text), WATCHED, known, ("ACCELERATE_",))
    assert found is not None
    return found


@pytest.mark.parametrize("train", [True, False])
def test_a_step_in_a_module(train: bool) -> None:
    """Whoever looks into one file alone is told of the steps of that file, and that there are others."""
    found = with_modules(f"from pkg.load import go\ngo({train})")
    (own,), (inside,) = found.steps, found.modules["pkg/load.py"].steps
    assert (own.training, own.grad, own.handed) == (UNKNOWN, True, True)
    assert (inside.training, inside.grad, inside.handed, inside.line) == (train, True, False, 5)


def test_a_loss_of_what_is_not_known_and_a_target_without_gradients() -> None:
    """Distillation: what the student computes is not known here, and the teacher keeps no gradients."""
    found = followed(f"import torch\n{LOAD}with torch.no_grad():\n    t = m(x)\nf(y.float(), t.float()).backward()")
    assert found is not None
    assert found.steps == ()


def test_backward_of_what_is_not_known() -> None:
    found = followed("a = A()\na.backward(loss)\nloss.backward()")
    assert found is not None
    assert found.steps == ()


def test_branches_that_are_never_taken() -> None:
    found = followed("if False:\n    x = 1\n    y = 2\nelse:\n    z = 3\nif w:\n    x = 1\nif True:\n    x = 1\n")
    assert found is not None
    assert found.dead == ((2, 3),)


TOLD = {
    "an attribute of something": ("config.use_fp8 = True", True),
    "a value of something": ("config.precision = 'fp8'", True),
    "an item of something": ("config['fp8'] = True", True),
    "an attribute that is off": ("config.use_fp8 = False", False),
    "in a comprehension": ("x = [f('fp8') for y in z]", True),
    "a keyword in a comprehension": ("x = [f(fp8=y) for y in z]", True),
    "no word in a comprehension": ("x = [f(a=y) for y in z]", False),
    "in a lambda": ("f(lambda: g('fp8'))", True),
    "a function": ("def h():\n    g('fp8')\nf(h)", False),
    "behind a question": ("x = y or f('fp8')", True),
    "in a decorator": ("@other(fp8=True)\ndef f():\n    pass", True),
    "in a decorator of a decorated one": ("@other('fp8')\n@property\ndef f():\n    pass", True),
    "in a decorator of a class": ("@other('fp8')\nclass C:\n    pass", True),
    "in a keyword of a class": ("class C(B, x=f('fp8')):\n    pass", True),
    "an object": ("class C:\n    def __init__(self):\n        self.fp8 = True\nf(C())", True),
    "a class": ("class C:\n    precision = 'fp8'\nf(C)", True),
    "options": ("args = p.parse_args()\nf(args)", False),
    "a word": ("f('fp8')", True),
    "in a mapping": ("f({'a': ['fp8']})", True),
    "as a key": ("f({'fp8': 1})", True),
    "a handler": ("f(TERecipeKwargs())", True),
    "a keyword": ("f(fp8=True)", True),
    "an unknown keyword": ("f(fp8=x, *y)", True),
    "off": ("f(fp8=False)", False),
    "another word": ("f('bf16', [1])", False),
    "to people": ("parser.add_argument('--fp8')\nlogger.info('fp8')", False),
    "to Accelerator": ("A(mixed_precision='fp8')", False),
}


@pytest.mark.parametrize(("text", "told"), TOLD.values(), ids=TOLD)
def test_words_that_are_handed_to_something_unknown(text: str, told: bool) -> None:
    found = followed(text)
    assert found is not None
    assert found.told is told


def test_what_a_call_is_given() -> None:
    found = followed(
        "x = {'b': 2}\nA(1, a=3, **x)\nA(*y)\nA(**z)\nclass TERecipeKwargs:\n    pass\nTERecipeKwargs(c=1)"
    )
    assert found is not None
    made = [one.made for several in found.seen.values() for one in several]
    assert made[0] == Made("Accelerator", {"a": 3, "b": 2}, (1,), True, 2, 0)
    assert [one.whole for one in made] == [True, False, False, True]
    assert made[3].name == "TERecipeKwargs"


def test_a_call_that_is_met_often_is_kept_a_few_times() -> None:
    found = followed("for x in range(60):\n    for y in range(3):\n        A()")
    assert found is not None
    assert [len(several) for several in found.seen.values()] == [64]


@pytest.mark.parametrize(
    "text", ["x = 1\n" * 11_000, "for x in range(60):\n    for y in range(60):\n        z = 1 + 1 + 1 + 1"]
)
def test_too_many_steps(text: str) -> None:
    assert followed(text) is None


def test_long_values_are_not_followed() -> None:
    assert value("x = 'a' * 1\nx = '" + "a" * 10_001 + "'", "x") is UNKNOWN
    assert Setting(1).value == 1
