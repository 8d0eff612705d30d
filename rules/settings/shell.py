"""ShellScript -> the commands that seem to start a training, each with its words, its variables and its folder."""

from __future__ import annotations

import os

from fp8check.rules.reading.shell import Arithmetic, Branch, Command, Enter, Leave
from fp8check.rules.record import Record
from fp8check.rules.settings.shell_scope import (
    EARLIER,
    FOLDER,
    FOLDERS,
    Array,
    Part,
    Scope,
    later,
    stretch,
    text_of,
    why_of,
)
from fp8check.rules.settings.shell_values import Expander, Field, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.reading.shell import Assignment, ShellScript, Word
    from fp8check.rules.settings.shell_scope import Held, Value
    from fp8check.rules.settings.values import Origin

# Commands of one script in which a program is named; and those of its functions, each time that one is called.
MAX_LINES = 5_000
MAX_CALLED = 5_000
MAX_VARIABLES = 500  # that matter for a training
_DEEPEST = 8
_DECLARING = frozenset(("declare", "export", "local", "readonly", "typeset"))
_FILLING = frozenset(("read", "mapfile", "readarray", "getopts"))
_BUILTINS = _DECLARING | _FILLING | {"unset", "set", "cd", "pushd", "popd", "source", ".", "shift", "exit", "echo"}
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh"))
# Files that people read into a script to have an environment, and no settings.
_ENVIRONMENTS = ("activate", ".bashrc", ".bash_profile", ".profile", ".zshrc", "profile", "conda.sh", "bashrc")
_STARTED_IN = ("${SLURM_SUBMIT_DIR}", "${PBS_O_WORKDIR}", "${SLURM_SUBMIT_DIR}/", "${SGE_O_WORKDIR}", "${LS_SUBCWD}")
_SHORT = {"-N": "nodes", "-n": "ntasks", "-G": "gpus", "-D": "chdir", "-c": "cpus-per-task"}


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


class Line(Record):
    """A command that seems to start a training.

    Attributes:
        variables: the environment variables that the script sets for it, by name.
        unset: those that the script takes away.
        folder: where the script has gone by then, from where it started; None where that is not known.
        span: the command in the script.
        where: the places of its flags, by their names and what they are set to.
        lost: that folder as it is written, where it is not known: `${WORK}`.
    """

    words: tuple[Place, ...]
    variables: Mapping[str, Place]
    unset: tuple[str, ...]
    folder: str | None
    span: Span
    where: Mapping[tuple[str, str | None], Span]
    lost: Place | None = None

    @classmethod
    def at(cls, span: Span) -> Line:
        """A place of the script where no command could be read."""
        return cls((), {}, (), "", span, {})

    def with_words(self, words: Sequence[Place]) -> Line:
        """The same command with other words at the same places."""
        return self._replace(words=tuple(words), where=_where(words))

    def why(self, text: str) -> str:
        """Why a word is not known, in parentheses; "" where the line does not have it, or it is known."""
        return next(
            (f" ({word.why}: line {word.span.line})" for word in self.words if word.text == text and word.why), ""
        )

    def place_of(self, origin: Origin) -> Span | None:
        """Where a flag or a variable stands that a setting comes from; None where this line does not have it."""
        if origin.variable is not None:
            place = self.variables.get(origin.variable)
            return None if place is None else place.span
        if origin.flag is None:
            return None
        name, value = _parted(*origin.flag.split(" ", 1))
        return self.where.get((name, value)) or self.where.get((name, None))


def _where(words: Sequence[Place]) -> dict[tuple[str, str | None], Span]:
    """The places of flags, by what they are set to, and by their names alone; the last of several counts."""
    found: dict[tuple[str, str | None], Span] = {}
    for word, following in zip(words, [*words[1:], None], strict=False):
        name, value = _parted(word.text, None if following is None else following.text)
        found[name, None] = word.span
        if value is not None:
            found[name, value] = word.span if following is None or "=" in word.text else _together(word, following)
    return found


