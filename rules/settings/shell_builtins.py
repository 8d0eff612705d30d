"""What the commands of the shell itself do to its variables, its folder and its aliases: export, cd, read, set, ..."""

from __future__ import annotations

import os

from fp8check.rules.settings.shell_scope import (
    ARGUMENTS,
    EARLIER,
    EXPORTING,
    FOLDER,
    FOLDERS,
    Array,
    Part,
    later,
    text_of,
    why_of,
)
from fp8check.rules.settings.shell_values import value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.reading.shell import Assignment, Command, Word
    from fp8check.rules.settings.shell_scope import Held, Value
    from fp8check.rules.settings.shell_values import Expander, Field

_LONGEST_PATH = 4096  # PATH_MAX of Linux: no longer one can be gone to
# What lies deeper in the stack of pushd is forgotten: `popd` then goes somewhere that is not known.
_FOLDERS_KEPT = 64
DECLARING = frozenset(("declare", "export", "local", "readonly", "typeset"))
_LOCAL = ("declare", "local", "typeset")
FILLING = frozenset(("read", "mapfile", "readarray", "getopts"))
BUILTINS = frozenset(
    (
        *DECLARING,
        *FILLING,
        *("unset", "set", "cd", "pushd", "popd", "source", ".", "shift", "exit", "alias", "let", "echo", "printf"),
    )
)
_STARTED_IN = ("${SLURM_SUBMIT_DIR}", "${PBS_O_WORKDIR}", "${SLURM_SUBMIT_DIR}/", "${SGE_O_WORKDIR}", "${LS_SUBCWD}")


class Session:
    """What a shell keeps beside its variables.

    Attributes:
        calls: the functions that are being run, the outermost first.
        locals: what the variables were that each of these has for itself.
        count: how many commands of functions were run.
        ended: whether the script has ended.
    """

    __slots__ = ("aliases", "calls", "count", "ended", "locals")

    def __init__(self) -> None:
        self.aliases: dict[str, str] = {}
        self.calls: list[str] = []
        self.locals: list[dict[str, Held | None]] = []
        self.count = 0
        self.ended = False

    def end(self, *, ended: bool = True) -> None:
        """The script ends here, or another part of it begins."""
        self.ended = ended
        if not ended:
            self.count = 0


