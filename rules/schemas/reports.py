"""The schemas of what fp8check writes: report, plan, what a probe and what a watched run saw, and facts."""

from __future__ import annotations

from fp8check.rules.facts import saved
from fp8check.rules.facts.data import Facts, Gpu
from fp8check.rules.report import schema
from fp8check.rules.schemas.docstrings import words
from fp8check.rules.schemas.records import described, of_record, standalone
from fp8check.rules.schemas.shapes import (
    COUNT,
    COUNT_OR_NULL,
    NUMBER,
    NUMBER_OR_NULL,
    SWITCH_OR_NULL,
    TEXT,
    TEXT_OR_NULL,
    TEXTS,
    VERSIONS,
    or_null,
    record,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.schemas.records import Schema

_PROBED = ("verdict", "findings", "undecided", "internal_errors", "probe")
_BESIDE = ("ms", "tokens_per_s", "peak_gib", "loss")
_DAY = r"^\d{4}-\d{2}-\d{2}$"


def report() -> Schema:
    """Of `--format json`: one report, or a list where there are several runs."""
    definitions: Schema = {}
    one = of_record(schema.Report, definitions)
    about = "What fp8check says of a run; a list where it checked several."
    return standalone("fp8check report", about, _one_or_several(one), definitions)


def plan() -> Schema:
    """Of `fp8check plan --format json`."""
    definitions: Schema = {}
    one = of_record(schema.Plans, definitions)
    about = "What to do, as a whole, so that a run trains as asked."
    return standalone("fp8check plan", about, {"allOf": [one]}, definitions)


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
    return standalone("fp8check probe", about, _one_or_several({"$ref": "#/definitions/Probed"}), dict(definitions))


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
    time = record({"median": {"type": "number"}, "low": {"type": "number"}, "high": {"type": "number"}})
    layers = record(
        {
            "converted": described(COUNT, "how many Linear layers a backend converted"),
            "total": COUNT,
            "left": described(TEXTS, "some names of those that stayed as they were"),
            "te": COUNT,
            "torchao": COUNT,
            "msamp": COUNT,
        }
    )
    gemms = record({"fprop": COUNT_OR_NULL, "dgrad": COUNT_OR_NULL, "wgrad": COUNT_OR_NULL, "other": COUNT})
    share = or_null(record({"layers": COUNT, "median": NUMBER, "worst": NUMBER, "name": TEXT}))
    fp8_gradients = record({"zeros": share, "saturated": share})
    moved = record({"expected": COUNT, "moved": COUNT, "still": TEXTS, "why": TEXT})
    difference = record({"rule": TEXT, "message": TEXT})
    parts: dict[str, tuple[Schema, str]] = {
        "schema": ({"const": "fp8check/seen/1"}, ""),
        "source": ({"enum": ["probe", "run"]}, "who saw it"),
        "verdict": (TEXT, "in a few words"),
        "agrees": (SWITCH_OR_NULL, "whether the run is what was asked for; null where that is not decided"),
        "predicted": (SWITCH_OR_NULL, "whether it is what was predicted; null likewise"),
        "ranks": (COUNT_OR_NULL, "processes that train"),
        "steps": (or_null({"type": "array", "items": COUNT}), "the first and the last step that were watched"),
        "loss": (
            or_null({"type": "array", "items": NUMBER_OR_NULL}),
            "of the steps; null for one that is not finite",
        ),
        "ms": (or_null(time), "of a step, from one optimizer's step to the next"),
        "peak_gib": (NUMBER_OR_NULL, "peak memory of a GPU"),
        "tokens_per_s": (NUMBER_OR_NULL, "over all ranks, padding included"),
        "accelerator": ({"type": ["object", "null"]}, "what the Accelerator says of itself, in its own words"),
        "device": ({"type": ["object", "null"]}, "the GPU as torch sees it"),
        "packages": (VERSIONS, "releases by name, as the training process imports them"),
        "layers": (or_null(layers), "the Linear layers, by who computes them"),
        "in_fp8": (COUNT_OR_NULL, "converted layers that ran with FP8 autocast on"),
        "recipe": ({"type": ["object", "null"]}, "the recipe that the layers held, with its class"),
        "gemms": (or_null(gemms), "products in FP8, by what they are for; null of a kind that was not told apart"),
        "fp8_gradients": (
            or_null(fp8_gradients),
            "shares of the elements of FP8 gradients, where the program has Transformer Engine tell them",
        ),
        "moved": (or_null(moved), "the weights that should train, and how many of them moved"),
        "not_held": (COUNT_OR_NULL, "trainable parameters that the optimizer does not hold"),
        "differences": ({"type": "array", "items": difference}, "what is not as asked"),
        "undecided": (TEXTS, "what could not be seen, or is not known"),
    }
    body: Schema = {
        "type": "object",
        "required": [*parts],
        "properties": {
            **{name: described(part, text or None) for name, (part, text) in parts.items()},
            "compared": described(_compared(parts), "beside the same run in BF16; with --compare bf16"),
        },
    }
    return standalone(
        "fp8check seen", "What was seen of a run from inside, and whether it is what was asked for.", body, {}
    )


def _compared(of_a_run: Mapping[str, tuple[Schema, str]]) -> Schema:
    """What `--compare bf16` adds."""
    gap = record({"mean": {"type": "number"}, "last": {"type": "number"}, "steps": COUNT})
    parts: dict[str, tuple[Schema, str]] = {
        "precision": ({"const": "bf16"}, "of the other run"),
        "changed": (TEXTS, "what was changed for it, each as before -> after"),
        "speedup": (NUMBER_OR_NULL, "time of a step in BF16 over that in FP8"),
        "memory": (NUMBER_OR_NULL, "peak memory in FP8 over that in BF16"),
        "loss_gap": (or_null(gap), "how much higher the loss is in FP8, relative, over the steps of both"),
        **{name: (record(dict.fromkeys(("fp8", "bf16"), of_a_run[name][0])), "of both") for name in _BESIDE},
        "bf16": ({"$ref": "#"}, "what was seen of the other run"),
        "undecided": (TEXTS, "what is not said of the two, and why"),
    }
    return record({name: described(part, text) for name, (part, text) in parts.items()})


def facts() -> Schema:
    """Of facts.json, as `fp8check env --json` writes it and --facts reads it."""
    about, named = words(Facts)
    _, of_gpu = words(Gpu)
    of_a_gpu: dict[str, Schema] = {
        "index": COUNT,
        "name": TEXT,
        "compute_capability": {"type": "string", "pattern": r"^\d{1,3}\.\d{1,3}$"},
        "memory_mib": COUNT_OR_NULL,
        "mig": SWITCH_OR_NULL,
        "sm_mhz": COUNT_OR_NULL,
        "memory_mhz": COUNT_OR_NULL,
        "power_w": COUNT_OR_NULL,
    }
    gpu: Schema = {
        "type": "object",
        "required": ["index", "name", "compute_capability"],
        "properties": {name: described(part, of_gpu.get(name)) for name, part in of_a_gpu.items()},
    }
    engine = {"imports": SWITCH_OR_NULL, "core": VERSIONS}
    parts: dict[str, Schema] = {
        "python": TEXT_OR_NULL,
        "packages": VERSIONS,
        "variables": {"type": ["object", "null"], "additionalProperties": TEXT},
        "gpus": {"type": ["array", "null"], "items": gpu},
        "driver": TEXT_OR_NULL,
        "cuda": VERSIONS,
        "libraries": VERSIONS,
        "transformer_engine": {
            "type": ["object", "null"],
            "properties": engine,
            "additionalProperties": TEXT_OR_NULL,
        },
        "duplicates": {"type": ["object", "null"], "additionalProperties": TEXTS},
        "launch_ms": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 10_000},
        "host": TEXT_OR_NULL,
        "collected": {"type": ["string", "null"], "pattern": _DAY},
        "notes": TEXTS,
    }
    body: Schema = {
        "type": "object",
        "required": ["schema"],
        "properties": {
            "schema": {"const": saved.SCHEMA},
            **{name: described(part, named.get(name)) for name, part in parts.items()},
        },
    }
    return standalone("fp8check facts", about, body, {})
