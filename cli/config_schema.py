"""The JSON Schema of fp8check.toml, for editors: what config.py takes."""

from __future__ import annotations

from fp8check.cli.config import KEYS, RUN_KEYS, SUPPRESS_KEYS
from fp8check.rules.checking.verdict import FAIL_ON
from fp8check.rules.schemas.records import standalone
from fp8check.rules.trainers import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from fp8check.rules.schemas.records import Schema

_ABOUT = {
    "fail-on": "As --fail-on: from which severity on the exit code is 1.",
    "select": "As --select: the rules that count, by id or by the beginning of ids.",
    "ignore": "As --ignore: rules that do not count.",
    "plugins": "Entry points of the group fp8check.rules to load.",
    "baseline": "As --baseline: what is known already.",
    "require": "As --require: a name of the outcome, an operator and a value. What is not known fails, too.",
    "run": "A run: what `fp8check` without files checks.",
    "suppress": "Findings that are known, and why.",
    "run.files": "The files of the run, in any order.",
    "run.launch": "The command that starts it.",
    "run.trainer": "Whose training file it is, where its keys do not tell.",
    "run.facts": "facts.json of the machine that trains: fp8check env --json.",
    "run.python": "The interpreter that trains; started only where the project is trusted.",
    "suppress.rules": "Ids of rules.",
    "suppress.files": "Patterns of file names; without, all files.",
    "suppress.reason": "Why. Without one nothing is suppressed.",
    "suppress.until": "The last day on which it holds.",
}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
_SOME: Schema = {**_TEXTS, "minItems": 1}
_VALUES: dict[str, Schema] = {
    "fail-on": {"enum": [*FAIL_ON]},
    "select": _TEXTS,
    "ignore": _TEXTS,
    "plugins": _TEXTS,
    "require": {"type": "array", "items": {"type": "string", "examples": ["speedup>=1.1", "fp8_layers==all"]}},
    "run.files": _SOME,
    "run.trainer": {"anyOf": [{"enum": [*registry.NAMES]}, {"type": "string"}]},
    "suppress.rules": _SOME,
    "suppress.files": _TEXTS,
    "suppress.until": {"type": "string", "format": "date"},
}


def schema() -> Schema:
    """The schema of the file; the table of pyproject.toml is the same."""
    tables: dict[str, Schema] = {
        "run": _table("run.", RUN_KEYS, ("files",)),
        "suppress": _table("suppress.", SUPPRESS_KEYS, ("rules", "reason")),
    }
    body = _table("", KEYS, (), tables)
    return standalone("fp8check configuration", "fp8check.toml, or [tool.fp8check] of pyproject.toml.", body, {})


def _table(
    prefix: str, keys: Iterable[str], required: tuple[str, ...], tables: dict[str, Schema] | None = None
) -> Schema:
    properties: dict[str, Schema] = {}
    for key in keys:
        inner = (tables or {}).get(key)
        value: Schema = (
            _VALUES.get(prefix + key, {"type": "string"}) if inner is None else {"type": "array", "items": inner}
        )
        properties[key] = {"description": _ABOUT[prefix + key], **value}
    return {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}
