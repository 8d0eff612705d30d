"""What becomes of one line of a file."""

from __future__ import annotations

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import shown
from fp8check.rules.record import Record
from fp8check.rules.report.frames import lines_of
from fp8check.rules.report.masking import masked_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.reading import Document
    from fp8check.rules.report.schema import Origin, Outcome, Overridden, Report, TraceEntry

SHOWN = 3  # values that change something
_DECIDES, _ENDS = "  decides ", "  ends the run: "
_DECIDING = (_DECIDES, _ENDS)


class Effect(Record):
    """One other value of a line.

    Attributes:
        tried: what was written instead.
        changes: what is another thing then; "" where nothing is.
    """

    tried: str
    changes: str


class Tries(Record):
    """What was tried of a line (rules/checking/trying.py).

    Attributes:
        effects: each value, in the order in which they were tried.
        why_not: why nothing was, or not everything; "" where all was, and where nothing stands there.
        hiding: rules whose errors may hide what a value changes.
    """

    effects: tuple[Effect, ...]
    why_not: str = ""
    hiding: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Effect, ...]:
        """The values that change something."""
        return tuple(effect for effect in self.effects if effect.changes)


def concerns(report: Report, document: Document, line: int) -> bool:
    """Whether a line is one of the run's: of a shell script those of its command, and where its words are set."""
    if document.format != "shell" or report.launch is None or report.launch.line <= line <= report.launch.end_line:
        return True
    return bool([*_fate(report.outcome, document.path, line), *_said(report, document.path, line)])


def explain_line(report: Report, document: Document, line: int, tries: Tries | None = None) -> Iterator[str]:
    """The line, what it decides, what overrides it, what the rules say of it, and what other values would change.

    Args:
        tries: what was tried of the line; None where nothing was, and then nothing is called without effect.
    """
    # A message has the start of a long value alone, which is not what was masked as a whole.
    yield from (shown(masked_shapes(one)) for one in _explained(report, document, line, tries))


def known_of_line(report: Report, document: Document, line: int) -> list[str]:
    """As `explain_line`, as far as it is known without trying; nothing where that is nothing."""
    if not any((*_fate(report.outcome, document.path, line), *_said(report, document.path, line))):
        return []
    return [*explain_line(report, document, line)]


def is_to_be_tried(report: Report, document: Document, line: int) -> bool:
    """Whether only other values can tell what a line is good for: nothing that decides comes from there."""
    return not any(text.startswith(_DECIDING) for text in _fate(report.outcome, document.path, line))


def _explained(report: Report, document: Document, line: int, tries: Tries | None) -> Iterator[str]:
    yield f"{document.path}:{line}  {lines_of(masked_text(document))[line - 1].strip()}"
    told = [*_fate(report.outcome, document.path, line), *_said(report, document.path, line)]
    yield from told
    if tries is not None and tries.effects and (tries.changes or not tries.why_not):
        yield from _tried(tries, is_told=bool(told))
    elif not told:
        unknown = "" if tries is None else tries.why_not
        yield f"  not known: {unknown}" if unknown else "  no setting stands on this line"


def _tried(tries: Tries, *, is_told: bool) -> Iterator[str]:
    """What was changed by other values; that nothing was, where nothing else is known of the line."""
    for effect in tries.changes[:SHOWN]:
        yield f"  matters: {effect.tried} -> {effect.changes}"
    if len(tries.changes) > SHOWN:
        yield f"    and {len(tries.changes) - SHOWN} more of {len(tries.effects)} values that were tried"
    if not tries.changes and not is_told:
        values = [effect.tried for effect in tries.effects]
        yield f"  changes nothing here; tried: {', '.join(values)}"
        if tries.hiding:
            yield f"    as far as can be seen: {', '.join(tries.hiding)} may hide more"


def _fate(outcome: Outcome, path: str, line: int) -> Iterator[str]:
    for entry in outcome.trace:
        if _is_at(entry.origin, path, line):
            yield f"{_DECIDES}{entry.setting}: {entry.value!s}"
            lost = (f"    over {other.value!s} from {other.origin.describe()}" for other in entry.overrode)
            yield from dict.fromkeys(lost)
        elif _among(entry, path, line):
            yield f"  is overridden: {entry.setting} is {entry.value!s}, from {entry.origin.describe()}"
    error = outcome.error
    if error is not None and any(_is_at(origin, path, line) for origin in error.because):
        yield f"{_ENDS}{error.type} ({error.stage}): {error.first_line}"


def _is_at(origin: Origin, path: str, line: int) -> bool:
    return origin.file == path and (origin.key_line or origin.line) == line


def _among(entry: TraceEntry | Overridden, path: str, line: int) -> bool:
    return any(_is_at(other.origin, path, line) or _among(other, path, line) for other in entry.overrode)


def _said(report: Report, path: str, line: int) -> Iterator[str]:
    for finding in report.findings:
        if (finding.file, finding.line) == (path, line):
            yield f"  {finding.rule} {finding.severity}: {finding.message}"
            if finding.help:
                yield f"    help: {finding.help}"
