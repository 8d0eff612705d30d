"""The schemas of what `fp8check node` and `fp8check nodes` write."""

from __future__ import annotations

from fp8check.rules.nodes import document, merged
from fp8check.rules.report import schema
from fp8check.rules.report.nodes import LISTS
from fp8check.rules.schemas import reports
from fp8check.rules.schemas.records import described, of_record, standalone
from fp8check.rules.schemas.shapes import COUNT, NUMBER, NUMBER_OR_NULL, TEXT, TEXT_OR_NULL, TEXTS, record
from fp8check.rules.seen import Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.schemas.records import Schema

_VERDICT: Schema = {"enum": [*document.WORST]}


def node() -> Schema:
    """Of HOST.json: `fp8check node --out DIR`."""
    definitions: Schema = {}
    report = of_record(schema.Report, definitions)
    of_facts = reports.facts()
    definitions["Facts"] = {key: value for key, value in of_facts.items() if key not in ("$schema", "title")}
    gpu = record(
        {
            "gpu": described(TEXT, "as CUDA_VISIBLE_DEVICES has it"),
            "verdict": _VERDICT,
            "why": described(TEXTS, "what speaks against it"),
            "seen": of_record(Seen, definitions),
        }
    )
    several: Schema = {"type": "array", "items": report}
    parts: dict[str, tuple[Schema, str]] = {
        "schema": ({"const": document.SCHEMA}, ""),
        "host": (TEXT, "the name of the node"),
        "facts": ({"$ref": "#/definitions/Facts"}, "what it has"),
        "report": (
            {"anyOf": [report, several, {"type": "null"}]},
            "of the run there; a list where there are several, null where none was named",
        ),
        "seen": (
            {"type": ["array", "null"], "items": gpu, "maxItems": document.MOST_GPUS},
            "what a probe saw on each GPU; null without a probe",
        ),
        "verdict": (_VERDICT, "of all of it"),
        "why": (TEXTS, "what speaks against the node and is not in its report"),
    }
    return standalone("fp8check node", "What one node of a cluster tells of itself.", _object(parts), definitions)


def nodes() -> Schema:
    """Of `fp8check nodes --format json`."""
    standing = record({"verdict": _VERDICT, "why": TEXTS})
    other = record({"value": TEXT, "nodes": TEXTS})
    drift = record(
        {
            "subject": TEXT,
            "severity": {"enum": ["error", "warning", "undecided"]},
            "usual": described(
                TEXT_OR_NULL, "what more than half of the nodes have; null where there is no such value"
            ),
            "nodes": described(COUNT, "how many have it"),
            "others": {"type": "array", "items": other},
        }
    )
    of_a_gpu: dict[str, Schema] = {
        "gpu": TEXT,
        "kind": described(TEXT, "its name, and what of the run was not built"),
        "ms": described(NUMBER_OR_NULL, "of a step in FP8"),
        "numbers": {"type": "object", "additionalProperties": NUMBER_OR_NULL},
    }
    seldom: dict[str, Schema] = {
        "mhz": described(NUMBER, "its clock in the midst of a step; absent where it is not known"),
        "bf16_ms": described(NUMBER, "of a step in BF16; absent where it was not timed"),
    }
    gpu = {**record(of_a_gpu), "properties": {**of_a_gpu, **seldom}}
    always: dict[str, Schema] = {"host": TEXT, "verdict": _VERDICT, "kind": described(COUNT, "its place in kinds")}
    sometimes: dict[str, Schema] = {"why": TEXTS, "gpus": {"type": "array", "items": gpu}}
    one = {**record(always), "properties": {**always, **sometimes}}
    values: Schema = {"type": "object", "additionalProperties": TEXT_OR_NULL}
    parts: dict[str, tuple[Schema, str]] = {
        "schema": ({"const": merged.SCHEMA}, ""),
        "verdict": (_VERDICT, "of all nodes; one that did not report never passes"),
        "counts": (record(dict.fromkeys((*LISTS, "absent"), COUNT)), "how many nodes stand where"),
        "standing": ({"type": "object", "additionalProperties": standing}, "the nodes that do not pass, and why"),
        "drift": ({"type": "array", "items": drift}, "where nodes differ"),
        "kinds": ({"type": "array", "items": values}, "what nodes have, by subject; alike nodes share one"),
        "nodes": ({"type": "array", "items": one}, "what each told, in short"),
        "unread": ({"type": "object", "additionalProperties": TEXT}, "files that are no report, and why not"),
        "expected": (TEXTS, "nodes that should have reported"),
        "absent": (COUNT, "how many more should have, of which nobody knows the names"),
    }
    about = "What all nodes of a cluster told, as one answer; it can be merged again."
    return standalone("fp8check nodes", about, _object(parts), {})


def _object(parts: dict[str, tuple[Schema, str]]) -> Schema:
    return record({name: described(part, text or None) for name, (part, text) in parts.items()})
