"""SARIF 2.1.0, for code scanning (docs.oasis-open.org/sarif/sarif/v2.1.0)."""

from __future__ import annotations

import json
from urllib.parse import quote

from fp8check.rules.catalog import find
from fp8check.rules.report.data import items, place_of, text_of, texts, whole
from fp8check.rules.report.schema import DOCS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from fp8check.rules.report.formats import Data, Sources

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(reports: Sequence[Data], _sources: Sources) -> str:
    """One SARIF run for each run that was checked."""
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report) for report in reports]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _run(report: Data) -> dict[str, Any]:
    findings = items(report, "findings")
    suppressed = [one for one in items(report, "suppressed") if "message" in one]
    named = dict.fromkeys(text_of(one, "rule") for one in (*findings, *suppressed))
    index = {rule: number for number, rule in enumerate(named)}
    versions = whole(report, "versions")
    results = [_result(one, index) for one in findings]
    results += [{**_result(one, index), "suppressions": [_suppression(one)]} for one in suppressed]
    return {
        "tool": {
            "driver": {
                "name": "fp8check",
                "informationUri": "https://github.com/fp8check/fp8check",
                "semanticVersion": text_of(versions, "fp8check"),
                "rules": [_rule(rule, [*findings, *suppressed]) for rule in named],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "The folder that fp8check was run in."}}},
        "artifacts": [{"location": _artifact(text_of(file, "path"))} for file in items(report, "files")],
        "invocations": [_invocation(report)],
        "results": results,
        "properties": {"verdict": report["verdict"], "happens": text_of(whole(report, "summary"), "happens")},
    }


def _rule(rule: str, findings: Sequence[Data]) -> dict[str, Any]:
    """What is known of a rule: from the catalog, or, where a plug-in has it, from its finding."""
    said = next(one for one in findings if text_of(one, "rule") == rule)
    known = find(rule)
    name = known.name if known is not None else text_of(said, "name") or rule
    return {
        "id": rule,
        "name": name,
        "shortDescription": {"text": known.summary if known is not None else name},
        "helpUri": f"{DOCS}{rule}",
        "defaultConfiguration": {"level": _level(said)},
    }


def _level(finding: Data) -> str:
    """A finding's level; what is suppressed does not say it again, and then the catalog does."""
    known = find(text_of(finding, "rule"))
    severity = text_of(finding, "severity") or (known.severity if known is not None else "warning")
    return _LEVELS[severity]


def _result(finding: Data, index: Mapping[str, int]) -> dict[str, Any]:
    rule = text_of(finding, "rule")
    related = [place for place in items(finding, "related") if place_of(place) is not None]
    result: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": index[rule],
        "level": _level(finding),
        "message": {"text": _message(finding)},
    }
    if text_of(finding, "fingerprint"):
        result["partialFingerprints"] = {"fp8check/v1": text_of(finding, "fingerprint")}
    if text_of(finding, "state"):
        result["baselineState"] = text_of(finding, "state")
    if finding.get("fix") is not None:
        result["fixes"] = [_fix(whole(finding, "fix"), text_of(finding, "help"))]
    if place_of(finding) is not None:
        result["locations"] = [_location(finding)]
    if related:
        result["relatedLocations"] = [
            {**_location(place), "id": number, "message": {"text": text_of(place, "message")}}
            for number, place in enumerate(related)
        ]
    return result


def _fix(fix: Data, help_: str) -> dict[str, Any]:
    """The edits of a fix, by file; the text that takes the place of each region."""
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in items(fix, "edits"):
        region = _location(edit)["physicalLocation"]["region"]
        replacement = {"deletedRegion": region, "insertedContent": {"text": text_of(edit, "text")}}
        changes.setdefault(text_of(edit, "file"), []).append(replacement)
    return {
        "description": {"text": help_ or "the fix"},
        "artifactChanges": [
            {"artifactLocation": _artifact(path), "replacements": edits} for path, edits in changes.items()
        ],
    }


def _message(finding: Data) -> str:
    """All that is said, in sentences: a viewer shows nothing else."""
    parts = [text_of(finding, "message"), text_of(finding, "label"), *texts(finding, "notes")]
    words = ". ".join(part for part in parts if part)
    help_ = text_of(finding, "help")
    return f"{words}. Write instead: {help_}" if help_ else words


def _suppression(finding: Data) -> dict[str, Any]:
    reason = text_of(finding, "reason")
    kind = "inSource" if text_of(finding, "file") and text_of(finding, "file") in text_of(finding, "by") else "external"
    return {"kind": kind, "status": "accepted", **({"justification": reason} if reason else {})}


def _location(data: Data) -> dict[str, Any]:
    place = place_of(data)
    if place is None:
        raise ValueError("a location needs a file")
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    return {"physicalLocation": {"artifactLocation": _artifact(place.file), "region": region}}


def _artifact(path: str) -> dict[str, str]:
    """A file as a URI: relative ones from the folder that fp8check was run in."""
    uri = quote(path.replace("\\", "/"), safe="/~")
    return {"uri": f"file://{uri}"} if uri.startswith("/") else {"uri": uri, "uriBaseId": "ROOT"}


def _invocation(report: Data) -> dict[str, Any]:
    """What could not be decided, and what failed: a log without results must not be taken for a pass."""
    crashes = items(report, "internal_errors")
    notes = [_notification(text_of(one, "rule"), "error", text_of(one, "error")) for one in crashes]
    notes += [
        _notification(
            text_of(one, "rule"), "note", f"undecided: needs {text_of(one, 'needs')}: {text_of(one, 'command')}"
        )
        for one in items(report, "undecided")
    ]
    return {"executionSuccessful": not crashes, "toolExecutionNotifications": notes}


def _notification(rule: str, level: str, message: str) -> dict[str, Any]:
    return {"associatedRule": {"id": rule}, "level": level, "message": {"text": message}}
