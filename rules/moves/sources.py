"""Scripts and shell scripts while a plan is looked for: what is changed of them, by name, and their text then.

The data of one holds nothing but its changes; what stands there besides stays as it is, byte for byte.
"""

from __future__ import annotations

from fp8check.rules import reading
from fp8check.rules.edits.action import ABSENT, GONE, Assign
from fp8check.rules.edits.python_file import PythonFile
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading.shell import ShellScript
from fp8check.rules.record import Record
from fp8check.rules.settings.shell_edits import ShellFile, hunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.edits.text_edit import TextEdit
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.settings.script import Call
    from fp8check.rules.settings.shell_edits import Changes, Lines
    from fp8check.rules.settings.shell_lines import Line
    from fp8check.rules.settings.values import Setting


# How the classes of a Trainer's arguments end, those of TRL and of people included.
_ARGUMENTS = ("Arguments", "Config", "Args")
# Other classes that end like that, of PEFT and transformers.
_NO_ARGUMENTS = (
    *("LoraConfig", "PeftConfig", "AutoConfig", "BitsAndBytesConfig", "GenerationConfig", "PretrainedConfig"),
    *("PreTrainedConfig", "ModelConfig", "ModelArguments", "DataArguments", "DataTrainingArguments", "QuantoConfig"),
)


class Change(Record):
    """One change for people.

    Attributes:
        name: what the state calls it.
        by_hand: why it is for people to make: "bf16 is computed"; "" where it is made for them.
    """

    name: str
    line: int
    before: str | None
    after: str | None
    by_hand: str = ""


class PythonSource:
    """A Python script."""

    is_shell = False

    def __init__(self, document: Document) -> None:
        """Raises Unfixable where it cannot be edited."""
        self.document = document
        self.file = PythonFile(document)

    def with_data(self, data: Changes) -> Document:
        """The script as it is read then.

        Raises:
            Unfixable: it cannot be written.
        """
        return self._read(replaced(self.document.text, self.file.text_edits(data))) if data else self.document

    def written(self, data: Changes, *, by_hand: bool) -> Document:
        """The script as it is then, its syntax tree compared with the one before.

        Args:
            by_hand: whether with the changes that people have to make.

        Raises:
            Unfixable: it cannot be written, or something else would change as well.
        """
        made = {name: value for name, value in data.items() if by_hand or not self.why_not(name, value)}
        if not made:
            return self.document
        text = replaced(self.document.text, self.file.text_edits(made))
        self.file.check(made, text)
        return self._read(text)

    def _read(self, text: str) -> Document:
        return reading.read_script(self.document.path, encoded(text, self.document))

    def why_not(self, name: str, value: object) -> str:
        """Why a change is for people to make; "" where it is not."""
        if value is GONE and self.file.is_plain(name):
            return ""
        why = self.file.why_not(name)
        return f"{self.file.name(name)} {why}" if why else ""

    @staticmethod
    def together(data: Changes) -> list[list[str]]:
        """The names of changes that cannot be taken back but together."""
        return [[name] for name in data]

    def changes(self, data: Changes) -> Iterator[Change]:
        """What is changed, for people."""
        for name, value in data.items():
            texts = self.file.shown(name), self.file.written(name, value)
            yield Change(name, self.file.line(name), *texts, self.why_not(name, value))

    def entry(self, data: Changes, span: Span) -> str | None:
        """The entry that stands at a place of the script as it is then: one that came since, too."""
        edits = self.file.text_edits(data) if data else ()
        moved = 0
        for edit in edits:
            at = span.start - edit.start - moved
            if edit.start == edit.end and 0 <= at < len(edit.text):
                for path in data:
                    begins = f"{path.partition(' ')[2]}="
                    if self.file.is_new(path) and (
                        edit.text.startswith(begins, at) or edit.text.endswith(begins, 0, at)
                    ):
                        return path
            moved += len(edit.text) - (edit.end - edit.start)
        return self.file.at(_as_given(span, edits))

    def base(self, data: Changes, span: Span) -> Span:
        """Where a place of the script as it is then stands in the script as it was given."""
        return _as_given(span, self.file.text_edits(data) if data else ())


