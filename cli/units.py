"""Runs as a hook finds them: put together, with the names of all files that they ask for."""

from __future__ import annotations

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


class Part(Record):
    """Files that make up runs.

    Attributes:
        names: of the files that were asked for to put them together, also those that are not there.
        wanted: whether a changed file is one of theirs.
    """

    request: RunRequest
    runs: tuple[Assembled, ...]
    names: tuple[str, ...]
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
    names: tuple[str, ...]
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
    return PutTogether(request, runs, (*asked.read, *asked.sought), problem)


def each_of(request: RunRequest) -> Iterator[tuple[Assembled, tuple[str, ...]]]:
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
        yield run, (*asked.read, *(name for name in asked.sought if name.endswith(".py")))


def as_declared(described: RunOptions) -> RunOptions:
    """A [[run]] in a hook: nothing is known of a machine but what its facts say, whoever commits, and wherever."""
    return described._replace(python=None, not_trusted=None, no_environment=described.facts is None, hook=False)


def as_given(options: Options, names: Sequence[str]) -> RunOptions:
    """Files of which nobody says that they are a run's, as the command line wants such to be looked at."""
    given = {name: value for name, value in vars(options).items() if name in RunOptions.fields}
    return RunOptions(**{**given, "files": names, "hook": True})
