"""Changed files that no configuration and no shell script has: what stands nearest to each other makes up a run.

A training file goes with the Accelerate file in its folder, else with the one that has most folders in common with it;
where there are two of these, nobody knows which, and each is looked at by itself. So a repository that has one
Accelerate file has it for all of its training files.
"""

from __future__ import annotations

import os

from fp8check.cli.commit import identities
from fp8check.cli.mentions import CONFIGURATION, PYTHON
from fp8check.cli.requests import documents_of, facts_of, request_of_documents
from fp8check.cli.units import Part, Unit, as_given, each_of
from fp8check.rules.checking.later import Later
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import Unreadable
from fp8check.rules.reading.read import SUFFIXES as SHELL
from fp8check.rules.trainers.detect import ACCELERATE_ALONE, may_be_ours, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fp8check.cli.mentions import Texts
    from fp8check.cli.options import Options
    from fp8check.cli.projects import Project
    from fp8check.rules.checking.request import RunRequest
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.reading import Document

# Words of which every Accelerate file has one.
_ACCELERATE = tuple(sorted(word.encode() for word in ACCELERATE_ALONE))
_TRAINS = (b"Accelerator", b"Trainer")  # without one of these a script does not train by itself
_NO_CONFIGURATION = (".toml", *SHELL)
_DEEPEST = 16  # folders within each other in which is looked
_MOST_KEPT = 500  # files that are in memory together; of more, each is read again when its run comes
_AT_ONCE = 50  # runs that are checked together


class Nearest:
    """The files of a project that are left when all runs are found that somebody wrote down."""

    def __init__(self, project: Project, options: Options, texts: Texts, covered: set[str]) -> None:
        """Start with no file.

        Args:
            covered: the absolute names of the files of those runs.
        """
        self._project = project
        self._options = options
        self._texts = texts
        self._covered = covered
        self._machine = facts_of(as_given(options, ()))
        self._read: dict[str, Document | None] = {}
        self._index: _Near | None = None
        self._problems: list[InputError] = []
        self._passed_over: list[Unreadable] = []

    def units(self, mentioned: Sequence[str]) -> Iterator[Unit]:
        """The runs of what is left of the changed files, and of files that name one.

        Args:
            mentioned: configuration files that may.
        """
        given = [name for name in self._project.change.given if self._is_left(name)]
        kinds = {name: document.kind for name in given if (document := self._given(name)) is not None}
        others = [name for name in mentioned if self._is_left(name) and name not in kinds]
        kinds.update((name, document.kind) for name in others if (document := self._other(name)) is not None)
        if self._problems or self._passed_over:
            yield Unit(self._project, problems=tuple(self._problems), passed_over=tuple(self._passed_over))
        pairs: dict[str | None, list[str]] = {}
        for name, kind in kinds.items():
            if kind == "training":
                pairs.setdefault(self._nearest(name), []).append(name)
        for name, kind in kinds.items():
            if kind == "accelerate":
                partners = pairs.setdefault(name, [])
                partners += [one for one in self._partners(name) if one not in partners]
        for accelerate, trainings in pairs.items():
            yield from self._of_pairs(accelerate, trainings)
        yield from self._of_scripts([name for name, kind in kinds.items() if kind == "script"])

    def _is_left(self, name: str) -> bool:
        if name.endswith(_NO_CONFIGURATION):
            return False
        return not self._covered or self._covered.isdisjoint(identities(name))

    # What the files are

    def _given(self, name: str) -> Document | None:
        """A file that the hook was given; what is wrong with it is kept."""
        if name.endswith(PYTHON) and not any(word in self._texts.of(name) for word in _TRAINS):
            return None
        try:
            found = [*documents_of(as_given(self._options, [name]), self._passed_over)]
        except InputError as problem:
            self._problems.append(problem)
            return None
        return self._kept(name, found[0]) if found else None

    def _other(self, name: str) -> Document | None:
        """A file that nobody gave; what cannot be read did not change here."""
        if name not in self._read:
            try:
                self._read[name] = None
                if may_be_ours(self._texts.of(name)):
                    self._kept(name, read(name, trainer=self._options.trainer))
            except InputError:
                pass
        return self._read[name]

    def _kept(self, name: str, document: Document) -> Document:
        is_one_of_many = len(self._read) > _MOST_KEPT and document.kind != "shell"
        kept = self._read[name] = Later(document, self._options.trainer) if is_one_of_many else document
        return kept

    # Which stand nearest

    def _nearest(self, training: str) -> str | None:
        """The Accelerate file that goes with a training file; None where none does, or two may."""
        return self._near().nearest(training)

    def _near(self) -> _Near:
        if self._index is None:
            names = dict.fromkeys((*self._texts.names, *self._read))
            self._index = _Near(names, [name for name in names if self._is_kind(name, "accelerate")])
        return self._index

    def _partners(self, accelerate: str) -> list[str]:
        """The training files nearest to an Accelerate file, of which it is the nearest, too."""
        for names in self._near().around(accelerate):
            found = [name for name in names if self._is_kind(name, "training") and self._is_left(name)]
            if found:
                return found
        return []

    def _is_kind(self, name: str, kind: str) -> bool:
        if name not in self._read:
            words = _ACCELERATE if kind == "accelerate" else (b":",)
            if not name.endswith(CONFIGURATION) or not any(word in self._texts.of(name) for word in words):
                return False
        document = self._other(name)
        return document is not None and document.kind == kind

    # Their runs

    def _of_scripts(self, names: Sequence[str]) -> Iterator[Unit]:
        for name in names:
            yield from self._unit([name], apart=True)

    def _of_pairs(self, accelerate: str | None, trainings: Sequence[str]) -> Iterator[Unit]:
        """The runs of an Accelerate file, a few at a time; each training file is one by itself where it has none."""
        if accelerate is None:
            for name in trainings:
                yield from self._unit([name])
            return
        for start in range(0, max(1, len(trainings)), _AT_ONCE):
            yield from self._unit([*trainings[start : start + _AT_ONCE], accelerate])

    def _unit(self, names: Sequence[str], *, apart: bool = False) -> Iterator[Unit]:
        change = self._project.change
        documents = tuple(one.loaded() for name in names if (one := self._read[name]) is not None)
        options = as_given(self._options, names)
        request = request_of_documents(options, documents, (), self._machine)._replace(apart=apart)
        try:
            runs = [*each_of(request)]
        except InputError as problem:
            if change.touches(names):
                yield Unit(self._project, problems=(problem,))
            return
        parts = [
            Part(_alone(request, run), (run,), asked, wanted=True)
            for run, asked in runs
            if change.touches([*asked.every, *(document.path for document in run.documents)])
        ]
        if parts:
            yield Unit(self._project, tuple(parts))


