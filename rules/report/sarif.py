"""SARIF 2.1.0, for code scanning (docs.oasis-open.org/sarif/sarif/v2.1.0)."""

from __future__ import annotations

from urllib.parse import quote

from fp8check.rules.catalog import find
from fp8check.rules.plain_text import bytes_of
from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.schema import DOCS, Place, as_data, place_of, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Edit, Finding, Fix, Plan, Plans, Report, Suppressed

    Data = dict[str, object]

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_MOST_WITH_PLAN = 10  # errors of a run that have it: a run may have thousands, and a plan as many steps
_AT_THE_TOP: Data = {"deletedRegion": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """One SARIF run for each run that was checked."""
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(report) for report in reports]}
    return dumps(log) + "\n"


def _run(report: Report) -> Data:
    named = dict.fromkeys([*(one.rule for one in report.findings), *(one.rule for one in report.suppressed)])
    index = {rule: number for number, rule in enumerate(named)}
    said = {one.rule: one for one in reversed(report.findings)}  # the first of each rule
    results = [_found(one, index) for one in report.findings]
    if report.plan is not None:
        _plan_into(results, report, report.plan)
    results += [_suppressed(one, index) for one in report.suppressed]
    return {
        "tool": {
            "driver": {
                "name": "fp8check",
                "informationUri": "https://github.com/fp8check/fp8check",
                "semanticVersion": report.versions.get("fp8check", ""),
                "rules": [_rule(rule, said.get(rule)) for rule in named],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "The folder that fp8check was run in."}}},
        "artifacts": [{"location": _artifact(file.path)} for file in report.files],
        "invocations": [_invocation(report)],
        "results": results,
        "properties": {"verdict": report.verdict, "actual": report.summary.actual, **_required(report)},
    }


def _required(report: Report) -> Data:
    """What is required of the outcome; what is not met is among the results, too."""
    return {"requirements": [as_data(one) for one in report.requirements]} if report.requirements else {}


def _rule(rule: str, said: Finding | None) -> Data:
    """What is known of a rule: from the catalog, or, where a plug-in has it, from its finding."""
    known = find(rule)
    name = known.name if known is not None else said.name if said is not None else rule
    return {
        "id": rule,
        "name": name,
        "shortDescription": {"text": known.summary if known is not None else name},
        "helpUri": f"{DOCS}{rule}",
        "defaultConfiguration": {"level": _LEVELS[said.severity] if said is not None else _level(rule)},
    }


def _level(rule: str) -> str:
    """The level of a rule of which nothing but suppressed findings is known: what the catalog says."""
    known = find(rule)
    return _LEVELS[known.severity if known is not None else "warning"]


def _found(finding: Finding, index: Mapping[str, int]) -> Data:
    result = _result(finding, index, _LEVELS[finding.severity], _message(finding))
    if finding.fingerprint:
        result["partialFingerprints"] = {"fp8check/v1": finding.fingerprint}
    if finding.state is not None:
        result["baselineState"] = finding.state
    if finding.fix is not None:
        result["fixes"] = [_fix(finding.fix, finding.help)]
    related = [(place, one.message) for one in finding.related if (place := place_of(one)) is not None]
    result |= _locations(finding)
    if related:
        result["relatedLocations"] = [
            {**_location(place), "id": number, "message": {"text": message}}
            for number, (place, message) in enumerate(related)
        ]
    return result


def _plan_into(results: Sequence[Data], report: Report, plans: Plans) -> None:
    """The plans as the fixes of the errors that they are for: what one finding says alone may lead to the next."""
    from fp8check.rules.report.plan_text import sentence  # where a plan was asked for

    fixes = [
        {"description": {"text": sentence(plans, number)}, "artifactChanges": changes}
        for number, one in enumerate(plans.plans, 1)
        if (changes := _changes(one))
    ]
    errors = [number for number, one in enumerate(report.findings) if one.severity == "error"]
    for number in errors[: _MOST_WITH_PLAN if fixes else 0]:
        results[number]["fixes"] = fixes


def _changes(found: Plan) -> list[Data]:
    """The changes of a plan, by file; a new file is put where nothing is."""
    new = [
        {
            "artifactLocation": _artifact(one.file),
            "replacements": [{**_AT_THE_TOP, "insertedContent": {"text": one.after}}],
        }
        for one in found.steps
        if one.kind == "file" and one.file is not None and one.after is not None
    ]
    return [*(_by_file(found.fix) if found.fix is not None else ()), *new]


def _suppressed(one: Suppressed, index: Mapping[str, int]) -> Data:
    kind = "inSource" if one.file and one.file in one.by else "external"
    suppression = {"kind": kind, "status": "accepted", **({"justification": one.reason} if one.reason else {})}
    result = _result(one, index, _level(one.rule), one.message)
    return {**result, **_locations(one), "suppressions": [suppression]}


def _result(one: Finding | Suppressed, index: Mapping[str, int], level: str, message: str) -> Data:
    return {"ruleId": one.rule, "ruleIndex": index[one.rule], "level": level, "message": {"text": message}}


def _locations(one: Finding | Suppressed) -> Data:
    place = place_of(one)
    return {} if place is None else {"locations": [_location(place)]}


def _fix(fix: Fix, help_: str) -> Data:
    return {"description": {"text": help_ or "the fix"}, "artifactChanges": _by_file(fix)}


def _by_file(fix: Fix) -> list[Data]:
    """The edits of a fix, by file; the text that takes the place of each region."""
    changes: dict[str, list[Data]] = {}
    for edit in fix.edits:
        replacement: Data = {"deletedRegion": _region(edit), "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.file, []).append(replacement)
    return [{"artifactLocation": _artifact(path), "replacements": edits} for path, edits in changes.items()]


def _message(finding: Finding) -> str:
    """All that is said, in sentences: a viewer shows nothing else."""
    return ". ".join(sentences(finding))


def _location(place: Place) -> Data:
    return {"physicalLocation": {"artifactLocation": _artifact(place.file), "region": _region(place)}}


def _region(place: Place | Edit) -> Data:
    return {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }


def _artifact(path: str) -> dict[str, str]:
    """A file as a URI: relative ones from the folder that fp8check was run in."""
    uri = quote(bytes_of(path.replace("\\", "/")), safe="/~")
    return {"uri": f"file://{uri}"} if uri.startswith("/") else {"uri": uri, "uriBaseId": "ROOT"}


def _invocation(report: Report) -> Data:
    """What could not be decided, and what failed: a log without results must not be taken for a pass."""
    notes = [_notification(one.rule, "error", one.error) for one in report.internal_errors]
    notes += [
        _notification(one.rule, "note", f"undecided: needs {one.needs}: {one.command}") for one in report.undecided
    ]
    if report.plan is not None:
        from fp8check.rules.report.plan_text import short

        notes.append({"level": "note", "message": {"text": "\n".join(short(report.plan))}})
    return {"executionSuccessful": not report.internal_errors, "toolExecutionNotifications": notes}


def _notification(rule: str, level: str, message: str) -> Data:
    return {"associatedRule": {"id": rule}, "level": level, "message": {"text": message}}
