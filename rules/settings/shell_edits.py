"""The launch lines of a shell script as words, and its text when some of these are other ones.

What is changed is only what stands there as it is: a word that a variable brings is changed where that is set, and one
that nobody knows before the script runs is left alone. Afterwards the script is read again: its lines are the same but
for the change.
"""

from __future__ import annotations

from itertools import pairwise

from fp8check.rules.edits.action import GONE
from fp8check.rules.edits.python_text import behind_break, line_end, line_start
from fp8check.rules.edits.text_edit import TextEdit
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading.shell import Command
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.reading.shell import ShellScript
    from fp8check.rules.settings.shell_lines import Line, Place

    Lines = Callable[[ShellScript], Sequence[Line]]
    Changes = Mapping[str, object]

MOST_WORDS = 500  # of a line that is changed
MOST_LINES = 200
_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./=:,@%+-")
_DECLARING = ("export", "declare", "typeset", "local", "readonly")


class Hunk(Record):
    """Words of a line, from `first` to before `last`, and what takes their place."""

    first: int
    last: int
    words: tuple[str, ...]


def hunks(before: Sequence[str], after: Sequence[str]) -> tuple[Hunk, ...]:
    """What makes other words of a line, as little as that takes.

    Raises:
        Unfixable: there are more words than anybody writes.
    """
    if max(len(before), len(after)) > MOST_WORDS:
        raise Unfixable(f"the line has more than {MOST_WORDS} words")
    from difflib import SequenceMatcher

    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return tuple(Hunk(one, two, tuple(after[three:four])) for tag, one, two, three, four in codes if tag != "equal")


def with_hunks(words: Sequence[str], made: Sequence[Hunk]) -> list[str]:
    """The words of a line with these changes."""
    found = list(words)
    for hunk in reversed(made):
        found[hunk.first : hunk.last] = hunk.words
    return found


