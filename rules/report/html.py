"""A report as HTML: both files side by side, the findings in the source itself, the chain, what to write instead.

`render` makes a page of its own, in one file; `body` the part of it that a page of the service shows.
"""

from __future__ import annotations

import os
from html import escape

from fp8check.rules.report.data import count, items, place_of, text_of, texts, whole
from fp8check.rules.report.htmlsource import listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.report.formats import Data, Sources

VERDICTS = {
    "fail": "will not be the run that was asked for",
    "warn": "will run, with warnings",
    "pass": "nothing found",
    "undecided": "not everything could be decided",
}
_SUMMARY = (
    ("asked", "asked"),
    ("happens", "happens"),
    ("assumed", ""),
    ("or", "or"),
    ("assumed_or", ""),
    ("speed", "speed"),
)


def render(reports: Sequence[Data], sources: Sources) -> str:
    """The page, whole."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>fp8check: {escape(', '.join(sources) or 'report')}</title>\n<style>{style()}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>fp8check</h1>\n{body(reports, sources)}</main>\n</body>\n</html>\n"
    )


def style() -> str:
    """The style sheet of `render`."""
    with open(os.path.join(os.path.dirname(__file__), "report.css"), encoding="utf-8") as file:
        return file.read()


def body(reports: Sequence[Data], sources: Sources) -> str:
    """The runs, one after another."""
    return "".join(_run(report, sources, number) for number, report in enumerate(reports))


def _run(report: Data, sources: Sources, number: int) -> str:
    verdict = text_of(report, "verdict")
    parts = [
        f'<section class="run" aria-labelledby="run-{number}">',
        _headline(report, verdict, number),
        _summary(report),
        _nowhere(report, number),
        _files(report, sources, number),
        _instead(report, number),
        _chain(report),
        _undecided(report),
        "</section>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _headline(report: Data, verdict: str, number: int) -> str:
    badge = f'<span class="badge">{escape(verdict)}</span> {escape(VERDICTS.get(verdict, ""))}'
    counts = f'<span class="counts">{_counts(report)}</span>'
    return f'<h2 id="run-{number}" class="verdict {escape(verdict)}">{badge}{counts}</h2>'


def _counts(report: Data) -> str:
    words = [f"{number} {name}{'s' if number != 1 else ''}" for name, number in _numbers(report) if number]
    return ", ".join(words)


def _numbers(report: Data) -> Iterator[tuple[str, int]]:
    yield "error", count(report, "error")
    yield "warning", count(report, "warning")
    yield "note", count(report, "info")


def _summary(report: Data) -> str:
    summary = whole(report, "summary")
    rows = [
        f"<div><dt>{title}</dt><dd>{escape(text_of(summary, name))}</dd></div>"
        for name, title in _SUMMARY
        if text_of(summary, name)
    ]
    return f'<dl class="summary">\n{"".join(rows)}\n</dl>'


def _nowhere(report: Data, number: int) -> str:
    """Findings that no line holds of the files that are shown."""
    shown = {text_of(file, "path") for file in items(report, "files")}
    notes = [
        note(finding, f"finding-{number}-{index}", elsewhere=place is not None)
        for index, finding in enumerate(items(report, "findings"))
        if (place := place_of(finding)) is None or place.file not in shown
    ]
    notes += [
        f'<div class="note error"><p class="what"><b>{escape(text_of(one, "rule"))}</b> internal error: '
        f"{escape(text_of(one, 'error'))}</p><p>This rule said nothing: that is not a pass.</p></div>"
        for one in items(report, "internal_errors")
    ]
    return "".join(notes)


def note(finding: Data, id_: str, *, elsewhere: bool = False) -> str:
    """A finding, as it stands below its line; `elsewhere` where its line is not shown."""
    severity = escape(text_of(finding, "severity"))
    rule, message = escape(text_of(finding, "rule")), escape(text_of(finding, "message"))
    parts = [f'<p class="what"><b>{rule} {severity}</b> {message}</p>']
    if elsewhere:
        parts.append(f"<p>{_where(finding).strip()}</p>")
    if text_of(finding, "label"):
        parts.append(f"<p>{escape(text_of(finding, 'label'))}</p>")
    parts += [f"<p>{escape(line)}</p>" for line in texts(finding, "notes")]
    parts += [f"<p>{escape(text_of(one, 'message'))}</p>" for one in items(finding, "related") if place_of(one) is None]
    if text_of(finding, "help"):
        parts.append(f'<p class="help"><b>Write instead:</b> {escape(text_of(finding, "help"))}</p>')
    return f'<div class="note {severity}" id="{id_}">{"".join(parts)}</div>'


def _files(report: Data, sources: Sources, number: int) -> str:
    figures = [
        listing(report, text_of(file, "path"), sources.get(text_of(file, "path"), ""), _kind(file), number, index, note)
        for index, file in enumerate(items(report, "files"))
    ]
    return f'<div class="files">\n{"".join(figures)}</div>' if figures else ""


def _kind(file: Data) -> str:
    names = {
        "training": "training file",
        "accelerate": "Accelerate file",
        "deepspeed": "DeepSpeed file",
        "script": "the script",
    }
    kind = text_of(file, "kind")
    dialect = text_of(file, "dialect")
    return names.get(kind, kind) + (f", {dialect}" if dialect else "")


def _instead(report: Data, number: int) -> str:
    rows = [
        f'<li class="{escape(text_of(one, "severity"))}"><a href="#finding-{number}-{index}">'
        f"{escape(text_of(one, 'rule'))}</a> {escape(text_of(one, 'help'))}{_where(one)}</li>"
        for index, one in enumerate(items(report, "findings"))
        if text_of(one, "help")
    ]
    return f'<h3>What to write instead</h3>\n<ol class="instead">{"".join(rows)}</ol>' if rows else ""


def _where(finding: Data) -> str:
    place = place_of(finding)
    return f' <span class="where">{escape(place.file)}:{place.line}</span>' if place is not None else ""


def _chain(report: Data) -> str:
    outcome = whole(report, "outcome")
    rows = "".join(_link(entry) for entry in items(outcome, "trace"))
    error = whole(outcome, "error")
    end = (
        f'<p class="end"><b>{escape(text_of(error, "type"))}</b> ({escape(text_of(error, "stage"))}): '
        f"{escape(text_of(error, 'message'))}</p>"
        if error
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


def _link(entry: Data) -> str:
    beaten = "<br>".join(
        f"<s>{escape(str(one.get('value')))}</s> {escape(_origin(whole(one, 'origin')))}"
        for one in items(entry, "overrode")
    )
    setting, value = escape(text_of(entry, "setting")), escape(str(entry.get("value")))
    cells = f"<td>{value}</td><td>{escape(_origin(whole(entry, 'origin')))}</td><td>{beaten}</td>"
    return f"<tr{' class=beaten' if beaten else ''}><th scope=row>{setting}</th>{cells}</tr>"


def _origin(origin: Mapping[str, object]) -> str:
    if "file" in origin:
        return f"{origin['file']}:{origin['line']}"
    for name, words in (("flag", "command line "), ("variable", "variable "), ("code", ""), ("default", "default of ")):
        if name in origin:
            return f"{words}{origin[name]}"
    return "not set"


def _undecided(report: Data) -> str:
    rows = [
        f"<li><b>{escape(text_of(one, 'rule'))}</b> needs {escape(text_of(one, 'needs'))}: "
        f"<code>{escape(text_of(one, 'command'))}</code></li>"
        for one in items(report, "undecided")
    ]
    probe = whole(report, "probe")
    if probe and text_of(probe, "ended") != "done":
        rows.insert(0, f"<li><b>probe</b> {escape(text_of(probe, 'ended'))}: {escape(text_of(probe, 'why'))}</li>")
    if not rows:
        return ""
    title = f"Undecided: {len(rows)}. What is not known is not a pass."
    return f'<details class="undecided" open><summary>{title}</summary><ul>{"".join(rows)}</ul></details>'
