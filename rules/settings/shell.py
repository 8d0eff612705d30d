"""ShellScript -> the commands that seem to start a training, each with its words, its variables and its folder."""

from __future__ import annotations

import os
from contextlib import suppress

from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.kind import SHELLS
from fp8check.rules.reading.shell import Arithmetic, Branch, Command, Enter, Leave
from fp8check.rules.record import Record
from fp8check.rules.settings import shell_loops as loops
from fp8check.rules.settings.launch import LaunchError
from fp8check.rules.settings.shell_blocks import Block, hangs_on, is_wanted, tested
from fp8check.rules.settings.shell_builtins import BUILTINS, FILLING, Builtins, Session, names_set
from fp8check.rules.settings.shell_lines import Changed, Line, Place, where_of
from fp8check.rules.settings.shell_scope import (
    ARGUMENTS,
    EARLIER,
    FOLDER,
    Held,
    Part,
    Scope,
    stretch,
    text_of,
    why_of,
)
from fp8check.rules.settings.shell_values import Expander, Field, value_of
from fp8check.rules.settings.shell_writes import files_written
from fp8check.rules.settings.wrapper_data import ShellScript as StartsScript
from fp8check.rules.settings.wrappers import unwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from fp8check.rules.reading import Span
    from fp8check.rules.reading.shell import ShellScript
    from fp8check.rules.settings.shell_scope import Value

    # Tells the place of a stretch of a script within another.
    _Places = Callable[[ShellScript, int, int], Span]

# Commands of one script in which a program is named; and those of its functions, each time that one is called.
MAX_LINES = 5_000
MAX_CALLED = 5_000
MAX_VARIABLES = 500  # that matter for a training
_DEEPEST = 8
_MOST_READ = 50  # files that are read as parts of a script
_SUBMITTING = ("sbatch", "qsub", "bsub")
# Programs that are handed a file without starting it.
_TOUCHING = frozenset(
    ("chmod", "cat", "rm", "cp", "mv", "ls", "echo", "touch", "sed", "scp", "rsync", "mkdir", "test", "[", "head")
)
_PRINTING = ("cat", "echo", "tee")
_NO_SHELL = (".py", ".yaml", ".yml", ".json", ".toml", ".txt", ".md", ".log")
# Files that people read into a script to have an environment, and no settings.
_ENVIRONMENTS = frozenset(
    (
        *("activate", ".bashrc", "bashrc", "bash.bashrc", ".bash_profile", ".profile", "profile", ".zshrc"),
        *("conda.sh", "mamba.sh", "modules.sh", "module.sh", "lmod.sh", "z00_lmod.sh", "nvm.sh", "setvars.sh"),
    )
)
# What people evaluate to have an environment: eval "$(conda shell.bash hook)".
_HOOKS = ("conda", "mamba", "pyenv", "ssh-agent", "direnv", "brew", "module", "dircolors", "rbenv", "hook", "init")


def lines(
    script: ShellScript,
    programs: Collection[str],
    matters: Callable[[str], bool],
    environment: Mapping[str, str],
    load: Callable[[str, str], str | None] | None = None,
    arguments: Sequence[str] | None = None,
) -> Iterator[Line]:
    """The commands of a script in which one of these programs is named, or Python.

    Args:
        matters: whether a variable of that name does, for a training.
        environment: variables that the script starts with, where they are known.
        load: gives the text of a file that the script reads as a part of itself, by its name and the folder that the
            script has gone to; None where there is none.
        arguments: what the script is started with; None where that is not known.

    Raises:
        Unreadable: there are more than anybody writes.
    """
    asked = _Asked(programs, matters, load)
    expander = Expander(script, Scope(), environment)
    if arguments is not None:
        expander.take([(Part(text),) for text in arguments])
    walk = _Walk(script, asked, expander, None, _Shared())
    for count, line in enumerate(walk.whole(), 1):
        if count > MAX_LINES:
            raise script.source.error(line.span.start, f"more than {MAX_LINES:,} commands start a program")
        yield line


