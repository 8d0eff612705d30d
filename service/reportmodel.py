"""The report as OpenAPI shows it, made from its schema (rules/report/schema.py). Only a description."""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from fp8check.rules.record import Record
from fp8check.rules.report import schema
from fp8check.rules.report.stored import hints, key_of
from fp8check.rules.schemas.docstrings import words
from fp8check.rules.schemas.records import ALIASES, FLAT

_MADE: dict[str, type[BaseModel]] = {}


class _Part(BaseModel):
    """What the parts of a report share: a later release may add to them."""

    model_config = ConfigDict(extra="allow")


def model_of(record: type[Record]) -> type[BaseModel]:
    """The model of a record: its fields with their types, and the words of its docstring."""
    name = record.__name__
    if name not in _MADE:
        about, named = words(record)
        fields: dict[str, Any] = {  # as create_model takes them
            f"{key_of(field)}_": (
                _shown(hint, name),
                Field(
                    ... if field in record.needed else record.template[field],
                    alias=key_of(field),
                    description=named.get(field),
                ),
            )
            for field, hint in hints(record, **ALIASES).items()
        }
        _MADE[name] = create_model(name, __base__=_Part, __doc__=about, **fields)
    return _MADE[name]


def _shown(hint: object, within: str) -> Any:  # a type that exists at run time only
    """A type of the schema as pydantic shows it; `within`: the record that is being made."""
    hint = FLAT.get(hint, hint)
    inner = [_shown(one, within) for one in typing.get_args(hint)]
    origin = typing.get_origin(hint)
    if isinstance(hint, types.UnionType):
        return functools.reduce(operator.or_, inner)
    if origin in (tuple, list):
        return types.GenericAlias(list, (inner[0],))
    if origin is Mapping:
        return types.GenericAlias(dict, (inner[0], inner[1]))
    if isinstance(hint, type) and issubclass(hint, Record):
        return typing.ForwardRef(within) if hint.__name__ == within else model_of(hint)
    return hint


Report = model_of(schema.Report)
Plans = model_of(schema.Plans)
