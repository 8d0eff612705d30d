"""From an examined run to its report. What is in a report is decided here; how it looks, in the formats."""

from __future__ import annotations

from math import isfinite

from fp8check.rules.credentials import names_one
from fp8check.rules.engine.definition import span_of
from fp8check.rules.outcome.speed import speed_of
from fp8check.rules.plain_text import shown
from fp8check.rules.report import schema
from fp8check.rules.report.words import memory_lacks, summary
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.edits.text_edits import Editor
    from fp8check.rules.engine.gate import Required
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.outcome.speed import Speed
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.releases.errors import PredictedError
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.shell_lines import Line
    from fp8check.rules.settings.values import Origin, Setting
    from fp8check.rules.suppression.baseline import Compared
    from fp8check.rules.suppression.examined import Examined
    from fp8check.rules.suppression.fingerprint import Pointers
    from fp8check.rules.suppression.suppressions import Suppressed

    _PlaceFields = tuple[str | None, int | None, int | None, int | None, int | None]


def brief(examined: Examined) -> schema.Report:
    """The report for people who read text.

    Pointers, fingerprints, fixes, the trace, the speed-up as a number, facts and versions are left out: each takes
    time, and the text of a report shows none of them.
    """
    speed = speed_of(examined.outcome)
    outcome = _outcome(examined.outcome, None, traced=False)
    if examined.earlier is not None:
        outcome = _common(outcome, _outcome(examined.earlier, None, traced=False))
    return _discreet(_report(examined, speed, outcome, _briefly(examined)), examined)


def full_report(examined: Examined, *, fixes: bool = True) -> schema.Report:
    """The report, with all that there is to say; `fixes`: with those as text, which not every format shows."""
    from fp8check.rules.facts.saved import as_data
    from fp8check.rules.version import VERSION

    speed = speed_of(examined.outcome)
    outcome = _outcome(examined.outcome, speed)
    if examined.earlier is not None:
        outcome = _common(outcome, _outcome(examined.earlier, speed_of(examined.earlier), traced=False))
    report = _report(examined, speed, outcome, _wholly(examined, fixes=fixes))
    report = report._replace(facts=as_data(examined.inputs.run.facts), versions={"fp8check": VERSION})
    return _discreet(report, examined)


def _discreet(report: schema.Report, examined: Examined) -> schema.Report:
    """The report without the credentials that its run names; the others go at its end, by their shape (formats.py)."""
    run = examined.inputs.run
    texts = (" ".join(run.facts.variables or ()), *(document.text for document in examined.documents))
    if not run.launch.given and not any(map(names_one, texts)):
        return report
    from fp8check.rules.report.masking import secrets_of, without

    secrets = secrets_of(run, examined.documents)
    return without(report, secrets) if secrets else report


def _report(
    examined: Examined,
    speed: Speed | None,
    outcome: schema.Outcome,
    findings: tuple[schema.Finding, ...],
) -> schema.Report:
    return schema.Report(
        schema=schema.SCHEMA,
        verdict=examined.verdict,
        files=tuple(schema.File(document.path, document.kind, document.dialect) for document in examined.documents),
        requested=_requested(examined.inputs.requested),
        summary=summary(examined, speed),
        outcome=outcome,
        findings=findings,
        undecided=examined.undecided,
        suppressed=tuple(_suppressed(suppressed) for suppressed in examined.suppressed),
        baseline=None if examined.compared is None else _baseline(examined.compared),
        internal_errors=tuple(schema.InternalError(failure.rule, shown(failure.error)) for failure in examined.crashes),
        probe=examined.inputs.seen,
        facts={},
        versions={},
        launch=launch_line(examined.inputs.run.launch),
        requirements=tuple(map(_requirement, examined.required)),
        hiding=examined.hiding,
    )


def _requirement(requirement: Required) -> schema.Requirement:
    why = (
        f"{requirement.why}: {requirement.both}"
        if requirement.why and requirement.both
        else requirement.why or requirement.both
    )
    return schema.Requirement(
        shown(requirement.requirement),
        requirement.met,
        requirement.value,
        shown(why),
        shown(requirement.command) or None,
    )


def launch_line(launch: Launch) -> schema.LaunchLine | None:
    """The line of a shell script that starts the run; None where no script does."""
    line = launch.line
    if line is None:
        return None
    from shlex import quote  # no other report pays for it

    words = [quote(word.text) if " " in word.text or not word.text else word.text for word in line.words]
    span = line.span
    return schema.LaunchLine(
        span.file,
        span.line,
        span.column,
        span.end_line,
        span.end_column,
        shown(" ".join(words)),
        launch.through or launch.tool or None,
        shown(launch.unknown) or None,
    )


