"""Shapes that the schemas of what fp8check writes are made of."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.schemas.records import Schema

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
SWITCH_OR_NULL: Schema = {"type": ["boolean", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
NUMBER: Schema = {"type": "number"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
VERSIONS: Schema = {"type": ["object", "null"], "additionalProperties": TEXT_OR_NULL}


def record(properties: dict[str, Schema]) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "required": [*properties], "properties": properties}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}
