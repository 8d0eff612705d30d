"""Source frames: the line of a file with what it is about underlined, and a word on it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.report.style import Style

WIDEST = 160  # columns of a source line that are shown


def frame(finding: Finding, documents: Mapping[str, Document], style: Style) -> Iterator[str]:
    """The lines of a finding below its headline: the source, the places related to it, notes and help."""
    from fp8check.rules.engine.definition import span_of

    related = [(span_of(one.place), one.message) for one in finding.related]
    spans = [span for span in (finding.span, *(span for span, _ in related)) if span is not None]
    width = max((len(str(span.line)) for span in spans), default=1)
    gutter = " " * width + style.faint(" |")
    if finding.span is not None:
        yield gutter
        yield from _source(finding.span, finding.label, "^", documents, width, style)
    here = finding.span.file if finding.span is not None else None
    for span, message in related:
        if span is None:
            yield " " * width + style.faint(" = ") + visible(message)
            continue
        yield gutter
        if span.file != here:
            yield " " * width + style.faint(f" {visible(span.file)}:{span.line}")
            here = span.file
        yield from _source(span, message, "-", documents, width, style)
    if spans and (finding.notes or finding.help):
        yield gutter
    for note in finding.notes:
        yield " " * width + style.faint(" = ") + visible(note)
    if finding.span is None and finding.label:
        yield " " * width + style.faint(" = ") + visible(finding.label)
    if finding.help:
        yield " " * width + style.faint(" = ") + style.good("help: ") + visible(finding.help)


def _source(
    span: Span, label: str, mark: str, documents: Mapping[str, Document], width: int, style: Style
) -> Iterator[str]:
    document = documents.get(span.file)
    line = document.line(span.line) if document is not None else ""
    text = visible(line)[:WIDEST]
    yield f"{span.line:>{width}}{style.faint(' |')} {text}".rstrip()
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    length = max(1, min(end, WIDEST) - start)
    under = mark * length
    paint = style.bad if mark == "^" else style.faint
    yield f"{' ' * width}{style.faint(' |')} {' ' * start}{paint(f'{under} {visible(label)}'.rstrip())}"


def visible(text: str) -> str:
    """The text with control characters replaced, so that a hostile file cannot write to the terminal."""
    if text.isprintable():  # nearly always
        return text
    return "".join(
        char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
