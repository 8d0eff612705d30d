"""Fingerprints: the same finding keeps its mark when lines move, indentation changes, or the file is renamed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.catalog import Finding
    from fp8check.rules.reading import Document
    from fp8check.rules.report.verdict import Report


def fingerprints(report: Report) -> list[str]:
    """One mark for each finding, in order.

    It is made of the rule, the kind of file, the place in the file's structure and the value there: not of the line,
    the indentation, nor the file's name. Where a finding stands in no file, its message is what tells it from others.
    Equal findings are numbered.
    """
    import hashlib

    documents = {document.path: document for document in report.documents}
    seen: dict[str, int] = {}
    marks: list[str] = []
    for finding in report.findings:
        document = documents.get(finding.span.file) if finding.span is not None else None
        base = "\n".join((finding.rule, *_place(finding, document)))
        seen[base] = seen.get(base, 0) + 1
        marks.append(hashlib.sha256(f"{base}\n{seen[base]}".encode()).hexdigest()[:16])
    return marks


def _place(finding: Finding, document: Document | None) -> tuple[str, ...]:
    if document is None or finding.span is None:
        return ("", finding.message)
    source = document.text[finding.span.start : finding.span.end]
    return (document.kind, pointer(finding, document) or "", "".join(source.split()))


def pointer(finding: Finding, document: Document) -> str | None:
    """The JSON pointer of the entry that a finding stands at; None where it stands at none (a comment, a gap)."""
    span = finding.span
    if span is None or document.root is None:
        return None
    nodes = list(document.root.walk())
    keyed = (node for node in nodes if node.key_span is not None and node.key_span.start == span.start)
    valued = (node for node in nodes if node.span.start == span.start)
    found = next(keyed, None) or next(valued, None)
    return found.pointer if found is not None else None
