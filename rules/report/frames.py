"""Source frames: the line of a file with what it is about underlined, and a word on it."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.cells import CUT, cells
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.report.formats import Sources
    from fp8check.rules.report.schema import Finding, Place
    from fp8check.rules.report.terminal import Style

WIDEST = 160  # columns of a source line that are shown
LEAST = 16  # the same, however narrow the terminal is
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
    note = " " * width + style.faint(" = ") + style.hang
    if at is not None:
        yield gutter
        yield from _source(at, finding.label, "^", lines, width, style)
    here = at.file if at is not None else None
    for place, message in related:
        if place is None:
            yield note + shown(message)
            continue
        yield gutter
        if place.file != here:
            yield " " * width + style.faint(f" {style.name(shown(place.file))}:{place.line}")
            here = place.file
        yield from _source(place, message, "-", lines, width, style)
    if places and (finding.notes or finding.help):
        yield gutter
    for one in finding.notes:
        yield note + shown(one)
    if at is None and finding.label:
        yield note + shown(finding.label)
    if finding.help:
        yield note + style.good("help: ") + shown(finding.help)


def _source(place: Place, label: str, mark: str, lines: Lines, width: int, style: Style) -> Iterator[str]:
    gutter = f"{' ' * width}{style.faint(' |')}{style.kept}"
    if not lines.has(place.file):
        yield f"{place.line:>{width}}{style.faint(' |')}{style.kept} {style.faint(NOT_QUOTED)}"
        yield f"{gutter} {shown(label)}".rstrip()
        return
    line = lines.line(place.file, place.line)
    start, end = place.column - 1, place.end_column - 1 if place.end_line == place.line else len(line)
    room = WIDEST if style.width is None else max(min(WIDEST, style.width - width - 3), LEAST)
    quoted, before, length = _window(line, start, end, room)
    yield f"{place.line:>{width}}{style.faint(' |')} {quoted}".rstrip()
    paint = style.bad if mark == "^" else style.faint
    yield f"{gutter} {' ' * before}{paint(f'{mark * length} {style.hang}{shown(label)}'.rstrip())}"


def _window(line: str, start: int, end: int, room: int) -> tuple[str, int, int]:
    """What is shown of a line, which may be a whole file: its text, where the marks below begin, and how many they are.

    Of a line that has not the room, both ends of what is shown are marked where something is left out. What it costs
    grows with the room, not with the line.

    Args:
        start, end: what the marks are below, in characters.
        room: the columns that there are.
    """
    first, last = 0, len(line)
    if last <= room and _takes_its_length(line):
        return line, min(start, last), max(1, min(end, last) - start)
    if last > room or cells(shown(line)) > room:
        inner = room - 2 * len(CUT) - 2
        if start > inner or cells(shown(line[: min(end, inner + 1)])) > inner:
            wanted = min(cells(shown(line[start : min(end, start + inner)])), inner)
            first = _back(line, start, max(inner // 4, inner - wanted) if wanted < inner // 2 else inner // 4)
        last = _on(line, first, inner)
    lead, tail = f"{CUT} " if first else "", f" {CUT}" if last < len(line) else ""
    before = len(lead) + cells(shown(line[first:start]))
    length = max(1, cells(shown(line[start : min(end, last)])))
    return f"{lead}{shown(line[first:last])}{tail}", before, length


def _back(line: str, at: int, room: int) -> int:
    """How far back from there that many columns go, or twice as many characters, some of which take none."""
    if _takes_its_length(line[max(at - room, 0) : at]):
        return max(at - room, 0)
    taken, first = 0, at
    while first and at - first < 2 * room and (taken := taken + cells(shown(line[first - 1]))) <= room:
        first -= 1
    return first


def _on(line: str, at: int, room: int) -> int:
    """How far on from there that many columns go, or four times as many characters, some of which take none."""
    if _takes_its_length(line[at : at + room]):
        return min(at + room, len(line))
    taken, last = 0, at
    while last < len(line) and last - at < 4 * room and (taken := taken + cells(shown(line[last]))) <= room:
        last += 1
    while last > at and cells(shown(line[at:last])) > room:  # "##[" together takes more than apart
        last -= 1
    return last


def _takes_its_length(text: str) -> bool:
    """Whether a text takes as many columns as it has characters; nearly every one does."""
    return text.isascii() and shown(text) == text


def lines_of(text: str) -> list[str]:
    """The lines of a file, as findings count them; the last is empty where the file ends with a line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
