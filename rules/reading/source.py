"""From a path to text: which files are opened at all, how they are decoded, where their lines begin."""

from __future__ import annotations

from bisect import bisect_right

from fp8check.rules.reading import files
from fp8check.rules.reading.limits import MAX_BYTES
from fp8check.rules.reading.nodes import Span, Unreadable

# What YAML 1.1 (and PyYAML) does not call printable; JSON allows less. Decoded text has no surrogates. Written as what
# is forbidden, this compiles in a tenth of a millisecond; as what is allowed, it takes five.
UNPRINTABLE = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]|\ufffe|\uffff"
# The line breaks of editors and of compilers. YAML 1.1 also breaks at NEL, LS and PS; no line number that a person
# can use counts those.
_LINE_BREAK = "\r\n|\r|\n"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading.nodes import Reason

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF8_MARK = b"\xef\xbb\xbf"


class Source:
    """The decoded text of one file, and its line table."""

    __slots__ = ("_starts", "bom", "path", "text")

    def __init__(self, path: str, text: str, *, bom: bool = False) -> None:
        self.path = path
        self.text = text
        self.bom = bom
        self._starts = line_starts(text)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of a character offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def start_of(self, line: int) -> int:
        """The character offset at which a line begins, counted from 1; the end of the text behind the last line."""
        return self._starts[line - 1] if line <= len(self._starts) else len(self.text)

    def offset_of(self, line: int, column: int) -> int:
        """The character offset of a line and a column in bytes of UTF-8, as Python's syntax trees count."""
        start = self.start_of(line)
        if self.text.isascii():
            return start + column
        return start + len(self.text[start : start + column].encode()[:column].decode(errors="ignore"))

    def span(self, start: int, end: int) -> Span:
        """The span from `start` up to, not including, `end` (character offsets)."""
        starts = self._starts
        line = bisect_right(starts, start)
        begin = starts[line - 1]
        if start <= end and (line == len(starts) or end < starts[line]):  # on one line, as nearly all
            return Span(self.path, line, start - begin + 1, line, end - begin + 1, start, end)
        end_line, end_column = self.place(end)
        return Span(self.path, line, start - begin + 1, end_line, end_column, start, end)

    def error(self, offset: int, message: str, hint: str = "", reason: Reason = "content") -> Unreadable:
        """The error to raise for a fault at a character offset."""
        offset = min(offset, len(self.text))
        line, column = self.place(offset)
        return Unreadable(self.path, message, line, column, offset=offset, hint=hint, reason=reason)


def line_starts(text: str) -> list[int]:
    """The offset at which each line begins."""
    if "\r" in text:
        import re  # few files have it

        return [0, *(found.end() for found in re.finditer(_LINE_BREAK, text))]
    starts = [0]
    at = -1
    for line in text.split("\n"):
        at += len(line) + 1
        starts.append(at + 1)
    starts.pop()  # behind the last line no other begins
    return starts


def load(path: str, data: bytes | None) -> Source:
    """The text of the file at `path`, or of `data` where the caller has read it.

    Raises Unreadable for what is missing, no regular file, too large, no UTF-8 text, or holds control characters.
    """
    if data is None:
        data = files.read(path, MAX_BYTES)
    elif len(data) > MAX_BYTES:
        raise files.too_large(path, MAX_BYTES)
    return decode(path, data)


def decode(path: str, raw: bytes) -> Source:
    """The text of these bytes. The tools open their files as UTF-8, whatever the machine's locale says."""
    if raw.startswith(UTF16_MARKS):
        raise Unreadable(path, "the file is UTF-16, not UTF-8", 1, 1, hint="save the file as UTF-8", reason="encoding")
    bom = raw.startswith(UTF8_MARK)
    body = raw[len(UTF8_MARK) :] if bom else raw
    if body.startswith(UTF8_MARK) and bom:
        hint = "remove one: the tools take the second for a part of what follows"
        raise Unreadable(path, "the file begins with two byte-order marks", 1, 1, hint=hint, reason="encoding")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = Source(path, body[: error.start].decode("utf-8"))
        shown = f"byte 0x{body[error.start]:02x} is not UTF-8"
        raise before.error(len(before.text), shown, "save the file as UTF-8", "encoding") from error
    return Source(path, text, bom=bom)


def check_printable(source: Source) -> None:
    """Raises Unreadable at the first character that YAML does not allow in a file."""
    # Nearly every file: nothing has to be compiled.
    if source.text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
        return
    import re

    bad = re.compile(UNPRINTABLE).search(source.text)
    if bad is not None:
        hint = "this is a binary file" if bad.group() == "\0" else "remove the character"
        raise source.error(bad.start(), f"control character U+{ord(bad.group()):04X}", hint, "encoding")


def cut(text: str) -> str:
    """A piece of a file, short enough for a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."