def _requested(wanted: Requested) -> schema.Requested:
    perhaps = None if wanted.fp8 else wanted.perhaps or None
    return schema.Requested(bool(wanted.anywhere), _value(wanted.backend), _values(wanted.recipe), perhaps)


def outcome_of(outcome: Outcome) -> schema.Outcome:
    """What is predicted, in the schema's names."""
    return _outcome(outcome, speed_of(outcome))


def _outcome(outcome: Outcome, speed: Speed | None, *, traced: bool = True) -> schema.Outcome:
    coverage, recipe = outcome.prepared.coverage, outcome.prepared.recipe
    own = outcome.run.script.own  # the script converts layers itself, or may
    line = outcome.run.launch.line
    trace = tuple(_entry(name, setting, line) for name, setting in outcome.settings()) if traced else ()
    return schema.Outcome(
        starts=outcome.starts,
        error=None if outcome.error is None else _error(outcome.error, line),
        mixed_precision=_value(outcome.mixed_precision),
        fp8_enabled=outcome.fp8_enabled,
        backend=_value(outcome.backend),
        recipe=None if recipe is None else _values(recipe),
        fp8_layers=outcome.fp8_layers,
        layers=schema.Coverage(None if own else coverage.converted, coverage.total, coverage.left),
        distributed_type=outcome.distributed_type,
        trains_converted_weights=None if outcome.fp8_layers is None else outcome.frozen is None,
        speedup=None if speed is None else _speedup(speed),
        memory=_memory(outcome) if traced else None,
        undecided=None if outcome.undecided is None else shown(outcome.undecided.what),
        assumed=dict(outcome.stack.assumed),
        trace=trace,
        extrapolated=_extrapolated(outcome) if outcome.stack.is_beyond else (),
        memory_lacks=memory_lacks(outcome) if traced else None,
    )


def _extrapolated(outcome: Outcome) -> tuple[schema.Extrapolated, ...]:
    from fp8check.rules.outcome.extrapolated import extrapolated  # few reports have any

    return tuple(
        schema.Extrapolated(one.package, one.release, one.executed, one.predictions) for one in extrapolated(outcome)
    )


def _common(newest: schema.Outcome, earlier: schema.Outcome) -> schema.Outcome:
    """The outcome; a value that depends on a release that is not known is null."""
    keep = ("trace", "assumed", "undecided", "extrapolated")
    before = earlier.as_dict()
    differing = [name for name, value in newest.as_dict().items() if name not in keep and before[name] != value]
    return newest._replace(**dict.fromkeys(differing))


def _value(setting: Setting | None) -> object:
    return None if setting is None else _plain(setting.shown)


def _values(settings: Mapping[str, Setting]) -> dict[str, object]:
    return {name: _plain(setting.shown) for name, setting in settings.items()}


def _plain(value: object) -> object:
    """A value of a file as JSON can have it: YAML knows dates, sets, bytes, infinity, and keys that are no text."""
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(one) for one in value]
    return str(value)


def _memory(outcome: Outcome) -> schema.Memory | None:
    from fp8check.rules.outcome.memory import predict_memory  # a brief report says nothing of it

    try:
        found = predict_memory(outcome.run, outcome)
    except Undecided:  # as for the speed
        return None
    if found is None:
        return None
    fp8, limit = (None if size is None else round(size, 2) for size in (found.fp8_gib, found.limit_gib))
    return schema.Memory(round(found.bf16_gib, 2), fp8, limit)


def _speedup(speed: Speed) -> schema.Speedup:
    return schema.Speedup(round(speed.predicted, 2), round(speed.low, 2), round(speed.high, 2), speed.why)


def _error(error: PredictedError, line: Line | None) -> schema.PredictedError:
    because = tuple(_origin(setting.origin, line) for setting in error.because)
    return schema.PredictedError(error.stage, error.type, error.message, error.code, because)


def _entry(name: str, setting: Setting, line: Line | None) -> schema.TraceEntry:
    return schema.TraceEntry(name, _plain(setting.shown), _origin(setting.origin, line), _overrode(setting, line))


def _overrode(setting: Setting, line: Line | None) -> tuple[schema.Overridden, ...]:
    return tuple(
        schema.Overridden(_plain(one.shown), _origin(one.origin, line), _overrode(one, line))
        for one in setting.overrode
    )


