"""Fingerprints: the same finding in the same file keeps its mark when lines move."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fp8check.rules.report.verdict import Report


def fingerprints(report: Report) -> list[str]:
    """One mark for each finding, in order.

    It is made of the rule, the place in the file's structure and the text there: not of the line, nor of the file's
    folder. Equal findings are numbered.
    """
    import hashlib

    texts = {document.path: document.text for document in report.documents}
    seen: dict[str, int] = {}
    marks: list[str] = []
    for finding in report.findings:
        span = finding.span
        source = texts.get(span.file, "")[span.start : span.end] if span is not None else ""
        name = span.file.rpartition("/")[2] if span is not None else ""
        base = "\n".join((finding.rule, name, finding.pointer or "", " ".join(source.split()), finding.message))
        seen[base] = seen.get(base, 0) + 1
        marks.append(hashlib.sha256(f"{base}\n{seen[base]}".encode()).hexdigest()[:16])
    return marks
