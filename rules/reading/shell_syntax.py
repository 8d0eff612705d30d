"""bytes -> ShellScript: what POSIX shells and bash take for commands, blocks, comments and here-documents.

It reads each character once, and understands what a launch depends on; of the rest it keeps the place. A script that a
shell refuses may be read here: the shell says so itself.
"""

from __future__ import annotations

import re

from fp8check.rules.reading.shell import (
    MAX_NESTED,
    Arithmetic,
    Assignment,
    Branch,
    Command,
    Enter,
    Heredoc,
    Leave,
    Piece,
    ShellScript,
    Then,
    Word,
)
from fp8check.rules.reading.shell_words import ENDS, NeverClosed, WordReader, placeholder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.shell import BlockKind, Item
    from fp8check.rules.reading.source import Source

_BLANKS = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_GAP = re.compile(r"(?:[ \t\r\n]|\\\n|#[^\n]*)+")
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]\n]*\])?(\+?)=")
_REDIRECTED = re.compile(r"&>>?|<<<|<<-|<[<>&]?|>[>&|]?")
_DECLARING = frozenset(("declare", "export", "local", "readonly", "typeset"))
# What closes a block, by the word that does.
_CLOSING: dict[str, tuple[BlockKind, ...]] = {"fi": ("if",), "done": ("loop",), "esac": ("case",), "}": ("group",)}


def read(source: Source) -> ShellScript:
    """The script of a source.

    Raises:
        Unreadable: it is binary, or has more words, or deeper blocks, than any script.
    """
    binary = source.text.find("\0")
    if binary >= 0:
        raise source.error(binary, "control character U+0000", "this is a binary file", "encoding")
    return _Reader(source).read()


class _Frame:
    """A block that is open: its beginning, and the index of that among the items."""

    __slots__ = ("enter", "expects", "index", "kind")

    def __init__(self, enter: Enter, index: int, expects: str) -> None:
        self.kind = enter.kind
        self.enter = enter
        self.index = index
        self.expects = expects  # of a function its body; of `case` a pattern

    def join(self) -> None:
        """It has another `&&` or `||`."""
        self.enter = self.enter._replace(sign="")