class ShellFile:
    """One script, while it is edited.

    Changes are said by the number of a line: all of its words, under "3", and under "3 NAME" what a variable is that
    the script sets for it, or GONE.
    """

    def __init__(self, script: ShellScript, lines: Lines) -> None:
        self.path = script.path
        self.text = script.text
        self.bom = script.bom
        self._script = script
        self._read = lines
        self.lines = tuple(lines(script))
        if len(self.lines) > MOST_LINES:
            raise Unfixable(f"the script has more than {MOST_LINES} lines that start a program")
        self._having: dict[Span, list[int]] = {}  # the lines that have the word of a place: many lines share none
        for number, line in enumerate(self.lines):
            for word in line.words:
                self._having.setdefault(word.span, []).append(number)
        self._commands: tuple[Command, ...] | None = None
        self._last: tuple[ShellScript, tuple[Line, ...]] = script, self.lines  # each of its runs asks for its line

    def words(self, changes: Changes, number: int) -> list[str]:
        """The words of a line as they are then."""
        changed = changes.get(str(number))
        return list(changed) if isinstance(changed, list) else [place.text for place in self.lines[number].words]

    def with_words(self, changes: Changes, number: int, made: Sequence[Hunk]) -> dict[str, object]:
        """What makes these changes of a line: lines that share a place that is changed change as well.

        Raises:
            Unfixable: they cannot.
        """
        words = with_hunks(self.words(changes, number), made)
        found: dict[str, object] = {str(number): words}
        line = self.lines[number]
        whole = hunks([place.text for place in line.words], words)
        having = {other for hunk in whole for span in _near(line, hunk) for other in self._having[span]}
        for other in sorted(having - {number}):
            one = self.lines[other]
            shared = list(_shared(line, one, whole))
            if str(other) in changes:
                raise Unfixable("lines that are changed share a word")
            found[str(other)] = with_hunks([word.text for word in one.words], shared)
        return found

    def with_variable(self, number: int, name: str, value: object) -> dict[str, object]:
        """What makes a variable that the script sets for a line another one: whoever shares its place has it, too."""
        place = self.lines[number].variables[name]
        return {
            f"{at} {name}": value
            for at, line in enumerate(self.lines)
            if name in line.variables and line.variables[name].span == place.span
        }

    def text_edits(self, changes: Changes) -> tuple[TextEdit, ...]:
        """What makes these changes, in the order of the text.

        Raises:
            Unfixable: a word is not written there, or not as it is.
        """
        edits = dict.fromkeys(edit for key, value in changes.items() for edit in self._of(key, value))
        ordered = sorted(edits, key=lambda one: (one.start, one.end))
        if any(one.end > other.start for one, other in pairwise(ordered)):
            raise Unfixable("its edits overlap")
        return tuple(ordered)

    def check(self, changes: Changes, script: ShellScript) -> None:
        """Whether a script has these lines, and otherwise the same.

        Raises:
            Unfixable: it has not.
        """
        now = self._lines_of(script)
        wanted = [_Wanted.of(line) for line in self.lines]
        for key, value in changes.items():
            number, _, name = key.partition(" ")
            wanted[int(number)].change(name, value)
        if script.stopped is not None or [_Wanted.of(line).data for line in now] != [one.data for one in wanted]:
            raise Unfixable("the edit would change something else as well")

    def steps(self, changes: Changes) -> Iterator[tuple[str, int, str | None, str | None]]:
        """What is changed for people: the entry, its line, its text, and its text then; each place once."""
        for key, value in [(names[0], changes[names[0]]) for names in self.together(changes)]:
            number, _, name = key.partition(" ")
            line = self.lines[int(number)]
            if name:
                place = line.variables[name]
                yield key, place.span.line, f"{name}={place.text}", None if value is GONE else f"{name}={value}"
                continue
            texts = [word.text for word in line.words]
            for hunk in hunks(texts, self.words(changes, int(number))):
                near = line.words[min(hunk.first, len(line.words) - 1)]
                flag = _flag(texts, hunk)
                before, after = " ".join((*flag, *texts[hunk.first : hunk.last])), " ".join((*flag, *hunk.words))
                yield key, near.span.line, before or None, after or None

    def together(self, changes: Changes) -> list[list[str]]:
        """The changes that are one in the text: lines may share where a word stands."""
        found: dict[tuple[TextEdit, ...], list[str]] = {}
        for key, value in changes.items():
            found.setdefault(tuple(self._of(key, value)), []).append(key)
        return [*found.values()]

    def number_of(self, script: ShellScript, line: Line) -> int | None:
        """Which line of the script one is, that was read of the script as it is now."""
        lines = self._lines_of(script)
        same = [at for at, one in enumerate(lines) if one.span == line.span and len(one.words) == len(line.words)]
        return same[0] if same and len(lines) == len(self.lines) else None

    def _lines_of(self, script: ShellScript) -> tuple[Line, ...]:
        if self._last[0] is not script:
            self._last = script, tuple(self._read(script))
        return self._last[1]

    # Words

    def _of(self, key: str, value: object) -> Iterator[TextEdit]:
        number, _, name = key.partition(" ")
        line = self.lines[int(number)]
        if name:
            yield self._variable(line.variables[name], name, value)
        elif isinstance(value, list):
            for hunk in hunks([word.text for word in line.words], value):
                yield from self._hunk(line, hunk)

    def _hunk(self, line: Line, hunk: Hunk) -> Iterator[TextEdit]:
        places = [self._place(line, at) for at in range(hunk.first, hunk.last)]
        if not places:
            yield self._inserted(line, hunk)
        elif not hunk.words:
            yield self._removed(line, hunk)
        elif len(hunk.words) >= len(places):
            for place, word in zip(places[:-1], hunk.words, strict=False):
                yield self._replaced(place, (word,))
            yield self._replaced(places[-1], hunk.words[len(places) - 1 :])
        else:
            for place, word in zip(places, hunk.words, strict=False):
                yield self._replaced(place, (word,))
            yield self._removed(line, Hunk(hunk.first + len(hunk.words), hunk.last, ()))

    def _place(self, line: Line, at: int) -> Place:
        """A word of a line, where it stands by itself.

        Raises:
            Unfixable: it does not.
        """
        place = line.words[at]
        if place.why:
            raise Unfixable(f"{self.path}:{place.span.line} {place.text} is filled in later ({place.why})")
        if not self._is_there(line, at):
            raise Unfixable(f"{self.path}:{place.span.line} {place.text} does not stand there as one word")
        return place

    def _is_there(self, line: Line, at: int) -> bool:
        place = line.words[at]
        text = self.text[place.span.start : place.span.end]
        return text.strip("\"'") == place.text and self.text.count(text) > 0 and _unquoted(text) == place.text

    def _replaced(self, place: Place, words: Sequence[str]) -> TextEdit:
        span = place.span
        text = self.text[span.start : span.end]
        if not self._is_word(span):
            if not all(_is_safe(word) for word in words) or text != place.text:
                raise Unfixable(f"{self.path}:{span.line} {place.text} stands within another word")
            return TextEdit(self.path, span.start, span.end, " ".join(words))
        quote = text[0] if text[:1] in ("'", '"') else ""
        return TextEdit(self.path, span.start, span.end, " ".join(_quoted(word, quote) for word in words))

    def _is_word(self, span: Span) -> bool:
        """Whether that is a whole word of a command."""
        return any(
            word.start == span.start and word.end == span.end
            for command in self._around(span)
            for word in command.words
        )

    def _around(self, span: Span) -> Iterator[Command]:
        if self._commands is None:
            self._commands = tuple(item for item in self._script.items if isinstance(item, Command))
        return (command for command in self._commands if command.start <= span.start and span.end <= command.end)

    def _inserted(self, line: Line, hunk: Hunk) -> TextEdit:
        """Words behind the one before them."""
        if hunk.first == 0:
            place = self._place(line, 0)
            return TextEdit(self.path, place.span.start, place.span.start, f"{_joined(hunk.words)} ")
        place = self._place(line, hunk.first - 1)
        if not self._is_word(place.span) and not all(map(_is_safe, hunk.words)):
            raise Unfixable(f"{self.path}:{place.span.line} {place.text} stands within another word")
        return TextEdit(self.path, place.span.end, place.span.end, f" {_joined(hunk.words)}")

    def _removed(self, line: Line, hunk: Hunk) -> TextEdit:
        """Words away, with the space before the next one; of the last ones with that before them."""
        spans = [self._place(line, at).span for at in range(hunk.first, hunk.last)]
        for before, behind in pairwise(spans):
            if not self._is_space(before.end, behind.start):
                raise Unfixable(f"{self.path}:{before.line} the words do not stand together")
        start, end = spans[0].start, spans[-1].end
        if hunk.last < len(line.words):
            following = line.words[hunk.last].span.start
            if following >= end and self._is_space(end, following):
                return TextEdit(self.path, start, following, "")
        if hunk.first > 0:
            before_it = line.words[hunk.first - 1].span.end
            if before_it <= start and self._is_space(before_it, start):
                return TextEdit(self.path, before_it, end, "")
        return TextEdit(self.path, start, end, "")

    def _is_space(self, start: int, end: int) -> bool:
        """Whether nothing but spaces and line continuations stands there."""
        between = self.text[start:end].replace("\\\r\n", " ").replace("\\\n", " ")
        return not between.strip(" \t") and (start < end or start == end)

    # Variables

    def _variable(self, place: Place, name: str, value: object) -> TextEdit:
        span = place.span
        text = self.text[span.start : span.end]
        own = text.startswith(f"{name}=") and _unquoted(text.partition("=")[2]) == place.text
        if place.why or not (own or text == place.text):
            raise Unfixable(f"{self.path}:{span.line} sets {name} in a way that is left alone")
        if value is GONE:
            return self._assignment_gone(span, name, own=own)
        word = str(value)
        if own:
            start = span.start + len(name) + 1
            quote = text[len(name) + 1 : len(name) + 2]
            return TextEdit(self.path, start, span.end, _quoted(word, quote if quote in ("'", '"') else ""))
        if not _is_safe(word) or not text:
            raise Unfixable(f"{self.path}:{span.line} sets {name} in a way that is left alone")
        return TextEdit(self.path, span.start, span.end, word)

    def _assignment_gone(self, span: Span, name: str, *, own: bool) -> TextEdit:
        for command in self._around(span):
            first = command.words[0] if command.words else None
            if own and any(each.start == span.start for each in command.assignments) and first is not None:
                starts = [each.start for each in command.words] + [each.start for each in command.assignments]
                following = min(start for start in starts if start >= span.end)
                if self._is_space(span.end, following):
                    return TextEdit(self.path, span.start, following, "")
            if not own and first is not None and first.bare in _DECLARING and not command.assignments:
                if len(command.words) == 2:
                    return self._line_gone(command, name)
                word = next(each for each in command.words if each.start <= span.start and span.end <= each.end)
                before = command.words[command.words.index(word) - 1].end
                return TextEdit(self.path, before, word.end, "")
        raise Unfixable(f"{self.path}:{span.line} sets {name} in a way that is left alone")

    def _line_gone(self, command: Command, name: str) -> TextEdit:
        begin, stop = line_start(self.text, command.start), line_end(self.text, command.end)
        rest = self.text[command.end : stop].strip()
        if self.text[begin : command.start].strip() or (rest and not rest.startswith("#")) or stop == len(self.text):
            where = self._script.source.place(command.start)[0]
            raise Unfixable(f"{self.path}:{where} sets {name} beside something else")
        return TextEdit(self.path, begin, behind_break(self.text, stop), "")


