"""JSON Schemas in tests: where data does not fit, and schemas that forbid what they do not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.exceptions import ValidationError


def validator(schema: dict[str, Any]) -> Draft7Validator:
    """Of this schema, which has to be one itself."""
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def closed(schema: Any) -> Any:
    """The same schema where a key that is not named is an error: nothing that the code writes may be missing in it."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    known = isinstance(schema.get("properties"), dict) and schema.get("type") in ("object", ["object", "null"])
    return {"additionalProperties": False, **inner} if known else inner


def misfits(validator: Draft7Validator, data: object) -> dict[str, str]:
    """The pointers of what does not fit, each with what is said of it; an unknown key by its own pointer."""
    return {pointer: error.message for error in validator.iter_errors(data) for pointer in _pointers(error)}


def _pointers(error: ValidationError) -> Iterator[str]:
    path = "".join(f"/{part}" for part in error.absolute_path)
    if error.validator != "additionalProperties" or not isinstance(error.schema, dict):
        yield path
        return
    named, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
    for key in error.instance:
        if key not in named and not any(re.search(pattern, key) for pattern in patterns):
            yield f"{path}/{key}"