class Builtins:
    """The shell's own commands in one script.

    Args:
        line_of: tells the line of a command.
    """

    def __init__(self, expander: Expander, session: Session, line_of: Callable[[Command], int]) -> None:
        self._expander = expander
        self._scope = expander.scope
        self._session = session
        self._line_of = line_of

    def run(self, command: Command, fields: Sequence[Field], *, certain: bool) -> None:
        """One of BUILTINS.

        Args:
            fields: its words, the command first.
            certain: whether it is run whatever happens before.
        """
        name = fields[0].text
        if name in _EFFECTS:
            _EFFECTS[name](self, command, fields)
        elif name == "exit" and certain:
            self._session.end()

    def _unset(self, _command: Command, fields: Sequence[Field]) -> None:
        for name in _texts(fields):
            self._scope.unset(name)

    def _let(self, _command: Command, fields: Sequence[Field]) -> None:
        for text in _texts(fields):
            self.arithmetic(text)

    def _alias(self, _command: Command, fields: Sequence[Field]) -> None:
        self._session.aliases.update(text.partition("=")[::2] for text in _texts(fields) if "=" in text)

    def arithmetic(self, text: str) -> None:
        """((A = B + 1)); of other forms, ((A++)), what is named there may be changed."""
        name, equals, right = text.partition("=")
        number = self._expander.number(right) if equals and name.strip().isidentifier() else None
        if number is not None and right[:1] != "=":
            self.set(name.strip(), (Part(number),), exported=False)
            return
        names = "".join(sign if sign.isalnum() or sign == "_" else " " for sign in text)
        for compared in ("==", "!=", "<=", ">="):
            text = text.replace(compared, " ")
        for part in names.split():
            if part in self._scope and ("=" in text or "++" in text or "--" in text):
                self._scope.spoil(part, "it is computed")

    def assign(self, assignment: Assignment, *, exported: bool = False) -> None:
        """NAME=VALUE, NAME+=VALUE, NAME=(A B)."""
        exported = exported or self._expander.knows(assignment.name)
        old = self._scope.get(assignment.name)
        value = self._expander.value(assignment.value) if assignment.value is not None else ()
        made: Value | Array
        if assignment.element:
            self._scope.spoil(assignment.name, "its elements are set one by one")
            return
        if assignment.items is not None:
            made = self._expander.array(assignment.items, old if assignment.append and isinstance(old, Array) else None)
        elif assignment.append and isinstance(old, tuple):
            made = self._expander.joined(old, value)
        elif assignment.append:
            self._scope.spoil(assignment.name, "something is added to it")
            return
        else:
            made = value
        self.set(assignment.name, made, exported=exported)

    def set(self, name: str, value: Value | Array, *, exported: bool) -> None:
        """A variable gets a value."""
        self._scope.put(name, value)
        if exported:
            self._scope.export(name)

    def _declare(self, command: Command, fields: Sequence[Field]) -> None:
        """export A=B, declare -x A=B, local A=B: their values are not divided at spaces."""
        how = fields[0].text
        options = [word.literal or "" for word in command.words[1:] if (word.literal or "").startswith("-")]
        exports = how == "export" or any("x" in option for option in options)
        keeps = any("n" in option for option in options) and how == "export"
        is_local = how in _LOCAL and bool(self._session.calls) and not any("g" in option for option in options)
        for assignment in command.arrays:
            self._keep(assignment.name, is_local=is_local)
            self.assign(assignment, exported=exports)
        for word in command.words[1:]:
            value = self._expander.value(word)
            if how == "export" and value and value[0].why and word.pieces[0].kind == "output":
                self._expander.read_in(f"{value[0].text} (exported in line {self._line_of(command)})")
            name, equals, rest = value[0].text.partition("=") if value else ("", "", "")
            append = name.endswith("+")
            name = name.removesuffix("+")
            if not name.isidentifier():
                continue
            self._keep(name, is_local=is_local)
            if equals:
                start = value[0].start + len(value[0].text) - len(rest) if value[0].start >= 0 else -1
                made = (Part(rest, start, value[0].word, value[0].why), *value[1:])
                made = made if rest or len(made) == 1 else made[1:]
                old = self._scope.get(name)
                self._scope.put(name, self._expander.joined(old, made) if append and isinstance(old, tuple) else made)
            if exports:
                self._scope.export(name, exported=not keeps)

    def _keep(self, name: str, *, is_local: bool) -> None:
        """A variable that a function has for itself: what it was comes back behind it."""
        if is_local and self._session.locals:
            self._session.locals[-1].setdefault(name, self._scope.held(name))

    def _fill(self, command: Command, fields: Sequence[Field]) -> None:
        """read -r -d '' NAME <<EOF: all of the here-document; what else is read, is read while the script runs."""
        texts = _texts(fields)
        names = [text for text in texts if text.isidentifier()]
        for name in names:
            self._scope.spoil(name, "the script reads it while it runs")
        if command.heredoc is not None and "-d" in texts and len(names) == 1:
            self._scope.put(names[0], _stripped(self._expander.heredoc(command.heredoc)))

    def _options(self, _command: Command, fields: Sequence[Field]) -> None:
        """set -a, set -o allexport, set -- A B."""
        texts = _texts(fields)
        if "--" in texts:
            self._expander.take([value_of(field) for field in fields[texts.index("--") + 2 :]])
        for text, following in zip(texts, [*texts[1:], ""], strict=False):
            if (text[:1] in "-+" and "a" in text[1:] and text[1:].isalpha()) or following == "allexport":
                self._scope.put(EXPORTING, (Part("yes"),) if text.startswith("-") else ())

    def _shift(self, _command: Command, fields: Sequence[Field]) -> None:
        arguments = self._expander.arguments
        count = fields[1].text if len(fields) > 1 else "1"
        if arguments is None:
            return
        if count.isdigit() and int(count) > len(arguments):  # bash leaves them as they are
            return
        self._expander.take(arguments[int(count) :] if count.isdigit() else None)

    def _go(self, _command: Command, fields: Sequence[Field]) -> None:
        """cd DIR, pushd DIR, popd: from where the script is."""
        how = fields[0].text
        targets = [field for field in fields[1:] if field.text not in ("-P", "-L", "--")]
        held = self._scope.get(FOLDER)
        here = held if isinstance(held, tuple) else ()
        stack = self._scope.get(FOLDERS)
        before = stack.items if isinstance(stack, Array) else ()
        if how == "popd":
            self._scope.put(FOLDERS, Array(before[:-1]))
            self._go_to(before[-1] if before else None)
        elif how == "cd" and targets and targets[0].text == "-":
            self._go_to(self._scope.get(EARLIER))
        elif targets:
            if how == "pushd":
                self._scope.put(FOLDERS, Array((*before, here)[-_FOLDERS_KEPT:]))
            self._go_to(self._target(targets[0], here))
        else:
            self._go_to((Part("~"),) if how == "cd" else None)

    def _target(self, field: Field, here: Value) -> Value:
        """The folder that a word names; as it is written where that is not known."""
        text, why = field.text or ".", field.why
        if text in _STARTED_IN and why:  # where sbatch and qsub were started
            return ()
        if why or text.startswith(("/", "~", "-")):
            return (Part(text, why=why),)
        return (Part(os.path.join(text_of(here), text), why=why_of(here)),)

    def _go_to(self, folder: Value | Array | None) -> None:
        self._scope.put(EARLIER, self._scope.get(FOLDER) or ())
        if not isinstance(folder, tuple):
            self._scope.put(FOLDER, later("${OLDPWD}", "the script goes back"))
            return
        path, why = text_of(folder), why_of(folder)
        if path.startswith("~"):
            why = why or "it is somebody's home"
        if len(path) > _LONGEST_PATH:
            path, why = "", "its path is too long"
        path = path if why or not path else os.path.normpath(path)
        self._scope.put(FOLDER, (Part("" if path == "." else path, why=why),))

    def _printf(self, _command: Command, fields: Sequence[Field]) -> None:
        """printf -v NAME FORMAT."""
        texts = _texts(fields)
        if texts[:1] == ["-v"] and len(texts) > 2:
            plain = len(texts) == 3 or (len(texts) == 4 and texts[2] == "%s")
            if plain and "%" not in texts[-1] and "\\" not in texts[-1]:
                self.set(texts[1], (Part(texts[-1]),), exported=False)
            else:
                self._scope.spoil(texts[1], "it is printed")