class _Wanted:
    """A line, to be compared."""

    def __init__(self, words: list[tuple[str, bool]], variables: dict[str, tuple[str, bool]], rest: object) -> None:
        self._words = words
        self._variables = variables
        self._rest = rest

    @classmethod
    def of(cls, line: Line) -> _Wanted:
        words = [(place.text, bool(place.why)) for place in line.words]
        variables = {name: (place.text, bool(place.why)) for name, place in line.variables.items()}
        return cls(words, variables, (line.unset, line.folder))

    def change(self, name: str, value: object) -> None:
        """Another value of a variable, or all words."""
        if not name and isinstance(value, list):
            made = hunks([word for word, _ in self._words], value)
            for hunk in reversed(made):
                self._words[hunk.first : hunk.last] = [(word, False) for word in hunk.words]
        elif value is GONE:
            self._variables.pop(name, None)
        else:
            self._variables[name] = str(value), False

    @property
    def data(self) -> object:
        """What is compared."""
        return self._words, self._variables, self._rest


def _near(line: Line, made: Hunk) -> list[Span]:
    """The places of the words that a change takes away, or of the one that it comes behind."""
    words = line.words[made.first : made.last] or line.words[max(0, made.first - 1) : made.first]
    return [place.span for place in words]


def _shared(line: Line, other: Line, made: Sequence[Hunk]) -> Iterator[Hunk]:
    """The changes of a line that change another as well, as they share where the words stand."""
    others = {place.span: at for at, place in enumerate(other.words)}
    for hunk in made:
        near = _near(line, hunk)
        found = [others[span] for span in near if span in others]
        if not found:
            continue
        if len(found) != len(near) or found != list(range(found[0], found[0] + len(near))):
            raise Unfixable("another line has a part of what would be changed")
        first = found[0] if hunk.first < hunk.last or hunk.first == 0 else found[-1] + 1
        yield Hunk(first, first + hunk.last - hunk.first, hunk.words)


