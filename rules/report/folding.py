r"""Lines as wide as a terminal: what is longer is folded between words, and nothing of it is lost.

How a line may be folded its renderer says with the marks of terminal.py. No text of others has them, for
`plain_text.shown` writes them out. A name of a file is never cut, however long it is: people copy it. Any other word
that is longer than a line is. A credential may be such a word: who folds a text has masked it, for nobody would know
its shape afterwards.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain

from fp8check.rules.plain_text import OWN
from fp8check.rules.report.cells import cells
from fp8check.rules.report.terminal import COMMAND, HANG, JOINED, KEPT, RESET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    _Part = tuple[str, str, str, str]  # what paints, a mark, spaces, a text: one of them is there

NARROWEST = 24  # columns: what is narrower is taken for as wide
_ROOM = 48  # columns that are to be left behind HANG, where a line has so many
_LABEL = 36  # the same, of a word on a source line: where there are fewer, it stands further left
_MARKS = f"{KEPT}{HANG}{COMMAND}"
_WITHOUT = str.maketrans({KEPT: None, HANG: None, COMMAND: None, JOINED: " "})
_WITHOUT_MARKS = str.maketrans(dict.fromkeys(_MARKS))
_PAINT = re.compile(OWN)
_PARTS = re.compile(rf"({OWN})|([{_MARKS}])|( +)|([^ \x1b{_MARKS}]+|\x1b)")
_CUT_BEHIND = ",;:=|}_-"  # where a long word is cut rather than anywhere
_ENDINGS = (
    *(".yaml", ".yml", ".json", ".jsonc", ".json5", ".toml", ".py", ".sh", ".bash", ".sbatch", ".slurm", ".txt", ".md"),
    *(".ipynb", ".j2", ".cfg", ".html", ".sarif", ".xml"),
)
_BEHIND_A_NAME = ".,;:)]'\"`0123456789"  # as in "(train.yaml:31:1):"


def folded(text: str, width: int | None) -> str:
    """The lines of a text, none wider than `width` columns but for names of files; all as they are without a width."""
    if width is None:
        return text
    width = max(width, NARROWEST)
    return "\n".join(chain.from_iterable(_lines(line, width) for line in text.split("\n")))


def is_path(word: str) -> bool:
    """Whether a word is, or has in it, what may be the name of a file, with a place in it or without."""
    return "/" in word or word.rstrip(_BEHIND_A_NAME).endswith(_ENDINGS) or word.endswith(_ENDINGS)


@lru_cache(maxsize=512)  # of ten thousand findings most say the same below their first line
def _lines(line: str, width: int) -> Sequence[str]:
    if (len(line) > width or not line.isascii()) and _columns(line) > width:
        return _Folded(width, line).lines
    return (line.translate(_WITHOUT),)


def _columns(line: str) -> int:
    return cells(_PAINT.sub("", line.translate(_WITHOUT)))


class _Word:
    """What stands between two places at which a line may be folded.

    It is no Record, which takes twice as long to make: a report of ten thousand findings has half a million words.

    Attributes:
        gap: the spaces before it.
        pieces: its texts, and the sequences that paint them.
        columns: those that it takes.
        hangs: whether HANG stands before it.
        in_command: whether a shell reads it.
    """

    __slots__ = ("columns", "gap", "hangs", "in_command", "pieces")

    def __init__(self, gap: int, pieces: Sequence[str], columns: int, *, hangs: bool, in_command: bool) -> None:
        self.gap = gap
        self.pieces = pieces
        self.columns = columns
        self.hangs = hangs
        self.in_command = in_command

    @property
    def text(self) -> str:
        """It, without paint."""
        return "".join(piece for piece in self.pieces if not piece.startswith("\x1b"))

    @property
    def is_whole(self) -> bool:
        """Whether it is never cut; a text in quotes is no name because there is one in it."""
        return is_path(self.text) and not (self.in_command and " " in self.text)


class _Quotes:
    """Where in a command one is: a space within quotes, or behind a backslash, is none at which a shell parts words."""

    def __init__(self) -> None:
        self.open = ""
        self._escaped = False

    @property
    def closed(self) -> bool:
        """Whether a space parts words here."""
        return not self.open and not self._escaped

    def read(self, char: str) -> None:
        """A character further."""
        if self._escaped:
            self._escaped = False
        elif char == "\\":
            self._escaped = self.open != "'"
        elif char == self.open:
            self.open = ""
        elif char in "'\"" and not self.open:
            self.open = char

    def read_all(self, text: str) -> None:
        """A text further."""
        for char in text:
            self.read(char)

    @property
    def is_escaped(self) -> bool:
        """Whether a backslash stands right before."""
        return self._escaped


class _Reader:
    """The parts of a line, read one after the other: what stands before KEPT, and the words behind it."""

    def __init__(self, line: str) -> None:
        before, _, rest = line.rpartition(KEPT)
        self.kept = before.translate(_WITHOUT_MARKS)
        self.words: list[_Word] = []
        quotes = _Quotes() if COMMAND in before else None
        parts: list[_Part] = _PARTS.findall(rest)
        pieces: list[str] = []
        gap, columns, hangs = 0, 0, False
        for paint, mark, space, text in parts:
            if mark == COMMAND:
                quotes = _Quotes()
            elif mark:
                hangs = True
            elif space and (quotes is None or quotes.closed):
                if pieces:
                    self.words.append(_Word(gap, pieces, columns, hangs=hangs, in_command=quotes is not None))
                    pieces, gap, columns, hangs = [], 0, 0, False
                gap += len(space)
            else:
                shown = space or text.replace(JOINED, " ")
                pieces.append(paint or shown)
                columns += cells(shown)
                if quotes is not None:
                    quotes.read_all(shown)
        self.words.append(_Word(gap, pieces, columns, hangs=hangs, in_command=quotes is not None))


class _Folded:
    """One line that is folded; `lines` has what became of it."""

    def __init__(self, width: int, text: str) -> None:
        self.lines: list[str] = []
        self._width = width
        line = _Reader(text)
        self._kept, words = line.kept, line.words
        self._left = _columns(self._kept)
        self._hang, self._is_below = self._hang_of(words)
        self._paint = ""  # what has begun, and not ended
        self._begin(self._left)
        if not self._kept and words[0].gap > width // 2:  # it stands below a column that is far to the right
            first = words[0]
            words[0] = _Word(width // 2, first.pieces, first.columns, hangs=first.hangs, in_command=first.in_command)
        for word, following in zip(words, [*words[1:], None], strict=True):
            self._place(word, is_last=following is None)
        self._end()

    def _hang_of(self, words: list[_Word]) -> tuple[int, bool]:
        """The column at which further lines begin, and whether what should have hung further right begins one."""
        indent = words[0].gap
        column = self._left
        for word in words:
            column += word.gap
            if word.hangs:
                room = _LABEL if self._kept else _ROOM
                if self._width - column >= min(room, self._width // 2 if self._kept else self._width * 5 // 8):
                    return column, False
                if self._kept:
                    return max(self._left + 1, min(self._left + indent, self._width - room)), True
                return min(indent + 4, self._width // 2), True
            column += word.columns
        return min(self._left + indent + 2, self._width // 2), False

    def _begin(self, column: int) -> None:
        self._out = [self._kept, " " * (column - self._left), self._paint]
        self._start = self._column = column

    def _end(self, mark: str = "") -> None:
        line = "".join(self._out)
        self.lines.append((line.rstrip(" ") if not mark else line) + mark + (RESET if self._paint else ""))

    def _place(self, word: _Word, *, is_last: bool) -> None:
        room = self._width - (2 if word.in_command and not is_last else 0)
        below = word.hangs and self._is_below
        if self._column > self._start and (below or self._column + word.gap + word.columns > room):
            # The shell reads on behind a backslash; what stands before a command is none of it.
            self._end(" \\" if word.in_command and not word.hangs else "")
            self._begin(self._hang)
        else:
            self._out.append(" " * word.gap)
            self._column += word.gap
        if self._column + word.columns <= room or word.is_whole:
            self._put(word)
        elif word.in_command:
            self._cut_command(word, self._width - 2)
        else:
            self._cut(word)

    def _put(self, word: _Word) -> None:
        for piece in word.pieces:
            self._add(piece)
        self._column += word.columns

    def _add(self, piece: str) -> None:
        self._out.append(piece)
        if piece.startswith("\x1b["):
            self._paint = "" if piece == RESET else piece

    def _cut(self, word: _Word) -> None:
        """Put a word that is wider than a line."""
        for piece in word.pieces:
            if piece.startswith("\x1b"):
                self._add(piece)
                continue
            start, column, good = 0, self._column, 0
            for at, char in enumerate(piece):
                column += cells(char)
                if column > self._width and at > start:
                    fits = good > start and self._hang + cells(piece[good : at + 1]) <= self._width
                    end = good if fits else at
                    self._out.append(piece[start:end])
                    self._end()
                    self._begin(self._hang)
                    column = self._hang + cells(piece[end : at + 1])
                    start = end
                if char in _CUT_BEHIND:
                    good = at + 1
            self._out.append(piece[start:])
            self._column = column

    def _cut_command(self, word: _Word, room: int) -> None:
        """Put a word that is wider than a line so that a shell reads it as one."""
        quotes = _Quotes()
        for char in word.text:
            size = cells(char)
            if self._column + size > room and not quotes.is_escaped:
                self._end("'\\" if quotes.open == "'" else "\\")
                self._begin(0)
                if quotes.open == "'":
                    self._out.append("'")
                    self._column = 1
            self._out.append(char)
            self._column += size
            quotes.read(char)
