"""Suppressions: comments and configuration that say "this finding is known, and why".

    bf16: true  # fp8check: ignore[FP101] the FP8 run is a later experiment
    # fp8check: ignore[FP101, FP205] until=2027-03-31 waiting for transformers 6
    bf16: true
    # fp8check: ignore-file[FP402] small on purpose

A reason has to be there. One that is not well formed suppresses nothing, and is a finding itself.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document, Span

MARK = "fp8check:"
FORM = "# fp8check: ignore[FP101] the reason"


class Suppression(Record):
    """One suppression.

    Attributes:
        rules: ids or names of rules, as written.
        reason: why; "" where none is given.
        until: the last day on which it holds, YYYY-MM-DD; None where it has no end.
        span: the comment; None where the configuration file has it.
        line: the line whose findings it is about; None for the whole file.
        files: patterns of file names, for one from the configuration.
        problem: what is wrong with how it is written; "" where nothing is.
    """

    rules: tuple[str, ...]
    reason: str
    until: str | None = None
    span: Span | None = None
    line: int | None = None
    files: tuple[str, ...] = ()
    problem: str = ""

    @property
    def where(self) -> str:
        """The place, for people."""
        return str(self.span) if self.span is not None else "the configuration of fp8check"

    def names(self, finding: Finding) -> bool:
        """Whether it names the finding's rule."""
        return any(one.lower() in (finding.rule.lower(), finding.name) for one in self.rules)

    def covers(self, finding: Finding) -> bool:
        """Whether the finding stands where it is about."""
        if self.span is None:
            return not self.files or any(self._fits(pattern, finding) for pattern in self.files)
        if self.line is None:
            return finding.span is None or finding.span.file == self.span.file
        return finding.span is not None and (finding.span.file, finding.span.line) == (self.span.file, self.line)

    @staticmethod
    def _fits(pattern: str, finding: Finding) -> bool:
        import fnmatch

        return finding.span is not None and fnmatch.fnmatch(finding.span.file, pattern)


class Suppressed(Record):
    """A finding that is not reported, and what says so."""

    finding: Finding
    suppression: Suppression


class Suppressions(Record):
    """All suppressions of one run, and what they did.

    Attributes:
        all: in the order of the files, those of the configuration last.
        suppressed: the findings that they took away.
        left: the findings that they did not.
        unused: those in force that suppress nothing, although every rule that they name ran and was decided.
        expired: those whose last day is over.
    """

    all: tuple[Suppression, ...]
    suppressed: tuple[Suppressed, ...]
    left: tuple[Finding, ...]
    unused: tuple[Suppression, ...]
    expired: tuple[Suppression, ...]


def apply(
    suppressions: Sequence[Suppression], findings: Sequence[Finding], decided: Collection[str], today: str | None = None
) -> Suppressions:
    """What these suppressions do to these findings.

    Args:
        decided: ids and names, in lower case, of the rules that ran and came to an answer.
        today: the day that suppressions are held against, YYYY-MM-DD; None for this machine's day (UTC).
    """
    expired = tuple(one for one in suppressions if one.until is not None and one.until < (today or _today()))
    in_force = [one for one in suppressions if not one.problem and one.reason and one not in expired]
    left: list[Finding] = []
    taken: list[Suppressed] = []
    for finding in findings:
        one = next((one for one in in_force if one.names(finding) and one.covers(finding)), None)
        if one is None:
            left.append(finding)
        else:
            taken.append(Suppressed(finding, one))
    used = {id(one.suppression) for one in taken}
    unused = tuple(
        one for one in in_force if id(one) not in used and all(name.lower() in decided for name in one.rules)
    )
    return Suppressions(tuple(suppressions), tuple(taken), tuple(left), unused, expired)


def _today() -> str:
    import datetime

    return datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()


def written(documents: Iterable[Document]) -> Iterator[Suppression]:
    """The suppressions that stand in the comments of these files."""
    for document in documents:
        if MARK in document.text and document.format == "yaml":
            yield from _comments(document)


def _comments(document: Document) -> Iterator[Suppression]:
    from fp8check.rules.reading.source import Source

    source = Source(document.path, document.text)
    texts = [] if document.root is None else [node.span for node in document.root.walk() if node.kind == "scalar"]
    start = document.text.find(MARK)
    while start >= 0:
        begin = _comment_start(document.text, start)
        if begin is not None and not any(span.start <= begin < span.end for span in texts):
            end = _line_end(document.text, start)
            span = source.span(begin, end)
            yield _parse(document.text[start + len(MARK) : end], span, _target(document, span))
        start = document.text.find(MARK, start + len(MARK))


def _comment_start(text: str, mark: int) -> int | None:
    """Where the comment begins that consists of the mark and what follows; None where it is no such comment."""
    before = text[:mark].rstrip(" \t")
    begin = len(before) - 1
    if not before.endswith("#") or (begin > 0 and not text[begin - 1].isspace()):
        return None
    return begin


def _line_end(text: str, start: int) -> int:
    ends = [place for place in (text.find("\n", start), text.find("\r", start)) if place >= 0]
    return min(ends, default=len(text))


def _target(document: Document, span: Span) -> int:
    """The line that a comment is about: its own, or, where it stands alone, the next one that is no comment."""
    if document.line(span.line)[: span.column - 1].strip():
        return span.line
    lines = document.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number in range(span.line + 1, len(lines) + 1):
        line = lines[number - 1].strip()
        if line and not line.startswith("#"):
            return number
    return span.line


def _parse(text: str, span: Span, line: int) -> Suppression:
    word, bracket, rest = text.strip().partition("[")
    listed, closed, reason = rest.partition("]")
    word = word.strip()
    if word not in ("ignore", "ignore-file"):
        return Suppression((), "", span=span, line=line, problem=f"{word or 'nothing'!r} is not ignore or ignore-file")
    rules = tuple(name.strip() for name in listed.split(",") if name.strip())
    if not bracket or not closed or not rules:
        return Suppression((), "", span=span, line=line, problem="the rules are missing, in brackets")
    return suppression(rules, reason, span=span, line=None if word == "ignore-file" else line)


def suppression(
    rules: tuple[str, ...],
    reason: str,
    *,
    span: Span | None = None,
    line: int | None = None,
    files: tuple[str, ...] = (),
    until: str | None = None,
) -> Suppression:
    """A suppression; an `until=` among the words of its reason is taken out of it."""
    words = []
    for word in reason.split():
        if word.startswith("until="):
            until = word.removeprefix("until=").rstrip(",;")
        else:
            words.append(word)
    problem = "" if until is None or _is_day(until) else f"until={until} is no day; write it as until=2027-03-31"
    return Suppression(rules, " ".join(words), until, span, line, files, problem)


def _is_day(text: str) -> bool:
    import datetime

    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
