"""A shell script taken apart: its commands in their order, each word with its place. Nothing of it is run.

What a command gets of the variables is told in rules/settings/shell.py.
"""

from __future__ import annotations

from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.nodes import Document
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any, Literal, TypeAlias, TypeVar

    from fp8check.rules.reading.nodes import Unreadable
    from fp8check.rules.reading.source import Source

    Found = TypeVar("Found")
    # A text, `$NAME` or `${NAME...}`, `$(...)` or what stands between backquotes, `$((...))`, and `<(...)` or `>(...)`.
    PieceKind = Literal["text", "variable", "output", "number", "stream"]
    BlockKind = Literal["if", "case", "loop", "and", "subshell", "group", "function"]
    Item: TypeAlias = "Command | Arithmetic | Enter | Then | Branch | Leave"

# Words of one script, and how deep its blocks nest: the largest of 700 public ones has 6,000 words.
MAX_WORDS = 50_000
MAX_NESTED = 32


class Piece:
    """A stretch of a word.

    Attributes:
        text: what a text says, without its quotes and escapes; of the others what stands behind the `$`, without the
            braces or parentheses around it.
        start, end: where it stands, with the signs around it: character offsets.
        inner: where `text` begins, for what is no text.
        quoted: whether it stands between quotes: its spaces then part no words.
    """

    __slots__ = ("end", "inner", "kind", "quoted", "start", "text")

    def __init__(self, kind: PieceKind, text: str, start: int, end: int, *, inner: int = 0, quoted: bool) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end
        self.inner = inner
        self.quoted = quoted


class Word:
    """One word, from its first to behind its last character: character offsets."""

    __slots__ = ("end", "pieces", "start")

    def __init__(self, pieces: Sequence[Piece], start: int, end: int) -> None:
        self.pieces = pieces
        self.start = start
        self.end = end

    @property
    def literal(self) -> str | None:
        """What it says, where no variable is in it; else None."""
        if any(piece.kind != "text" for piece in self.pieces):
            return None
        return "".join(piece.text for piece in self.pieces)

    @property
    def bare(self) -> str | None:
        """What it says, where nothing of it is quoted or a variable; else None: so a reserved word is written."""
        if len(self.pieces) == 1 and self.pieces[0].kind == "text" and not self.pieces[0].quoted:
            return self.pieces[0].text
        return None


class Assignment(Record):
    """`NAME=value`, `NAME+=value`, `NAME=(items)`.

    Attributes:
        value: the word behind the sign; of an array None.
        items: the words of an array.
        element: whether one element of an array is set: NAME[0]=value.
    """

    name: str
    value: Word | None
    items: tuple[Word, ...] | None
    append: bool
    element: bool
    start: int
    end: int


class Heredoc(Record):
    """The text of a here-document.

    Attributes:
        is_literal: whether variables in it stay as they are: <<'EOF'.
    """

    start: int
    end: int
    is_literal: bool


class Command(Record):
    """A simple command: what is set in front of it, and its words. Redirections are left out.

    Attributes:
        arrays: arrays among its words, as `declare -a NAME=(items)` has them.
        heredoc: its last here-document; None where it has none.
        in_pipe: whether it stands in a pipe: what it sets, is set in a shell of its own.
        start, end: character offsets, from the first word or assignment to behind the last.
        negated: whether `!` stands in front of it.
        fed: the word behind `<<<`.
        written: the file behind `>` or `>>` that gets what it prints.
    """

    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    arrays: tuple[Assignment, ...]
    heredoc: Heredoc | None
    in_pipe: bool
    start: int
    end: int
    negated: bool = False
    fed: Word | None = None
    written: Word | None = None


class Arithmetic(Record):
    """`((...))`, which may set variables."""

    text: str
    start: int


class Enter(Record):
    """A block begins.

    Attributes:
        name: the variable of a loop, the name of a function; "" where there is none.
        words: what the loop's variable runs over, what `case` looks at; None where that does not stand there.
        leave: the index of its end among the items.
        sign: `&&` or `||` where that is the only one of the block; `until` of a loop; else "".
    """

    kind: BlockKind
    name: str
    words: tuple[Word, ...] | None
    start: int
    leave: int
    sign: str = ""


class Then(Record):
    """What hangs on the commands before it begins: `then`, `do`."""

    start: int


class Branch(Record):
    """Another branch of the block begins: `else`, `elif`, or the next pattern of `case`.

    Attributes:
        patterns: those of `case`; None of the others.
        is_last: whether it is taken where no other is: `else`.
        falls: whether the branch before it goes on here: `;&`.
    """

    start: int
    patterns: tuple[Word, ...] | None = None
    is_last: bool = False
    falls: bool = False


class Leave(Record):
    """A block ends."""

    kind: BlockKind
    enter: int


class ShellScript(Document):
    """A shell script as it was read.

    Attributes:
        source: its text and the table of its lines.
        items: commands, and where blocks begin and end, in the order of the text.
        comments: where each comment begins.
        stopped: why reading ends before the end of the text, as a shell's does: a quote is never closed.
    """

    __slots__ = ("_worked_out", "comments", "items", "source", "stopped")

    def __init__(
        self, source: Source, items: Sequence[Item], comments: Sequence[int], stopped: Unreadable | None = None
    ) -> None:
        super().__init__(source.path, source.text, "shell", None, loader="shell", bom=source.bom, kind=Kind("shell"))
        self.source = source
        self.items = tuple(items)
        self.comments = tuple(comments)
        self.stopped = stopped
        self._worked_out: dict[Hashable, Any] = {}

    def once(self, asked: Hashable, work_out: Callable[[], Found]) -> Found:
        """What is worked out of the script for whoever asks so: a plan asks eight times, and it does not change."""
        if asked not in self._worked_out:
            self._worked_out[asked] = work_out()
        found: Found = self._worked_out[asked]
        return found

    def directives(self, mark: str) -> list[tuple[str, int]]:
        """What stands behind a mark such as `#SBATCH`, with where, in the comments before the first command."""
        found = []
        first = next((item.start for item in self.items if isinstance(item, (Command, Enter))), len(self.text))
        for start in self.comments:
            if start > first:
                break
            if self.text.startswith(mark, start) and self.source.place(start)[1] == 1:
                end = self.text.find("\n", start)
                line = self.text[start + len(mark) : end if end >= 0 else len(self.text)]
                found.append((line.rstrip("\r"), start + len(mark)))
        return found