_EFFECTS: Mapping[str, Callable[[Builtins, Command, Sequence[Field]], None]] = {
    **dict.fromkeys(DECLARING, Builtins._declare),
    **dict.fromkeys(FILLING, Builtins._fill),
    **dict.fromkeys(("cd", "pushd", "popd"), Builtins._go),
    "unset": Builtins._unset,
    "set": Builtins._options,
    "printf": Builtins._printf,
    "let": Builtins._let,
    "alias": Builtins._alias,
    "shift": Builtins._shift,
}


def _texts(fields: Sequence[Field]) -> list[str]:
    """What stands behind a command."""
    return [field.text for field in fields[1:]]


def _stripped(value: Value) -> Value:
    """Without the line breaks at its end, as `read` has it."""
    if not value or value[-1].why:
        return value
    last = value[-1]
    return (*value[:-1], Part(last.text.rstrip(" \t\n"), last.start, last.word))


def names_set(command: Command) -> Iterator[str]:
    """The variables that a command may set, as far as its words tell."""
    yield from (assignment.name for assignment in (*command.assignments, *command.arrays))
    words = [_beginning(word) for word in command.words]
    if words and words[0] in DECLARING | FILLING | {"unset"}:
        yield from (name for word in words[1:] if (name := word.partition("=")[0].removesuffix("+")).isidentifier())
    if words and words[0] in ("cd", "pushd", "popd"):
        yield from (FOLDER, FOLDERS, EARLIER)
    if words and words[0] in ("set", "shift"):
        yield ARGUMENTS


def _beginning(word: Word) -> str:
    return word.pieces[0].text if word.pieces and word.pieces[0].kind == "text" else ""
