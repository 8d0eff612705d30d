"""The report as OpenAPI shows it, made from its schema (rules/report/schema.py). Only a description."""

from __future__ import annotations

import functools
import inspect
import operator
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from fp8check.rules.record import Record
from fp8check.rules.report import schema
from fp8check.rules.report.stored import hints, key_of
from fp8check.rules.seen import data as seen

_MADE: dict[str, type[BaseModel]] = {}
# What a record is in JSON that has its fields in the object of another.
_SCALAR = bool | int | float | str
_FLAT: dict[object, object] = {seen.HeldRecipe: dict[str, _SCALAR], seen.Seconds: dict[str, float | None]}
_ALIASES = {"End": Literal[seen.ENDS], "ProbeStage": Literal[tuple(seen.STAGES)], "Scalar": _SCALAR}
# One attribute in the docstring of a record, or several that share their words.
_ATTRIBUTE = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", re.MULTILINE)


class _Part(BaseModel):
    """What the parts of a report share: a later release may add to them."""

    model_config = ConfigDict(extra="allow")


def model_of(record: type[Record]) -> type[BaseModel]:
    """The model of a record: its fields with their types, and the words of its docstring."""
    name = record.__name__
    if name not in _MADE:
        about, words = _words(record)
        fields: dict[str, Any] = {  # as create_model takes them
            f"{key_of(field)}_": (
                _shown(hint, name),
                Field(
                    ... if field in record.needed else record.template[field],
                    alias=key_of(field),
                    description=words.get(field),
                ),
            )
            for field, hint in hints(record, **_ALIASES).items()
        }
        _MADE[name] = create_model(name, __base__=_Part, __doc__=about, **fields)
    return _MADE[name]


def _shown(hint: object, within: str) -> Any:  # a type that exists at run time only
    """A type of the schema as pydantic shows it; `within`: the record that is being made."""
    inner = [_shown(one, within) for one in typing.get_args(hint)]
    origin = typing.get_origin(hint)
    if isinstance(hint, types.UnionType):
        return functools.reduce(operator.or_, inner)
    if origin in (tuple, list):
        return types.GenericAlias(list, (inner[0],))
    if origin is Mapping:
        return types.GenericAlias(dict, (inner[0], inner[1]))
    if hint in _FLAT:
        return _FLAT[hint]
    if isinstance(hint, type) and issubclass(hint, Record):
        return typing.ForwardRef(within) if hint.__name__ == within else model_of(hint)
    return hint


def _words(record: type[Record]) -> tuple[str, dict[str, str]]:
    """What a record's docstring says of it, and of each field."""
    about, _, attributes = inspect.cleandoc(record.__doc__ or "").partition("\n\nAttributes:\n")
    words = {
        name: " ".join(text.split()) for names, text in _ATTRIBUTE.findall(attributes) for name in names.split(", ")
    }
    return about, words


Report = model_of(schema.Report)
Plans = model_of(schema.Plans)
