"""Suppressions: comments and configuration that say "this finding is known, and why".

    bf16: true  # fp8check: ignore[FP101] the FP8 run is a later experiment
    # fp8check: ignore[FP101, FP205] until=2027-03-31 waiting for transformers 6
    bf16: true
    # fp8check: ignore-file[FP402] small on purpose

A reason has to be there. One that is not well formed suppresses nothing, and is a finding itself.
"""

from __future__ import annotations

from fp8check.rules.reading.source import cut
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Span

_MOST_LINES = 500  # of one command
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
        last: the last line that it is about, where these are several: a command of a shell script.
    """

    rules: tuple[str, ...]
    reason: str
    until: str | None = None
    span: Span | None = None
    line: int | None = None
    files: tuple[str, ...] = ()
    problem: str = ""
    last: int | None = None

    @property
    def where(self) -> str:
        """The place, for people."""
        return str(self.span) if self.span is not None else "the configuration of fp8check"


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
    day = today or _today()
    expired: list[Suppression] = []
    in_force: list[Suppression] = []
    for one in suppressions:
        if one.until is not None and one.until < day:
            expired.append(one)
        elif not one.problem and one.reason:
            in_force.append(one)
    index = _Index(in_force)
    left: list[Finding] = []
    taken: list[Suppressed] = []
    for finding in findings:
        first = index.first(finding)
        if first is None:
            left.append(finding)
        else:
            taken.append(Suppressed(finding, first))
    used = {id(suppressed.suppression) for suppressed in taken}
    unused = tuple(
        one for one in in_force if id(one) not in used and all(name.lower() in decided for name in one.rules)
    )
    return Suppressions(tuple(suppressions), tuple(taken), tuple(left), unused, tuple(expired))


def _today() -> str:
    import datetime

    return datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()


class _Index:
    """Suppressions by the rules that they name, and by where they hold: there may be as many of them as findings."""

    def __init__(self, suppressions: Sequence[Suppression]) -> None:
        self._all = suppressions
        self._of: dict[str, _OfRule] = {}
        for number, one in enumerate(suppressions):
            for name in {name.lower() for name in one.rules}:
                of = self._of.get(name)
                if of is None:
                    of = self._of[name] = _OfRule()
                of.add(number, one)

    def first(self, finding: Finding) -> Suppression | None:
        """The first that names the finding's rule and stands where it holds for the finding."""
        numbers = [
            number
            for name in (finding.rule.lower(), finding.name)
            if (of := self._of.get(name)) is not None and (number := of.first(finding)) is not None
        ]
        return self._all[min(numbers)] if numbers else None


class _OfRule:
    """The suppressions that name one rule, by their number: the first one on each line, of each file, of any file."""

    def __init__(self) -> None:
        self._on_line: dict[tuple[str, int], int] = {}
        self._in_file: dict[str, int] = {}
        self._configured: list[tuple[int, tuple[str, ...]]] = []
        self._by_path: dict[str | None, int | None] = {}  # what the configuration's come to

    def add(self, number: int, one: Suppression) -> None:
        if one.span is None:
            self._configured.append((number, one.files))
        elif one.line is None:
            self._in_file.setdefault(one.span.file, number)
        else:
            for line in range(one.line, min(one.last or one.line, one.line + _MOST_LINES) + 1):
                self._on_line.setdefault((one.span.file, line), number)

    def first(self, finding: Finding) -> int | None:
        span = finding.span
        if span is None:  # what stands in no file is of every file
            numbers = [*self._in_file.values()][:1]
        else:
            there = (self._on_line.get((span.file, span.line)), self._in_file.get(span.file))
            numbers = [number for number in there if number is not None]
        configured = self._of_configuration(None if span is None else span.file)
        return min(numbers if configured is None else [*numbers, configured], default=None)

    def _of_configuration(self, path: str | None) -> int | None:
        if path not in self._by_path:
            self._by_path[path] = next(
                (number for number, files in self._configured if not files or _fits(files, path)), None
            )
        return self._by_path[path]


def _fits(patterns: Sequence[str], path: str | None) -> bool:
    import fnmatch

    return path is not None and any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def parsed(text: str, span: Span, line: int) -> Suppression:
    """What a comment says behind the mark.

    Args:
        line: the one that it is about, unless it is about the whole file.
    """
    word, bracket, rest = text.strip().partition("[")
    listed, closed, reason = rest.partition("]")
    word = word.strip()
    if word not in ("ignore", "ignore-file"):
        return Suppression(
            (), "", span=span, line=line, problem=f"{cut(repr(word or 'nothing'))} is not ignore or ignore-file"
        )
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
    problem = "" if until is None or _is_day(until) else f"until={cut(until)} is no day; write it as until=2027-03-31"
    return Suppression(rules, " ".join(words), until, span, line, files, problem)


def _is_day(text: str) -> bool:
    import datetime

    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
