"""A run as it would be: the values of its files, its command, its variables and its packages."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading.overlay import same
from fp8check.rules.record import Record
from fp8check.rules.repair.goal import ANOTHER_PACKAGE, BY_HAND, ENTRY, FILE, LAUNCH, PACKAGE, VARIABLE
from fp8check.rules.repair.values import assigned, data_of, empty, frozen, value_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.edits.action import Action
    from fp8check.rules.moves.sources import PythonSource, ShellSource
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.twice import Once
    from fp8check.rules.settings.shell_edits import Changes, Lines


class State(Record):
    """What is changed of the runs so far.

    Attributes:
        files: the data of each file that can be written, by its path.
        why: what asked for the value of an entry last, by file and path.
    """

    files: Mapping[str, object]
    launch: str | None
    variables: Mapping[str, str | None] = {}
    packages: Mapping[str, str] = {}
    why: Mapping[tuple[str, tuple[str, ...]], str] = {}

    def after(self, action: Action) -> State:
        """The state after an action."""
        files = dict(self.files)
        why = dict(self.why)
        for file in dict.fromkeys(assign.file for assign in action.assigns):
            files[file] = assigned(
                files[file], ((assign.path, assign.value) for assign in action.assigns if assign.file == file)
            )
        why.update({(assign.file, assign.path): action.why for assign in action.assigns})
        why.update({("variable", (name,)): action.why for name in action.variables})
        why.update({("package", (name,)): action.why for name in action.packages})
        if action.command is not None:
            why["launch", ()] = action.why
        return State(
            files,
            self.launch if action.command is None else action.command,
            {**self.variables, **action.variables},
            {**self.packages, **action.packages},
            why,
        )

    @property
    def key(self) -> object:
        """The same for states with the same effective values."""
        files = tuple((path, _frozen(data)) for path, data in sorted(self.files.items()))
        return files, self.launch, tuple(sorted(self.variables.items(), key=str)), tuple(sorted(self.packages.items()))


_KEPT = 32
_known: dict[int, tuple[object, object]] = {}  # by identity, with the data, so that no other takes its place


def _frozen(data: object) -> object:
    """As `frozen`; what was asked last is kept, since most states of a search share most of their files."""
    known = _known.get(id(data))
    if known is not None and known[0] is data:
        return known[1]
    if len(_known) >= _KEPT:
        _known.clear()
    made = frozen(data)
    _known[id(data)] = data, made
    return made


class Start(Record):
    """The runs as they were given.

    Attributes:
        documents: the files that can be written; that of a new Accelerate file is empty.
        new_file: the name that a new Accelerate file gets.
        default: the machine's default Accelerate file, which nobody gave and other runs read, too: what is to change in
            it changes in a copy, which is the new file. None where the runs read none.
        once: by its path, what is written of a file that has keys twice, which its loader refuses; the document has
            each of them once.
        sources: the scripts and shell scripts among the documents, by path: their data are their changes.
    """

    documents: tuple[Document, ...]
    state: State
    new_file: str
    sources: Mapping[str, PythonSource | ShellSource] = {}
    default: Document | None = None
    once: Mapping[str, Once] = {}

    def before(self, path: str) -> object:
        """The data that a file's changes are counted from: a new file's are those of what it is a copy of."""
        return data_of(self.default) if path == self.new_file and self.default is not None else self.state.files[path]

    def cost(self, state: State) -> int:
        """What the changes cost by their number."""
        cost = VARIABLE * len(state.variables) + ANOTHER_PACKAGE * len(state.packages)
        cost += PACKAGE if state.packages else 0
        cost += LAUNCH * (state.launch != self.state.launch)
        for path, data in state.files.items():
            before = self.state.files[path]
            if before is data:
                continue
            if path in self.sources:
                cost += self._of_source(self.sources[path], self.changes(state, path))
                continue
            is_new = path == self.new_file
            cost += FILE * is_new
            if not is_new or self.default is not None:
                cost += ENTRY * sum(1 for _ in changed(self.before(path), data))
        return cost

    def takes_back(self, state: State, action: Action) -> bool:
        """Whether an action makes something again what it was, which was changed on the way to that state."""
        for assign in action.assigns:
            given = value_at(self.state.files[assign.file], assign.path)
            if same(given, assign.value) and not same(given, value_at(state.files[assign.file], assign.path)):
                return True
        return action.command is not None and action.command == self.state.launch != state.launch

    @staticmethod
    def changes(state: State, path: str) -> Changes:
        """What a state changes of a script."""
        data = state.files[path]
        return {str(name): value for name, value in data.items()} if isinstance(data, dict) else {}

    @staticmethod
    def _of_source(source: PythonSource | ShellSource, changes: Changes) -> int:
        if source.is_shell:
            return sum(LAUNCH if name.isdigit() else VARIABLE for name in changes)
        return sum(BY_HAND if source.why_not(name, value) else ENTRY for name, value in changes.items())


def start_of(
    documents: Sequence[Document],
    launch: str | None,
    new_file: str,
    lines: Lines | None = None,
    default: Document | None = None,
) -> Start:
    """The runs of these files as they are.

    Args:
        default: the machine's default Accelerate file, where they read it and nobody gave it.
        lines: the lines of a shell script that start a program; None where none is to be edited.
    """
    scripts = [document for document in documents if document.kind in ("script", "shell")]
    sources = _sources(scripts, lines) if scripts else {}
    ours = (document for document in documents if document.path in sources or document.kind not in ("script", "shell"))
    every, once = _each_once((*ours, empty(new_file)))
    state = State({document.path: data_of(document) for document in every}, launch)
    return Start(every, state, new_file, sources, default, once)


def _each_once(documents: tuple[Document, ...]) -> tuple[tuple[Document, ...], dict[str, Once]]:
    """The files with each key once, and what is written of those that had some of them twice and were refused."""
    once: dict[str, Once] = {}
    made = []
    for document in documents:
        if any(problem.code == "duplicate-key" and problem.fatal for problem in document.problems):
            from fp8check.rules.repair.twice import without_twice

            found = without_twice(document)
            if found is not None:
                document, once[document.path] = found  # noqa: PLW2901
        made.append(document)
    return tuple(made), once


def _sources(scripts: Sequence[Document], lines: Lines | None) -> dict[str, PythonSource | ShellSource]:
    """The scripts that can be edited; the others stay as they are."""
    from fp8check.rules.moves.sources import PythonSource, ShellSource
    from fp8check.rules.reading.shell import ShellScript

    found: dict[str, PythonSource | ShellSource] = {}
    for document in scripts:
        script = document.loaded()
        try:
            if document.kind == "script":
                found[document.path] = PythonSource(script)
            elif isinstance(script, ShellScript) and lines is not None:
                found[document.path] = ShellSource(script, lines)
        except Unfixable:
            continue
    return found


def changed(before: object, after: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Each entry that differs, with its value then; a section that is new or gone is one entry."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    for key, value in before.items():
        here = (*path, str(key))
        if key not in after:
            yield here, ABSENT
        elif not same(value, after[key]):
            inner = after[key]
            if isinstance(value, dict) and isinstance(inner, dict):
                yield from changed(value, inner, here)
            else:
                yield here, inner
    for key, value in after.items():
        if key not in before:
            yield (*path, str(key)), value
