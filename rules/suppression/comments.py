"""Suppressions in the comments of files, found in one pass: a file may have one on every line."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from fp8check.rules.reading.shell import Command, ShellScript
from fp8check.rules.reading.source import Source
from fp8check.rules.suppression.examined import MARK
from fp8check.rules.suppression.suppressions import Suppression, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fp8check.rules.reading import Document


def suppressions_in(documents: Iterable[Document]) -> Iterator[Suppression]:
    """The suppressions that stand in the comments of these files."""
    for document in documents:
        if MARK in document.text and document.format in ("yaml", "shell"):
            for number, suppression in enumerate(_of(document)):
                if number == MOST:
                    yield Suppression((), "", span=suppression.span, line=suppression.line, problem=TOO_MANY)
                    break
                yield suppression


def _of(document: Document) -> Iterator[Suppression]:
    if isinstance(document, ShellScript):
        return _of_shell(document)
    return _Comments(document).suppressions()


def _of_shell(script: ShellScript) -> Iterator[Suppression]:
    """Those of a shell script are about a whole command, however many lines it has."""
    place = script.source.place
    commands = [(place(item.start)[0], place(item.end)[0]) for item in script.items if isinstance(item, Command)]
    firsts = [first for first, _ in commands]
    for suppression in _ShellComments(script).suppressions():
        at = bisect_right(firsts, suppression.line) - 1 if suppression.line is not None else -1
        if suppression.line is not None and at >= 0 and suppression.line <= commands[at][1]:
            yield suppression._replace(line=commands[at][0], last=commands[at][1])
        else:
            yield suppression


# Of one file. The largest of 175 public configurations has 90 lines.
MOST = 2_000
TOO_MANY = f"more than {MOST:,} suppressions in a file: neither this one nor those behind it are read"


class _Comments:
    """The comments of one file that carry the mark."""

    def __init__(self, document: Document) -> None:
        self._text = document.text
        self._source = Source(document.path, document.text)
        nodes = () if document.root is None else document.root.walk()
        spans = sorted((node.span.start, node.span.end) for node in nodes if node.kind == "scalar")
        self._scalars = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._next: list[int] = []  # lines with content, for comments that stand alone; made where there is one

    def suppressions(self) -> Iterator[Suppression]:
        """Each with the line that it is about. Of several on one line each ends where the next one begins."""
        found = [*self._marks(), (0, 0, 0)]
        target, before = 0, 0
        for (begin, mark, line), (following, _, next_line) in pairwise(found):
            end = following if next_line == line else self._end_of(line)
            if line != before:
                target, before = self._target(begin, line), line
            yield parsed(self._text[mark + len(MARK) : end], self._source.span(begin, end), target)

    def _marks(self) -> Iterator[tuple[int, int, int]]:
        """Where each comment begins, where its mark does, and on which line."""
        mark = self._text.find(MARK)
        while mark >= 0:
            begin = self._begin_of(mark)
            if begin is not None and not self._is_in_text(begin):
                yield begin, mark, self._source.place(begin)[0]
            mark = self._text.find(MARK, mark + len(MARK))

    def _begin_of(self, mark: int) -> int | None:
        """Where the comment begins that consists of the mark and what follows; None where it is no such comment."""
        before = mark
        while before > 0 and self._text[before - 1] in " \t":
            before -= 1
        begin = before - 1
        if self._text[max(begin, 0) : before] != "#" or (begin > 0 and not self._text[begin - 1].isspace()):
            return None
        return begin

    def _is_in_text(self, offset: int) -> bool:
        at = bisect_right(self._scalars, offset) - 1
        return at >= 0 and offset < self._ends[at]

    def _end_of(self, line: int) -> int:
        """The end of a line, without its line break."""
        end = self._source.start_of(line + 1)
        while end > 0 and self._text[end - 1] in "\r\n":
            end -= 1
        return end

    def _target(self, begin: int, line: int) -> int:
        """The line that a comment is about: its own, or, where it stands alone, the next one that is no comment."""
        if self._text[self._source.start_of(line) : begin].strip():
            return line
        if not self._next:
            self._next = self._contents()
        return self._next[line] or line

    def _contents(self) -> list[int]:
        """By line, the next one with more than a comment; 0 where there is none."""
        last = self._source.place(len(self._text))[0]
        following = [0] * (last + 1)
        for line in range(last, 1, -1):
            content = self._text[self._source.start_of(line) : self._source.start_of(line + 1)].strip()
            following[line - 1] = line if content and not content.startswith("#") else following[line]
        return following


class _ShellComments(_Comments):
    """The reader of the script knows what is a comment, and what is quoted."""

    def __init__(self, script: ShellScript) -> None:
        super().__init__(script)
        self._comments = script.comments

    def _is_in_text(self, offset: int) -> bool:
        at = bisect_right(self._comments, offset) - 1
        return at < 0 or "\n" in self._text[self._comments[at] : offset]