def _parted(word: str, following: str | None = None) -> tuple[str, str | None]:
    """The name of a flag as all launchers read it, and what it is set to."""
    name, equals, value = word.partition("=")
    return name.lstrip("-").replace("-", "_"), value if equals else following


def _together(flag: Place, value: Place) -> Span:
    """A flag with its value; the value alone where that stands elsewhere."""
    from fp8check.rules.reading import Span

    one, other = flag.span, value.span
    if not 0 <= other.start - one.end <= _FAR:
        return other
    return Span(one.file, one.line, one.column, other.end_line, other.end_column, one.start, other.end)


_FAR = 80  # characters from a flag to its value: with more between them they are not written together


def lines(
    script: ShellScript, programs: Collection[str], matters: Callable[[str], bool], environment: Mapping[str, str]
) -> Iterator[Line]:
    """The commands of a script in which one of these programs is named, or Python.

    Args:
        matters: whether a variable of that name does, for a training.
        environment: variables that the script starts with, where they are known.

    Raises:
        Unreadable: there are more than anybody writes.
    """
    walk = _Walk(script, _Asked(programs, matters), Expander(script, Scope(), environment), None)
    for count, line in enumerate(walk.whole(), 1):
        if count > MAX_LINES:
            raise script.source.error(line.span.start, f"more than {MAX_LINES:,} commands start a program")
        yield line


