"""The words of a shell script: quotes, escapes, variables, and what their brackets hold."""

from __future__ import annotations

import re

from fp8check.rules.reading.nodes import Unreadable
from fp8check.rules.reading.shell import MAX_WORDS, Piece, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.source import Source

# What ends a word that is not quoted.
ENDS = frozenset(" \t\r\n;&|()<>")
# Runs of characters that mean nothing by themselves.
_PLAIN = re.compile(r"[^ \t\r\n;&|()<>\\'\"$`]+")
_PLAIN_QUOTED = re.compile(r"[^\\\"$`]+")
_PLAIN_NESTED = re.compile(r"[^\\'\"$`(){}#]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}
_SPECIAL = frozenset("0123456789@*#?$!-")
_DEEPEST = 100


# What documentation writes in the place of a value: <your model>. To a shell it would be a redirection.
_PLACEHOLDER = re.compile(r"<[A-Za-z][^<>\n;|&()]{0,60}>|\{[A-Za-z]\w*(?: \w+){1,8}\}|\{\{-? ?[\w.]+ ?-?\}\}")


class NeverClosed(Unreadable):
    """A quote or bracket is opened and never closed: a shell stops there, too."""

    def __init__(self, source: Source, offset: int, what: str) -> None:
        line, column = source.place(offset)
        super().__init__(source.path, what, line, column, offset=offset)


def placeholder(text: str, at: int) -> int:
    """Behind the placeholder that begins at an offset; 0 where none does."""
    found = _PLACEHOLDER.match(text, at) if text.startswith(("<", "{"), at) else None
    return 0 if found is None else found.end()


class WordReader:
    """Reads words at offsets of one text, each character once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._count = 0

    def word(self, at: int) -> Word:
        """The word that begins at an offset."""
        pieces: list[Piece] = []
        begin, text, size = at, self._text, len(self._text)
        while at < size:
            behind = placeholder(text, at)
            if behind:
                pieces.append(Piece("text", text[at:behind], at, behind, quoted=True))
                at = behind
            elif text[at] in ENDS:
                break
            else:
                at = self._piece(at, size, pieces, quoted=False)
        return Word(self._counted(pieces), begin, at)

    def within(self, start: int, end: int, *, quoted: bool, keeps: bool = False) -> Word:
        """All between two offsets as one word, spaces with it: what stands behind `${NAME:-`.

        Args:
            keeps: whether quotes in it are characters like others, as in a here-document.
        """
        pieces: list[Piece] = []
        at = start
        while at < end:
            if not quoted and self._text[at] in ENDS:
                pieces.append(Piece("text", self._text[at], at, at + 1, quoted=False))
                at += 1
            elif quoted and self._text[at] == '"':
                if keeps:
                    pieces.append(Piece("text", '"', at, at + 1, quoted=True))
                at += 1
            else:
                at = self._piece(at, end, pieces, quoted=quoted)
        return Word(self._counted(pieces), start, end)

    def closed(self, at: int, bracket: str, *, quoted: bool = False) -> int:
        """Behind the bracket that closes what was opened before an offset, whatever is quoted or nested between.

        Args:
            quoted: whether all of it stands between double quotes: single ones mean nothing then.
        """
        text, size, opened = self._text, len(self._text), at
        stack = [bracket]
        while stack:
            run = _PLAIN_NESTED.match(text, at)
            at = run.end() if run is not None else at
            if at >= size or len(stack) > _DEEPEST:
                raise NeverClosed(self._source, max(opened - 1, 0), f"what is opened here is never closed by {bracket}")
            at = self._nested(at, stack, quoted=quoted)
        return at

    def _nested(self, at: int, stack: list[str], *, quoted: bool) -> int:
        """One character that may open or close something; where reading goes on."""
        text, sign, top = self._text, self._text[at], stack[-1]
        if sign == "\\":
            return at + 2
        if sign == top:
            stack.pop()
        elif sign == "`" or (sign == '"' and top != '"'):
            stack.append(sign)
        elif sign == "$" and text[at + 1 : at + 2] in ("(", "{") and top != "`":
            stack.append(")" if text[at + 1] == "(" else "}")
            return at + 2
        elif top == ")" and sign == "(":
            stack.append(")")
        elif top == ")" and sign == "#" and text[at - 1] in " \t\n;(":
            end = text.find("\n", at)
            return len(text) if end < 0 else end
        elif sign == "'" and top in (")", "}") and not _is_quoted(stack, quoted=quoted):
            return self._closing_quote(at) + 1
        return at + 1

    def _counted(self, pieces: list[Piece]) -> list[Piece]:
        self._count += 1 + len(pieces)
        if self._count > 2 * MAX_WORDS:
            where = pieces[0].start if pieces else 0
            raise self._source.error(where, f"more than {MAX_WORDS:,} words: this is no script that starts a training")
        return pieces

    def _piece(self, at: int, limit: int, pieces: list[Piece], *, quoted: bool) -> int:
        text, sign = self._text, self._text[at]
        if sign == "$":
            return self._dollar(at, pieces, quoted=quoted)
        if sign == "`":
            return self._backquoted(at, pieces, quoted=quoted)
        if sign == '"' and not quoted:
            return self._double(at + 1, at, pieces)
        if sign == "'" and not quoted:
            end = self._closing_quote(at)
            pieces.append(Piece("text", text[at + 1 : end], at, end + 1, quoted=True))
            return end + 1
        if sign == "\\":
            return self._escaped(at, limit, pieces, quoted=quoted)
        run = (_PLAIN_QUOTED if quoted else _PLAIN).match(text, at, limit)
        end = run.end() if run is not None else at + 1
        brace = -1 if quoted else text.find("{", at + 1, end)
        if brace > 0 and placeholder(text, brace):
            end = brace
        pieces.append(Piece("text", text[at:end], at, end, quoted=quoted))
        return end

    def _closing_quote(self, at: int) -> int:
        end = self._text.find("'", at + 1)
        if end < 0:
            raise NeverClosed(self._source, at, "this quote is never closed")
        return end

    def _escaped(self, at: int, limit: int, pieces: list[Piece], *, quoted: bool) -> int:
        """A backslash and what it takes its meaning from; with a line break it is nothing."""
        text = self._text
        if text.startswith(("\\\n", "\\\r\n"), at):
            return text.index("\n", at) + 1
        if at + 1 >= limit:
            pieces.append(Piece("text", "\\", at, at + 1, quoted=True))
            return at + 1
        kept = "\\" if quoted and text[at + 1] not in '$`"\\' else ""
        pieces.append(Piece("text", kept + text[at + 1], at, at + 2, quoted=True))
        return at + 2

    def _double(self, at: int, opened: int, pieces: list[Piece]) -> int:
        """What stands between double quotes: spaces belong to it, variables count."""
        text, size, before = self._text, len(self._text), len(pieces)
        while at < size and text[at] != '"':
            at = self._piece(at, size, pieces, quoted=True)
        if at >= size:
            raise NeverClosed(self._source, opened, "this quote is never closed")
        if len(pieces) == before:
            pieces.append(Piece("text", "", opened, at + 1, quoted=True))
        return at + 1

    def _backquoted(self, at: int, pieces: list[Piece], *, quoted: bool) -> int:
        end = self.closed(at + 1, "`")
        pieces.append(Piece("output", self._text[at + 1 : end - 1], at, end, inner=at + 1, quoted=quoted))
        return end

    def _dollar(self, at: int, pieces: list[Piece], *, quoted: bool) -> int:
        text, following = self._text, self._text[at + 1 : at + 2]
        if following == "(":
            end = self.closed(at + 2, ")")
            if text.startswith("((", at + 1) and text[end - 2] == ")":
                pieces.append(Piece("number", text[at + 3 : end - 2], at, end, inner=at + 3, quoted=quoted))
            else:
                pieces.append(Piece("output", text[at + 2 : end - 1], at, end, inner=at + 2, quoted=quoted))
            return end
        if following == "{":
            end = self.closed(at + 2, "}", quoted=quoted)
            pieces.append(Piece("variable", text[at + 2 : end - 1], at, end, inner=at + 2, quoted=quoted))
            return end
        if following == '"' and not quoted:
            return self._double(at + 2, at + 1, pieces)
        if following == "'" and not quoted:
            return self._ansi(at, pieces)
        name = _NAME.match(text, at + 1)
        end = name.end() if name is not None else at + 2 if following and following in _SPECIAL else at + 1
        kind, said = ("text", "$") if end == at + 1 else ("variable", text[at + 1 : end])
        pieces.append(Piece("variable" if kind == "variable" else "text", said, at, end, inner=at + 1, quoted=quoted))
        return end

    def _ansi(self, at: int, pieces: list[Piece]) -> int:
        """$'...', in which backslashes mean what they mean in C."""
        text, said, begin = self._text, [], at
        at += 2
        while at < len(text) and text[at] != "'":
            if text[at] == "\\" and at + 1 < len(text):
                said.append(_ESCAPES.get(text[at + 1], text[at + 1]))
                at += 2
            else:
                said.append(text[at])
                at += 1
        if at >= len(text):
            raise NeverClosed(self._source, begin, "this quote is never closed")
        pieces.append(Piece("text", "".join(said), begin, at + 1, quoted=True))
        return at + 1


def _is_quoted(stack: list[str], *, quoted: bool) -> bool:
    """Whether what stands in these brackets stands between double quotes, as the innermost of other kinds tells."""
    return next((bracket == '"' for bracket in reversed(stack) if bracket != "}"), quoted)
