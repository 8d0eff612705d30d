"""The use case, once: request -> runs -> judged -> report -> verdict -> exit code."""

from __future__ import annotations

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import compared, examine_all
from fp8check.rules.checking.runs import WrongFiles, assemble, parse_launch, sort
from fp8check.rules.checking.verdict import counted, exit_code
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.checking.shell_command import Started
    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.gate import Requirement
    from fp8check.rules.engine.running import Crash
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document, Unreadable
    from fp8check.rules.seen import Seen
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.suppression.examined import Examined
    from fp8check.rules.suppression.suppressions import Suppression
    from fp8check.rules.trainers.run import Run

    Probe = Callable[[Run], Seen]


class RunRequest(Record):
    """Files that make up one run or more, how these are started, and on which machine.

    Attributes:
        launch: the launch command as the user wrote it; None: the usual way (rules/checking/runs.py).
        trainer: who reads the training file; None: told by its content.
        follow: whether files that these name are read too. Never where they come from strangers.
        script: the name and the text of the script that the runs start, where it was sent along.
        scripts: all that were sent along: the lines of a shell script may start several.
        apart: whether the files are the changed ones of a commit: where there is more than one Accelerate file among
            them, nobody knows which belong together, and each is a run for itself.
        passed_over: changed files of which it is not known whether they are a run's: they cannot be parsed.
    """

    documents: tuple[Document, ...]
    facts: Facts
    launch: str | None = None
    trainer: str | None = None
    follow: bool = True
    script: tuple[str, bytes] | None = None
    scripts: tuple[tuple[str, bytes], ...] = ()
    apart: bool = False
    passed_over: tuple[Unreadable, ...] = ()


class Request(Record):
    """What is to be checked, and how.

    Attributes:
        runs: checked together: a suppression that one of them uses is used.
        crashes: what went wrong when plug-ins were loaded.
        suppressions: those of the configuration; those in comments are read from the files.
        baseline: findings that are known (rules/suppression/baseline.py); None where there is no baseline.
        probe: makes a real step of a run and tells what it saw; None where none is wanted.
        requirements: what is required of the outcome of each run.
    """

    runs: tuple[RunRequest, ...]
    rules: Sequence[Rule] = RULES
    crashes: tuple[Crash, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    baseline: Sequence[Mapping[str, str]] | None = None
    probe: Probe | None = None
    requirements: tuple[Requirement, ...] = ()


class Checked(Record):
    """What a check came to.

    Attributes:
        runs: the runs that the request described.
        reports: one a run, in the same order.
    """

    runs: tuple[Assembled, ...]
    reports: tuple[Examined, ...]

    def exit_code(self, fail_on: str = "error", *, require_evidence: bool = False) -> int:
        """What the command exits with for these reports (rules/checking/exit_codes.py).

        Args:
            fail_on: from which severity on findings count: "error", "warning" or "never".
            require_evidence: whether what stays undecided is no success.
        """
        return exit_code(counted(self.reports), fail_on, require_evidence=require_evidence)


def runs_of(request: Request) -> tuple[Assembled, ...]:
    """The runs that a request describes.

    Raises:
        WrongFiles: the documents do not make up runs.
        Unreadable: a file that one of them names cannot be read.
    """
    return tuple(assembled_run for part in request.runs for assembled_run in assembled(part))


def assembled(part: RunRequest) -> Iterator[Assembled]:
    """The runs of these files, each made when it is asked for."""
    if any(document.kind == "shell" for document in part.documents):
        yield from _of_shell(part)
        if not part.apart:
            return
    load = None
    if part.launch is not None and part.follow and ".sh" in part.launch:
        from fp8check.rules.checking.shell import Files  # few commands start one
        from fp8check.rules.checking.shell_command import started

        load = Files("").text
        script = started(part.launch)
        if script is not None:
            yield from _of_shell(part._replace(launch=None, documents=(script.script, *part.documents)), script)
            return
    launch = parse_launch(part.launch, part.trainer, load)
    for documents in _groups(part, launch):
        yield from assemble(
            documents, part.facts, launch=launch, trainer=part.trainer, follow=part.follow, script=part.script
        )


def _of_shell(part: RunRequest, by_command: Started | None = None) -> Iterator[Assembled]:
    """The runs that shell scripts among these files start.

    Args:
        by_command: the script that the command starts, with its arguments.
    """
    from fp8check.rules.checking import shell  # few checks have one

    if part.launch is not None:
        raise WrongFiles("a shell script has its own launch lines: leave the launch command out, or the script")
    given = shell.Given(part.facts, part.trainer, part.follow, part.scripts, in_hook=part.apart)
    if by_command is not None:
        from fp8check.rules.facts.variables import kept

        variables = by_command.variables
        facts = part.facts.with_variables(kept(variables)) if variables else part.facts
        given = given._replace(facts=facts, arguments=by_command.arguments, variables=variables)
    return shell.assembled(part.documents, given)


def _groups(part: RunRequest, launch: Launch | None) -> list[Sequence[Document]]:
    """The documents that are to be looked at together."""
    scripts = [document for document in part.documents if document.kind == "script"]
    if not part.apart:
        if len(scripts) < 2 or (launch is not None and launch.script is not None):
            return [part.documents]
        others = [document for document in part.documents if document.kind != "script"]
        return [[*others, document] for document in scripts]
    by_kind = sort(part.documents)
    ours = [*by_kind.training, *by_kind.accelerate]
    together = len(by_kind.accelerate) <= 1
    alone = [[document] for document in scripts if _trains(document)]
    return [*([ours] if together and ours else [[document] for document in ours]), *alone]


def _trains(script: Document) -> bool:
    """Whether a changed Python file makes an Accelerator or uses a Trainer: all others are none of ours."""
    from fp8check.rules.checking.named import script_source

    source = script_source(script.loaded())
    return source is not None and (source.accelerator is not None or bool(source.trainers))


def check_request(request: Request) -> Checked:
    """Check what a request describes.

    Raises:
        WrongFiles, Unreadable: see `runs_of`.
    """
    runs = runs_of(request)
    seen = [request.probe(assembled_run.run) for assembled_run in runs] if request.probe is not None else ()
    return checked(request, runs, seen)


def checked(request: Request, runs: Sequence[Assembled], seen: Sequence[Seen] = ()) -> Checked:
    """The check of runs that were assembled before, with what a probe saw of each."""
    reports = examine_all(
        [(assembled_run.run, assembled_run.documents) for assembled_run in runs],
        request.rules,
        seen,
        configured=request.suppressions,
        crashes=request.crashes,
        requirements=request.requirements,
    )
    if request.baseline is not None:
        reports = [compared(report, request.baseline) for report in reports]
    return Checked(tuple(runs), tuple(reports))