class _Asked(Record):
    """What is looked for."""

    programs: Collection[str]
    matters: Callable[[str], bool]

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether one of these words names a program that starts trainings, or has one in it."""
        return any(self._is_one(word.rpartition("/")[2]) for text in texts for word in text.split())

    def _is_one(self, name: str) -> bool:
        name = name.strip("\"'();&\\")
        return (
            name in self.programs
            or (name.startswith("python") and name[6:].replace(".", "").isdigit())
            or name == "python"
        )


class _Outer(Record):
    """The command that a script is the text of: `srun bash -c "..."`.

    Attributes:
        span: where it stands.
        before: its words before the shell.
        depth: how many such commands there are around it.
    """

    span: Span
    before: tuple[Place, ...]
    depth: int


class _Block:
    """A block that is open: the point to go back to, and what its branches changed."""

    __slots__ = ("changed", "enter", "has_branches", "mark")

    def __init__(self, enter: Enter, mark: int) -> None:
        self.enter = enter
        self.mark = mark
        self.changed: dict[str, Held] = {}
        self.has_branches = False

    def branch(self, changed: Mapping[str, Held]) -> None:
        """One branch ends, and another begins."""
        self.changed.update(changed)
        self.has_branches = True


class _Walk:
    """One script, from its first command to its last."""

    def __init__(self, script: ShellScript, asked: _Asked, expander: Expander, outer: _Outer | None) -> None:
        self._script = script
        self._items = script.items
        self._asked = asked
        self._expander = expander
        self._scope = expander.scope
        self._outer = outer
        self._functions: dict[str, tuple[int, int]] = {}
        self._called: set[str] = set()
        self._calls: list[str] = []
        self._count = 0
        self._exports_all = False
        self._ended = False
        self._assigned: list[tuple[int, str]] | None = None

    def whole(self) -> Iterator[Line]:
        """All of it; functions that nothing calls come last."""
        if self._outer is None:
            self._directives()
        yield from self._walk(0, len(self._items))
        self._ended, self._count = False, 0
        for name, (begin, end) in list(self._functions.items()):
            if name not in self._called:
                yield from self._walk(begin, end)

    def _walk(self, begin: int, end: int) -> Iterator[Line]:
        at, blocks = begin, list[_Block]()
        while at < end and not self._ended:
            item = self._items[at]
            at += 1
            if isinstance(item, Command):
                yield from self._command(item, certain=not blocks and not self._calls)
            elif isinstance(item, Arithmetic):
                self._arithmetic(item)
            elif isinstance(item, Branch):
                self._branch(blocks)
            elif isinstance(item, Leave):
                self._leave(item, blocks)
            elif item.kind == "function":
                self._functions[item.name] = (at, item.leave)
                at = item.leave + 1
            elif item.kind != "group":
                blocks.append(_Block(item, self._scope.mark()))
                if item.kind == "loop":
                    self._loop(item, at)

    # Blocks

    def _branch(self, blocks: list[_Block]) -> None:
        blocks[-1].branch(self._scope.roll_back(blocks[-1].mark))

    def _leave(self, leave: Leave, blocks: list[_Block]) -> None:
        """Behind a block nobody knows what it has changed, unless it is a shell of its own: that changes nothing."""
        if leave.kind in ("group", "function"):
            return
        block = blocks.pop()
        block.changed.update(self._scope.roll_back(block.mark))
        if leave.kind == "subshell":
            return
        line = self._script.source.place(block.enter.start)[0]
        for name, changed in block.changed.items():
            if self._is_default(name, block, leave) and isinstance(changed.value, tuple):
                self._scope.put(name, changed.value)
            else:
                self._scope.spoil(name, f"line {line} sets it under a condition")
            if changed.exported:
                self._scope.export(name)

    def _is_default(self, name: str, block: _Block, leave: Leave) -> bool:
        """Whether a block does no more than give a variable that nobody sets its value: [ -z "$A" ] && A=4."""
        known = name in self._scope or self._expander.knows(name) or bool(self._expander.sourced)
        if known or block.has_branches or block.enter.kind not in ("if", "and"):
            return False
        test = self._items[max(leave.enter + (1 if block.enter.kind == "if" else -1), 0)]
        text = self._script.text[test.start : test.end] if isinstance(test, Command) else ""
        return "-z" in text and name in text

    def _loop(self, enter: Enter, at: int) -> None:
        """What a loop sets is not known at its beginning either: it may have run before."""
        line = self._script.source.place(enter.start)[0]
        for name in self._set_between(at, enter.leave):
            if name in self._scope or name in (FOLDER, EARLIER):
                self._scope.spoil(name, f"the loop in line {line} changes it")
        fields = self._expander.all_fields(enter.words or ())
        if len(fields) == 1 and not fields[0].why:
            self._scope.put(enter.name, value_of(fields[0]))
        elif enter.name:
            self._scope.spoil(enter.name, f"the loop in line {line} runs over it")

    def _set_between(self, begin: int, end: int) -> set[str]:
        """The variables that commands set between two places of the script."""
        from bisect import bisect_left

        if self._assigned is None:
            self._assigned = [
                (at, name) for at, one in enumerate(self._items) if isinstance(one, Command) for name in _names_set(one)
            ]
        first = bisect_left(self._assigned, (begin, ""))
        last = bisect_left(self._assigned, (end, ""))
        return {name for _, name in self._assigned[first:last]}

    def _arithmetic(self, item: Arithmetic) -> None:
        """((A++)): what is named there may be changed."""
        names = "".join(sign if sign.isalnum() or sign == "_" else " " for sign in item.text)
        for name in names.split():
            if name in self._scope:
                self._scope.spoil(name, "it is computed")

    # Commands

    def _command(self, command: Command, *, certain: bool) -> Iterator[Line]:
        self._count += bool(self._calls)
        if not command.words:
            for one in command.assignments if not command.in_pipe else ():
                self._assign(one)
            return
        fields = self._expander.all_fields(command.words)
        ends = False
        while fields and fields[0].text in ("exec", "command", "builtin"):
            ends = ends or fields[0].text == "exec"
            fields = fields[1:]
        name = fields[0].text if fields else ""
        if name in self._functions:
            yield from self._call(name, fields, command)
        elif name == "eval":
            yield from self._eval(command, fields)
        elif name in _BUILTINS:
            if not command.in_pipe:
                self._builtin(name, command, fields, certain=certain)
        elif self._asked.is_in([field.text for field in fields]):
            yield from self._candidate(command, fields)
        self._ended = self._ended or (ends and certain and bool(fields) and not command.in_pipe)

    def _builtin(self, name: str, command: Command, fields: Sequence[Field], *, certain: bool) -> None:
        texts = [field.text for field in fields[1:]]
        if name in _DECLARING:
            self._declare(name, command)
        elif name == "unset":
            for one in texts:
                self._scope.unset(one)
        elif name == "set":
            self._options(texts, fields)
        elif name in ("cd", "pushd", "popd"):
            self._go(name, fields)
        elif name in ("source", ".") and texts:
            self._source(texts[0], command)
        elif name in _FILLING:
            self._fill(command, texts)
        elif name == "shift":
            self._shift()
        elif name == "exit" and certain:
            self._ended = True

    def _assign(self, one: Assignment, *, exported: bool = False) -> None:
        exported = exported or self._exports_all or self._expander.knows(one.name)
        old = self._scope.get(one.name)
        value = self._expander.value(one.value) if one.value is not None else ()
        made: Value | Array
        if one.element:
            self._scope.spoil(one.name, "its elements are set one by one")
            return
        if one.items is not None:
            made = self._expander.array(one.items, old if one.append and isinstance(old, Array) else None)
        elif one.append and isinstance(old, tuple):
            made = self._expander.joined(old, value)
        elif one.append:
            self._scope.spoil(one.name, "something is added to it")
            return
        else:
            made = value
        self._set(one.name, made, exported=exported)

    def _set(self, name: str, value: Value | Array, *, exported: bool) -> None:
        self._scope.put(name, value)
        if exported:
            self._scope.export(name)

    def _declare(self, how: str, command: Command) -> None:
        """export A=B, declare -x A=B, local A=B: their values are not divided at spaces."""
        options = [word.literal or "" for word in command.words[1:] if (word.literal or "").startswith("-")]
        exports = how == "export" or any("x" in one for one in options)
        keeps = any("n" in one for one in options) and how == "export"
        for one in command.arrays:
            self._assign(one, exported=exports)
        for word in command.words[1:]:
            value = self._expander.value(word)
            name, equals, rest = value[0].text.partition("=") if value else ("", "", "")
            append = name.endswith("+")
            name = name.removesuffix("+")
            if not name.isidentifier():
                continue
            if equals:
                start = value[0].start + len(value[0].text) - len(rest) if value[0].start >= 0 else -1
                made = (Part(rest, start, value[0].word, value[0].why), *value[1:])
                made = made if rest or len(made) == 1 else made[1:]
                old = self._scope.get(name)
                self._scope.put(name, self._expander.joined(old, made) if append and isinstance(old, tuple) else made)
            if exports or self._exports_all:
                self._scope.export(name, exported=not keeps)

    def _fill(self, command: Command, texts: Sequence[str]) -> None:
        """read -r -d '' NAME <<EOF: all of the here-document; what else is read, is read while the script runs."""
        names = [one for one in texts if one.isidentifier()]
        for one in names:
            self._scope.spoil(one, "the script reads it while it runs")
        if command.heredoc is not None and "-d" in texts and len(names) == 1:
            self._scope.put(names[0], self._expander.heredoc(command.heredoc))

    def _options(self, texts: Sequence[str], fields: Sequence[Field]) -> None:
        """set -a, set -o allexport, set -- A B."""
        if "--" in texts:
            self._expander.take([value_of(field) for field in fields[texts.index("--") + 2 :]])
        for text, following in zip(texts, [*texts[1:], ""], strict=False):
            if (text[:1] in "-+" and "a" in text[1:] and text[1:].isalpha()) or following == "allexport":
                self._exports_all = text.startswith("-")

    def _shift(self) -> None:
        if self._expander.arguments is not None:
            self._expander.take(self._expander.arguments[1:])

    def _source(self, path: str, command: Command) -> None:
        if path.rpartition("/")[2] not in _ENVIRONMENTS:
            line = self._script.source.place(command.start)[0]
            self._expander.read_in(f"{path} (read in line {line})")

    def _go(self, how: str, fields: Sequence[Field]) -> None:
        """cd DIR, pushd DIR, popd: from where the script is."""
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
                self._scope.put(FOLDERS, Array((*before, here)))
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
        path = path if why or not path else os.path.normpath(path)
        self._scope.put(FOLDER, (Part("" if path == "." else path, why=why),))

    def _call(self, name: str, fields: Sequence[Field], command: Command) -> Iterator[Line]:
        """A function: its commands, with what it is called with as $1, $2 ..."""
        begin, end = self._functions[name]
        if name in self._calls or len(self._calls) >= _DEEPEST or self._count > MAX_CALLED:
            for one in self._set_between(begin, end):
                self._scope.spoil(one, f"the function {name} may set it")
            return
        self._called.add(name)
        mark = self._scope.mark()
        arguments = self._expander.take([value_of(field) for field in fields[1:]])
        self._calls.append(name)
        yield from self._walk(begin, end)
        self._calls.pop()
        self._expander.take(arguments)
        if command.in_pipe:
            self._scope.roll_back(mark)

    # Lines

    def _candidate(self, command: Command, fields: Sequence[Field]) -> Iterator[Line]:
        """A line; of `bash -c TEXT` those of the text."""
        for at, field in enumerate(fields):
            text = _text_of_shell(fields[at:]) if field.text.rpartition("/")[2] in _SHELLS else None
            if text is not None:
                before = tuple([self._place(one, command) for one in fields[:at]])
                yield from self._inner(command, fields, before, text, keeps=False)
                return
        yield self._line(command, fields)

    def _eval(self, command: Command, fields: Sequence[Field]) -> Iterator[Line]:
        """What a shell reads a second time; where that changes nothing, the words keep their places."""
        text = " ".join(field.text for field in fields[1:])
        plain = not any(sign in text for sign in "\"'\\`;&|<>()#\n") and not any(field.why for field in fields)
        words = [part for field in fields[1:] for part in _divided(field)] if plain and "$" not in text else []
        if not words:
            yield from self._inner(command, fields, (), text, keeps=True)
        elif self._asked.is_in([field.text for field in words]):
            yield from self._candidate(command, words)

    def _inner(
        self, command: Command, fields: Sequence[Field], before: tuple[Place, ...], text: str, *, keeps: bool
    ) -> Iterator[Line]:
        """The lines of a script that stands in a word. `eval` keeps what it sets."""
        from fp8check.rules.reading import Unreadable
        from fp8check.rules.reading.shell_syntax import read
        from fp8check.rules.reading.source import Source

        depth = self._outer.depth if self._outer is not None else 0
        if not self._asked.is_in([text]):
            return
        try:
            script = read(Source(self._script.path, text)) if depth < _DEEPEST else None
        except Unreadable:  # more words, or deeper blocks, than anybody writes
            script = None
        if script is None or script.stopped is not None:
            yield self._line(command, fields)
            return
        mark = self._scope.mark()
        outer = _Outer(self._span(command.start, command.end), (*self._before, *before), depth + 1)
        yield from _Walk(script, self._asked, self._expander.of(script), outer).whole()
        if not keeps:
            self._scope.roll_back(mark)

    @property
    def _before(self) -> tuple[Place, ...]:
        return self._outer.before if self._outer is not None else ()

    def _line(self, command: Command, fields: Sequence[Field]) -> Line:
        span = self._span(command.start, command.end)
        variables: dict[str, Place] = {}
        unset: list[str] = []
        for name, value in self._scope.exported():
            if not self._asked.matters(name):
                continue
            if value is None:
                unset.append(name)
            else:
                variables[name] = self._variable(value, span)
        if len(variables) > MAX_VARIABLES:
            raise self._script.source.error(command.start, f"more than {MAX_VARIABLES} variables are set for it")
        for one in command.assignments:
            if one.value is not None:
                value = self._expander.value(one.value)
                where = self._span(one.start, one.end)
                variables[one.name] = Place(text_of(value), where, why_of(value))
        words = (*self._before, *(self._place(field, command) for field in fields))
        folder, gone = self._scope.folder, self._scope.get(FOLDER)
        lost = self._variable(gone, span) if folder is None and isinstance(gone, tuple) else None
        return Line(words, variables, tuple(unset), folder, span, _where(words), lost)

    def _place(self, field: Field, command: Command) -> Place:
        span = self._span(field.start, field.end) if field.start >= 0 else self._span(command.start, command.end)
        return Place(field.text, span, field.why, field.may_be_many)

    def _variable(self, value: Value, span: Span) -> Place:
        there = stretch(value)
        span = self._span(*there) if there is not None else span
        return Place(text_of(value), span, why_of(value))

    def _span(self, start: int, end: int) -> Span:
        return self._script.source.span(start, end) if self._outer is None else self._outer.span

    # Slurm

    def _directives(self) -> None:
        """What `#SBATCH` lines say: Slurm hands it to the script as variables."""
        given: dict[str, str] = {}
        for text, _ in self._script.directives("#SBATCH"):
            words = text.partition(" #")[0].split()
            for word, following in zip(words, [*words[1:], ""], strict=False):
                name, equals, value = word.partition("=")
                if word.startswith("-"):
                    given[_SHORT.get(name, name.lstrip("-"))] = value if equals else following
        for name, value in _slurm(given):
            self._set(name, (Part(value),), exported=True)
        for pair in given.get("export", "").split(","):
            name, equals, value = pair.partition("=")
            if equals and name.isidentifier():
                self._set(name, (Part(value),), exported=True)
        if given.get("chdir"):
            self._scope.put(FOLDER, (Part(given["chdir"]),))


def _slurm(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that sbatch makes of its options, where they are numbers: sbatch(1), output environment."""
    nodes, tasks = _number(given.get("nodes")), _number(given.get("ntasks"))
    each = _number(given.get("ntasks-per-node"))
    gpus = _number(given.get("gpus-per-node")) or _of_gres(given.get("gres", ""))
    if gpus is None and nodes in (None, 1):
        gpus = _number(given.get("gpus"))
    if tasks is None and nodes is not None and each is not None:
        tasks = nodes * each
    for value, names in (
        (nodes, ("SLURM_NNODES", "SLURM_JOB_NUM_NODES")),
        (tasks, ("SLURM_NTASKS", "SLURM_NPROCS")),
        (each, ("SLURM_NTASKS_PER_NODE",)),
        (gpus, ("SLURM_GPUS_ON_NODE",)),
        (_number(given.get("cpus-per-task")), ("SLURM_CPUS_PER_TASK",)),
    ):
        if value is not None:
            yield from ((name, str(value)) for name in names)


