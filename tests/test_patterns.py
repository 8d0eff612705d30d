"""Every regular expression of the tree against strings made to be slow: none takes more than its input is long."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fp8check
from fp8check.rules.credentials import masked
from fp8check.rules.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

META = set("\\[](){}*+?|^$.")
LARGE = 16_000  # characters
SECONDS = 0.25  # for so many: a pattern that reads them once takes 0.01, one that reads them from each place 0.8
# Names of files, which have at most 255 characters.
SHORT = ("fp8check.rules.facts.packages",)
ROOMS = ("rules", "cli", "service")


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(fp8check.__path__, "fp8check."):
        if found.name.split(".")[1] in ROOMS and ".migrations" not in found.name:
            yield importlib.import_module(found.name)


@cache
def patterns() -> dict[str, tuple[str, frozenset[str]]]:
    """The patterns by where they stand, with how each is used: constants that may be one count as well."""
    used: dict[str, set[str]] = defaultdict(set)
    places: dict[str, str] = {}
    for module in modules():
        assert module.__file__ is not None
        text = Path(module.__file__).read_text(encoding="utf-8")
        if "re." not in text or module.__name__ in SHORT:
            continue
        for pattern in _constants(vars(module)):
            places.setdefault(pattern, module.__name__)
        for pattern, how in _called(ast.parse(text), module):
            places.setdefault(pattern, module.__name__)
            used[pattern].add("fullmatch" if how in ("match", "fullmatch") else "search")
    every = frozenset(("search", "fullmatch"))
    return {
        f"{module.removeprefix('fp8check.')} {pattern[:40]!r}": (pattern, frozenset(used[pattern]) or every)
        for pattern, module in places.items()
    }


def _called(tree: ast.AST, module: ModuleType) -> Iterator[tuple[str, str]]:
    """Calls of functions of `re`, and of the methods of what is compiled at the top of the module."""
    for node in ast.walk(tree):
        function = node.func if isinstance(node, ast.Call) else None
        if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
            continue
        if function.value.id == "re" and function.attr != "compile":
            try:
                value = eval(compile(ast.Expression(node.args[0]), "", "eval"), vars(module))  # type: ignore[attr-defined]  # noqa: S307
            except NameError:
                continue  # an argument: what it stands for is a constant
            yield from ((one, function.attr) for one in _strings(value))
        elif isinstance(vars(module).get(function.value.id), re.Pattern):
            yield from ((one, function.attr) for one in _strings(vars(module)[function.value.id]))


def _constants(names: dict[str, object]) -> Iterator[str]:
    for name, value in names.items():
        if name.isupper() or name.lstrip("_").isupper():
            yield from _strings(value)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, re.Pattern):
        value = value.pattern
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        if META & set(value) and len(value) < 5_000 and _compiles(value):
            yield value
    elif isinstance(value, (tuple, list, frozenset, set)):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _strings(pair)
    elif isinstance(value, Record):
        yield from _strings(value.as_dict())


def _compiles(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, OverflowError):
        return False
    return True


def atoms(pattern: str) -> list[str]:
    """Pieces that the pattern is likely to match: its words, and a character of each kind that stands in it."""
    bare = re.sub(r"\(\?[a-zA-Z]+\)|\(\?P<\w+>|\(\?[:=!]|\(\?<[=!]", "(", pattern)
    found = {*re.findall(r"[A-Za-z0-9_]{2,}", bare), *re.findall(r"[^\s\\\[\](){}*+?|^$]", bare)}
    return [
        *sorted(found, key=len, reverse=True)[:8],
        *sorted(one for one in found if len(one) == 1)[:24],
        "a",
        "0",
        " ",
        "\n",
        "_",
        "A",
    ]


def texts(pattern: str, length: int) -> Iterator[str]:
    pieces = [*dict.fromkeys(atoms(pattern))]
    words = [one for one in pieces if len(one) > 1][:4]
    for one in pieces:
        for end in ("\0",):
            yield one * (length // len(one)) + end
            for word in words:
                yield word + one * (length // len(one)) + end
                yield (word + one) * (length // (len(word) + len(one))) + end


@pytest.mark.parametrize("name", sorted(patterns()))
def test_no_pattern_is_slow(name: str) -> None:
    pattern, used = patterns()[name]
    compiled = re.compile(pattern)
    searches = [getattr(compiled, how) for how in used]
    for length in (24, LARGE):
        for text in texts(pattern, length):
            for search in searches:
                taken = _seconds(search, text)
                if taken > SECONDS:  # the machine may be busy
                    taken = min(taken, _seconds(search, text), _seconds(search, text))
                assert taken < SECONDS, (length, text[:60])


def _seconds(search: object, text: str) -> float:
    begin = time.process_time()
    search(text)  # type: ignore[operator]
    return time.process_time() - begin


@pytest.mark.parametrize("text", ["token" + 50_000 * "a=", 50_000 * "token=", 20_000 * 'api_key="', 50_000 * "token: "])
def test_credentials_are_masked_in_linear_time(text: str) -> None:
    begin = time.process_time()
    masked(text)
    assert time.process_time() - begin < 2


def test_many_values_of_one_text_are_kept() -> None:
    flags = "api_key_file: 'accelerate launch " + " ".join(f"--flag{number}=1" for number in range(100)) + "'"
    assert "--flag99=1" in masked(flags)
