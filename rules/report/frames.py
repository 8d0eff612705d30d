"""Source frames: the line of a file with what it is about underlined, and a word on it."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.report.formats import Sources
    from fp8check.rules.report.schema import Finding, Place
    from fp8check.rules.report.terminal import Style

WIDEST = 160  # columns of a source line that are shown
NOT_QUOTED = "(a file outside of the run's folder is not quoted)"


class Lines:
    """The lines of files, by path: each file is split once, however many frames show a line of it."""

    __slots__ = ("_sources", "_split")

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._split: dict[str, list[str]] = {}

    def has(self, path: str) -> bool:
        """Whether the file may be quoted."""
        return path in self._sources

    def line(self, path: str, number: int) -> str:
        """A line by its number from 1, without its line break; "" where there is no such line."""
        lines = self._split.get(path)
        if lines is None:
            lines = self._split[path] = lines_of(self._sources.get(path, ""))
        return lines[number - 1] if 0 < number <= len(lines) else ""


def frame(finding: Finding, lines: Lines, style: Style) -> Iterator[str]:
    """The lines of a finding below its headline: the source, the places related to it, notes and help."""
    at = place_of(finding)
    related = [(place_of(one), one.message) for one in finding.related]
    places = [place for place in (at, *(place for place, _ in related)) if place is not None]
    width = max((len(str(place.line)) for place in places), default=1)
    gutter = " " * width + style.faint(" |")
    if at is not None:
        yield gutter
        yield from _source(at, finding.label, "^", lines, width, style)
    here = at.file if at is not None else None
    for place, message in related:
        if place is None:
            yield " " * width + style.faint(" = ") + shown(message)
            continue
        yield gutter
        if place.file != here:
            yield " " * width + style.faint(f" {shown(place.file)}:{place.line}")
            here = place.file
        yield from _source(place, message, "-", lines, width, style)
    if places and (finding.notes or finding.help):
        yield gutter
    for note in finding.notes:
        yield " " * width + style.faint(" = ") + shown(note)
    if at is None and finding.label:
        yield " " * width + style.faint(" = ") + shown(finding.label)
    if finding.help:
        yield " " * width + style.faint(" = ") + style.good("help: ") + shown(finding.help)


def _source(place: Place, label: str, mark: str, lines: Lines, width: int, style: Style) -> Iterator[str]:
    if not lines.has(place.file):
        yield f"{place.line:>{width}}{style.faint(' |')} {style.faint(NOT_QUOTED)}"
        yield f"{' ' * width}{style.faint(' |')} {shown(label)}".rstrip()
        return
    line = lines.line(place.file, place.line)
    start, end = place.column - 1, place.end_column - 1 if place.end_line == place.line else len(line)
    # Of a long line a window is shown: a file may be a single line, with thousands of findings.
    first = 0 if start < WIDEST else start - WIDEST // 2
    last = min(end, first + WIDEST)
    lead = "... " if first else ""
    yield f"{place.line:>{width}}{style.faint(' |')} {lead}{shown(line[first : first + WIDEST])}".rstrip()
    before = start - first + _growth(line[first:start])
    length = max(1, last - start + _growth(line[start:last]))
    paint = style.bad if mark == "^" else style.faint
    under = paint(f"{mark * length} {shown(label)}".rstrip())
    yield f"{' ' * width}{style.faint(' |')} {' ' * (len(lead) + before)}{under}"


def _growth(text: str) -> int:
    """How much more room a text takes where some of it is written out."""
    return len(shown(text)) - len(text)


def lines_of(text: str) -> list[str]:
    """The lines of a file, as findings count them; the last is empty where the file ends with a line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