def _flag(words: Sequence[str], hunk: Hunk) -> list[str]:
    """The flag whose value is changed: it is shown with it."""
    before = words[hunk.first - 1] if hunk.first else ""
    is_value = hunk.last - hunk.first == 1 and hunk.words and not words[hunk.first].startswith("-")
    return [before] if is_value and before.startswith("--") and "=" not in before else []


def _is_safe(word: str) -> bool:
    return bool(word) and not set(word) - _SAFE


def _joined(words: Sequence[str]) -> str:
    return " ".join(_quoted(word, "") for word in words)


def _quoted(word: str, quote: str) -> str:
    """A word as it is written, in the quotes of what it replaces."""
    if quote and quote not in word and not set(word) & set("$`\\!\"'"):
        return f"{quote}{word}{quote}"
    if _is_safe(word):
        return word
    if any(ord(sign) < 32 for sign in word):
        raise Unfixable("a word has characters that cannot be written")
    from shlex import quote as quoted

    return quoted(word)


def _unquoted(text: str) -> str | None:
    """What a word says that is written without quotes, or between one pair of them; None of any other."""
    quote = text[:1]
    if quote in ("'", '"') and len(text) > 1 and text.endswith(quote):
        inner = text[1:-1]
        special = quote if quote == "'" else '"$`\\'
        return None if set(inner) & set(special) else inner
    return None if set(text) & set("\"'\\$`") else text
