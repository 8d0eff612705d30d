"""SARIF 2.1.0, for code scanning (docs.oasis-open.org/sarif/sarif/v2.1.0)."""

from __future__ import annotations

from urllib.parse import quote

from fp8check.rules.catalog import find
from fp8check.rules.plain_text import bytes_of
from fp8check.rules.report.lacking import lacking
from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.schema import DOCS, Place, as_data, place_of, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.lacking import Lacking
    from fp8check.rules.report.schema import Edit, Finding, Fix, Plan, Plans, Report, Suppressed

    Data = dict[str, object]

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_MOST_WITH_PLAN = 10  # errors of a run that have it: a run may have thousands, and a plan as many steps
_AT_THE_TOP: Data = {"deletedRegion": {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}}
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# Code scanning refuses a run of more results, and shows no longer descriptions
# (docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning).
MOST_RESULTS = 25_000
_LONGEST_DESCRIPTION = 1024
_ITEM = "\n        "  # where a result or an invocation begins: a line, as far in as they stand
_HERE, _THERE = "results", "invocations"
_WORST = ("fail", "warn", "undecided", "pass")


class Log:
    """A SARIF log in pieces: results as reports are added, and behind them what all of them share.

    It has one SARIF run, however many runs were checked: code scanning refuses a file in which two have one category
    (github/codeql-action, src/upload-lib.ts, validateUniqueCategory), and one of more than 20. Each run that was
    checked is an invocation of it; a finding of several runs is one result.
    """

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._rules: list[Data] = []
        self._artifacts: dict[str, Data] = {}
        self._invocations: list[Data] = []
        self._verdicts: list[str] = []
        self._version = ""
        self._said: set[object] = set()
        self._count = self._left_out = 0

    def add(self, report: Report) -> str:
        """The results of one report more."""
        begins = not self._invocations
        results = self._results(report)
        self._artifacts.update((file.path, {"location": artifact(file.path)}) for file in report.files)
        self._invocations.append(_invocation(report))
        self._verdicts.append(report.verdict)
        self._version = report.versions.get("fp8check", self._version)
        room = MOST_RESULTS - self._count
        self._left_out += max(len(results) - room, 0)
        pieces = []
        for result in results[:room]:
            pieces.append(f"{',' if self._count else ''}{_ITEM}{dumps(result, _ITEM)}")
            self._count += 1
        return (self._ends()[0] if begins else "") + "".join(pieces)

    def end(self) -> Iterator[str]:
        """What stands behind the results, in pieces; the whole where no report was added."""
        before, between, after = self._ends()
        yield between if self._invocations else before + between
        for number, invocation in enumerate(self._invocations):
            yield f"{',' if number else ''}{_ITEM}{dumps(invocation, _ITEM)}"
        yield f"{after}\n"

    def _ends(self) -> tuple[str, str, str]:
        """The text before the results, which is the same for all logs, before the invocations, and behind them."""
        run = {
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {"ROOT": {"description": {"text": "The folder that fp8check was run in."}}},
            "results": [_HERE],
            "tool": {
                "driver": {
                    "name": "fp8check",
                    "informationUri": "https://github.com/fp8check/fp8check",
                    **({"semanticVersion": self._version} if self._version else {}),
                    "rules": self._rules,
                }
            },
            "artifacts": list(self._artifacts.values()),
            "invocations": [_THERE] if self._invocations else [],
            "properties": {
                "verdict": min(self._verdicts, key=_WORST.index, default="pass"),
                **({"leftOut": self._left_out} if self._left_out else {}),
            },
        }
        text = dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
        before, _, rest = text.partition(f'{_ITEM}"{_HERE}"')
        between, _, after = rest.partition(f'{_ITEM}"{_THERE}"')
        return before, between if self._count else between.lstrip(), after

    def _results(self, report: Report) -> list[Data]:
        """The results of a report that are not there yet."""
        said = {finding.rule: finding for finding in reversed(report.findings)}  # the first of each rule
        for rule in dict.fromkeys([*said, *(suppressed.rule for suppressed in report.suppressed)]):
            if rule not in self._index:
                self._index[rule] = len(self._index)
                self._rules.append(_rule(rule, said.get(rule)))
        results = [_found(finding, self._index, report) for finding in report.findings]
        if report.plan is not None:
            _plan_into(results, report, report.plan)
        results += [_suppressed(suppressed, self._index, report) for suppressed in report.suppressed]
        marks = [
            (finding.file, finding.fingerprint) if finding.fingerprint else None for finding in report.findings
        ] + [
            (suppressed.rule, suppressed.file, suppressed.line, suppressed.column, suppressed.message)
            for suppressed in report.suppressed
        ]
        new = [one for one, mark in zip(results, marks, strict=True) if mark is None or mark not in self._said]
        self._said.update(marks)
        return new


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The log of all of them."""
    log = Log()
    return "".join([*(log.add(report) for report in reports), *log.end()])


def _rule(rule: str, said: Finding | None) -> Data:
    """What is known of a rule: from the catalog, or, where a plug-in has it, from its finding."""
    known = find(rule)
    name = known.name if known is not None else said.name if said is not None else rule
    summary = (known.summary if known is not None else "") or name
    explained = known.explanation if known is not None else ""
    return {
        "id": rule,
        "name": name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": (" ".join(explained.split()) or summary)[:_LONGEST_DESCRIPTION]},
        "help": {"text": explained or f"See {DOCS}{rule}"},
        "helpUri": f"{DOCS}{rule}",
        "defaultConfiguration": {"level": _LEVELS[said.severity] if said is not None else _level(rule)},
    }


def _level(rule: str) -> str:
    """The level of a rule of which nothing but suppressed findings is known: what the catalog says."""
    known = find(rule)
    return _LEVELS[known.severity if known is not None else "warning"]


def _found(finding: Finding, index: Mapping[str, int], report: Report) -> Data:
    result = _result(finding, index, _LEVELS[finding.severity], _message(finding))
    if finding.fingerprint:
        result["partialFingerprints"] = {"fp8check/v1": finding.fingerprint}
    if finding.state is not None:
        result["baselineState"] = finding.state
    if finding.fix is not None:
        result["fixes"] = [_fix(finding.fix, finding.help)]
    related = [(place, one.message) for one in finding.related if (place := place_of(one)) is not None]
    result |= _locations(finding, report)
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
        for number, plan in enumerate(plans.plans, 1)
        if (changes := _changes(plan))
    ]
    errors = [number for number, finding in enumerate(report.findings) if finding.severity == "error"]
    for number in errors[: _MOST_WITH_PLAN if fixes else 0]:
        results[number]["fixes"] = fixes


def _changes(found: Plan) -> list[Data]:
    """The changes of a plan, by file; a new file is put where nothing is."""
    new = [
        {
            "artifactLocation": artifact(step.file),
            "replacements": [{**_AT_THE_TOP, "insertedContent": {"text": step.after}}],
        }
        for step in found.steps
        if step.kind == "file" and step.file is not None and step.after is not None
    ]
    return [*(_by_file(found.fix) if found.fix is not None else ()), *new]


def _suppressed(suppressed: Suppressed, index: Mapping[str, int], report: Report) -> Data:
    kind = "inSource" if suppressed.file and suppressed.file in suppressed.by else "external"
    suppression = {
        "kind": kind,
        "status": "accepted",
        **({"justification": suppressed.reason} if suppressed.reason else {}),
    }
    result = _result(suppressed, index, _level(suppressed.rule), suppressed.message)
    return {**result, **_locations(suppressed, report), "suppressions": [suppression]}


def _result(finding: Finding | Suppressed, index: Mapping[str, int], level: str, message: str) -> Data:
    return {"ruleId": finding.rule, "ruleIndex": index[finding.rule], "level": level, "message": {"text": message}}


def _locations(finding: Finding | Suppressed, report: Report) -> Data:
    """Where it stands. Code scanning shows no result without a place: what no file holds is at the top of the first."""
    place = place_of(finding)
    if place is not None:
        return {"locations": [_location(place)]}
    if not report.files:
        return {}
    top = _location(Place(report.files[0].path, 1, 1, 1, 1))
    return {"locations": [{**top, "message": {"text": "No file holds it: this is the first of the run."}}]}


def _fix(fix: Fix, help_: str) -> Data:
    return {"description": {"text": help_ or "the fix"}, "artifactChanges": _by_file(fix)}


def _by_file(fix: Fix) -> list[Data]:
    """The edits of a fix, by file; the text that takes the place of each region."""
    changes: dict[str, list[Data]] = {}
    for edit in fix.edits:
        replacement: Data = {"deletedRegion": _region(edit), "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.file, []).append(replacement)
    return [{"artifactLocation": artifact(path), "replacements": edits} for path, edits in changes.items()]


def _message(finding: Finding) -> str:
    """All that is said, in sentences: a viewer shows nothing else."""
    return ". ".join(sentences(finding))


def _location(place: Place) -> Data:
    return {"physicalLocation": {"artifactLocation": artifact(place.file), "region": _region(place)}}


def _region(place: Place | Edit) -> Data:
    return {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }


def artifact(path: str) -> dict[str, str]:
    """A file as a URI: relative ones from the folder that fp8check was run in."""
    uri = quote(bytes_of(path.replace("\\", "/")), safe="/~")
    return {"uri": f"file://{uri}"} if uri.startswith("/") else {"uri": uri, "uriBaseId": "ROOT"}


def _invocation(report: Report) -> Data:
    """A run that was checked: what it comes to, what could not be decided, and what failed: a log without results must
    not be taken for a pass."""
    notes = [_notification(error.rule, "error", error.error) for error in report.internal_errors]
    notes += [_undecided(gap) for gap in lacking(report.undecided)]
    if report.plan is not None:
        from fp8check.rules.report.plan_text import short

        notes.append({"level": "note", "message": {"text": "\n".join(short(report.plan))}})
    return {
        "executionSuccessful": not report.internal_errors,
        "toolExecutionNotifications": notes,
        "properties": {
            "files": [file.path for file in report.files],
            "verdict": report.verdict,
            "actual": report.summary.actual,
            **_required(report),
        },
    }


def _required(report: Report) -> Data:
    """What is required of the outcome; what is not met is among the results, too."""
    return (
        {"requirements": [as_data(requirement) for requirement in report.requirements]} if report.requirements else {}
    )


def _undecided(gap: Lacking) -> Data:
    """Rules that are undecided, by what would decide them."""
    text = f"not decided: {gap.sentence(gap.ids(len(gap.rules)))} (for want of {'; '.join(gap.needs)})"
    return {"level": "note", "message": {"text": text}, "properties": {"rules": list(gap.rules)}}


def _notification(rule: str, level: str, message: str) -> Data:
    return {"associatedRule": {"id": rule}, "level": level, "message": {"text": message}}