class _Asked(Record):
    """What is looked for."""

    programs: Collection[str]
    matters: Callable[[str], bool]
    load: Callable[[str, str], str | None] | None = None

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether one of these words names a program that starts trainings, or has one in it."""
        return any(self._is_one(word.rpartition("/")[2]) for text in set(texts) for word in text.split())

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
        place: the place of a stretch of its text, where that stands in the outermost script line by line.
    """

    span: Span
    before: tuple[Place, ...]
    depth: int
    place: _Places | None = None


class _Written:
    """A script that is written: its text, the command that writes it, and what reads that."""

    __slots__ = ("command", "place", "text", "walk")

    def __init__(self, walk: _Walk, command: Command, text: Value, place: _Places | None) -> None:
        self.walk = walk
        self.command = command
        self.text = text
        self.place = place


class _Shared(Session):
    """What a script and those that are read as parts of it have in common.

    Attributes:
        functions: where they begin and end, and in which script.
        written: the scripts that it writes, by their names.
        changed: the files that it writes or changes, with the line that does first.
        texts: what `bash -c` and `eval` were given, read once, by the file and the text; None where it cannot be read.
    """

    __slots__ = ("called", "changed", "functions", "read", "started", "texts", "written")

    def __init__(self, outer: _Shared | None = None) -> None:
        super().__init__()
        self.functions: dict[str, tuple[_Walk, int, int]] = {}
        self.called: set[str] = set()
        self.written: dict[str, _Written] = {} if outer is None else outer.written
        self.started: set[str] = set() if outer is None else outer.started
        self.changed: Changed = Changed() if outer is None else outer.changed
        self.texts: dict[tuple[str, str], ShellScript | None] = {} if outer is None else outer.texts
        self.read = 0

    def counts(self, *, read: int = 0, commands: int = 0) -> None:
        """More files were read, or commands of functions."""
        self.read += read
        self.count += commands


