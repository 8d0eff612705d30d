"""A run as it would be: the values of its files, its command, its variables and its packages."""

from __future__ import annotations

from fp8check.rules.edits.action import ABSENT
from fp8check.rules.reading.overlay import same
from fp8check.rules.record import Record
from fp8check.rules.repair.goal import ANOTHER_PACKAGE, ENTRY, FILE, LAUNCH, PACKAGE, VARIABLE
from fp8check.rules.repair.values import assigned, data_of, empty, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.edits.action import Action
    from fp8check.rules.reading import Document


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
        for file in dict.fromkeys(one.file for one in action.assigns):
            files[file] = assigned(files[file], ((one.path, one.value) for one in action.assigns if one.file == file))
        why.update({(one.file, one.path): action.why for one in action.assigns})
        why.update({("variable", (name,)): action.why for name in action.variables})
        why.update({("package", (name,)): action.why for name in action.packages})
        if action.launch is not None:
            why["launch", ()] = action.why
        return State(
            files,
            self.launch if action.launch is None else action.launch,
            {**self.variables, **action.variables},
            {**self.packages, **action.packages},
            why,
        )

    @property
    def key(self) -> object:
        """The same for states with the same effective values."""
        files = tuple((path, frozen(data)) for path, data in sorted(self.files.items()))
        return files, self.launch, tuple(sorted(self.variables.items(), key=str)), tuple(sorted(self.packages.items()))


class Start(Record):
    """The runs as they were given.

    Attributes:
        documents: the files that can be written; that of a new Accelerate file is empty.
        new_file: the name that a new Accelerate file gets.
    """

    documents: tuple[Document, ...]
    state: State
    new_file: str

    def cost(self, state: State) -> int:
        """What the changes cost by their number."""
        cost = VARIABLE * len(state.variables) + ANOTHER_PACKAGE * len(state.packages)
        cost += PACKAGE if state.packages else 0
        cost += LAUNCH * (state.launch != self.state.launch)
        for path, data in state.files.items():
            before = self.state.files[path]
            if before is data:
                continue
            cost += FILE if path == self.new_file else ENTRY * sum(1 for _ in changed(before, data))
        return cost


def start_of(documents: Sequence[Document], launch: str | None, new_file: str) -> Start:
    """The runs of these files as they are."""
    every = (*(one for one in documents if one.kind not in ("script", "shell")), empty(new_file))
    return Start(every, State({one.path: data_of(one) for one in every}, launch), new_file)


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
