"""Options as fields of a form, each with what OpenAPI says of it; all made from options.Options.

`curl -F select=FP1,FP2 -F variable=NVTE_DEBUG=1 -F quiet=true`: a list takes several names, in one field or in several;
`variables` comes as fields called `variable`; a switch takes true or false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_origin, get_type_hints

from pydantic import TypeAdapter

from fp8check.service.models import MOST_FILES
from fp8check.service.options import Options
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The fields that hold a file, and the name that it has in the report where it comes without.
NAMES = {
    "training": "train.yaml",
    "accelerate": "accelerate.yaml",
    "deepspeed": "deepspeed.json",
    "model_config": "config.json",
    "script": "train.py",
}
# The fields that say in words which machine trains (machine_words.py), where there is no facts.json.
MACHINE = {
    "gpu": "The GPU that trains, as H200, where no facts are sent.",
    "gpus": "How many of it; 1 where this is not sent.",
    "stack": "Releases, as `pip freeze` prints them, where no facts are sent.",
}
# A DeepSpeed file or a model alone make up no run.
ENOUGH = ("training", "accelerate", "script", "files")

_OPTIONS = TypeAdapter(Options)
_SWITCH: Mapping[str, bool] = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


class Field(NamedTuple):
    """How a form gives an option.

    Attributes:
        option: its name in Options.
        schema: what OpenAPI says of the field.
        taken: the option's value, from the field's text and from the value that earlier fields of this name made; None
            where the field says nothing.
    """

    option: str
    schema: Mapping[str, object]
    taken: Callable[[str, object], object]


def fault(field: str, message: str) -> Problem:
    """A field of a form that does not fit."""
    return Problem("invalid", f"{field[:80]}: {message}", errors=[{"field": f"/{field[:80]}", "message": message}])


def options_of(fields: list[tuple[str, str]]) -> Options:
    """The options that fields of a form give, in their order. A text that is empty counts as not sent.

    Raises:
        ValidationError, Problem: one is not known, or does not fit.
    """
    options: dict[str, object] = {}
    for name, text in fields:
        field = FIELDS.get(name)
        option = name if field is None else field.option  # one that is not known is refused below, by its name
        options[option] = (_text if field is None else field.taken)(text, options.get(option))
    return _OPTIONS.validate_python({name: value for name, value in options.items() if value is not None})


def schema() -> dict[str, object]:
    """The form as OpenAPI has it."""
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    fields: dict[str, object] = dict.fromkeys((*NAMES, "facts"), file)
    fields["files"] = {"type": "array", "items": file, "maxItems": MOST_FILES}
    fields |= {name: {"type": "string", "description": about} for name, about in MACHINE.items()}
    fields |= {name: field.schema for name, field in FIELDS.items()}
    return {"type": "object", "properties": fields, "anyOf": [{"required": [name]} for name in ENOUGH]}


def _switch(text: str, _before: object) -> object:
    return _SWITCH.get(text.lower(), text)


def _several(text: str, before: object) -> object:
    names = [part.strip() for part in text.split(",") if part.strip()]
    return [*before, *names] if isinstance(before, list) else names


def _pair(text: str, before: object) -> object:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise fault("variable", "takes NAME=VALUE")
    return {**(before if isinstance(before, dict) else {}), name: value}


def _text(text: str, before: object) -> object:
    return text or before


def _fields() -> dict[str, Field]:
    schemas, hints = _OPTIONS.json_schema()["properties"], get_type_hints(Options)
    fields: dict[str, Field] = {}
    for name in schemas:
        kind = get_origin(hints[name]) or hints[name]
        if kind is bool:
            fields[name] = Field(name, {"type": "string", "enum": ["true", "false"]}, _switch)
        elif kind is tuple:
            fields[name] = Field(name, {"type": "string"}, _several)
        elif kind is dict:
            pairs = {"type": "array", "items": {"type": "string", "pattern": "^[^=]+=.*$"}}
            fields[name.removesuffix("s")] = Field(name, pairs, _pair)
        else:
            (shown, *_null) = schemas[name].get("anyOf", [schemas[name]])
            limits = {key: shown[key] for key in ("type", "enum", "maxLength") if key in shown}
            fields[name] = Field(name, limits, _text)
    return fields


FIELDS: Mapping[str, Field] = _fields()