class _Walk:
    """One script, from its first command to its last."""

    def __init__(
        self, script: ShellScript, asked: _Asked, expander: Expander, outer: _Outer | None, shared: _Shared
    ) -> None:
        self._script = script
        self._items = script.items
        self._asked = asked
        self._expander = expander
        self._scope = expander.scope
        self._outer = outer
        self._shared = shared
        self._builtins = Builtins(expander, shared, lambda command: self._span_of(command).line)
        self._printed: Value | None = None
        self._assigned: list[tuple[int, str]] | None = None
        self._between: dict[tuple[int, int], frozenset[str]] = {}
        self._turns = 0  # loops that are gone through turn by turn

    def whole(self) -> Iterator[Line]:
        """All of it; functions that nothing calls come last, and scripts that are written and not started."""
        yield from self.part()
        shared = self._shared
        shared.end(ended=False)
        for name, (walk, begin, end) in list(shared.functions.items()):
            if name not in shared.called:
                yield from walk._walk(begin, end)
        for name, script in list(shared.written.items()) if self._outer is None else ():
            if name not in shared.started:
                shared.started.add(name)
                text, known = text_of(script.text), not why_of(script.text)
                yield from script.walk._inner(
                    script.command, [], (), text, keeps=False, known=known, place=script.place
                )

    def part(self) -> Iterator[Line]:
        """Its commands in their order."""
        if self._outer is None or self._script.text.startswith("#!"):
            self._directives()
        yield from self._walk(0, len(self._items))

    def _walk(self, begin: int, end: int) -> Iterator[Line]:
        at, blocks = begin, list[Block]()
        while at < end and not self._shared.ended:
            item = self._items[at]
            at += 1
            if isinstance(item, Command):
                if self._expander.arguments is not None and any(block.runs is False for block in blocks):
                    continue  # it is started as it stands, and does not come here
                surely = all(block.runs for block in blocks) if self._turns else not blocks
                yield from self._command(item, certain=surely and not self._shared.calls)
            elif isinstance(item, Arithmetic):
                self._builtins.arithmetic(item.text)
            elif isinstance(item, Branch):
                blocks[-1].end_branch(self._scope.roll_back(blocks[-1].mark))
                blocks[-1].begin_branch(item, self._items, at)
            elif isinstance(item, Leave):
                self._leave(item, blocks)
            elif isinstance(item, Enter):
                turned = self._turned(item, at) if item.kind == "loop" and not blocks else None
                if turned is None:
                    at = self._enter(item, at, blocks)
                else:
                    yield from turned
                    at = item.leave + 1

    # Blocks

    def _enter(self, item: Enter, at: int, blocks: list[Block]) -> int:
        """A block begins; returns where to go on."""
        if item.kind == "function":
            self._shared.functions[item.name] = (self, at, item.leave)
            return item.leave + 1
        if item.kind != "group":
            runs: bool | None = None
            if item.kind == "and":
                runs = hangs_on(self._items, at - 2, item.sign, self._expander.assumed)
            elif item.kind == "case":
                runs = False
            elif item.kind == "if":
                runs = tested(self._items, at, self._expander.assumed)
            elif item.kind == "loop" and self._never_runs(item, at):
                runs = False
                self._wants_arguments(item, at)
            blocks.append(Block(item, self._scope.mark(), runs, self._expander.assumed))
            if item.kind == "loop" and runs is None:
                self._loop(item, at)
        return at

    def _never_runs(self, item: Enter, at: int) -> bool:
        """Whether a loop has nothing to run over, or its test fails: of arguments, of which a script has none."""
        if item.name:
            if item.words is None:  # for NAME; do: over the arguments
                return not self._expander.assumed_arguments()
            none = [word for word in item.words if self._expander.is_no_word(word)]
            return len(none) == len(item.words)
        first = self._items[at] if at < len(self._items) else None
        if isinstance(first, Command) and first.words and first.words[0].bare == "getopts":
            return not self._expander.assumed_arguments()
        return loops.goes_on(self._items, item, at, self._expander) is False

    def _turned(self, loop: Enter, at: int) -> list[Line] | None:
        """The lines of a loop over arguments that are known, turn by turn; None of any other loop."""
        arguments = self._expander.arguments
        if not arguments or len(arguments) > loops.MOST_TURNS or any(why_of(one) for one in arguments):
            return None
        body = loops.body_of(self._items, loop, at)
        if body is None or self._shared.calls:
            return None
        mark = self._scope.mark()
        self._turns += 1
        found = self._turn_by_turn(loop, at, body)
        self._turns -= 1
        if found is None:
            self._scope.roll_back(mark)
        return found

    def _turn_by_turn(self, loop: Enter, at: int, body: int) -> list[Line] | None:
        expander, scope, arguments = self._expander, self._scope, self._expander.arguments or ()
        sets = loops.asks_for_options(self._items, at)
        turns: Iterator[Mapping[str, Value]]
        read = None
        if loops.runs_over_arguments(loop):
            turns = ({loop.name: one} for one in arguments)
        elif sets is not None:
            letters, name = expander.assumed(sets[0]), sets[1].bare
            read = None if letters is None else loops.options(letters, [text_of(one) for one in arguments])
            if read is None or name is None:
                return None
            turns = ({name: (Part(letter),), "OPTARG": (Part(value),)} for letter, value in read[0])
        elif loop.name:
            return None
        else:
            turns = iter([{}] * (len(arguments) + 1))
        inside = [one.end for one in self._items[body : loop.leave] if isinstance(one, Command)]
        text = self._script.text[loop.start : max(inside, default=loop.start)]
        lines: list[Line] = []
        for sets_first in turns:
            left = len(expander.arguments or ())
            more = loops.goes_on(self._items, loop, at, expander) if not loop.name and read is None else True
            if more is not True:
                return lines if more is False else None
            for one, value in sets_first.items():
                scope.put(one, value)
            if not expander.spends(text):
                return None
            lines += self._walk(body, loop.leave)
            if self._shared.ended:
                return lines
            if not loop.name and read is None and len(expander.arguments or ()) >= left:
                return None  # a turn that takes none of them away
        if read is not None:
            scope.put("OPTIND", (Part(str(read[1] + 1)),))
        return lines

    def _leave(self, leave: Leave, blocks: list[Block]) -> None:
        """Behind a block nobody knows what it has changed, unless it is a shell of its own: that changes nothing."""
        if leave.kind in ("group", "function"):
            return
        block = blocks.pop()
        block.end_branch(self._scope.roll_back(block.mark))
        if leave.kind != "subshell":
            line = self._script.source.place(block.enter.start)[0]
            block.leave(self._scope, f"line {line} sets it under a condition")

    def _loop(self, enter: Enter, at: int) -> None:
        """What a loop sets is not known at its beginning either: it may have run before."""
        line = self._script.source.place(enter.start)[0]
        for name in self._set_between(at, enter.leave):
            if name in self._scope or name in (FOLDER, EARLIER, ARGUMENTS):
                self._scope.spoil(name, f"the loop in line {line} changes it")
        fields = self._expander.all_fields(enter.words or ())
        if len(fields) == 1 and not fields[0].why:
            self._scope.put(enter.name, value_of(fields[0]))
        elif enter.name:
            self._scope.spoil(enter.name, f"the loop in line {line} runs over it")

    def _wants_arguments(self, enter: Enter, at: int) -> None:
        """What a loop over the arguments sets, and without which the script ends, is one of them: so it is started."""
        for name in self._set_between(at, enter.leave):
            value = self._scope.get(name)
            is_empty = isinstance(value, tuple) and not text_of(value) and not why_of(value)
            if is_empty and is_wanted(name, self._script.text):
                self._scope.spoil(name, "it is an argument of the script")

    def _set_between(self, begin: int, end: int) -> frozenset[str]:
        """The variables that commands set between two places of the script."""
        from bisect import bisect_left

        if self._assigned is None:
            self._assigned = [
                (at, name) for at, one in enumerate(self._items) if isinstance(one, Command) for name in names_set(one)
            ]
        first = bisect_left(self._assigned, (begin, ""))
        last = bisect_left(self._assigned, (end, ""))
        if (first, last) not in self._between:  # a function that is called again sets the same ones
            self._between[first, last] = frozenset(name for _, name in self._assigned[first:last])
        return self._between[first, last]

    # Commands

    def _command(self, command: Command, *, certain: bool) -> Iterator[Line]:  # noqa: PLR0912  one case after another
        self._shared.counts(commands=len(self._shared.calls) and 1)
        if not command.words:
            for assignment in command.assignments if not command.in_pipe else ():
                self._builtins.assign(assignment)
            return
        mark = self._scope.mark()
        fields = self._with_aliases(command, self._expander.all_fields(command.words))
        if command.in_pipe:  # ${A:=x} sets A in a shell of its own
            self._scope.roll_back(mark)
        self._changes(command, fields)
        printed, self._printed = self._printed, self._prints(command, fields) if command.in_pipe else None
        ends = False
        while fields and fields[0].text in ("exec", "command", "builtin"):
            ends = ends or fields[0].text == "exec"
            fields = fields[1:]
        name = fields[0].text if fields else ""
        if name in self._shared.functions:
            yield from self._call(name, fields, command)
        elif name == "eval":
            yield from self._eval(command, fields)
        elif command.written is not None and name in _PRINTING:
            self._write(command, fields)
        elif name in ("source", "."):
            yield from self._source(command, fields)
        elif name in BUILTINS:
            if not command.in_pipe or name in FILLING:
                self._builtins.run(command, fields, certain=certain)
        elif (inner := self._read_by(command, fields, printed)) is not None:
            yield from self._within(command, fields, inner)
        elif self._asked.is_in([field.text for field in fields]):
            yield from self._candidate(command, fields)
        elif self._is_unread(fields):
            yield self._line(command, fields)._replace(unread=True)
        if ends and certain and fields and not command.in_pipe:
            self._shared.end()

    def _source(self, command: Command, fields: Sequence[Field]) -> Iterator[Line]:
        """source FILE: its commands are run as a part of this script, where the file can be read."""
        if len(fields) < 2:
            return
        path, shared = fields[1].text, self._shared
        if path.rpartition("/")[2] in _ENVIRONMENTS:
            return
        folder = self._scope.folder
        text: str | None = None
        if os.path.normpath(path) in shared.written:
            shared.started.add(os.path.normpath(path))
            text = text_of(shared.written[os.path.normpath(path)].text)
        elif not fields[1].why and folder is not None and self._asked.load is not None and shared.read < _MOST_READ:
            with suppress(Unreadable):
                text = self._asked.load(path, folder)
        if text is None or not self._expander.spends(text):
            line = self._script.source.place(command.start)[0]
            self._expander.read_in(f"{path} (read in line {line})")
            return
        shared.counts(read=1)
        before = self._scope.get(ARGUMENTS)
        if len(fields) > 2:
            self._expander.take([value_of(field) for field in fields[2:]])
        yield from self._inner(command, fields, (), text, keeps=True, whole=True)
        if len(fields) > 2:
            self._expander.give_back(before)

    def _call(self, name: str, fields: Sequence[Field], command: Command) -> Iterator[Line]:
        """A function: its commands, with what it is called with as $1, $2 ..."""
        walk, begin, end = self._shared.functions[name]
        if name in self._shared.calls or len(self._shared.calls) >= _DEEPEST or self._shared.count > MAX_CALLED:
            for one in walk._set_between(begin, end):
                self._scope.spoil(one, f"the function {name} may set it")
            return
        self._shared.called.add(name)
        mark = self._scope.mark()
        arguments = walk._expander.take([value_of(field) for field in fields[1:]])
        self._shared.calls.append(name)
        self._shared.locals.append({})
        yield from walk._walk(begin, end)
        self._shared.calls.pop()
        for one, held in self._shared.locals.pop().items():
            self._scope.restore({one: held if held is not None else Held(None, exported=False)})
        walk._expander.give_back(arguments)
        if command.in_pipe:
            self._scope.roll_back(mark)

    # Scripts within scripts

    def _with_aliases(self, command: Command, fields: list[Field]) -> list[Field]:
        """The words with the first one as an alias says it."""
        said = self._shared.aliases.get(fields[0].text) if fields and self._shared.aliases else None
        if said is None or command.words[0].bare is None or not self._expander.spends(said):
            return fields
        first = fields[0]
        return [*(Field(part, first.start, first.end, "", may_be_many=False) for part in said.split()), *fields[1:]]

    def _prints(self, command: Command, fields: Sequence[Field]) -> Value | None:
        """What a command prints into a pipe, or a file; None where that is not known."""
        name = fields[0].text if fields else ""
        if name in ("cat", "tee") and command.heredoc is not None:
            return self._expander.heredoc(command.heredoc)
        if name in ("cat", "tee") and command.fed is not None:
            return self._expander.value(command.fed)
        if name == "echo" and not any(field.why for field in fields):
            return (Part(" ".join(field.text for field in fields[1:] if field.text not in ("-e", "-n", "-en"))),)
        return None

    def _read_by(
        self, command: Command, fields: Sequence[Field], printed: Value | None
    ) -> tuple[int, Value, Sequence[Field], _Places | None] | None:
        """The script that a shell is handed: where the shell stands among the words, the text, and its arguments.

        Last what tells the places in the text.

        By a here-document, a pipe, or as a file that this script has written.
        """
        written = self._shared.written
        there = self._there(fields)
        if there is not None:
            return there
        for at, field in enumerate(fields):
            name = field.text.rpartition("/")[2]
            path = os.path.normpath(field.text) if written else ""
            if path in written and (at == 0 or fields[0].text not in _TOUCHING):
                self._shared.started.add(path)
                starts = at - 1 if at and fields[at - 1].text.rpartition("/")[2] in SHELLS else at
                starts = 0 if fields[0].text in _SUBMITTING else starts
                one = written[path]
                spent = self._expander.spends(text_of(one.text))
                return (starts, one.text, fields[at + 1 :], one.place) if spent else None
            if name in (*SHELLS, *_SUBMITTING, "ssh") and name != "zsh":
                if name not in ("ssh", *_SUBMITTING) and any(not one.text.startswith("-") for one in fields[at + 1 :]):
                    continue
                fed = printed
                if command.heredoc is not None:
                    fed = self._expander.heredoc(command.heredoc)
                elif command.fed is not None:
                    fed = self._expander.value(command.fed)
                if fed is not None:
                    return (len(fields) if name == "ssh" else at), fed, (), self._placed(command, text_of(fed))
        return None

    def _there(self, fields: Sequence[Field]) -> tuple[int, Value, Sequence[Field], None] | None:
        """A script beside this one that is started, as `_read_by` tells: `bash run.sh`, `nohup ./run.sh`."""
        try:
            at, text = self._beside(fields)
        except Unreadable:
            return None
        if text is None or not self._expander.spends(text):
            return None
        starts = at
        while starts and (fields[starts - 1].text.startswith("-") or _is_shell(fields[starts - 1].text)):
            starts -= 1
        starts = 0 if fields[0].text in _SUBMITTING else starts
        return starts, (Part(text),), fields[at + 1 :], None

    def _is_unread(self, fields: Sequence[Field]) -> bool:
        """Whether a script beside this one is started that `_read_by` has not read: what it starts is not known.

        It cannot be read, or there was no room for it: there is a limit of what is read again.
        """
        try:
            return self._beside(fields)[1] is not None
        except Unreadable:
            return True

    def _beside(self, fields: Sequence[Field]) -> tuple[int, str | None]:
        """Where the name of a shell script stands that a command starts, and its text; None where there is none.

        Raises:
            Unreadable: it is there, and cannot be read.
        """
        folder, load = self._scope.folder, self._asked.load
        if load is None or folder is None or not any(field.text.endswith(".sh") for field in fields):
            return 0, None
        at = len(fields) - len(_script_started([field.text for field in fields]))
        if at == len(fields) or fields[at].why or self._is_written(fields[at].text):
            return at, None
        return at, load(fields[at].text, folder)

    def _is_written(self, path: str) -> bool:
        """Whether the script has written that file, or changed it."""
        changed, there = self._shared.changed, os.path.normpath(os.path.join(self._scope.folder or "", path))
        return os.path.normpath(path) in self._shared.written or changed.line_of(there, changed.count) is not None

    def _within(
        self,
        command: Command,
        fields: Sequence[Field],
        handed: tuple[int, Value, Sequence[Field], _Places | None],
    ) -> Iterator[Line]:
        """The lines of a script that a shell is handed, as `_read_by` tells."""
        at, text, arguments, place = handed
        before = tuple(self._place(one, command) for one in fields[:at])
        known = not why_of(text)
        old = self._expander.take([value_of(field) for field in arguments] if known else None)
        yield from self._inner(
            command, fields, before, text_of(text), keeps=False, whole=True, known=known, place=place
        )
        self._expander.give_back(old)

    def _write(self, command: Command, fields: Sequence[Field]) -> None:
        """cat > job.sh <<EOF"""
        printed = self._prints(command, fields)
        target = () if command.written is None else self._expander.value(command.written)
        is_script = not text_of(target).endswith(_NO_SHELL)
        if printed is not None and is_script and self._asked.is_in([text_of(printed)]):
            one = _Written(self, command, printed, self._placed(command, text_of(printed)))
            self._shared.written[os.path.normpath(text_of(target))] = one

    def _changes(self, command: Command, fields: Sequence[Field]) -> None:
        """The files that a command writes: sed -i ... FILE, ... > FILE."""
        names = [*files_written([field.text for field in fields])]
        if command.written is not None:
            names.append(text_of(self._expander.value(command.written)))
        for name in names:
            path = os.path.normpath(os.path.join(self._scope.folder or "", name))
            self._shared.changed.add(path, self._span_of(command).line)

    # Lines

    def _candidate(self, command: Command, fields: Sequence[Field]) -> Iterator[Line]:
        """A line; of `bash -c TEXT` those of the text."""
        for at, field in enumerate(fields):
            text = _text_of_shell(fields[at:]) if field.text.rpartition("/")[2] in SHELLS else None
            if text is not None:
                before = tuple([self._place(one, command) for one in fields[:at]])
                unknown = any(one.why for one in fields[at:])
                yield from self._inner(command, fields, before, text, keeps=False, known=not unknown)
                return
        yield self._line(command, fields)

    def _eval(self, command: Command, fields: Sequence[Field]) -> Iterator[Line]:
        """What a shell reads a second time; where that changes nothing, the words keep their places."""
        text = " ".join(field.text for field in fields[1:])
        plain = not any(sign in text for sign in "\"'\\`;&|<>()#\n") and not any(field.why for field in fields)
        plain = plain and "$" not in text and "=" not in text.split(" ", 1)[0]
        words = [part for field in fields[1:] for part in _divided(field)] if plain else []
        if not words:
            yield from self._inner(command, fields, (), text, keeps=True, whole=True)
            if any(field.why for field in fields) and not any(name in text for name in _HOOKS):
                self._expander.read_in(f"eval in line {self._script.source.place(command.start)[0]}")
        elif self._asked.is_in([field.text for field in words]):
            yield from self._candidate(command, words)

    def _inner(
        self,
        command: Command,
        fields: Sequence[Field],
        before: tuple[Place, ...],
        text: str,
        *,
        keeps: bool,
        whole: bool = False,
        known: bool = True,
        place: _Places | None = None,
    ) -> Iterator[Line]:
        """The lines of a script that stands in a word, or in a file. `eval` and `source` keep what it sets.

        Args:
            whole: whether it matters where no program is named in it.
            known: whether all of its text is.
            place: tells the places in its text, where they are known.
        """
        depth = self._outer.depth if self._outer is not None else 0
        if not whole and not self._asked.is_in([text]):
            return
        script = self._script_of(text) if depth < _DEEPEST else None
        if script is None or script.stopped is not None:
            if whole and keeps:
                self._expander.read_in("a text that cannot be read")
            if self._asked.is_in([field.text for field in fields]):
                yield self._line(command, fields)
            return
        mark = self._scope.mark()
        outer = _Outer(self._span_of(command), (*self._before, *before), depth + 1, place)
        expander = self._expander.of(script, known=known)
        if keeps:
            yield from _Walk(script, self._asked, expander, outer, self._shared).part()
            self._expander.read_in(expander.sourced)
        else:
            for assignment in command.assignments:
                if assignment.value is not None:
                    self._builtins.set(assignment.name, self._expander.value(assignment.value), exported=True)
            self._scope.hide("" if known else "it is another shell's")
            yield from _Walk(script, self._asked, expander, outer, _Shared(self._shared)).whole()
            self._scope.roll_back(mark)

    def _script_of(self, text: str) -> ShellScript | None:
        """A text as a script; None where it cannot be read."""
        from fp8check.rules.reading import Unreadable
        from fp8check.rules.reading.shell_syntax import read
        from fp8check.rules.reading.source import Source

        texts, key = self._shared.texts, (self._script.path, text)
        if key not in texts:
            try:
                texts[key] = read(Source(*key))
            except Unreadable:  # more words, or deeper blocks, than anybody writes
                texts[key] = None
        return texts[key]

    def _placed(self, command: Command, text: str) -> _Places | None:
        """Tells the places of a text that is the here-document of a command; None where its lines are other ones."""
        source, heredoc = self._script.source, command.heredoc
        if heredoc is None or self._outer is not None:
            return None
        rows = source.text[heredoc.start : heredoc.end].rstrip("\n").split("\n")
        begins = [0, *(at for at, row in enumerate(rows[:-1], 1) if heredoc.is_literal or not _goes_on(row))]
        if len(begins) != text.rstrip("\n").count("\n") + 1:
            return None
        above = source.place(heredoc.start)[0]
        begins.append(len(rows))

        def place(script: ShellScript, start: int, end: int) -> Span:
            first, last = script.source.place(start)[0], script.source.place(max(start, end - 1))[0]
            # A carriage return by itself ends a line of a file, and none of a here-document.
            first, last = min(first, len(begins)) - 1, min(last, len(begins) - 1)
            begin = source.start_of(above + begins[first])
            return source.span(begin, max(begin, source.start_of(above + begins[last]) - 1))

        return place

    @property
    def _before(self) -> tuple[Place, ...]:
        return self._outer.before if self._outer is not None else ()

    def _line(self, command: Command, fields: Sequence[Field]) -> Line:
        span = self._span_of(command)
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
        for assignment in command.assignments:
            if assignment.value is not None:
                value = self._expander.value(assignment.value)
                where = self._span(assignment.start, assignment.end)
                variables[assignment.name] = Place(text_of(value), where, why_of(value))
        words = (*self._before, *(self._place(field, command) for field in fields))
        folder, gone = self._scope.folder, self._scope.get(FOLDER)
        lost = self._variable(gone, span) if folder is None and isinstance(gone, tuple) else None
        changed = (self._shared.changed, self._shared.changed.count)
        return Line(
            words, variables, tuple(unset), folder, span, where_of(words), lost, changed, self._expander.sourced
        )

    def _place(self, field: Field, command: Command) -> Place:
        is_here = field.start >= 0 and self._outer is None
        span = self._span(field.start, field.end) if is_here else self._span_of(command)
        return Place(field.text, span, field.why, field.may_be_many)

    def _variable(self, value: Value, span: Span) -> Place:
        there = stretch(value) if self._outer is None else None
        span = self._span(*there) if there is not None else span
        return Place(text_of(value), span, why_of(value))

    def _span(self, start: int, end: int) -> Span:
        return self._script.source.span(start, end) if self._outer is None else self._outer.span

    def _span_of(self, command: Command) -> Span:
        """The place of a command; of one in a here-document its own line."""
        if self._outer is None or self._outer.place is None:
            return self._span(command.start, command.end)
        return self._outer.place(self._script, command.start, command.end)

    # Slurm

    def _directives(self) -> None:
        """What `#SBATCH` lines say: Slurm hands it to the script as variables."""
        directives = self._script.directives("#SBATCH")
        if not directives:
            return
        from fp8check.rules.settings import shell_slurm

        given = shell_slurm.options(directives)
        for name, value in shell_slurm.variables(given):
            self._builtins.set(name, (Part(value),), exported=True)
        if given.get("chdir"):
            self._scope.put(FOLDER, (Part(given["chdir"]),))


def _goes_on(row: str) -> bool:
    """Whether a line goes on in the next one: it ends with a backslash that means that."""
    return (len(row) - len(row.rstrip("\\"))) % 2 == 1


def _is_shell(word: str) -> bool:
    return word.rpartition("/")[2] in SHELLS


def _script_started(words: Sequence[str]) -> Sequence[str]:
    """The shell script that a command starts, with its arguments; none where it starts another program."""
    try:
        inside = unwrap(words, {})
    except StartsScript as script:
        at = next((at for at, word in enumerate(script.inside.words) if not word.startswith("-")), None)
        return script.inside.words[at:] if at is not None else ()
    except LaunchError:
        return ()
    return inside.words if inside.words and inside.words[0].endswith(".sh") else ()


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
