"""Applying fixes: one at a time, each checked before the next, until nothing is left that can be fixed."""

from __future__ import annotations

from itertools import pairwise

from fp8check.rules.edits.expected import Tree, expected
from fp8check.rules.edits.text_edits import text_edits
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.trainers.detect import read, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.edits.text_edits import TextEdit
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document
    from fp8check.rules.suppression.examined import Examined

    Examine = Callable[[Sequence[Document]], Sequence[Examined]]

MOST = 500  # fixes in one go; every real run has under ten


class Refusal(Record):
    """A fix that was not made, and why."""

    finding: Finding
    reason: str


class Fixed(Record):
    """What fixing came to.

    Attributes:
        documents: the files as they are now, in the order in which they were given.
        applied: findings that are gone, in the order in which they were fixed.
        refused: fixes that could not be made.
        unsafe: findings left alone because their fix changes what the run does.
        left: the reports of the files as they are now.
    """

    documents: tuple[Document, ...]
    applied: tuple[Finding, ...]
    refused: tuple[Refusal, ...]
    unsafe: tuple[Finding, ...]
    left: tuple[Examined, ...]


def fix_all(documents: Sequence[Document], examine: Examine, *, unsafe: bool = False) -> Fixed:
    """Fix what can be fixed in these documents.

    Args:
        examine: reports on the runs that the documents make up.
        unsafe: whether to make fixes too that change what the run does.
    """
    current = tuple(documents)
    reports = tuple(examine(current))
    applied: list[Finding] = []
    refused: dict[tuple[str, str, str], Refusal] = {}
    while True:
        findings = _fixable(reports)
        wanted = [(one, fix) for one, fix in findings if (unsafe or fix.safe) and _mark(one) not in refused]
        if not wanted or len(applied) >= MOST:
            left = tuple(one for one, fix in findings if not (unsafe or fix.safe))
            return Fixed(current, tuple(applied), tuple(refused.values()), left, reports)
        finding, fix = wanted[0]
        try:
            fixed = _apply(fix, current)
            after = tuple(examine(fixed))
            _check_gone(finding, reports, after)
        except Unfixable as reason:
            refused[_mark(finding)] = Refusal(finding, str(reason))
        else:
            current, reports = fixed, after
            applied.append(finding)


def _fixable(reports: Sequence[Examined]) -> list[tuple[Finding, Fix]]:
    """Findings with a fix, each once: several runs may share a file."""
    found: dict[tuple[str, str, str], tuple[Finding, Fix]] = {}
    for report in reports:
        for finding in report.findings:
            if finding.fix is not None:
                found.setdefault(_mark(finding), (finding, finding.fix))
    return list(found.values())


def _mark(finding: Finding) -> tuple[str, str, str]:
    return finding.rule, finding.span.file if finding.span is not None else "", finding.message


def _apply(fix: Fix, documents: tuple[Document, ...]) -> tuple[Document, ...]:
    """The documents with one fix made.

    Raises:
        Unfixable: it cannot be made here, or it would do more than it should.
    """
    for edit in fix.edits:
        if edit.file not in [document.path for document in documents]:
            raise Unfixable(f"name {edit.file or 'its file'} on the command line to have it fixed")
    return edited(documents, fix)


def edited(documents: tuple[Document, ...], fix: Fix) -> tuple[Document, ...]:
    """The documents with these edits made, each read again and compared with what its data must be.

    Raises:
        Unfixable: an edit cannot be made, or would change something else as well.
    """
    edits = text_edits(fix, documents)
    return tuple(_edited(one, [edit for edit in edits if edit.file == one.path], fix) for one in documents)


def _edited(document: Document, edits: list[TextEdit], fix: Fix) -> Document:
    if not edits:
        return document
    text = document.text
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
    if any(one.end > other.start for one, other in pairwise(ordered)):
        raise Unfixable("its edits overlap")
    for edit in reversed(ordered):
        text = text[: edit.start] + edit.text + text[edit.end :]
    mark = "\N{BYTE ORDER MARK}" if document.bom else ""
    try:
        made = read(document.path, f"{mark}{text}".encode(), loader=document.loader)
    except Unreadable as problem:
        raise Unfixable(f"the file could not be read any more: {problem.message}") from problem
    if told(document).name == document.kind != told(made).name:  # else whoever runs it says what the file is
        raise Unfixable(f"the file would not be known for a {document.kind} file any more")
    made = made.as_kind(Kind(document.kind, document.dialect, document.loader))
    if Tree(made).data != expected(document, fix.edits):
        raise Unfixable("the edit would change something else as well")
    return made


def _check_gone(finding: Finding, before: Sequence[Examined], after: Sequence[Examined]) -> None:
    if _count(finding, after) >= _count(finding, before):
        raise Unfixable("the finding would still be there")


def _count(finding: Finding, reports: Sequence[Examined]) -> int:
    return sum(one.rule == finding.rule for report in reports for one in report.findings)