class _Opened:
    """A here-document whose text follows.

    Attributes:
        index: that of its command among the items.
        indented: whether tabs before its lines go.
        is_literal: whether variables in it stay as they are.
    """

    __slots__ = ("delimiter", "indented", "index", "is_literal")

    def __init__(self, delimiter: str, index: int, *, indented: bool, is_literal: bool) -> None:
        self.delimiter = delimiter
        self.index = index
        self.indented = indented
        self.is_literal = is_literal


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._words_of = WordReader(source)
        self._at = 0
        self._items: list[Item] = []
        self._comments: list[int] = []
        self._frames: list[_Frame] = []
        self._heredocs: list[_Opened] = []
        self._assignments: list[Assignment] = []
        self._arrays: list[Assignment] = []
        self._words: list[Word] = []
        self._in_pipe = False
        self._negated = self._falls = False
        self._fed: Word | None = None
        self._written: Word | None = None

    def read(self) -> ShellScript:
        stopped: NeverClosed | None = None
        try:
            while self._at < len(self._text):
                self._step()
            self._end_list()
        except NeverClosed as reason:  # a shell has run what stands before it, too
            stopped = reason
        while self._frames:
            self._leave()
        return ShellScript(self._source, self._items, self._comments, stopped)

    def _step(self) -> None:
        blanks = _BLANKS.match(self._text, self._at)
        if blanks is not None:
            self._at = blanks.end()
            return
        sign = self._text[self._at]
        if sign == "\n":
            self._end_line()
        elif sign == "#":
            self._comment()
        elif self._frames and self._frames[-1].expects == "pattern":
            self._pattern()
        elif sign in ";&|":
            self._operator(sign)
        elif sign in "<>":
            self._redirection()
        elif sign == "(":
            self._open()
        elif sign == ")":
            self._at += 1
            self._end_list()
            self._close(("subshell",))
        else:
            self._word()

    # Lists of commands

    def _end_command(self, *, piped: bool = False) -> None:
        """A command ends here."""
        if self._words or self._assignments:
            parts: list[Assignment | Word] = [*self._assignments, *self._words]  # in their order
            last = max([parts[-1].end, *(assignment.end for assignment in self._arrays)])
            self._items.append(
                Command(
                    tuple(self._assignments),
                    tuple(self._words),
                    tuple(self._arrays),
                    None,
                    piped or self._in_pipe,
                    parts[0].start,
                    last,
                    self._negated,
                    self._fed,
                    self._written,
                )
            )
        self._assignments, self._arrays, self._words = [], [], []
        self._negated, self._fed, self._written = False, None, None
        self._in_pipe = piped

    def _end_list(self) -> None:
        """A list of commands ends: what stands behind `&&` and `||` ends with it."""
        self._end_command()
        while self._frames and self._frames[-1].kind == "and":
            self._leave()

    def _end_line(self) -> None:
        self._at += 1
        if not self._in_pipe or self._words:  # behind `|` the next line goes on
            if self._is_open_and():
                self._end_command()
            else:
                self._end_list()
        for one in self._heredocs:
            self._read_heredoc(one)
        self._heredocs = []

    def _is_open_and(self) -> bool:
        """Whether `&&` or `||` was the last thing before a line break: the next line goes on."""
        last = self._items[-1] if self._items else None
        return not self._words and not self._assignments and isinstance(last, Enter) and last.kind == "and"

    def _comment(self) -> None:
        self._comments.append(self._at)
        end = self._text.find("\n", self._at)
        self._at = end if end >= 0 else len(self._text)

    def _operator(self, sign: str) -> None:
        text = self._text
        double = text.startswith(sign * 2, self._at)
        if text.startswith("&>", self._at):
            self._redirection()
            return
        if sign == ";" and double:
            self._end_list()
            self._falls = text.startswith(";;&", self._at)
            self._at += 3 if self._falls else 2
            self._next_pattern()
            return
        if sign == ";" and text.startswith(";&", self._at):
            self._end_list()
            self._falls = True
            self._at += 2
            self._next_pattern()
            return
        self._at += 2 if double or text.startswith("|&", self._at) else 1
        if double:
            is_choice = sign == "|" or self._is_test()
            self._end_command()
            if self._frames and self._frames[-1].kind == "and":
                self._frames[-1].join()
            elif is_choice:
                self._enter("and", sign=sign * 2)
        elif sign == "|":
            self._end_command(piped=True)
        else:
            self._end_list()

    def _is_test(self) -> bool:
        """Whether a command tells yes or no: what follows it behind `&&` is a choice, and no next step."""
        tests = ("[", "[[", "test", "grep", "command", "which", "type", "false")
        return not self._words or self._words[0].bare in tests

    # Blocks

    def _enter(
        self,
        kind: BlockKind,
        name: str = "",
        words: tuple[Word, ...] | None = None,
        expects: str = "",
        sign: str = "",
    ) -> None:
        if len(self._frames) >= MAX_NESTED:
            raise self._source.error(self._at, f"blocks nest deeper than {MAX_NESTED}")
        entered = Enter(kind, name, words, self._at, -1, sign)
        self._frames.append(_Frame(entered, len(self._items), expects))
        self._items.append(entered)

    def _leave(self) -> None:
        frame = self._frames.pop()
        self._items[frame.index] = frame.enter._replace(leave=len(self._items))
        self._items.append(Leave(frame.kind, frame.index))
        if self._frames and self._frames[-1].kind == "function" and self._frames[-1].expects == "body":
            self._leave()

    def _close(self, kinds: tuple[BlockKind, ...]) -> bool:
        """Close the innermost block of these kinds, and what was left open in it; False where none is open."""
        if not any(frame.kind in kinds for frame in self._frames):
            return False
        while self._frames[-1].kind not in kinds:
            self._leave()
        self._leave()
        return True

    def _next_pattern(self) -> None:
        for frame in reversed(self._frames):
            if frame.kind == "case":
                frame.expects = "pattern"
                return

    def _pattern(self) -> None:
        """The patterns of a branch of `case`, up to their parenthesis; or the end of all branches."""
        text, frame = self._text, self._frames[-1]
        if text.startswith("esac", self._at) and (text[self._at + 4 : self._at + 5] or " ") in ENDS:
            self._at += 4
            self._close(("case",))
            return
        if text[self._at] == "(":
            self._at += 1
        patterns = self._words_to_parenthesis()
        self._at += 1
        frame.expects = ""
        self._items.append(Branch(self._at, tuple(patterns), falls=self._falls))
        self._falls = False

    def _open(self) -> None:
        """`(`: a block of its own, arithmetic, the sign of a function, or a part of a word that bash alone knows."""
        text = self._text
        if not self._words and not self._assignments:
            if text.startswith("((", self._at):
                end = self._words_of.closed(self._at + 1, ")")
                self._items.append(Arithmetic(text[self._at + 2 : end - 2], self._at))
                self._at = end
            else:
                self._at += 1
                self._enter("subshell")
            return
        gap = _BLANKS.match(text, self._at + 1)
        closing = gap.end() if gap is not None else self._at + 1
        if len(self._words) == 1 and text.startswith(")", closing) and self._words[0].bare is not None:
            name = self._words[0].bare
            self._words = []
            self._at = closing + 1
            self._enter("function", name, expects="body")
        else:
            self._at = self._words_of.closed(self._at + 1, ")")

    # Words

    def _word(self) -> None:
        begin = self._at
        word = self._words_of.word(begin)
        self._at = word.end
        bare = word.bare
        if bare is not None and bare.isdigit() and self._text[word.end : word.end + 1] in ("<", ">"):
            return  # the number of what is redirected
        if not self._words and self._assigns(word):
            return
        if not self._words and not self._assignments and bare is not None and self._reserved(bare):
            return
        if self._words and self._words[0].bare in _DECLARING and self._array(word):
            return
        self._words.append(word)

    def _words_to_parenthesis(self) -> list[Word]:
        """The words up to the next `)`, over blanks, line breaks and whatever else ends a word."""
        text, words = self._text, []
        while self._at < len(text) and text[self._at] != ")":
            gap = _GAP.match(text, self._at)
            if gap is not None:
                self._at = gap.end()
            elif text[self._at] in ENDS:
                self._at += 1
            else:
                words.append(self._words_of.word(self._at))
                self._at = words[-1].end
        return words

    def _assigns(self, word: Word) -> bool:
        """NAME=value in front of a command."""
        found = _ASSIGNED.match(self._text, word.start)
        if found is None or found.end() > word.end:
            return False
        if self._array(word):
            return True
        name, element, append = found.groups()
        value = Word(_behind(word, found.end()), found.end(), word.end)
        made = Assignment(name, value, None, bool(append), element is not None, word.start, word.end)
        self._assignments.append(made)
        return True

    def _array(self, word: Word) -> bool:
        """NAME=(items), of which the word is what stands before the parenthesis."""
        text, found = self._text, _ASSIGNED.match(self._text, word.start)
        if found is None or found.end() != word.end or not text.startswith("(", word.end):
            return False
        self._at = word.end + 1
        items = self._words_to_parenthesis()
        if self._at >= len(text):
            raise NeverClosed(self._source, word.end, "what is opened here is never closed by )")
        self._at += 1
        name, element, append = found.groups()
        made = Assignment(name, None, tuple(items), bool(append), element is not None, word.start, self._at)
        (self._arrays if self._words else self._assignments).append(made)
        return True

    def _reserved(self, bare: str) -> bool:
        """A word that begins, parts or ends a block; whether it is one here."""
        if bare in ("if", "while", "until"):
            self._enter("if" if bare == "if" else "loop", sign="until" if bare == "until" else "")
        elif bare in ("then", "do"):
            self._items.append(Then(self._at))
        elif bare == "!":
            self._negated = not self._negated
        elif bare == "coproc":
            pass
        elif bare in ("else", "elif"):
            self._next_branch(is_last=bare == "else")
        elif bare in _CLOSING:
            return self._close(_CLOSING[bare])
        elif bare == "{":
            self._enter("group")
        elif bare in ("for", "select"):
            self._for()
        elif bare == "case":
            self._case()
        elif bare == "function":
            self._function()
        elif bare == "[[":
            self._double_bracket()
        else:
            return False
        return True

    def _next_branch(self, *, is_last: bool) -> None:
        if self._frames and self._frames[-1].kind == "if":
            self._items.append(Branch(self._at, is_last=is_last))

    def _skip_gap(self) -> None:
        gap = _GAP.match(self._text, self._at)
        if gap is not None:
            self._at = gap.end()

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self._text, self._at)
        if blanks is not None:
            self._at = blanks.end()

    def _for(self) -> None:
        self._skip_blanks()
        if self._text.startswith("((", self._at):
            begin = self._at
            self._at = self._words_of.closed(begin + 1, ")")
            self._enter("loop")
            self._items.append(Arithmetic(self._text[begin + 2 : self._at - 2], begin))
            return
        name = self._words_of.word(self._at)
        self._at = name.end
        self._skip_gap()
        words: list[Word] | None = None
        following = self._words_of.word(self._at)
        if following.bare == "in":
            self._at = following.end
            words = self._rest_of_line()
        self._enter("loop", name.bare or "", None if words is None else tuple(words))

    def _rest_of_line(self) -> list[Word]:
        """The words up to `;` or the end of the line."""
        words: list[Word] = []
        while True:
            self._skip_blanks()
            if self._at >= len(self._text) or self._text[self._at] in ENDS:
                return words
            words.append(self._words_of.word(self._at))
            self._at = words[-1].end

    def _case(self) -> None:
        self._skip_blanks()
        of = self._words_of.word(self._at)
        self._at = of.end
        self._skip_gap()
        following = self._words_of.word(self._at)
        if following.bare == "in":
            self._at = following.end
            self._enter("case", words=(of,), expects="pattern")

    def _function(self) -> None:
        self._skip_blanks()
        name = self._words_of.word(self._at)
        self._at = name.end
        self._skip_blanks()
        if self._text.startswith("()", self._at):
            self._at += 2
        self._enter("function", name.bare or "", expects="body")

    def _double_bracket(self) -> None:
        """[[ ... ]], in which operators are words: of one without any but `==` and its like the words are kept."""
        begin = self._at - 2
        words: list[Word] = []
        is_simple = True
        while self._at < len(self._text):
            self._skip_gap()
            if self._text.startswith("]]", self._at):
                self._at += 2
                break
            if self._at < len(self._text):
                word = self._words_of.word(self._at)
                is_simple = is_simple and word.end > self._at
                words.append(word)
                self._at = max(word.end, self._at + 1)
        sign = Piece("text", "[[", begin, begin + 2, quoted=False)
        self._words += [Word((sign,), begin, begin + 2 if is_simple else self._at), *(words if is_simple else ())]

    # Redirections

    def _redirection(self) -> None:
        text = self._text
        if placeholder(text, self._at):
            self._word()
            return
        if text.startswith(("<(", ">("), self._at):  # bash: the name of what a command writes or reads
            self._stream()
            return
        found = _REDIRECTED.match(text, self._at)
        sign = "" if found is None else found.group()
        self._at += len(sign)
        self._skip_blanks()
        if text.startswith(("<(", ">("), self._at):
            self._at = self._words_of.closed(self._at + 2, ")")
            return
        target = self._words_of.word(self._at)
        self._at = target.end
        if sign == "<<<":
            self._fed = target
        elif sign in (">", ">>", ">|") and not self._is_numbered(found.start() if found is not None else 0):
            self._written = target
        if sign in ("<<", "<<-"):
            delimiter = "".join(piece.text for piece in target.pieces)
            is_literal = any(piece.quoted for piece in target.pieces)
            self._heredocs.append(_Opened(delimiter, len(self._items), indented=sign == "<<-", is_literal=is_literal))

    def _stream(self) -> None:
        """<(cat accel.yaml): one word, or the end of one: --config=<(cat accel.yaml)."""
        begin = self._at
        end = self._at = self._words_of.closed(begin + 2, ")")
        inside = self._text[begin + 2 : end - 1]
        piece = Piece("stream", inside, begin, end, inner=begin + 2, quoted=True)
        if self._words and self._words[-1].end == begin:
            glued = self._words.pop()
            self._words.append(Word((*glued.pieces, piece), glued.start, end))
        else:
            self._words.append(Word((piece,), begin, end))

    def _is_numbered(self, at: int) -> bool:
        """Whether what is redirected there is another stream than the one that is printed to: 2> log."""
        return (
            self._text[at - 1 : at].isdigit()
            and self._text[at - 2 : at - 1] in (" ", "\t")
            and self._text[at - 1] != "1"
        )

    def _read_heredoc(self, opened: _Opened) -> None:
        """Go behind the line that ends a here-document; where there is none, it goes on to the end."""
        text, begin = self._text, self._at
        until = len(text)
        while self._at < len(text):
            end = text.find("\n", self._at)
            end = len(text) if end < 0 else end
            line = text[self._at : end].rstrip("\r")
            before, self._at = self._at, min(end + 1, len(text))
            if (line.lstrip("\t") if opened.indented else line) == opened.delimiter:
                until = before
                break
        command = self._items[opened.index] if opened.index < len(self._items) else None
        if isinstance(command, Command):
            heredoc = Heredoc(begin, until, opened.is_literal)
            self._items[opened.index] = command._replace(heredoc=heredoc)


def _behind(word: Word, offset: int) -> tuple[Piece, ...]:
    """The pieces of a word from an offset on, which stands in a piece as it is written, or between two."""
    pieces: list[Piece] = []
    for piece in word.pieces:
        if piece.start >= offset:
            pieces.append(piece)
        elif piece.end > offset:
            pieces.append(Piece("text", piece.text[offset - piece.end :], offset, piece.end, quoted=False))
    return tuple(pieces)
