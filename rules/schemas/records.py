"""The JSON Schema of records: their fields with their types, and the words of their docstrings.

Draft 7, which editors know best. A later release may add keys, so none is forbidden.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Literal

from fp8check.rules.record import Record
from fp8check.rules.report.stored import hints, key_of
from fp8check.rules.schemas.docstrings import words
from fp8check.rules.seen import data as seen

Schema = dict[str, object]

DRAFT = "http://json-schema.org/draft-07/schema#"
SCALAR = bool | int | float | str
# What a record is in JSON that has its fields in the object of another.
FLAT: Mapping[object, object] = {seen.HeldRecipe: Mapping[str, SCALAR], seen.Seconds: Mapping[str, float | None]}
# Names in the types of records that mypy alone knows.
ALIASES: Mapping[str, object] = {
    "End": Literal[seen.ENDS],
    "ProbeStage": Literal[tuple(seen.STAGES)],
    "Scalar": SCALAR,
}
# What the JSON of a record has beside its fields.
COMPUTED: Mapping[type[Record], Schema] = {
    seen.Seen: {
        "speedup": {"description": "measured time in BF16 over that in FP8", "type": ["number", "null"]},
        "converted": {"description": "Linear layers that a backend converted", "type": ["integer", "null"]},
    },
}
_SIMPLE: Mapping[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    types.NoneType: "null",
}


def standalone(title: str, about: str, body: Schema, definitions: Schema) -> Schema:
    """A schema by itself, with what its parts refer to."""
    parts = {"definitions": dict(sorted(definitions.items()))} if definitions else {}
    return {"$schema": DRAFT, "title": title, "description": about, **body, **parts}


def of_record(record: type[Record], definitions: Schema) -> Schema:
    """A reference to the record, which is added to the definitions with all that it refers to."""
    name = record.__name__
    if name not in definitions:
        definitions[name] = {}  # a record may refer to itself
        about, named = words(record)
        properties = {}
        for field, hint in hints(record, **ALIASES).items():
            shown = of_type(hint, definitions)
            properties[key_of(field)] = described(shown, named.get(field))
        definitions[name] = {
            "description": about,
            "type": "object",
            "required": [key_of(field) for field in (*record.needed, *record.kept)],
            "properties": {**properties, **COMPUTED.get(record, {})},
        }
    return {"$ref": f"#/definitions/{name}"}


def described(schema: Schema, text: str | None) -> Schema:
    """The schema with words; what stands beside a reference counts for nothing in draft 7."""
    if text is None:
        return schema
    return {"description": text, **({"allOf": [schema]} if "$ref" in schema else schema)}


def of_type(hint: object, definitions: Schema) -> Schema:
    """The schema of a type as records have it."""
    hint = FLAT.get(hint, hint)
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if isinstance(hint, type) and issubclass(hint, Record):
        return of_record(hint, definitions)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"const": inner[0]} if len(inner) == 1 else {"enum": list(inner)}
    if isinstance(hint, types.UnionType):
        return _either([of_type(one, definitions) for one in inner])
    if origin in (tuple, list):
        return {"type": "array", "items": of_type(inner[0], definitions)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": of_type(inner[1], definitions)}
    return {}  # whatever YAML can write


def _either(schemas: list[Schema]) -> Schema:
    if all([*schema] == ["type"] for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": schemas}