def _origin(origin: Origin, line: Line | None) -> schema.Origin:
    span, key = origin.span, origin.key_span
    if span is None:
        at = None if line is None else line.place_of(origin)
        if at is not None:
            where = (at.file, at.line, at.column, None)
            return schema.Origin(*where, origin.variable, origin.flag, origin.default, origin.code)
        return schema.Origin(None, None, None, None, origin.variable, origin.flag, origin.default, origin.code)
    key_line = key.line if key is not None and key.line != span.line else None
    return schema.Origin(span.file, span.line, span.column, key_line, None, None, None, origin.code or None)


def _suppressed(suppressed: Suppressed) -> schema.Suppressed:
    by = suppressed.suppression
    return schema.Suppressed(
        suppressed.finding.rule,
        shown(suppressed.finding.message),
        *_place(suppressed.finding.span),
        shown(by.reason),
        by.until,
        shown(by.where),
    )


def _baseline(compared: Compared) -> schema.Baseline:
    resolved = (
        schema.Resolved(entry["fingerprint"], shown(entry["rule"]), entry["file"], shown(entry["message"]))
        for entry in compared.resolved
    )
    return schema.Baseline(len(compared.new), len(compared.unchanged), tuple(resolved))


def _place(span: Span | None) -> _PlaceFields:
    if span is None:
        return None, None, None, None, None
    return span.file, span.line, span.column, span.end_line, span.end_column


def _briefly(examined: Examined) -> tuple[schema.Finding, ...]:
    compared = examined.compared
    marks = compared.marks if compared is not None else [""] * len(examined.findings)
    pairs = zip(examined.findings, marks, strict=True)
    there = tuple([_finding(finding, mark, compared, None, None) for finding, mark in pairs])
    return (*there, *_later(examined)) if examined.later else there


def _later(examined: Examined, pointers: Pointers | None = None) -> Iterator[schema.Finding]:
    """What comes up once the errors are fixed; nothing where all of these were known before, as then it was, too."""
    if not any(finding.severity == "error" for finding in examined.new_findings):
        return
    from fp8check.rules.suppression.fingerprint import fingerprints

    marks = fingerprints(examined.later, examined.documents, pointers)
    for finding, mark in zip(examined.later, marks, strict=True):
        pointer = None if pointers is None else _pointer(finding, examined, pointers)
        yield _finding(finding, mark, examined.compared, pointer, None)


def _wholly(examined: Examined, *, fixes: bool) -> tuple[schema.Finding, ...]:
    from fp8check.rules.suppression.fingerprint import Pointers, fingerprints

    pointers = Pointers()
    compared, documents = examined.compared, examined.documents
    editor = _editor(documents) if fixes and any(finding.fix is not None for finding in examined.findings) else None
    marks = compared.marks if compared is not None else fingerprints(examined.findings, documents, pointers)
    there = tuple(
        _finding(finding, mark, compared, _pointer(finding, examined, pointers), _fix(finding.fix, editor))
        for finding, mark in zip(examined.findings, marks, strict=True)
    )
    return (*there, *_later(examined, pointers)) if examined.later else there


def _finding(
    finding: Finding, mark: str, compared: Compared | None, pointer: str | None, fix: schema.Fix | None
) -> schema.Finding:
    # In order, as a Record is made fastest; mypy holds the types against the fields.
    return schema.Finding(
        finding.rule,
        finding.name,
        finding.severity,
        shown(finding.message),
        *_place(finding.span),
        pointer,
        shown(finding.label),
        tuple([schema.Related(*_place(span_of(related.place)), shown(related.message)) for related in finding.related]),
        tuple([shown(note) for note in finding.notes]),
        shown(finding.help),
        fix,
        f"{schema.DOCS}{finding.rule}",
        mark,
        None if compared is None else "unchanged" if mark in compared.unchanged else "new",
        finding.after,
    )


def _pointer(finding: Finding, examined: Examined, pointers: Pointers) -> str | None:
    """The pointer of the entry that a finding stands at."""
    if finding.span is None:
        return None
    path = finding.span.file
    document = next((one for one in examined.documents if one.path == path), None)
    return None if document is None else pointers.of(finding, document)


def _editor(documents: Sequence[Document]) -> Editor:
    from fp8check.rules.edits.text_edits import Editor  # only a report with fixes pays for it

    return Editor(documents)


def _fix(fix: Fix | None, editor: Editor | None) -> schema.Fix | None:
    """The edits of a fix; None where it cannot be made."""
    if fix is None or editor is None:
        return None
    from fp8check.rules.edits.unfixable import Unfixable

    try:
        edits = editor.edits(fix)
        spans = [(editor.span(edit), edit.text) for edit in edits]
    except Unfixable:
        return None
    return schema.Fix(
        fix.safe,
        tuple(
            schema.Edit(span.file, span.line, span.column, span.end_line, span.end_column, text) for span, text in spans
        ),
    )
