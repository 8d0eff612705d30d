"""A line of a shell script that starts a training: its words, its variables and its folder, each with its place."""

from __future__ import annotations

import os

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.settings.values import Origin

_FAR = 80  # characters from a flag to its value: with more between them they are not written together


class Place(Record):
    """A word of a line, or a variable that it gets, and where that stands.

    Attributes:
        why: why it is not known; "" where it is.
        may_be_many: whether it may be several words, or none.
    """

    text: str
    span: Span
    why: str = ""
    may_be_many: bool = False


class Changed:
    """The files that a script writes or changes, in the order in which it does.

    Attributes:
        count: how many there are so far.
    """

    __slots__ = ("_lines", "count")

    def __init__(self) -> None:
        self._lines: dict[str, tuple[int, int]] = {}
        self.count = 0

    def add(self, name: str, line: int) -> None:
        """One more, by a command in that line."""
        self._lines.setdefault(name, (self.count, line))
        self.count = len(self._lines)

    def line_of(self, name: str, count: int) -> int | None:
        """The line that was the first to change a file, among so many changes; None where none did."""
        at, line = self._lines.get(name, (count, 0))
        return line if at < count else None


class Line(Record):
    """A command that seems to start a training.

    Attributes:
        variables: the environment variables that the script sets for it, by name.
        unset: those that the script takes away.
        folder: where the script has gone by then, from where it started; None where that is not known.
        span: the command in the script.
        where: the places of its flags, by their names and what they are set to.
        lost: that folder as it is written, where it is not known: `${WORK}`.
        changed: the files that the script has written or changed by then, the first so many of these: by their names
            from where it started.
        sourced: what may have set any variable by then, and cannot be read: "env.sh (read in line 3)"; "" for nothing.
        unread: it starts a shell script that is there, and that nobody could read.
    """

    words: tuple[Place, ...]
    variables: Mapping[str, Place]
    unset: tuple[str, ...]
    folder: str | None
    span: Span
    where: Mapping[tuple[str, str | None], Span]
    lost: Place | None = None
    changed: tuple[Changed, int] | None = None
    sourced: str = ""
    unread: bool = False

    @classmethod
    def at(cls, span: Span) -> Line:
        """A place of the script where no command could be read."""
        return cls((), {}, (), "", span, {})

    def with_words(self, words: Sequence[Place]) -> Line:
        """The same command with other words at the same places."""
        return self._replace(words=tuple(words), where=where_of(words))

    def why(self, text: str) -> str:
        """Why a word is not known, in parentheses; "" where the line does not have it, or it is known."""
        return next(
            (f" ({word.why}: line {word.span.line})" for word in self.words if word.text == text and word.why), ""
        )

    def changed_by(self, name: str) -> int | None:
        """The line of the script that has written or changed a file by then; None where none has."""
        changed, count = self.changed or (None, 0)
        return None if changed is None else changed.line_of(os.path.normpath(name), count)

    def place_of(self, origin: Origin) -> Span | None:
        """Where a flag or a variable stands that a setting comes from; None where this line does not have it."""
        if origin.variable is not None:
            place = self.variables.get(origin.variable)
            return None if place is None else place.span
        if origin.flag is None:
            return None
        name, value = _name_and_value(*origin.flag.split(" ", 1))
        return self.where.get((name, value)) or self.where.get((name, None))


def where_of(words: Sequence[Place]) -> dict[tuple[str, str | None], Span]:
    """The places of flags, by what they are set to, and by their names alone; the last of several counts."""
    found: dict[tuple[str, str | None], Span] = {}
    for word, following in zip(words, [*words[1:], None], strict=False):
        name, value = _name_and_value(word.text, None if following is None else following.text)
        found[name, None] = word.span
        if value is not None:
            found[name, value] = (
                word.span if following is None or "=" in word.text else _flag_and_value(word, following)
            )
    return found


def _name_and_value(word: str, following: str | None = None) -> tuple[str, str | None]:
    """The name of a flag as all launchers read it, and what it is set to."""
    name, equals, value = word.partition("=")
    return name.lstrip("-").replace("-", "_"), value if equals else following


def _flag_and_value(flag: Place, value: Place) -> Span:
    """A flag with its value; the value alone where that stands elsewhere."""
    from fp8check.rules.reading import Span

    one, other = flag.span, value.span
    if not 0 <= other.start - one.end <= _FAR:
        return other
    return Span(one.file, one.line, one.column, other.end_line, other.end_column, one.start, other.end)