def _as_given(span: Span, edits: Sequence[TextEdit]) -> Span:
    if not edits:
        return span
    start, end = _before(edits, span.start, begins=True), _before(edits, span.end, begins=False)
    return reading.Span(span.file, span.line, span.column, span.end_line, span.end_column, start, end)


def _before(edits: Sequence[TextEdit], at: int, *, begins: bool) -> int:
    """Where a character stood before these edits.

    Args:
        begins: whether something begins there: where a text is gone, that is what stood behind it.
    """
    moved = 0
    for edit in edits:
        now = edit.start + moved
        if now > at or (now == at and not (begins and not edit.text and edit.end > edit.start)):
            break
        moved += len(edit.text) - (edit.end - edit.start)
    return at - moved


class ShellSource:
    """A shell script."""

    is_shell = True

    def __init__(self, document: ShellScript, lines: Lines) -> None:
        """Raises Unfixable where it cannot be edited."""
        self.document = document
        self.file = ShellFile(document, lines)

    def with_data(self, data: Changes) -> Document:
        """See PythonSource; its lines are compared each time, as a word may be that of several lines."""
        if not data:
            return self.document
        text = replaced(self.document.text, self.file.text_edits(data))
        made = reading.read(self.document.path, encoded(text, self.document))
        if not isinstance(made, ShellScript):
            raise Unfixable("it would be no shell script any more")
        self.file.check(data, made)
        return made

    def written(self, data: Changes, *, by_hand: bool) -> Document:  # noqa: ARG002  nothing of it is
        """See PythonSource."""
        return self.with_data(data)

    def why_not(self, name: str, value: object) -> str:  # noqa: ARG002
        """See PythonSource."""
        return ""

    def together(self, data: Changes) -> list[list[str]]:
        """See PythonSource."""
        return self.file.together(data)

    def changes(self, data: Changes) -> Iterator[Change]:
        """See PythonSource."""
        yield from (Change(*one) for one in self.file.steps(data))


def encoded(text: str, document: Document) -> bytes:
    """The bytes of a text, with the byte-order mark of the document."""
    mark = "\N{BYTE ORDER MARK}" if document.bom else ""
    return f"{mark}{text}".encode()


def replaced(text: str, ordered: Sequence[TextEdit]) -> str:
    """A text with these edits, which are in its order and do not overlap."""
    pieces = []
    end = 0
    for edit in ordered:
        pieces += [text[end : edit.start], edit.text]
        end = edit.end
    return "".join((*pieces, text[end:]))


def _takes_arguments(called: str) -> bool:
    return called.endswith(_ARGUMENTS) and not called.endswith(_NO_ARGUMENTS)


