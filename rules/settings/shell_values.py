"""What the words of a shell script come to: variables filled in where they are certain, with where each text stands.

What only a run tells ($1, $SLURM_JOB_ID, $(hostname), a variable that is set under a condition) stays as it is written,
with the reason. Nothing is run to find out.
"""

from __future__ import annotations

import os
import re

from fp8check.rules.reading.shell import Word
from fp8check.rules.reading.shell_words import NeverClosed, WordReader
from fp8check.rules.settings.shell_scope import (
    ARGUMENTS,
    Array,
    Held,
    Here,
    Many,
    Part,
    later,
    stretch,
    text_of,
    why_of,
)
from fp8check.rules.settings.shell_texts import braces, calculated, changed, is_braced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fp8check.rules.reading.shell import Heredoc, Piece, ShellScript
    from fp8check.rules.settings.shell_scope import Scope, Value

# Characters of a value, and of all values that are written out in one script: a variable may double in each line.
MAX_VALUE = 32_768
MAX_WRITTEN_OUT = 350_000
_DEEPEST = 8

_PARAMETER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(?:\[([^\]]*)\])?")
_FILE = r"(?:\$0|\$\{0\}|\$\{?BASH_SOURCE(?:\[0\])?(?::-\$0)?\}?)"
_RESOLVED = rf"(?:{_FILE}|\$\((?:readlink-f|realpath){_FILE}\))"
_FOLDER = rf"dirname(?:--)?{_RESOLVED}"
# $(dirname "$0") and $(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd), without their quotes and spaces.
_OWN_FOLDER = re.compile(
    rf"{_FOLDER}|(?:realpath|readlink-f)\$\({_FOLDER}\)"
    rf"|cd(?:-P)?(?:--)?\$\({_FOLDER}\)((?:/\.\.){{0,8}})(?:>/dev/null)?(?:2>&1)?&&pwd(?:-P)?"
)
_FOUND = re.compile(r"\s*(?:which|command\s+-v|type\s+-p)\s+([\w.-]+)\s*")
# Variables that a shell, a login or a cluster sets.
_SET_ELSEWHERE = ("SLURM", "PBS_", "LSB_", "OMPI_", "BASH", "CONDA", "XDG_")
_ALWAYS_SET = frozenset(
    (
        *("HOME", "USER", "LOGNAME", "PATH", "HOSTNAME", "SHELL", "PWD", "OLDPWD", "TERM", "LANG", "UID", "EUID"),
        *("RANDOM", "SECONDS", "PPID", "OSTYPE", "HOSTTYPE", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TMPDIR"),
        *("?", "$", "!", "-"),
    )
)
_UNDIVIDED = re.compile(r"[^ \t\n]+")


class Field:
    """One word as a command gets it.

    Attributes:
        start, end: where it stands in the script: where the text itself does, if that is one place.
        why: why a part of it is not known; "" where all is.
        may_be_many: whether it is unknown as a whole and not quoted: it may be several words, or none.
    """

    __slots__ = ("end", "may_be_many", "start", "text", "why")

    def __init__(self, text: str, start: int, end: int, why: str, *, may_be_many: bool) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.why = why
        self.may_be_many = may_be_many


class Expander:
    """Fills in what words hold.

    Attributes:
        doubts: whether the script is a text of which not all is known: what is filled in stands in it as it is written.
        sourced: the first file that the script reads as a part of itself and that may set anything: "env.sh (line 3)".
    """

    def __init__(
        self,
        script: ShellScript,
        scope: Scope,
        environment: Mapping[str, str],
        outer: Expander | None = None,
        *,
        known: bool = True,
    ) -> None:
        self._script = script
        self._words = WordReader(script.source)
        self.scope = scope
        self._environment = environment
        self.sourced: str = "" if outer is None else outer.sourced
        # Shared with the scripts within, which are the texts of words: their offsets are no places.
        self._left: list[int] = [MAX_WRITTEN_OUT + len(script.text)] if outer is None else outer._left
        self._depth: int = 0 if outer is None else outer._depth
        self._is_within = outer is not None
        self._assumes = False
        self.doubts: bool = not known or (outer is not None and outer.doubts)

    @property
    def arguments(self) -> Sequence[Value] | None:
        """Those of the function that is called; None outside of any: then they are the script's."""
        return self.scope.arguments

    def take(self, arguments: Sequence[Value] | None) -> Value | Array | None:
        """Go on with other arguments; returns those before."""
        before = self.scope.get(ARGUMENTS)
        self.give_back(None if arguments is None else Array(arguments))
        return before

    def give_back(self, arguments: Value | Array | None) -> None:
        """Go on with the arguments before."""
        if arguments is None:
            self.scope.restore({ARGUMENTS: Held(None, exported=False)})
        else:
            self.scope.put(ARGUMENTS, arguments)

    def read_in(self, what: str) -> None:
        """From here on another file may have set anything."""
        self.sourced = self.sourced or what

    def spends(self, text: str) -> bool:
        """Whether a text may be read once more: of all that is read twice there is a limit."""
        self._left[0] -= len(text)
        return self._left[0] > 0

    def knows(self, name: str) -> bool:
        """Whether the script starts with that variable."""
        return name in self._environment

    def joined(self, value: Value, other: Value) -> Value:
        """Two texts, one behind the other."""
        return self._bounded((*value, *other))

    def of(self, script: ShellScript, *, known: bool) -> Expander:
        """One for a script within this one, with the same variables.

        Args:
            known: whether all of its text is.
        """
        return Expander(script, self.scope, self._environment, self, known=known)

    def assumed(self, word: Word) -> str | None:
        """What a word of a test comes to, where nothing is set that the script does not set; None: not known."""
        before, self._assumes = self._assumes, True
        try:
            value = self.value(word)
        finally:
            self._assumes = before
        return None if why_of(value) else text_of(value)

    def assumed_arguments(self) -> Sequence[Value]:
        """The arguments: those of a function, and of a script none."""
        return self.arguments or ()

    def is_no_word(self, word: Word) -> bool:
        """Whether "$@" is all of a word, and there are no arguments."""
        pieces = word.pieces
        return len(pieces) == 1 and pieces[0].kind == "variable" and pieces[0].text in ("@", "*") and not self.arguments

    def number(self, text: str) -> str | None:
        """What a sum comes to; None where it is none, or not known."""
        found = calculated(text, self._number)
        return None if found is None else str(found)

    def value(self, word: Word) -> Value:
        """What a word comes to, undivided: the value of an assignment."""
        parts: list[Part] = []
        for piece in word.pieces:
            values = self._piece(piece, word)
            for number, one in enumerate(values):
                parts += (Part(" "), *one) if number else one
        return self._bounded(parts)

    def heredoc(self, one: Heredoc) -> Value:
        """The text of a here-document."""
        if one.is_literal:
            return self._bounded([Part(self._script.text[one.start : one.end], one.start, one.start)])
        mark = self.scope.mark()
        try:
            return self.value(self._words.within(one.start, one.end, quoted=True, keeps=True))
        except NeverClosed:
            return later("${...}", "its text is no word")
        finally:
            self.scope.roll_back(mark)  # ${A:=x} in it sets A in the command that gets it

    def fields(self, word: Word) -> list[Field]:
        """The words that a word comes to: none, one, or several."""
        if any(not piece.quoted and "{" in piece.text for piece in word.pieces if piece.kind == "text"):
            braced = self._braced(word)
            if braced is not None:
                return braced
        made = _Fields(word)
        for piece in word.pieces:
            values = self._piece(piece, word)
            if piece.kind == "text" or piece.quoted:
                made.glue(values)
            else:
                made.divide(
                    values if not self._divides_otherwise(values) else [later(f"${{{piece.text}}}", "IFS is set")]
                )
        return made.fields()

    def _divides_otherwise(self, values: Sequence[Value]) -> bool:
        """Whether the script has said by IFS what parts words, and that matters for these texts."""
        if "IFS" not in self.scope:
            return False
        signs = self.scope.get("IFS")
        between = text_of(signs) if isinstance(signs, tuple) and not why_of(signs) else ""
        return any(sign in text_of(value) for value in values for sign in f"{between} \t\n")

    def _braced(self, word: Word) -> list[Field] | None:
        """The words that `a{b,c}` makes; None where its braces mean themselves."""
        texts = [piece.text if piece.kind == "text" and not piece.quoted else "" for piece in word.pieces]
        if not is_braced("".join(texts)):
            return None
        literal = word.literal
        made = None if literal is None or len(texts) > 1 else braces(literal)
        if made is None:
            written = self._script.text[word.start : word.end]
            return [Field(written, word.start, word.end, "its braces make several words", may_be_many=True)]
        return [Field(text, word.start, word.end, "", may_be_many=False) for text in made]

    def all_fields(self, words: Iterable[Word]) -> list[Field]:
        """The words that a command gets."""
        return [field for word in words for field in self.fields(word)]

    def array(self, words: Iterable[Word], before: Array | None = None) -> Value | Array:
        """An array of these words, behind the items that it has."""
        items = [*(before.items if before is not None else ()), *map(value_of, self.all_fields(words))]
        self._left[0] -= len(items)
        return Array(items) if self._left[0] > 0 else later("${...}", "it is longer than anybody writes")

    def _bounded(self, parts: Sequence[Part]) -> Value:
        length = sum(len(part.text) for part in parts) + len(parts)
        self._left[0] -= length
        if length > MAX_VALUE or self._left[0] < 0:
            return later("${...}", "it is longer than anybody writes")
        return tuple(parts)

    def _piece(self, piece: Piece, word: Word) -> list[Value]:
        if piece.kind == "text":
            if self.doubts and ("${" in piece.text or "$(" in piece.text):
                return [later(piece.text, "a shell has filled it in before")]
            start = piece.start + 1 if self._script.text.startswith("'", piece.start) else piece.start
            return [(Part(piece.text, -1 if self._is_within else start, word.start),)]
        # What is written out counts, wherever it goes; what is too much is not even made.
        if self._left[0] < 0:
            return [later("${...}", "it is longer than anybody writes", many=True)]
        return [self._bounded(value) for value in self._filled_in(piece)]

    def _filled_in(self, piece: Piece) -> list[Value]:
        if piece.kind == "number":
            number = self.number(piece.text)
            return [(Part(number),)] if number is not None else [later(f"$(({piece.text}))", "it is computed")]
        if piece.kind == "output":
            return [self._output(piece.text)]
        if piece.kind == "stream":  # the name of a file that there is only while the command runs
            return [later(f"$({' '.join(piece.text.split())})", "a command writes it")]
        if self._depth >= _DEEPEST:
            return [later("${...}", "it nests too deep")]
        self._depth += 1
        try:
            return self._variable(piece)
        finally:
            self._depth -= 1

    def _number(self, name: str) -> str | None:
        value = self._known(name)
        return text_of(value) if isinstance(value, tuple) and not why_of(value) else None

    def _output(self, text: str) -> Value:
        found = _FOUND.fullmatch(text)
        if found is not None:
            return (Part(found.group(1)),)
        bare = "".join(text.replace('"', "").split())
        own = _OWN_FOLDER.fullmatch(bare) if len(bare) <= 200 else None
        if own is not None and self._script.path != "-":
            return (Here((os.path.dirname(self._script.path) or ".") + (own.group(1) or "")),)
        if bare == "pwd" and self.scope.folder == "":
            return (Here("."),)
        return later(f"$({' '.join(text.split())})", "a command prints it")

    def _variable(self, piece: Piece) -> list[Value]:
        text = piece.text
        if text.startswith("#") and len(text) > 1:
            return [self._length(text[1:])]
        found = _PARAMETER.match(text)
        if found is None:
            return [later(f"${{{text}}}", "it is computed")]
        name, index = found.groups()
        operation = text[found.end() :]
        known = self._known(name)
        every = name in "@*" or index in ("@", "*")
        if every and not operation:
            as_one = piece.quoted and "*" in (name, index)
            return self._every(known, text, as_one=as_one)
        if every and isinstance(known, Array) and operation.startswith(":") and operation[1:].strip().isdigit():
            start = int(operation[1:]) - (name in "@*")  # "${@:2}": the first argument has the number 1
            if start >= 0 and not any(isinstance(part, Many) for item in known.items for part in item):
                return self._every(Array(known.items[start:]), text, as_one=piece.quoted and "*" in (name, index))
        value = self._one(known, index)
        if not operation:
            if value is None and (self._is_unset(name) or name in self.scope):
                return [()]
            return [value if value is not None else later(f"${{{text}}}", self._why(name))]
        return [self._operated(piece, name, value, operation, piece.inner + found.end())]

    def _known(self, name: str) -> Value | Array | None:
        """What a variable holds; None where nothing sets it."""
        if name.isdigit() or name in ("@", "*"):
            if name == "0":
                return (Part(self._script.path),) if self._script.path != "-" else None
            if self.arguments is None:
                return None
            if name in ("@", "*"):
                return Array(self.arguments)
            if self._has_many():
                return later(f"${{{name}}}", "how many arguments there are is not known")
            return self.arguments[int(name) - 1] if len(name) < 5 and int(name) <= len(self.arguments) else ()
        if name == "#" and (self._assumes or self.arguments is not None):
            return (Part(str(len(self.assumed_arguments()))),) if not self._has_many() else None
        if name == "PWD" and self.scope.folder == "" and name not in self.scope:
            return (Here("."),)
        if name == "BASH_SOURCE":
            return self._known("0")
        value = self.scope.get(name)
        if value is None and name not in self.scope and name in self._environment:
            return (Part(self._environment[name]),)
        if isinstance(value, tuple) and len(value) == 1 and value[0].why:
            return later(f"${{{name}}}", value[0].why)  # its own name says more than what it was set to
        return value

    def _has_many(self) -> bool:
        """Whether one of the arguments stands for any number of them."""
        return any(isinstance(part, Many) for value in self.assumed_arguments() for part in value)

    def _is_unset(self, name: str) -> bool:
        """Whether a variable is taken as not set, where a test asks for it."""
        if not self._assumes or name.startswith(_SET_ELSEWHERE) or name in _ALWAYS_SET:
            return False
        return not self.sourced or name.isdigit() or name in ("@", "*")

    def _why(self, name: str) -> str:
        if name.isdigit() or name in ("@", "*", "#"):
            return "it is an argument of the script"
        if name.startswith("SLURM"):
            return "Slurm sets it"
        if not name[0].isalpha() and name[0] != "_":
            return "a shell sets it"
        return f"{self.sourced} may set it" if self.sourced else "the script does not set it"

    def _every(self, known: Value | Array | None, text: str, *, as_one: bool) -> list[Value]:
        """`$@`, `${A[@]}`: each item is a word, also between quotes; "$*", "${A[*]}": all are one."""
        if known is None:
            name = text.partition("[")[0]
            return [later(f"${{{text}}}", self._why(name), many=True)]
        values = list(known.items) if isinstance(known, Array) else [known]
        return values if not as_one else [tuple(part for value in values for part in (*value, Part(" ")))[:-1]]

    def _one(self, known: Value | Array | None, index: str | None) -> Value | None:
        if not isinstance(known, Array):
            return known
        if index is not None and not (index.isdigit() and len(index) < 5):
            return later(f"${{...[{index}]}}", "its index is filled in later")
        at = int(index or 0)
        if any(isinstance(part, Many) for item in known.items[: at + 1] for part in item):
            return later(f"${{...[{index or 0}]}}", "how many items stand before it is not known")
        return known.items[at] if at < len(known.items) else ()

    def _length(self, text: str) -> Value:
        found = _PARAMETER.fullmatch(text)
        known = self._known(found.group(1)) if found is not None else None
        every = found is not None and found.group(2) in ("@", "*")
        if (
            every
            and isinstance(known, Array)
            and not any(isinstance(part, Many) for item in known.items for part in item)
        ):
            return (Part(str(len(known.items))),)
        return later(f"${{#{text}}}", "it is a length")

    def _operated(self, piece: Piece, name: str, value: Value | None, operation: str, at: int) -> Value:
        """`${NAME:-default}` and the other forms."""
        written = f"${{{piece.text}}}"
        sign = operation[:2] if operation[0] == ":" and operation[1:2] in ("-", "=", "+", "?") else operation[0]
        if sign.lstrip(":") in ("-", "=", "+", "?") and sign:
            if name.isdigit() and self.arguments is not None and int(name) > len(self.arguments):
                value = None  # not set, and not empty
            try:
                word = self._words.within(at + len(sign), piece.end - 1, quoted=piece.quoted)
            except NeverClosed:
                return later(written, "it is no word")
            return self._defaulted(sign, name, value, word, written)
        if value is None and not self._is_unset(name) and name not in self.scope:
            return later(written, self._why(name))
        if why_of(value) or any(isinstance(part, Here) for part in value or ()):
            return later(written, why_of(value) or "only a run tells the folder")
        text = changed(text_of(value), operation)
        return (Part(text),) if text is not None else later(written, "it is computed")

    def _defaulted(self, sign: str, name: str, value: Value | None, word: Word, written: str) -> Value:
        unset = value is None or (sign[0] == ":" and not text_of(value))
        if value is not None and why_of(value):
            return later(written, why_of(value))
        if unset and self.sourced and name not in self.scope and not name.isdigit():
            return later(written, self._why(name))
        if sign.endswith("?"):
            return value if value is not None and not unset else later(written, self._why(name))
        if sign.endswith("+"):
            return () if unset else self.value(word)
        if not unset and value is not None:
            return value
        made = self.value(word)
        if sign.endswith("="):
            self.scope.put(name, made)
        return made


def value_of(field: Field) -> Value:
    """What a word that a command gets is as a value: an item of an array, an argument of a function."""
    kind = Many if field.may_be_many else Part
    return (kind(field.text, field.start, field.start, field.why),)


class _Fields:
    """The words that one word comes to, as they grow."""

    def __init__(self, word: Word) -> None:
        self._word = word
        self._done: list[list[Part]] = []
        self._open: list[Part] | None = None
        self._bare: set[int] = set()  # parts that are not quoted and not known

    def glue(self, values: Sequence[Value]) -> None:
        """Texts that stay whole; between two of an array a new word begins."""
        for number, value in enumerate(values):
            if number:
                self._end()
            self._open = self._open or []
            self._open += value

    def divide(self, values: Sequence[Value]) -> None:
        """Texts whose spaces part words."""
        for number, value in enumerate(values):
            if number:
                self._end()
            for part in value:
                if part.why:
                    self._bare.add(id(part))
                    self._add(part)
                else:
                    self._divide(part)

    def _divide(self, part: Part) -> None:
        """Spaces at its ends part it from what stands before and behind it."""
        text = part.text
        for number, found in enumerate(_UNDIVIDED.finditer(text)):
            at = found.start()
            if number or at:
                self._end()
            self._add(Part(found.group(), part.start + at if part.start >= 0 else -1, part.word))
        if text[-1:].isspace():
            self._end()

    def _add(self, part: Part) -> None:
        if self._open is None:
            self._open = []
        self._open.append(part)

    def _end(self) -> None:
        if self._open is not None:
            self._done.append(self._open)
        self._open = None

    def fields(self) -> list[Field]:
        """All words."""
        self._end()
        return [self._field(parts) for parts in self._done]

    def _field(self, parts: list[Part]) -> Field:
        start, end = self._word.start, self._word.end
        elsewhere = stretch(parts) if parts and parts[0].word != start else None
        if elsewhere is not None:  # it stands where the variable is set
            start, end = elsewhere
        if len(parts) == 1:  # as most: a script may have a million of them
            part = parts[0]
            many = bool(part.why) and (id(part) in self._bare or isinstance(part, Many))
            return Field(part.text, start, end, part.why, may_be_many=many)
        why = next((part.why for part in parts if part.why), "")
        return Field("".join(part.text for part in parts), start, end, why, may_be_many=False)
