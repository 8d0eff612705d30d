"""What a followed script reads of files: JSON, YAML, TOML and OmegaConf's, as the mappings that it makes of them.

A file that is not there, cannot be read, is large, or stands outside of the folder, is UNKNOWN. What a script names is
followed nowhere else: a report that anybody may read shows values of it.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

from fp8check.rules.reading import Unreadable, files
from fp8check.rules.record import Record
from fp8check.rules.settings.script_values import LONGEST, PLAIN, UNKNOWN, Attributes, Class, Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from fp8check.rules.reading.nodes import Node
    from fp8check.rules.settings.script_following import Follower

    Call = Callable[[Follower, list[object], Any, Any], object]

_MOST_VALUES = 2_000  # of one file
_DEEPEST = 32  # mappings in each other
_MOST_READ = 200_000  # characters that are parsed for one script, however often it reads them


class FilePath(str):
    """A pathlib.Path."""

    __slots__ = ()


class Opened(Record):
    """A file that is open for reading."""

    path: str


def text_of(follower: Follower, path: object) -> object:
    """What a file says; UNKNOWN where that is not known here."""
    if not isinstance(path, str) or not follower.known.reads or path in follower.known.written or not is_inside(path):
        return UNKNOWN
    try:
        return files.read(path, LONGEST).decode()
    except (Unreadable, UnicodeDecodeError):
        return UNKNOWN


def is_inside(path: str) -> bool:
    """Whether a file stands in the current folder or below it, whatever links lead there."""
    here = os.path.realpath("")
    try:
        return os.path.commonpath([here, os.path.realpath(path)]) == here
    except ValueError:  # a NUL character, or another drive
        return False


def _open(follower: Follower, given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    path, mode = [*given, UNKNOWN][0], keywords.get("mode", given[1] if len(given) > 1 else "r")
    if not isinstance(path, str):
        return UNKNOWN
    if mode not in ("r", "rt", "rb"):
        follower.known.written.add(path)
        return UNKNOWN
    return Opened(path)


def _may_parse(follower: Follower, text: str) -> bool:
    """Whether this may be parsed as well: a loop reads the same file again and again."""
    return follower.known.parses(len(text)) <= _MOST_READ


def _content(follower: Follower, given: Sequence[object]) -> object:
    """The text that a loader is given: itself, or of a file that is open."""
    first = given[0] if given else UNKNOWN
    return text_of(follower, first.path) if isinstance(first, Opened) else first


def _json(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    text = _content(follower, given)
    if not isinstance(text, str) or not _may_parse(follower, text):
        return UNKNOWN
    try:
        value = json.loads(text)
        return value if _count(value) <= _MOST_VALUES else UNKNOWN
    except (ValueError, RecursionError):
        return UNKNOWN


def _count(value: object, depth: int = 0) -> int:
    """The values in a value; more than anybody takes where they are nested too deep."""
    if depth > _DEEPEST:
        return _MOST_VALUES + 1
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_count(one, depth + 1) for one in inner)


def _toml(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    text = _content(follower, given)
    if not isinstance(text, str) or not _may_parse(follower, text):
        return UNKNOWN
    if find_spec("tomllib") is None:  # it came with Python 3.11
        return UNKNOWN
    try:
        value = import_module("tomllib").loads(text)
        return value if _count(value) <= _MOST_VALUES else UNKNOWN
    except (ValueError, RecursionError):
        return UNKNOWN


def _yaml(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    return _from_yaml(follower, _content(follower, given), "pyyaml")


def _from_yaml(follower: Follower, text: object, loader: str) -> object:
    if not isinstance(text, str) or not _may_parse(follower, text):
        return UNKNOWN
    try:
        root = _root(text, loader)
    except Unreadable:
        return UNKNOWN
    return None if root is None else _plain(root, [_MOST_VALUES])


@lru_cache(maxsize=8)  # a script is followed once for each state of a plan, and reads the same then
def _root(text: str, loader: str) -> Node | None:
    from fp8check.rules.reading.read import read

    return read("config.yaml", text.encode(), loader=loader).root


def _plain(node: Node, left: list[int]) -> object:
    """The value of a node; UNKNOWN for what is too much, and for what is no plain value."""
    left[0] -= 1
    if left[0] < 0:
        return UNKNOWN
    if node.kind == "map":
        return {one.key: _plain(one, left) for one in node.entries.values() if isinstance(one.key, PLAIN)}
    if node.kind == "list":
        return [_plain(one, left) for one in node.items]
    return node.value if isinstance(node.value, PLAIN) else UNKNOWN


# OmegaConf, and other mappings whose keys are attributes.


def attributes(value: object) -> object:
    """A value with its mappings as such ones; a reference of OmegaConf, and what has to be filled in, are UNKNOWN."""
    if isinstance(value, dict):
        return Attributes((name, attributes(one)) for name, one in value.items())
    if isinstance(value, list):
        return [attributes(one) for one in value]
    return UNKNOWN if isinstance(value, str) and ("${" in value or value == "???") else value


def _omega_load(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    path = given[0] if given else UNKNOWN
    path = path.path if isinstance(path, Opened) else path
    return attributes(_from_yaml(follower, text_of(follower, path), "omegaconf"))


def _omega_create(follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    first = given[0] if given else {}
    if isinstance(first, str):
        first = _from_yaml(follower, first, "omegaconf")
    if isinstance(first, Object) and first.of is not None:
        first = dict(first.attributes)
    if isinstance(first, Class) and first.members is not None:
        first = {name: first.find(name) for name in first.members}
    return attributes(first) if isinstance(first, dict) else UNKNOWN


def _omega_words(follower: Follower, given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    """`a.b=value` for each word; a value is YAML."""
    listed = [*given, *keywords.values()]
    words = listed[0] if listed else follower.known.words
    if words is None or not isinstance(words, (list, tuple)):
        return UNKNOWN
    made = Attributes()
    for word in words:
        name, equals, text = word.partition("=") if isinstance(word, str) else ("", "", "")
        if not name or not equals or "[" in name:
            return UNKNOWN
        *outer, last = name.split(".")
        here = made
        for part in outer:
            inner = here.setdefault(part, Attributes())
            if not isinstance(inner, Attributes):
                return UNKNOWN
            here = inner
        here[last] = attributes(_from_yaml(follower, text, "omegaconf") if text else "")
    return made


def _omega_merge(follower: Follower, given: list[object], _keywords: object, node: object) -> object:
    merged: object = Attributes()
    for one in given:
        part = _omega_create(follower, [one], {}, node)
        if not isinstance(part, Attributes) or not isinstance(merged, Attributes):
            return UNKNOWN
        merged = _merged(merged, part)
    return merged


def _merged(one: Attributes, other: Attributes) -> Attributes:
    made = Attributes(one)
    for name, value in other.items():
        before = made.get(name)
        if isinstance(before, Attributes) and isinstance(value, Attributes):
            made[name] = _merged(before, value)
        else:
            made[name] = value
    return made


def _omega_plain(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    return as_dict(given[0]) if given else UNKNOWN


def as_dict(value: object) -> object:
    """A value with its mappings as plain ones."""
    if isinstance(value, dict):
        return {name: as_dict(one) for name, one in value.items()}
    return [as_dict(one) for one in value] if isinstance(value, list) else value


def _nested(_follower: Follower, given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    """EasyDict(mapping)."""
    first = given[0] if given else {}
    return attributes({**first, **keywords}) if isinstance(first, dict) else UNKNOWN


def _namespace(_follower: Follower, given: list[object], keywords: Mapping[str, object], _node: object) -> object:
    """SimpleNamespace(**mapping): its own keys alone are attributes."""
    first = given[0] if given else {}
    return Object(None, {**first, **keywords}) if isinstance(first, dict) else UNKNOWN


# Paths.


def _path(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    parts = [str(one) for one in given if isinstance(one, str)]
    return FilePath(os.path.join(*parts)) if parts and len(parts) == len(given) else UNKNOWN


def _join(follower: Follower, given: list[object], keywords: object, node: object) -> object:
    made = _path(follower, given, keywords, node)
    return str(made) if isinstance(made, str) else UNKNOWN


def _folder(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    return os.path.dirname(given[0]) if given and isinstance(given[0], str) else UNKNOWN


def _same(_follower: Follower, given: list[object], _keywords: object, _node: object) -> object:
    return given[0] if given else UNKNOWN


def of_file(
    follower: Follower, owner: FilePath | Opened, name: str, given: list[object], keywords: Mapping[str, object]
) -> object:
    """What a method of a path, or of an open file, returns."""
    if isinstance(owner, Opened):
        return text_of(follower, owner.path) if name == "read" else UNKNOWN
    if name == "read_text":
        return text_of(follower, str(owner))
    if name == "open":
        return _open(follower, [str(owner), *given], keywords, None)
    if name in ("resolve", "absolute", "expanduser"):
        return owner
    if name == "joinpath":
        return _path(follower, [owner, *given], keywords, None)
    if name in ("write_text", "write_bytes", "touch", "unlink", "rename"):
        follower.known.written.add(str(owner))
    return UNKNOWN


FUNCTIONS: dict[str, Call] = {
    "open": _open,
    "io.open": _open,
    "json.load": _json,
    "json.loads": _json,
    "tomllib.load": _toml,
    "tomllib.loads": _toml,
    **dict.fromkeys(("yaml.safe_load", "yaml.load", "yaml.full_load", "yaml.unsafe_load"), _yaml),
    "omegaconf.OmegaConf.load": _omega_load,
    "omegaconf.OmegaConf.create": _omega_create,
    "omegaconf.OmegaConf.structured": _omega_create,
    "omegaconf.OmegaConf.from_cli": _omega_words,
    "omegaconf.OmegaConf.from_dotlist": _omega_words,
    "omegaconf.OmegaConf.merge": _omega_merge,
    "omegaconf.OmegaConf.to_container": _omega_plain,
    **dict.fromkeys(("easydict.EasyDict", "addict.Dict", "munch.munchify", "munch.Munch.fromDict"), _nested),
    **dict.fromkeys(("types.SimpleNamespace", "argparse.Namespace"), _namespace),
    **dict.fromkeys(("pathlib.Path", "pathlib.PurePath"), _path),
    "os.path.join": _join,
    "os.path.dirname": _folder,
    **dict.fromkeys(("os.path.abspath", "os.path.realpath", "os.path.expanduser"), _same),
}
