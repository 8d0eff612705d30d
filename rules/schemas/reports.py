"""The schemas of what fp8check writes: report, plan, what a probe and what a watched run saw, and facts."""

from __future__ import annotations

from fp8check.rules.facts import saved
from fp8check.rules.facts.data import Facts, Gpu
from fp8check.rules.report import schema
from fp8check.rules.schemas.docstrings import words
from fp8check.rules.schemas.records import described, of_record, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.schemas.records import Schema

_PROBED = ("verdict", "findings", "undecided", "internal_errors", "probe")
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_SWITCH_OR_NULL: Schema = {"type": ["boolean", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_VERSIONS: Schema = {"type": ["object", "null"], "additionalProperties": _TEXT_OR_NULL}


def report() -> Schema:
    """Of `--format json`: one report, or a list where there are several runs."""
    definitions: Schema = {}
    one = of_record(schema.Report, definitions)
    about = "What fp8check says of a run; a list where it checked several."
    return whole("fp8check report", about, _one_or_several(one), definitions)


def plan() -> Schema:
    """Of `fp8check plan --format json`."""
    definitions: Schema = {}
    one = of_record(schema.Plans, definitions)
    about = "What to do, as a whole, so that a run trains as asked."
    return whole("fp8check plan", about, {"allOf": [one]}, definitions)


def probe() -> Schema:
    """Of `fp8check probe --json`: the parts of a report that a probe decides."""
    every: Schema = {}
    of_record(schema.Report, every)
    parts = every["Report"]["properties"]  # type: ignore[index]  # of_record made it
    body: Schema = {
        "type": "object",
        "required": ["schema", *_PROBED],
        "properties": {"schema": {"const": "fp8check/probe/1"}, **{key: parts[key] for key in _PROBED}},
    }
    definitions = {"Probed": body}
    names = [*_referred(body)]
    for name in names:
        if name not in definitions:
            definitions[name] = every[name]  # type: ignore[assignment]
            names.extend(_referred(every[name]))
    about = "What one real step showed; a list where several runs were probed."
    return whole("fp8check probe", about, _one_or_several({"$ref": "#/definitions/Probed"}), dict(definitions))


def _one_or_several(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _referred(schema: object) -> Iterator[str]:
    """The definitions that a schema refers to."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield str(value).rpartition("/")[2]
            else:
                yield from _referred(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _referred(one)


def seen() -> Schema:
    """Of `fp8check run --evidence`."""
    time = _object({"median": {"type": "number"}, "low": {"type": "number"}, "high": {"type": "number"}})
    layers = _object(
        {
            "converted": described(_COUNT, "how many Linear layers a backend converted"),
            "total": _COUNT,
            "left": described(_TEXTS, "some names of those that stayed as they were"),
            "te": _COUNT,
            "torchao": _COUNT,
            "msamp": _COUNT,
        }
    )
    gemms = _object({"fprop": _COUNT_OR_NULL, "dgrad": _COUNT_OR_NULL, "wgrad": _COUNT_OR_NULL, "other": _COUNT})
    moved = _object({"expected": _COUNT, "moved": _COUNT, "still": _TEXTS, "why": _TEXT})
    difference = _object({"rule": _TEXT, "message": _TEXT})
    parts: dict[str, tuple[Schema, str]] = {
        "schema": ({"const": "fp8check/seen/1"}, ""),
        "source": ({"enum": ["probe", "run"]}, "who saw it"),
        "verdict": (_TEXT, "in a few words"),
        "agrees": (_SWITCH_OR_NULL, "whether the run is what was asked for; null where that is not decided"),
        "predicted": (_SWITCH_OR_NULL, "whether it is what was predicted; null likewise"),
        "ranks": (_COUNT_OR_NULL, "processes that train"),
        "steps": (_or_null({"type": "array", "items": _COUNT}), "the first and the last step that were watched"),
        "loss": (
            _or_null({"type": "array", "items": _NUMBER_OR_NULL}),
            "of the steps; null for one that is not finite",
        ),
        "ms": (_or_null(time), "of a step, from one optimizer's step to the next"),
        "peak_gib": (_NUMBER_OR_NULL, "peak memory of a GPU"),
        "tokens_per_s": (_NUMBER_OR_NULL, "over all ranks, padding included"),
        "accelerator": ({"type": ["object", "null"]}, "what the Accelerator says of itself, in its own words"),
        "device": ({"type": ["object", "null"]}, "the GPU as torch sees it"),
        "packages": (_VERSIONS, "releases by name, as the training process imports them"),
        "layers": (_or_null(layers), "the Linear layers, by who computes them"),
        "in_fp8": (_COUNT_OR_NULL, "converted layers that ran with FP8 autocast on"),
        "recipe": ({"type": ["object", "null"]}, "the recipe that the layers held, with its class"),
        "gemms": (_or_null(gemms), "products in FP8, by what they are for; null of a kind that was not told apart"),
        "moved": (_or_null(moved), "the weights that should train, and how many of them moved"),
        "not_held": (_COUNT_OR_NULL, "trainable parameters that the optimizer does not hold"),
        "differences": ({"type": "array", "items": difference}, "what is not as asked"),
        "undecided": (_TEXTS, "what could not be seen, or is not known"),
    }
    body: Schema = {
        "type": "object",
        "required": [*parts],
        "properties": {name: described(part, text or None) for name, (part, text) in parts.items()},
    }
    return whole("fp8check seen", "What was seen of a run from inside, and whether it is what was asked for.", body, {})


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": [*properties], "properties": properties}


def _or_null(one: Schema) -> Schema:
    return {**one, "type": [one["type"], "null"]}


def facts() -> Schema:
    """Of facts.json, as `fp8check env --json` writes it and --facts reads it."""
    about, named = words(Facts)
    _, of_gpu = words(Gpu)
    of_a_gpu: dict[str, Schema] = {
        "index": _COUNT,
        "name": _TEXT,
        "compute_capability": {"type": "string", "pattern": r"^\d{1,3}\.\d{1,3}$"},
        "memory_mib": _COUNT_OR_NULL,
        "mig": _SWITCH_OR_NULL,
    }
    gpu: Schema = {
        "type": "object",
        "required": ["index", "name", "compute_capability"],
        "properties": {name: described(part, of_gpu.get(name)) for name, part in of_a_gpu.items()},
    }
    engine = {"imports": _SWITCH_OR_NULL, "core": _VERSIONS}
    parts: dict[str, Schema] = {
        "python": _TEXT_OR_NULL,
        "packages": _VERSIONS,
        "variables": {"type": ["object", "null"], "additionalProperties": _TEXT},
        "gpus": {"type": ["array", "null"], "items": gpu},
        "driver": _TEXT_OR_NULL,
        "cuda": _VERSIONS,
        "libraries": _VERSIONS,
        "transformer_engine": {
            "type": ["object", "null"],
            "properties": engine,
            "additionalProperties": _TEXT_OR_NULL,
        },
        "duplicates": {"type": ["object", "null"], "additionalProperties": _TEXTS},
        "host": _TEXT_OR_NULL,
        "collected": {"type": ["string", "null"], "pattern": _DAY},
        "notes": _TEXTS,
    }
    body: Schema = {
        "type": "object",
        "required": ["schema"],
        "properties": {
            "schema": {"const": saved.SCHEMA},
            **{name: described(part, named.get(name)) for name, part in parts.items()},
        },
    }
    return whole("fp8check facts", about, body, {})
