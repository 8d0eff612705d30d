"""A report as HTML: both files side by side, the findings in the source itself, the chain, what to write instead.

`render` makes a page of its own, in one file; `body` the part of it that a page of the service shows.
"""

from __future__ import annotations

import os

from fp8check.rules.report.frames import NOT_QUOTED
from fp8check.rules.report.htmlsource import listing, markup
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.lacking import Lacking
    from fp8check.rules.report.schema import File, Finding, Report, TraceEntry

VERDICTS = {
    "fail": "will not be the run that was asked for",
    "warn": "will run, with warnings",
    "pass": "nothing found",
    "undecided": "not everything could be decided",
}
_SEVERITIES = {"error": "error", "warning": "warning", "info": "note"}
_KINDS = {
    "training": "training file",
    "accelerate": "Accelerate file",
    "deepspeed": "DeepSpeed file",
    "script": "the script",
}


TAIL = "</main>\n</body>\n</html>\n"


def render(reports: Sequence[Report], sources: Sources, _look: Look) -> str:
    """The page, whole."""
    return f"{head(sources)}{body(reports, sources)}{TAIL}"


def head(sources: Sources) -> str:
    """What stands before the runs; the title has the names of the files."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>fp8check: {markup(', '.join(sources) or 'report')}</title>\n<style>{style()}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>fp8check</h1>\n"
    )


def style() -> str:
    """The style sheet of `render`."""
    with open(os.path.join(os.path.dirname(__file__), "report.css"), encoding="utf-8") as file:
        return file.read()


MOST = 1_000  # findings on a page, and settings in its chain


def body(reports: Sequence[Report], sources: Sources, *, todo_first: bool = False) -> str:
    """The runs, one after another.

    Args:
        todo_first: whether what to do stands before all that was found, and not behind it.
    """
    return "".join(section(report, sources, number, todo_first=todo_first) for number, report in enumerate(reports))


def section(report: Report, sources: Sources, number: int, *, todo_first: bool = False) -> str:
    """One run; the number is for the ids of the page."""
    seen, todo = _cut(report), _todo(report, sources, number)
    parts = [
        f'<section class="run" aria-labelledby="run-{number}">',
        _headline(report, number),
        todo if todo_first else "",
        _summary(report),
        _left_out(report),
        _nowhere(seen, sources, number),
        _files(seen, sources, number),
        "" if todo else _instead(seen, number),
        _chain(seen),
        _undecided(report),
        "" if todo_first else todo,
        "</section>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _todo(report: Report, sources: Sources, number: int) -> str:
    """What to do, as a whole, where a plan was asked for or is due."""
    if report.plan is None:
        return ""
    from fp8check.rules.report.htmlplan import todo

    return todo(report.plan, sources, number)


def _cut(report: Report) -> Report:
    """The report with as much as a page may hold: nobody scrolls through thousands, and a browser stands still."""
    outcome = report.outcome._replace(trace=report.outcome.trace[:MOST])
    return report._replace(findings=report.findings[:MOST], outcome=outcome)


def _left_out(report: Report) -> str:
    more = {"findings": len(report.findings) - MOST, "settings": len(report.outcome.trace) - MOST}
    said = " and ".join(f"{count:,} {what}" for what, count in more.items() if count > 0)
    return f'<p class="left-out">{said} more are not on this page; fp8check --format json has them.</p>' if said else ""


def _headline(report: Report, number: int) -> str:
    badge = f'<span class="badge">{report.verdict}</span> {markup(VERDICTS[report.verdict])}'
    counts = f'<span class="counts">{_counts(report)}</span>'
    return f'<h2 id="run-{number}" class="verdict {report.verdict}">{badge}{counts}</h2>'


def _counts(report: Report) -> str:
    numbers = {
        name: sum(finding.severity == severity for finding in report.findings) for severity, name in _SEVERITIES.items()
    }
    return ", ".join(f"{number} {name}{'s' if number != 1 else ''}" for name, number in numbers.items() if number)


def _summary(report: Report) -> str:
    summary = report.summary
    rows = (
        ("requested", summary.requested),
        ("actual", summary.actual),
        ("", summary.assumed),
        ("or", summary.or_),
        ("", summary.assumed_or),
        ("", summary.extrapolated),
        ("launch", summary.launch),
        ("speed", summary.speed),
        ("memory", summary.memory),
        ("required", summary.required),
    )
    lines = [f"<div><dt>{title}</dt><dd>{markup(words)}</dd></div>" for title, words in rows if words]
    return f'<dl class="summary">\n{"".join(lines)}\n</dl>'


def _nowhere(report: Report, sources: Sources, number: int) -> str:
    """Findings that no line holds of the files that are shown."""
    shown = {file.path for file in report.files if file.path in sources}
    notes = [
        note(finding, f"finding-{number}-{index}", elsewhere=finding.file is not None)
        for index, finding in enumerate(report.findings)
        if finding.file not in shown
    ]
    notes += [
        f'<div class="note error"><p class="what"><b>{markup(error.rule)}</b> internal error: '
        f"{markup(error.error)}</p><p>This rule said nothing: that is not a pass.</p></div>"
        for error in report.internal_errors
    ]
    return "".join(notes)


def note(finding: Finding, id_: str, *, elsewhere: bool = False) -> str:
    """A finding, as it stands below its line; `elsewhere` where its line is not shown."""
    parts = [f'<p class="what"><b>{markup(finding.rule)} {finding.severity}</b> {markup(finding.message)}</p>']
    if elsewhere:
        parts.append(f"<p>{_where(finding).strip()}</p>")
    if finding.label:
        parts.append(f"<p>{markup(finding.label)}</p>")
    parts += [f"<p>{markup(line)}</p>" for line in finding.notes]
    parts += [f"<p>{markup(related.message)}</p>" for related in finding.related if related.file is None]
    if finding.help:
        parts.append(f'<p class="help"><b>Help:</b> {markup(finding.help)}</p>')
    return f'<div class="note {finding.severity}" id="{id_}">{"".join(parts)}</div>'


def _files(report: Report, sources: Sources, number: int) -> str:
    figures = [
        listing(report, file.path, sources[file.path], _kind(file), number, index, note)
        if file.path in sources
        else f'<figure class="file"><figcaption><b>{markup(file.path)}</b> <span>{markup(_kind(file))} '
        f"{markup(NOT_QUOTED)}</span></figcaption></figure>\n"
        for index, file in enumerate(report.files)
    ]
    return f'<div class="files">\n{"".join(figures)}</div>' if figures else ""


def _kind(file: File) -> str:
    return _KINDS.get(file.kind, file.kind) + (f", {file.dialect}" if file.dialect else "")


def _instead(report: Report, number: int) -> str:
    rows = [
        f'<li class="{finding.severity}"><a href="#finding-{number}-{index}">'
        f"{markup(finding.rule)}</a> {markup(finding.help)}{_where(finding)}</li>"
        for index, finding in enumerate(report.findings)
        if finding.help
    ]
    return f'<h3>What to write instead</h3>\n<ol class="instead">{"".join(rows)}</ol>' if rows else ""


def _where(finding: Finding) -> str:
    place = place_of(finding)
    return f' <span class="where">{markup(place.file)}:{place.line}</span>' if place is not None else ""


def _chain(report: Report) -> str:
    rows = "".join(_link(entry) for entry in report.outcome.trace)
    error = report.outcome.error
    end = (
        f'<p class="end"><b>{markup(error.type)}</b> ({markup(error.stage)}): {markup(error.message)}</p>'
        if error is not None
        else ""
    )
    if not rows and not end:
        return ""
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="The chain of decisions"><table class="chain">'
        "<thead><tr><th scope=col>setting</th><th scope=col>value</th><th scope=col>decided by</th>"
        f"<th scope=col>overrode</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return f"<h3>Who decided what</h3>\n{table if rows else ''}{end}"


def _link(entry: TraceEntry) -> str:
    """A row of the chain. Whoever said the same has lost nothing: only another value is struck out."""
    differ = [str(one.value) != str(entry.value) for one in entry.overrode]
    others = "<br>".join(
        f"{f'<s>{markup(str(one.value))}</s>' if differs else 'the same:'} {markup(one.origin.describe())}"
        for one, differs in zip(entry.overrode, differ, strict=True)
    )
    setting, value = markup(entry.setting), markup(str(entry.value))
    cells = f"<td>{value}</td><td>{markup(entry.origin.describe())}</td><td>{others}</td>"
    return f"<tr{' class=beaten' if any(differ) else ''}><th scope=row>{setting}</th>{cells}</tr>"


def _code(text: str) -> str:
    return f"<code>{markup(text)}</code>"


def _missing(gap: Lacking) -> str:
    """What is missing and how to get it, and folded below it the rules that wait for it."""
    rules = markup(" ".join(gap.rules))
    return (
        f"<details><summary>{gap.sentence(gap.ids(written=markup), markup, _code)}</summary>"
        f"<p>{rules}, for want of {markup('; '.join(gap.needs))}</p></details>"
    )


def _undecided(report: Report) -> str:
    from fp8check.rules.report.lacking import lacking  # most runs of a page have none

    missing = [_missing(gap) for gap in lacking(report.undecided)]
    number = len(report.undecided)
    if report.probe is not None and report.probe.ended != "done":
        missing.insert(0, f"<p><b>probe</b> {markup(report.probe.ended)}: {markup(report.probe.why)}</p>")
        number += 1
    if not missing:
        return ""
    title = f"Undecided: {number}. What is not known is not a pass."
    return f'<h3>{title}</h3>\n<div class="missing">{"".join(missing)}</div>'
