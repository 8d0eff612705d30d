"""Runs as a hook finds them: put together, with the names of all files that they ask for."""

from __future__ import annotations

from fp8check.cli.mentions import PYTHON
from fp8check.cli.requests import RunOptions, run_request
from fp8check.rules.checking.request import RunRequest, assembled
from fp8check.rules.facts import Facts
from fp8check.rules.input_error import InputError
from fp8check.rules.reading import files
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.cli.options import Options
    from fp8check.cli.projects import Project
    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.reading import Unreadable


# What is said of a file that a run names and a commit takes away.
TAKEN_AWAY = "which this commit deletes or renames: change it there, too"
# Of what is only sought for a line of a script: the words of all lines are, with the first.
_SOUGHT = (PYTHON, "config.json")


class Names(Record):
    """The files that are asked for to put runs together, also those that are not there.

    Attributes:
        read: those that were to be read.
        sought: those of which was only asked whether they are there: modules, and models.
    """

    read: tuple[str, ...]
    sought: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """Both."""
        return (*self.read, *self.sought)

    @property
    def relied_on(self) -> tuple[str, ...]:
        """Those without which the run is another one; in the place of a module there may be a package."""
        return (*self.read, *(name for name in self.sought if not name.endswith(PYTHON)))


class Part(Record):
    """Files that make up runs.

    Attributes:
        wanted: whether a changed file is one of theirs.
    """

    request: RunRequest
    runs: tuple[Assembled, ...]
    names: Names
    wanted: bool


class Unit(Record):
    """Runs that are checked together, seen from the folder of their project.

    Attributes:
        problems: what cannot be read of runs that have a changed file.
        missing: runs that name a file that the commit takes away, in words.
        passed_over: changed files of which it is not known whether they are a run's.
        declared: whether a configuration names the runs.
    """

    project: Project
    parts: tuple[Part, ...] = ()
    problems: tuple[InputError, ...] = ()
    missing: tuple[str, ...] = ()
    passed_over: tuple[Unreadable, ...] = ()
    declared: bool = False


class PutTogether(Record):
    """The runs of some files, and what stood against it."""

    request: RunRequest
    runs: tuple[Assembled, ...]
    names: Names
    problem: InputError | None = None


def put_together(described: RunOptions) -> PutTogether:
    """The runs that these options describe, with all files that they ask for."""
    request = RunRequest((), Facts())
    runs: tuple[Assembled, ...] = ()
    problem = None
    with files.Asked() as asked:
        try:
            request = run_request(described)
            runs = tuple(assembled(request))
        except InputError as found:
            problem = found
    return PutTogether(request, runs, Names((*described.files, *asked.read), tuple(asked.sought)), problem)


def each_of(request: RunRequest) -> Iterator[tuple[Assembled, Names]]:
    """The runs of these files, each with the names of the files that it asks for.

    Raises:
        InputError: they do not make up runs.
    """
    runs = assembled(request)
    while True:
        with files.Asked() as asked:
            run = next(runs, None)
        if run is None:
            return
        # Where the other files of a line are is looked up for all lines at once.
        yield run, Names(tuple(asked.read), tuple(name for name in asked.sought if name.endswith(_SOUGHT)))


def as_declared(described: RunOptions) -> RunOptions:
    """A [[run]] in a hook: nothing is known of a machine but what its facts say, whoever commits, and wherever."""
    return described._replace(python=None, not_trusted=None, no_environment=described.facts is None, hook=False)


def as_given(options: Options, names: Sequence[str]) -> RunOptions:
    """Files of which nobody says that they are a run's, as the command line wants such to be looked at."""
    given = {name: value for name, value in vars(options).items() if name in RunOptions.fields}
    return RunOptions(**{**given, "files": names, "hook": True})
