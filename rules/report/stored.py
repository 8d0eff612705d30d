"""Reading a report that was stored or sent: from JSON back to the types of the schema.

A key that the schema does not know is passed over: a later release may have written it.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping

from fp8check.rules.engine.running import UndecidedRule
from fp8check.rules.record import Record
from fp8check.rules.report import schema
from fp8check.rules.seen import from_data as seen_from_data
from fp8check.rules.seen.data import Seen

_HINTS: dict[type[Record], Mapping[str, object]] = {}
_CALLED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


class BadReport(ValueError):
    """It is no report of this schema; `str()` says where, and what was expected there."""


def from_data(data: object) -> schema.Report:
    """The report that was written as this data (json.loads of `--format json`).

    Raises:
        BadReport: it is none.
    """
    if not isinstance(data, Mapping) or data.get("schema") != schema.SCHEMA:
        raise BadReport(f"this is no report of schema {schema.SCHEMA}")
    return _record(schema.Report, data, "")


def all_from_data(data: object) -> list[schema.Report]:
    """The reports of one check: one object, or a list where there are several runs.

    Raises:
        BadReport: it is none.
    """
    return [from_data(one) for one in (data if isinstance(data, list) else [data])]


def hints(record: type[Record], **aliases: object) -> Mapping[str, object]:
    """The types of a record's fields, by their names; `aliases`: names in them that mypy alone knows."""
    known = _HINTS.get(record)
    if known is None:
        # What modules of records import for mypy only.
        names: dict[str, object] = {
            str(one).rpartition(".")[2]: one for one in (typing.Any, typing.ClassVar, typing.Literal)
        }
        names |= {"Mapping": Mapping, "Seen": Seen, "UndecidedRule": UndecidedRule, **aliases}
        every = typing.get_type_hints(record, {**vars(sys.modules[record.__module__]), **names})
        known = _HINTS[record] = {name: every[name] for name in record.fields}
    return known


def key_of(field: str) -> str:
    """What a field of the schema is called in JSON."""
    return field.rstrip("_")


R = typing.TypeVar("R", bound=Record)


def _record(record: type[R], data: object, pointer: str) -> R:
    if not isinstance(data, Mapping):
        raise _unexpected("an object", data, pointer)
    fields = {}
    for name, hint in hints(record).items():
        key = key_of(name)
        if key in data:
            fields[name] = _value(hint, data[key], f"{pointer}/{key}")
        elif name in record.needed:
            raise BadReport(f"{pointer}/{key} is missing")
    return record(**fields)


def _value(hint: object, data: object, pointer: str) -> object:
    """The data as a value of that type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is object:
        return data
    if origin is types.UnionType:  # of a type and None: the schema has no others
        return None if data is None else _value(inner[0], data, pointer)
    if origin is typing.Literal:
        return _one_of(inner, data, pointer)
    if origin is tuple:
        if not isinstance(data, list):
            raise _unexpected("a list", data, pointer)
        return tuple(_value(inner[0], one, f"{pointer}/{place}") for place, one in enumerate(data))
    if origin is Mapping:
        if not isinstance(data, Mapping):
            raise _unexpected("an object", data, pointer)
        return {name: _value(inner[1], one, f"{pointer}/{name}") for name, one in data.items()}
    return _named(hint, data, pointer)


def _one_of(words: tuple[object, ...], data: object, pointer: str) -> object:
    if data not in words:
        raise _unexpected(f"one of {', '.join(map(str, words))}", data, pointer)
    return data


def _named(hint: object, data: object, pointer: str) -> object:
    if hint is Seen:
        return _seen(data, pointer)
    if isinstance(hint, type) and issubclass(hint, Record):
        return _record(hint, data, pointer)
    for kind, words in _CALLED.items():
        if hint is kind and not _is(kind, data):
            raise _unexpected(words, data, pointer)
    return data


def _is(kind: type, data: object) -> bool:
    if isinstance(data, bool):
        return kind is bool
    return isinstance(data, (int, float) if kind is float else kind)


def _seen(data: object, pointer: str) -> Seen:
    if not isinstance(data, Mapping):
        raise _unexpected("an object", data, pointer)
    try:
        return seen_from_data(data)
    except ValueError as error:
        raise BadReport(f"{pointer}: {error}") from None


def _unexpected(expected: str, data: object, pointer: str) -> BadReport:
    shown = repr(data)
    return BadReport(f"{pointer}: expected {expected}, not {shown if len(shown) <= 60 else shown[:57] + '...'}")
