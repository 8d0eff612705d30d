"""Applying fixes: those of one rule at a time, looked at before the next, until nothing is left that can be fixed."""

from __future__ import annotations

from itertools import pairwise

from fp8check.rules.edits.expected import Tree, expected
from fp8check.rules.edits.text_edits import Editor, text_edits
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading import Unreadable, read_script
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.repair.together import Planned, apart
from fp8check.rules.trainers.detect import identified, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.edits.fix import Edit, Fix
    from fp8check.rules.edits.text_edit import TextEdit
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.suppression.examined import Examined

    Examine = Callable[[Sequence[Document]], Sequence[Examined]]
    _Mark = tuple[str, str, str, str]  # rule, file, message, and the text that it is about
    _Short = tuple[str, str, str]  # rule, file, message
    _Place = tuple[Span | None, str, tuple[tuple[str, Span | None, str], ...]]  # its place, message and edits

MOST = 100  # times that the files are looked at anew in one go; every real run has under ten fixes
CHARACTERS = 500_000  # that are looked at anew in one go, of the largest file: it bounds the time, whatever it holds
LEAST = 4  # times, also for the largest files


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
    return _Fixing(tuple(documents), examine, unsafe=unsafe).run()


class _Fixing:
    """The files while they are fixed.

    Fixes of one rule are made together, as far as they do not touch each other: it takes as many rounds as rules have
    something to fix, not as there are findings. Where they do not come out as they must, half of them are tried, down
    to a single one.

    It ends where nothing can be fixed any more, and to fix again changes nothing. No fix adds to the errors, and what
    was fixed stays so: of two fixes that undo each other the one that leaves fewer errors is made. Where that is
    neither, the files stay as they were without both.
    """

    def __init__(self, documents: tuple[Document, ...], examine: Examine, *, unsafe: bool) -> None:
        self._examine = examine
        self._unsafe = unsafe
        self._rounds = _rounds(documents)
        self._left = self._rounds
        self._disputed: dict[_Short, Refusal] = {}
        self._made: list[Finding] = []  # before `_start`
        self._settled = False
        self._start = documents, tuple(examine(documents))
        self._begin()

    def _begin(self) -> None:
        self._applied = list(self._made)
        self._refused: dict[_Mark, Refusal] = {}
        self._refused_after = 0  # how many fixes had been made when the first of them was refused
        self._take(*self._start)

    def _take(self, documents: tuple[Document, ...], reports: tuple[Examined, ...]) -> None:
        self._documents = documents
        self._reports = reports
        self._texts = {document.path: document.text for document in documents}

    def run(self) -> Fixed:
        """Fix until nothing is left, or there were too many rounds."""
        while True:
            findings = _fixable(self._reports)
            wanted = [(finding, fix) for finding, fix in findings if self._is_wanted(finding, fix)]
            if self._left <= 0:
                break
            if wanted:
                first = wanted[0][0].rule
                self._make([(finding, fix) for finding, fix in wanted if finding.rule == first])
            elif self._refused and self._refused_after < len(self._applied):
                self._refused, self._refused_after = {}, len(self._applied)  # it may go now
            elif self._disputed and self._applied and not self._settled:
                self._settle()
            else:
                break
        for finding, _ in wanted:
            times = f"the files were looked at {self._rounds} times already"
            self._refuse(finding, Unfixable(f"{times}; run fp8check fix once more"))
        there = _short_marks(self._reports)
        refused = [
            refusal
            for refusal in (*self._refused.values(), *self._disputed.values())
            if _short(refusal.finding) in there
        ]
        left = tuple(finding for finding, fix in findings if not (self._unsafe or fix.safe))
        return Fixed(self._documents, tuple(self._applied), tuple(refused), left, self._reports)

    def _settle(self) -> None:
        """Look once more at fixes that undid each other, as another `fix` would: one of them may have gone since."""
        self._settled = True
        self._made = list(self._applied)
        self._start = self._documents, self._reports
        self._disputed = {}

    def _is_wanted(self, finding: Finding, fix: Fix) -> bool:
        if _short(finding) in self._disputed or self._mark(finding) in self._refused:
            return False
        return self._unsafe or fix.safe

    def _mark(self, finding: Finding) -> _Mark:
        """The same for the same finding after other lines were edited."""
        span = finding.span
        if span is None:
            return finding.rule, "", finding.message, ""
        return finding.rule, span.file, finding.message, self._texts.get(span.file, "")[span.start : span.end]

    def _refuse(self, finding: Finding, reason: Unfixable) -> None:
        if not self._refused:
            self._refused_after = len(self._applied)
        self._refused[self._mark(finding)] = Refusal(finding, str(reason))

    def _make(self, wanted: Sequence[tuple[Finding, Fix]]) -> None:
        """Make fixes of one rule."""
        editor = Editor(self._documents)
        possible: list[Planned] = []
        for finding, fix in wanted:
            try:
                self._check_named(fix)
                possible.append(Planned(finding, fix, editor.edits(fix)))
            except Unfixable as reason:
                self._refuse(finding, reason)
        batch = apart(possible, editor)
        while batch and self._left > 0:
            self._left -= 1
            try:
                self._try(batch)
            except Unfixable as reason:
                if len(batch) == 1:
                    self._refuse(batch[0].finding, reason)
                batch = batch[: len(batch) // 2]
            else:
                return

    def _check_named(self, fix: Fix) -> None:
        for edit in fix.edits:
            if edit.file not in self._texts:
                raise Unfixable(f"name {edit.file or 'its file'} on the command line to have it fixed")

    def _try(self, batch: Sequence[Planned]) -> None:
        """Make these fixes, and keep them if the findings are gone."""
        edits = [edit for planned in batch for edit in planned.fix.edits]
        fixed = _edited(self._documents, edits, [edit for planned in batch for edit in planned.text_edits])
        after = tuple(self._examine(fixed))
        rule = batch[0].finding.rule
        before, now = _found(rule, self._reports), _found(rule, after)
        fewer = len(now) < len(before) if len(batch) == 1 else len({*now}) <= len({*before}) - len(batch)
        if not fewer:
            raise Unfixable("the finding would still be there")
        if _is_undecided(rule, after) and not _is_undecided(rule, self._reports):
            raise Unfixable("whether the finding would be gone then cannot be decided")
        fewer_errors = len(_errors(after)) < len(_errors(self._reports))
        _check_errors(self._reports, after)
        back = self._brought_back(after)
        for finding in back:
            self._disputed[_short(finding)] = Refusal(finding, f"its fix and that of {rule} undo each other")
        if back and not fewer_errors:
            self._begin()
            return
        self._take(fixed, after)
        undone = {id(finding) for finding in back}
        self._applied = [finding for finding in self._applied if id(finding) not in undone]
        self._applied.extend(planned.finding for planned in batch)

    def _brought_back(self, after: Sequence[Examined]) -> list[Finding]:
        """Findings that had been fixed, and would be there again."""
        before, now = _short_marks(self._reports), _short_marks(after)
        return [finding for finding in self._applied if now.get(_short(finding), 0) > before.get(_short(finding), 0)]


def _short(finding: Finding) -> _Short:
    return finding.rule, finding.span.file if finding.span is not None else "", finding.message


def _short_marks(reports: Sequence[Examined]) -> dict[_Short, int]:
    marks: dict[_Short, int] = {}
    for report in reports:
        for finding in report.findings:
            marks[_short(finding)] = marks.get(_short(finding), 0) + 1
    return marks


def _is_undecided(rule: str, reports: Sequence[Examined]) -> bool:
    return any(undecided.rule == rule for report in reports for undecided in report.undecided)


def _errors(reports: Sequence[Examined]) -> list[Finding]:
    return [finding for report in reports for finding in report.findings if finding.severity == "error"]


def _check_errors(before: Sequence[Examined], after: Sequence[Examined]) -> None:
    """Whether there are no more errors than before.

    Raises:
        Unfixable: there are, and which is new.
    """
    old, new = _errors(before), _errors(after)
    if len(new) > len(old):
        known = {_short(finding) for finding in old}
        one = next((finding for finding in new if _short(finding) not in known), new[0])
        raise Unfixable(f"then there would be another error: {one.rule} {one.message}")


def _rounds(documents: Sequence[Document]) -> int:
    largest = max((len(document.text) for document in documents), default=0)
    return max(LEAST, min(MOST, CHARACTERS // max(1, largest)))


def _fixable(reports: Sequence[Examined]) -> list[tuple[Finding, Fix]]:
    """Findings with a fix, each once: several runs may share a file."""
    found: dict[tuple[str, _Place], tuple[Finding, Fix]] = {}
    for report in reports:
        for finding in report.findings:
            if finding.fix is not None:
                found.setdefault((finding.rule, _place(finding)), (finding, finding.fix))
    return list(found.values())


def _found(rule: str, reports: Sequence[Examined]) -> list[_Place]:
    """What the rule says, once for each run that it says it of."""
    return [_place(finding) for report in reports for finding in report.findings if finding.rule == rule]


def _place(finding: Finding) -> _Place:
    """What a finding says and where, and what its fix would edit: one line of a shared file may be a fault of each run,
    and another file the cure of each.
    """
    edits = () if finding.fix is None else tuple((edit.action, edit.place, edit.key) for edit in finding.fix.edits)
    return finding.span, finding.message, edits


def edited(documents: tuple[Document, ...], fix: Fix) -> tuple[Document, ...]:
    """The documents with these edits made, each read again and compared with what its data must be.

    Raises:
        Unfixable: an edit cannot be made, or would change something else as well.
    """
    return _edited(documents, fix.edits, text_edits(fix, documents))


def _edited(
    documents: tuple[Document, ...], edits: Sequence[Edit], text_edits: Sequence[TextEdit]
) -> tuple[Document, ...]:
    by_file: dict[str, tuple[list[Edit], list[TextEdit]]] = {}
    for edit in edits:
        by_file.setdefault(str(edit.file), ([], []))[0].append(edit)
    for text_edit in text_edits:
        by_file[text_edit.file][1].append(text_edit)
    return tuple(
        document if document.path not in by_file else _edited_file(document, *by_file[document.path])
        for document in documents
    )


def _edited_file(document: Document, edits: Sequence[Edit], text_edits: Sequence[TextEdit]) -> Document:
    ordered = sorted(text_edits, key=lambda edit: (edit.start, edit.end))
    if any(one.end > other.start for one, other in pairwise(ordered)):
        raise Unfixable("its edits overlap")
    mark = "\N{BYTE ORDER MARK}" if document.bom else ""
    if document.kind == "script":
        return _edited_script(document, edits, ordered)
    try:
        text = f"{mark}{_replaced(document.text, ordered)}"
        made = read(document.path, text.encode(), loader=document.loader)
    except Unreadable as problem:
        raise Unfixable(f"the file could not be read any more: {problem.message}") from problem
    check_kind(document, made)
    made = made.as_kind(Kind(document.kind, document.dialect, document.loader))
    if Tree(made).data != expected(document, edits):
        raise Unfixable("the edit would change something else as well")
    return made


def check_kind(before: Document, after: Document) -> None:
    """Whether a file that was known by its content still is.

    Raises:
        Unfixable: it would not be.
    """
    known = identified(before).name
    if (
        known == before.kind != identified(after).name and known != "other"
    ):  # else whoever runs it says what the file is
        raise Unfixable(f"the file would not be known for a {before.kind} file any more")


def _edited_script(document: Document, edits: Sequence[Edit], ordered: Sequence[TextEdit]) -> Document:
    """The script with these edits, its syntax tree compared with the one before."""
    from fp8check.rules.edits.python_file import PythonFile, changes_of

    script, text = PythonFile(document), _replaced(document.text, ordered)
    script.check(changes_of(script, edits), text)
    mark = "\N{BYTE ORDER MARK}" if document.bom else ""
    return read_script(document.path, f"{mark}{text}".encode())


def _replaced(text: str, ordered: Sequence[TextEdit]) -> str:
    pieces = []
    end = 0
    for edit in ordered:
        pieces += [text[end : edit.start], edit.text]
        end = edit.end
    return "".join([*pieces, text[end:]])