def _number(text: str | None) -> int | None:
    """A count, also with the kind before it: 4, h100:4."""
    digits = (text or "").rpartition(":")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else None


def _of_gres(text: str) -> int | None:
    """The GPUs of --gres=gpu:h100:4,nvme."""
    for one in text.split(","):
        kind, _, count = one.partition(":")
        if kind == "gpu":
            return _number(count) if count else 1
    return None


def _text_of_shell(fields: Sequence[Field]) -> str | None:
    """The text that a shell is told to run: `bash -xc TEXT`; None where it is told to run a file."""
    for at, field in enumerate(fields[1:], 2):
        if not field.text.startswith("-"):
            break
        if "c" in field.text and not field.text.startswith("--") and at < len(fields):
            return fields[at].text
    return None


def _divided(field: Field) -> Iterator[Field]:
    """The words of a text that is read a second time."""
    at = 0
    for word in field.text.split():
        at = field.text.index(word, at)
        start, end = field.start, field.end
        if end - start == len(field.text):  # it stands there as it is
            start, end = start + at, start + at + len(word)
        yield Field(word, start, end, "", may_be_many=False)
        at += len(word)


def _names_set(command: Command) -> Iterator[str]:
    """The variables that a command may set, as far as its words tell."""
    yield from (one.name for one in (*command.assignments, *command.arrays))
    words = [_beginning(word) for word in command.words]
    if words and words[0] in _DECLARING | _FILLING | {"unset"}:
        yield from (name for word in words[1:] if (name := word.partition("=")[0].removesuffix("+")).isidentifier())
    if words and words[0] in ("cd", "pushd", "popd"):
        yield from (FOLDER, FOLDERS, EARLIER)


def _beginning(word: Word) -> str:
    return word.pieces[0].text if word.pieces and word.pieces[0].kind == "text" else ""