def _alone(request: RunRequest, run: Assembled) -> RunRequest:
    """The request of one of several training files."""
    own = {document.path for document in run.documents}
    return request._replace(documents=tuple(document for document in request.documents if document.path in own))


class _Near:
    """Which files stand nearest to each other: in one folder, else below the same one."""

    def __init__(self, names: Iterable[str], accelerate: Iterable[str]) -> None:
        self._in: dict[str, list[str]] = {}
        self._below: dict[str, list[str]] = {}
        self._accelerate_in: dict[str, list[str]] = {}
        self._accelerate_below: dict[str, list[str]] = {}
        for every, own, below in (
            (names, self._in, self._below),
            (accelerate, self._accelerate_in, self._accelerate_below),
        ):
            for name in every:
                for number, folder in enumerate(_folders(name)):
                    below.setdefault(folder, []).append(name)
                    if number == 0:
                        own.setdefault(folder, []).append(name)

    def nearest(self, name: str) -> str | None:
        """The Accelerate file nearest to a file; None where there is none, or where two are."""
        for number, folder in enumerate(_folders(name)):
            near = (self._accelerate_in.get(folder) if number == 0 else None) or self._accelerate_below.get(folder)
            if near:
                return near[0] if len(near) == 1 else None
        return None

    def around(self, accelerate: str) -> Iterator[list[str]]:
        """The files of which an Accelerate file is the nearest, a step further away at a time."""
        for number, folder in enumerate(_folders(accelerate)):
            if number == 0 and len(self._accelerate_in.get(folder, ())) == 1:
                yield self._in.get(folder, [])
            if len(self._accelerate_below.get(folder, ())) != 1:
                return
            yield self._below.get(folder, [])


def _folders(name: str) -> Iterator[str]:
    """The folders that a file is in, the innermost first; none where they are very many."""
    if name.count("/") > _DEEPEST:
        return
    folder, inner = os.path.dirname(name), name
    while folder != inner:
        yield folder
        folder, inner = os.path.dirname(folder), folder
