"""What becomes of one line of a file."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.frames import lines_of
from fp8check.rules.report.masking import masked_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.reading import Document, Node
    from fp8check.rules.report.schema import Origin, Outcome, Overridden, Report, TraceEntry


def concerns(report: Report, document: Document, line: int) -> bool:
    """Whether a line is one of the run's: of a shell script those of its command, and where its words are set."""
    if document.format != "shell" or report.launch is None or report.launch.line <= line <= report.launch.end_line:
        return True
    return bool([*_fate(report.outcome, document.path, line), *_said(report, document.path, line)])


def explain_line(report: Report, document: Document, line: int) -> Iterator[str]:
    """The line, what it decides, what overrides it, and what the rules say of it."""
    yield from map(shown, _explained(report, document, line))


def _explained(report: Report, document: Document, line: int) -> Iterator[str]:
    yield f"{document.path}:{line}  {lines_of(masked_text(document))[line - 1].strip()}"
    node = _node_at(document, line)
    if document.format == "shell":
        told = [*_fate(report.outcome, document.path, line), *_said(report, document.path, line)]
        yield from told or ["  nothing that decides about FP8 stands on this line"]
        return
    if node is None:
        yield "  no setting begins on this line"
        return
    told = [*_fate(report.outcome, document.path, line), *_said(report, document.path, line)]
    yield from told
    if not told:
        yield f"  nothing that decides about FP8 reads {node.pointer.lstrip('/').replace('/', '.') or 'this'}"


def _node_at(document: Document, line: int) -> Node | None:
    if document.root is None:
        return None
    return next(
        (node for node in document.root.walk() if node.key_span is not None and node.key_span.line == line), None
    )


def _fate(outcome: Outcome, path: str, line: int) -> Iterator[str]:
    for one in outcome.trace:
        if _is_at(one.origin, path, line):
            yield f"  decides {one.setting}: {one.value!s}"
            lost = (f"    over {other.value!s} from {other.origin.describe()}" for other in one.overrode)
            yield from dict.fromkeys(lost)
        elif _among(one, path, line):
            yield f"  is overridden: {one.setting} is {one.value!s}, from {one.origin.describe()}"
    error = outcome.error
    if error is not None and any(_is_at(origin, path, line) for origin in error.because):
        yield f"  ends the run: {error.type} ({error.stage}): {error.first_line}"


def _is_at(origin: Origin, path: str, line: int) -> bool:
    return origin.file == path and (origin.key_line or origin.line) == line


def _among(one: TraceEntry | Overridden, path: str, line: int) -> bool:
    return any(_is_at(other.origin, path, line) or _among(other, path, line) for other in one.overrode)


def _said(report: Report, path: str, line: int) -> Iterator[str]:
    for finding in report.findings:
        if (finding.file, finding.line) == (path, line):
            yield f"  {finding.rule} {finding.severity}: {finding.message}"
            if finding.help:
                yield f"    help: {finding.help}"
