"""One file of a report as HTML: its lines, what is said of them marked, and the findings below their lines."""

from __future__ import annotations

from html import escape as _escape

from fp8check.rules.plain_text import shown
from fp8check.rules.record import Record
from fp8check.rules.report.frames import lines_of
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from fp8check.rules.report.schema import Finding, Place, Related, Report

_RANK = ("related", "info", "warning", "error")
# A line that is longer than this says nothing to a reader.
_WIDEST = 2000
# Of a file with more lines only those are shown that something is said of, and some on either side. A script may start
# a run in each of its lines, and every run shows it.
_MOST_LINES = 2_000
_MOST_OF_SCRIPT = 60
_AROUND = 20


def markup(text: str) -> str:
    """A text of others as it stands in a page: it brings no elements, attributes or characters that are not seen."""
    return _escape(shown(text))


class _Mark(Record):
    place: Place
    kind: str


def listing(
    report: Report, path: str, text: str, kind: str, run: int, number: int, note: Callable[[Finding, str], str]
) -> str:
    """The file as a list of lines.

    Args:
        run, number: which run of the page and which file of the run, for the ids.
        note: makes a finding's HTML, from the finding and its id.
    """
    marks: dict[_Mark, None] = {}  # thousands of findings may stand at one place
    below: dict[int, list[str]] = {}
    for index, finding in enumerate(report.findings):
        place = place_of(finding)
        if place is not None and place.file == path:
            marks[_Mark(place, finding.severity)] = None
            below.setdefault(place.line, []).append(note(finding, f"finding-{run}-{index}"))
        for related in finding.related:
            other = place_of(related)
            if other is not None and other.file == path:
                marks[_Mark(other, "related")] = None
                below.setdefault(other.line, []).append(_related(finding, related, f"finding-{run}-{index}"))
    lines = lines_of(text)
    if lines and not lines[-1]:
        lines.pop()
    started = report.launch if report.launch is not None and report.launch.file == path else None
    starts = () if started is None else range(started.line, started.end_line + 1)
    rows = "".join(_rows(lines, marks, below, f"{run}-{number}", starts))
    title = f"file-{run}-{number}"
    return (
        f'<figure class="file" aria-labelledby="{title}"><figcaption id="{title}"><b>{markup(path)}</b> '
        f'<span>{markup(kind)}</span></figcaption><ol class="source">{rows}</ol></figure>\n'
    )


def _rows(
    lines: list[str], marks: dict[_Mark, None], below: dict[int, list[str]], id_: str, starts: Collection[int]
) -> Iterator[str]:
    """The lines that are shown, and where others are left out, how many.

    Args:
        starts: the lines that start the run, where the file is the script that does.
    """
    said = [*below, *(line for mark in marks for line in (mark.place.line, _last(mark.place))), *starts]
    wanted = _wanted(len(lines), said, _MOST_OF_SCRIPT if starts else _MOST_LINES)
    before = 0
    for at, here in _on_lines(marks, wanted):
        yield gap(before + 1, at - 1)
        yield _line(lines[at - 1], at, here, below.get(at, ()), id_)
        before = at
    yield gap(before + 1, len(lines))


def _wanted(count: int, said: Iterable[int], most: int) -> Iterable[int]:
    """The numbers of the lines that are shown, where something is said of some, and a file of `most` lines is whole."""
    if count <= most:
        return range(1, count + 1)
    around = {*range(1, _AROUND + 1)}
    for line in sorted({*said})[:_MOST_LINES]:
        around.update(range(max(1, line - _AROUND), min(count, line + _AROUND) + 1))
    return sorted(around)


def gap(first: int, last: int) -> str:
    """That these lines are not shown; nothing where there is none."""
    count = last - first + 1
    if count <= 0:
        return ""
    lines = f"line {first:,} is" if count == 1 else f"lines {first:,} to {last:,} are"
    return f'<li class="gap" value="{first}"><i>{lines} not shown</i></li>\n'


def _on_lines(marks: Iterable[_Mark], wanted: Iterable[int]) -> Iterator[tuple[int, list[_Mark]]]:
    """The lines that are wanted, with the marks on each, in one pass over both."""
    coming = sorted(marks, key=lambda mark: mark.place.line, reverse=True)
    here: list[_Mark] = []
    for at in wanted:
        here = [mark for mark in here if _last(mark.place) >= at]
        while coming and coming[-1].place.line <= at:
            here.append(coming.pop())
        yield at, here


def _last(place: Place) -> int:
    """The last line of a place; one that ends before the first column of a line does not have that line."""
    return place.end_line - 1 if place.end_column == 1 and place.end_line > place.line else place.end_line


def _related(finding: Finding, related: Related, id_: str) -> str:
    return (
        f'<div class="note related"><p><a href="#{id_}">{markup(finding.rule)}</a> {markup(related.message)}</p></div>'
    )


def _line(line: str, at: int, marks: list[_Mark], below: list[str] | tuple[()], id_: str) -> str:
    worst = max((_RANK.index(mark.kind) for mark in marks if mark.kind in _RANK), default=-1)
    css = f' class="{_RANK[worst]}"' if worst >= 0 else ""
    code = "".join(_pieces(line[:_WIDEST], at, marks)) or " "
    return f'<li id="line-{id_}-{at}" value="{at}"{css}><code>{code}</code>{"".join(below)}</li>\n'


def _pieces(line: str, at: int, marks: list[_Mark]) -> Iterator[str]:
    """The line with its marks; where marks overlap, the worst is shown."""
    if not marks:  # nearly every line
        if line:
            yield markup(line)
        return
    kinds = [-1] * len(line)
    for mark in marks:
        place = mark.place
        first = place.column - 1 if place.line == at else 0
        last = place.end_column - 1 if place.end_line == at else len(line)
        for index in range(max(0, first), min(max(last, first + 1), len(line))):
            kinds[index] = max(kinds[index], _RANK.index(mark.kind))
    start = 0
    for index in range(1, len(line) + 1):
        if index == len(line) or kinds[index] != kinds[start]:
            piece = markup(line[start:index])
            yield f'<mark class="{_RANK[kinds[start]]}">{piece}</mark>' if kinds[start] >= 0 else piece
            start = index
