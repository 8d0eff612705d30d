"""Fingerprints: the same finding keeps its mark when lines move, indentation changes, or the file is renamed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document, Node, Span


def fingerprints(
    findings: Iterable[Finding], documents: Iterable[Document], pointers: Pointers | None = None
) -> tuple[str, ...]:
    """One mark for each finding, in order.

    It is made of the rule, the kind of file, the place in the file's structure and the value there: not of the line,
    the indentation, nor the file's name. Where a finding stands in no file, its message is what tells it from others.
    Equal findings are numbered.

    Args:
        documents: the files of the run.
        pointers: pointers of these documents that are known already.
    """
    import hashlib

    pointers = pointers or Pointers()
    by_path = {document.path: document for document in documents}
    # Thousands of findings may stand at one place, which may be long: it is looked at once.
    places: dict[tuple[str, int, int], tuple[str, ...]] = {}
    begun: dict[tuple[str, tuple[str, ...]], hashlib._Hash] = {}
    numbers: dict[tuple[str, tuple[str, ...]], int] = {}
    marks: list[str] = []
    for finding in findings:
        span = finding.span
        document = by_path.get(span.file) if span is not None else None
        if span is None or document is None:
            place: tuple[str, ...] = ("", finding.message)
        else:
            at = (span.file, span.start, span.end)
            if at not in places:
                places[at] = _place(finding, span, document, pointers)
            place = places[at]
        key = (finding.rule, place)
        if key not in begun:
            begun[key] = hashlib.sha256("\n".join((finding.rule, *place)).encode("utf-8", "surrogatepass"))
        numbers[key] = numbers.get(key, 0) + 1
        whole = begun[key].copy()
        whole.update(f"\n{numbers[key]}".encode())
        marks.append(whole.hexdigest()[:16])
    return tuple(marks)


def _place(finding: Finding, span: Span, document: Document, pointers: Pointers) -> tuple[str, ...]:
    source = document.text[span.start : span.end]
    return (document.kind, pointers.of(finding, document) or "", "".join(source.split()))


class Pointers:
    """JSON pointers of the entries that findings stand at; a document is walked once, however many findings it has."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[dict[int, str], dict[int, str]]] = {}

    def of(self, finding: Finding, document: Document) -> str | None:
        """The pointer of the entry that a finding stands at; None where it stands at none (a comment, a gap)."""
        if finding.span is None or document.root is None:
            return None
        known = self._known.get(document.path)
        if known is None:
            known = self._known[document.path] = _starts(document.root)
        keyed, valued = known
        return keyed.get(finding.span.start, valued.get(finding.span.start))


def _starts(root: Node) -> tuple[dict[int, str], dict[int, str]]:
    """Pointers by where the key begins, and by where the value does; the first that begins there."""
    keyed: dict[int, str] = {}
    valued: dict[int, str] = {}
    for node in root.walk():
        if node.key_span is not None:
            keyed.setdefault(node.key_span.start, node.pointer)
        valued.setdefault(node.span.start, node.pointer)
    return keyed, valued