class Scripts(Record):
    """The scripts of a run as they are in one state.

    Attributes:
        sources: those that can be edited, by path.
        files: the data of the state.
        documents: the files of the run as they are read now.
    """

    sources: Mapping[str, PythonSource | ShellSource] = {}
    files: Mapping[str, object] = {}
    documents: tuple[Document, ...] = ()

    def write(self, setting: Setting | None, value: object, key: str = "") -> list[Assign]:
        """The entry of a script in which a setting stands with another value; none where it stands in none.

        Args:
            value: ABSENT where the entry is to go.
            key: what it is called: a literal of that name may be what is spread into a call, where there is one alone.
        """
        for span in () if setting is None else (setting.origin.key_span, setting.origin.span):
            source = None if span is None else self.sources.get(span.file)
            if span is None or not isinstance(source, PythonSource):
                continue
            name = source.entry(self._data(span.file), span)
            if name is not None:
                return [self._assign(source, name, value)]
        return self._spread(setting, value, key) if setting is not None and key else []

    def _spread(self, setting: Setting, value: object, key: str) -> list[Assign]:
        span = setting.origin.span
        if span is None or not isinstance(self.sources.get(span.file), PythonSource):
            return []
        scripts = [source for source in self.sources.values() if isinstance(source, PythonSource)]
        found = [(source, path) for source in scripts for path in source.file.only(key)]
        return [self._assign(*found[0], value)] if len(found) == 1 else []

    def hand(self, call: Call, name: str, value: object) -> list[Assign]:
        """An argument of a call with that value; none where the call stands in no script that can be written."""
        source = self.sources.get(call.span.file)
        if not isinstance(source, PythonSource):
            return []
        there = source.file.argument(source.base(self._data(call.span.file), call.span), name)
        return [] if there is None else [self._assign(source, there, value)]

    def beside(self, settings: Iterable[Setting], name: str, value: object) -> list[Assign]:
        """An argument beside the first of these settings that is one of a Trainer's arguments; none where none is."""
        for setting in settings:
            for assign in self.write(setting, value):
                source = self.sources[assign.file]
                called = source.file.called(assign.path[0]) if isinstance(source, PythonSource) else ""
                if isinstance(source, PythonSource) and _takes_arguments(called):
                    there = f"{assign.path[0].partition(' ')[0]} {name}"
                    return [self._assign(source, there, value)]
        return []

    def relaunched(self, line: Line, words: Sequence[str]) -> list[Assign]:
        """The line of a shell script with these words; none where it stands in none that can be written.

        Raises:
            Unfixable: it cannot be written.
        """
        found = self._line(line)
        if found is None:
            return []
        source, number = found
        data = self._data(source.document.path)
        made = hunks([place.text for place in line.words], words)
        changed = source.file.with_words(data, number, made) if made else {}
        return [Assign(source.document.path, (name,), value) for name, value in changed.items()]

    def exported(self, line: Line, name: str, value: object) -> list[Assign]:
        """A variable that a shell script sets for a line with another value; none where it sets none."""
        found = self._line(line) if name in line.variables else None
        if found is None:
            return []
        source, number = found
        if name not in source.file.lines[number].variables:
            return []
        changed = source.file.with_variable(number, name, GONE if value is ABSENT else value)
        return [Assign(source.document.path, (one,), made) for one, made in changed.items()]

    def of_fix(self, fix: Fix) -> tuple[Assign, ...] | None:
        """What a fix comes to; None where it edits something else than entries of scripts that can be written."""
        found: list[Assign] = []
        for edit in fix.edits:
            place = edit.place
            source = None if place is None else self.sources.get(place.file)
            if edit.action not in ("replace", "delete") or not isinstance(source, PythonSource) or place is None:
                return None
            name = source.entry(self._data(place.file), place)
            if name is None:
                return None
            found.append(self._assign(source, name, ABSENT if edit.action == "delete" else edit.value))
        return tuple(found)

    def _data(self, path: str) -> Changes:
        data = self.files.get(path)
        return data if isinstance(data, dict) else {}

    def _assign(self, source: PythonSource, name: str, value: object) -> Assign:
        before = source.file.value(name)
        if value is ABSENT:
            made: object = ABSENT if source.file.is_new(name) else GONE
        else:
            same = not source.file.is_new(name) and type(before) is type(value) and before == value
            made = ABSENT if same else value
        return Assign(source.document.path, (name,), made)

    def _line(self, line: Line) -> tuple[ShellSource, int] | None:
        source = self.sources.get(line.span.file)
        if not isinstance(source, ShellSource):
            return None
        now = next(
            (
                document
                for document in self.documents
                if document.path == line.span.file and isinstance(document, ShellScript)
            ),
            None,
        )
        number = None if now is None else source.file.number_of(now, line)
        return None if number is None else (source, number)
