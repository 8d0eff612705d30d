"""The report for programs: JSON, schema fp8check/report/1."""

from __future__ import annotations

from fp8check.rules.outcome.speed import predict_speed
from fp8check.rules.report.schema import DOCS, SCHEMA
from fp8check.rules.suppression.fingerprint import Pointers, fingerprints
from fp8check.rules.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.edits.text_edits import FileTree
    from fp8check.rules.engine.definition import Place
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.settings.values import Origin, Setting
    from fp8check.rules.suppression.baseline import Compared
    from fp8check.rules.suppression.examined import Examined
    from fp8check.rules.suppression.suppressions import Suppressed


def as_data(report: Examined) -> dict[str, object]:
    """The report as plain data, ready for json.dumps."""
    import json

    from fp8check.rules.facts import dump
    from fp8check.rules.report.text import summary

    seen = _Seen(report)
    marks = fingerprints(report.findings, report.documents, seen.pointers)
    return {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "files": [
            {"path": document.path, "kind": document.kind, "dialect": document.dialect} for document in report.documents
        ],
        "summary": summary(report),
        "outcome": _common(report),
        "findings": [_finding(one, mark, seen) for one, mark in zip(report.findings, marks, strict=True)],
        "undecided": [one.as_dict() for one in report.undecided],
        "suppressed": [_suppressed(one) for one in report.suppressed],
        "baseline": None if report.compared is None else _baseline(report.compared),
        "internal_errors": [{"rule": crash.rule, "error": crash.error} for crash in report.crashes],
        "probe": None if report.inputs.seen is None else report.inputs.seen.as_data(),
        "facts": json.loads(dump(report.inputs.run.facts)),
        "versions": {"fp8check": VERSION},
    }


def _common(report: Examined) -> dict[str, object]:
    """The outcome; a value that depends on a version that is not known is null."""
    data = outcome_as_data(report.outcome)
    if report.earlier is None:
        return data
    earlier = outcome_as_data(report.earlier)
    keep = ("trace", "assumed", "undecided")
    return {name: value if name in keep or earlier[name] == value else None for name, value in data.items()}


def outcome_as_data(outcome: Outcome) -> dict[str, object]:
    """The outcome, in the contract's names."""
    error = outcome.error
    speed = predict_speed(outcome.run, outcome) if outcome.trains_in_fp8 else None
    coverage = outcome.prepared.coverage
    return {
        "starts": outcome.starts,
        "error": None if error is None else {"stage": error.stage, "type": error.type, "message": error.message},
        "mixed_precision": _value(outcome.mixed_precision),
        "fp8_enabled": outcome.fp8_enabled,
        "backend": _value(outcome.backend),
        "recipe": _recipe(outcome),
        "fp8_layers": outcome.fp8_layers,
        "layers": {"converted": coverage.converted, "total": coverage.total, "left": list(coverage.left)},
        "distributed_type": outcome.distributed_type,
        "trains_converted_weights": None if outcome.fp8_layers is None else outcome.frozen is None,
        "speedup": None
        if speed is None
        else {
            "predicted": round(speed.predicted, 2),
            "low": round(speed.low, 2),
            "high": round(speed.high, 2),
            "why": speed.why,
        },
        "undecided": None if outcome.undecided is None else outcome.undecided.what,
        "assumed": dict(outcome.stack.assumed),
        "trace": [
            {
                "setting": name,
                "value": setting.value,
                "origin": _origin(setting.origin),
                "overrode": [{"value": other.value, "origin": _origin(other.origin)} for other in setting.overrode],
            }
            for name, setting in outcome.settings()
        ],
    }


def _value(setting: Setting | None) -> object:
    return None if setting is None else setting.value


def _recipe(outcome: Outcome) -> dict[str, object] | None:
    recipe = outcome.prepared.recipe
    return None if recipe is None else {name: setting.value for name, setting in recipe.items()}


def _origin(origin: Origin) -> dict[str, object]:
    if origin.span is not None:
        span = origin.span
        place: dict[str, object] = {"file": span.file, "line": span.line, "column": span.column}
        return {**place, "code": origin.code} if origin.code else place
    for name in ("variable", "flag", "default", "code"):
        value = getattr(origin, name)
        if value is not None:
            return {name: value}
    return {}


def _suppressed(one: Suppressed) -> dict[str, object]:
    return {
        "rule": one.finding.rule,
        "message": one.finding.message,
        **_place(one.finding.span),
        "reason": one.suppression.reason,
        "until": one.suppression.until,
        "by": one.suppression.where,
    }


def _baseline(compared: Compared) -> dict[str, object]:
    return {
        "new": len(compared.new),
        "unchanged": len(compared.unchanged),
        "resolved": [dict(entry) for entry in compared.resolved],
    }


class _Seen:
    """What is looked up for every finding of one report, and made once: pointers, and the trees that fixes edit."""

    __slots__ = ("documents", "pointers", "report", "trees")

    def __init__(self, report: Examined) -> None:
        self.report = report
        self.documents = {document.path: document for document in report.documents}
        self.pointers = Pointers()
        self.trees: dict[str, FileTree] = {}


def _fix(fix: Fix | None, seen: _Seen) -> dict[str, object] | None:
    """The edits of a fix, each a stretch of a file and what takes its place; None where it cannot be made."""
    if fix is None:
        return None
    from fp8check.rules.edits.text_edits import text_edits
    from fp8check.rules.edits.unfixable import Unfixable

    try:
        edits = text_edits(fix, seen.report.documents, seen.trees)
    except Unfixable:
        return None
    return {
        "safe": fix.safe,
        "edits": [
            {**_place(seen.trees[edit.file].source.span(edit.start, edit.end)), "text": edit.text} for edit in edits
        ],
    }


def _pointer(finding: Finding, seen: _Seen) -> str | None:
    document = seen.documents.get(finding.span.file) if finding.span is not None else None
    return seen.pointers.of(finding, document) if document is not None else None


def _finding(finding: Finding, mark: str, seen: _Seen) -> dict[str, object]:
    compared = seen.report.compared
    state = None if compared is None else "unchanged" if mark in compared.unchanged else "new"
    return {
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity,
        "message": finding.message,
        **_place(finding.span),
        "pointer": _pointer(finding, seen),
        "label": finding.label,
        "related": [{**_place(one.place), "message": one.message} for one in finding.related],
        "notes": list(finding.notes),
        "help": finding.help,
        "fix": _fix(finding.fix, seen),
        "url": f"{DOCS}{finding.rule}",
        "fingerprint": mark,
        "state": state,
    }


def _place(place: Place) -> dict[str, object]:
    from fp8check.rules.engine.definition import span_of

    span = span_of(place)
    if span is None:
        return {"file": None, "line": None, "column": None, "end_line": None, "end_column": None}
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
