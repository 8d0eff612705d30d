"""What becomes of one line of a file."""

from __future__ import annotations

from fp8check.rules.report.frames import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Document, Node
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.suppression.examined import Examined


def explain_line(report: Examined, document: Document, line: int) -> Iterator[str]:
    """The line, what it decides, what overrides it, and what the rules say of it."""
    yield f"{document.path}:{line}  {visible(document.line(line).strip())}"
    node = _node_at(document, line)
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
    for name, setting in outcome.settings():
        if _is_at(setting, path, line):
            yield f"  decides {name}: {visible(str(setting.value))}"
            lost = (f"    over {visible(str(one.value))} from {one.origin.describe()}" for one in setting.overrode)
            yield from dict.fromkeys(lost)
        elif _among(setting, path, line):
            yield f"  is overridden: {name} is {visible(str(setting.value))}, from {setting.origin.describe()}"
    error = outcome.error
    if error is not None and any(_is_at(setting, path, line) for setting in error.because):
        yield f"  ends the run: {error.type} ({error.stage}): {visible(error.first_line)}"


def _is_at(setting: Setting, path: str, line: int) -> bool:
    span = setting.origin.key_span or setting.origin.span
    return span is not None and span.file == path and span.line == line


def _among(setting: Setting, path: str, line: int) -> bool:
    return any(_is_at(other, path, line) or _among(other, path, line) for other in setting.overrode)


def _said(report: Examined, path: str, line: int) -> Iterator[str]:
    for finding in report.findings:
        if finding.span is not None and finding.span.file == path and finding.span.line == line:
            yield f"  {finding.rule} {finding.severity}: {visible(finding.message)}"
            if finding.help:
                yield f"    help: {visible(finding.help)}"
