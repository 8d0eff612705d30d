"""`fp8check --hook`: the runs that the files of a commit belong to, checked whole; silent where all is well.

pre-commit puts away what is not staged before it calls a hook: the files that lie there are those of the commit.
"""

from __future__ import annotations

from contextlib import ExitStack

from fp8check.cli.belonging import Known, declared, guessed
from fp8check.cli.commit import change_of
from fp8check.cli.many import Page
from fp8check.cli.moved import moved, name_from
from fp8check.cli.options import UsageError
from fp8check.cli.output import discreet, print_crashes
from fp8check.cli.projects import inside, projects
from fp8check.cli.requests import request_for
from fp8check.cli.streams import complain
from fp8check.cli.units import TAKEN_AWAY
from fp8check.rules.checking.examining import UNUSED, Told
from fp8check.rules.checking.exit_codes import ExitCode, worst
from fp8check.rules.checking.request import Checked, checked
from fp8check.rules.checking.verdict import counted, exit_code, verdict
from fp8check.rules.plain_text import shown
from fp8check.rules.report import build, quoting
from fp8check.rules.report.formats import find
from fp8check.rules.suppression.examined import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.cli.commit import Change
    from fp8check.cli.options import Options
    from fp8check.cli.units import Part, Unit
    from fp8check.rules.checking.request import Request
    from fp8check.rules.report.formats import Format
    from fp8check.rules.report.schema import Plans
    from fp8check.rules.suppression.examined import Examined

_NOT_HERE = {
    "probe": "a hook runs nothing: --probe does not go with --hook",
    "write_baseline": "a hook writes no baseline: fp8check --write-baseline does, without --hook",
}
_FOR_PEOPLE = ("text", "concise", "github")  # of these, a run in which nothing fails or warns has no line


def check_hook(options: Options, formats: Sequence[tuple[str, str | None]]) -> int:
    """Check the runs that the given files, and those that the commit takes away, belong to.

    Raises:
        InputError: the command line or a configuration cannot be understood.
    """
    for name, why in _NOT_HERE.items():
        if vars(options)[name]:
            raise UsageError(why)
    chosen = [(one, target) for name, target in formats if (one := find(name)) is not None]
    codes: list[int] = []
    with ExitStack() as stack:
        pages = Pages([(format_, Page(format_, target, options, stack)) for format_, target in chosen])
        change = change_of(options.files)
        codes.append(tell_unknown(change))
        for unit in units(options, change):
            codes.append(tell(unit, options))
            with inside(unit.project.folder):
                codes.append(_check(unit, options, pages))
        pages.end()
    return worst(codes)


class Pages:
    """The reports of all units, in each format to where it goes."""

    def __init__(self, pages: Sequence[tuple[Format, Page]]) -> None:
        self._pages = pages
        self._is_brief = all(format_.brief for format_, _ in pages)
        self._told = Told()

    @property
    def is_whole(self) -> bool:
        """Whether a format shows all that there is to say."""
        return not self._is_brief

    def add(self, examined: Examined, folder: str, plans: Plans | None, run: str | None = None) -> None:
        """The report of one run; the current folder is that from which its files are seen.

        Args:
            run: which run the files are.
        """
        is_worth = _is_worth_a_line(examined)
        pages = [page for format_, page in self._pages if is_worth or format_.name not in _FOR_PEOPLE]
        if not pages:
            return
        may = quoting.of_folder().may
        left = self._told.without_told(examined)
        report = (build.brief if self._is_brief else build.full_report)(left)._replace(plan=plans, run=run)
        sources = {
            name_from(folder, document.path): discreet(document)
            for document in examined.documents
            if may(document.path)
        }
        for page in pages:
            page.add(moved(report, folder), sources)

    def end(self) -> None:
        """What stands behind all of them."""
        for _, page in self._pages:
            page.end()


def tell_unknown(change: Change) -> int:
    """Tell where git cannot say what changes: deleted files, and runs that have a changed file, may be others."""
    if not change.unknown:
        return ExitCode.OK
    complain(f"fp8check: git cannot say what this commit changes: {shown(change.unknown)}\n")
    return ExitCode.USAGE


def units(options: Options, change: Change) -> Iterator[Unit]:
    """The runs that the files of the commit belong to, those that are checked together at a time.

    Raises:
        UsageError: a configuration cannot be understood.
    """
    found = projects(options, change)
    known = Known()
    for project in found:
        if project.config.runs:
            with inside(project.folder):
                unit = declared(project, options, known)
            if unit is not None:
                yield unit
    for project in found:
        guesses = guessed(project, options, known)
        while True:
            with inside(project.folder):  # and not while the unit is looked at, which is the caller's
                unit = next(guesses, None)
            if unit is None:
                break
            yield unit


def tell(unit: Unit, options: Options) -> int:
    """Tell what of these runs cannot be read, or is taken away by the commit."""
    folder = unit.project.folder
    there = f" (in {shown(folder)})" if folder else ""
    for problem in unit.problems:
        complain(f"fp8check: {shown(str(problem))}{there}\n")
        if problem.hint:
            complain(f"  {shown(problem.hint)}\n")
    for what in unit.missing:
        complain(f"fp8check: {shown(what)}, {TAKEN_AWAY}{there}\n")
    for one in unit.passed_over:
        complain(f"fp8check: not checked, and not known to be no training configuration: {shown(str(one))}{there}\n")
    if unit.problems:
        return ExitCode.USAGE
    if unit.missing and fail_on_of(unit, options) != "never":
        return ExitCode.FINDINGS
    return ExitCode.UNDECIDED if unit.passed_over and vars(options).get("require_evidence") else ExitCode.OK


def fail_on_of(unit: Unit, options: Options) -> str:
    """From which severity on findings of these runs fail: the command line goes before their configuration."""
    return options.fail_on or unit.project.config.fail_on or "error"


def _check(unit: Unit, options: Options, pages: Pages) -> int:
    """Check the runs of a unit, in its folder, and add them to the pages."""
    if not any(part.wanted for part in unit.parts):
        return ExitCode.OK
    request = request_for((), options, unit.project.config)
    reports: list[Examined] = []
    for part, found in _examined(unit, request):
        plans = _plans(request, part, found, options, whole=pages.is_whole)
        for number, examined in enumerate(found):
            pages.add(examined, unit.project.folder, plans.get(number), _named(unit, part, examined))
        reports += found
    print_crashes(crash for report in reports for crash in report.crashes)
    return exit_code(counted(reports), fail_on_of(unit, options), require_evidence=options.require_evidence)


def _named(unit: Unit, part: Part, report: Examined) -> str | None:
    """Which run the files are: people did not name them to the hook, and may not know that they belong together."""
    folder = unit.project.folder
    if unit.declared:
        number = next(at for at, one in enumerate(unit.parts, 1) if one is part)
        return f"{name_from(folder, unit.project.config.path or '')}, [[run]] {number}"
    files = {document.kind: name_from(folder, document.path) for document in report.documents}
    if report.inputs.run.launch.line is not None or not {"training", "accelerate"} <= files.keys():
        return None
    nearest = "the Accelerate file nearest to it: [[run]] of fp8check.toml can name another"
    return f"{files['training']} with {files['accelerate']}, {nearest}"


def _is_worth_a_line(report: Examined) -> bool:
    return bool(report.crashes) or any(finding.severity != "info" for finding in report.new_findings)


def _examined(unit: Unit, request: Request) -> Iterator[tuple[Part, list[Examined]]]:
    """The reports of the wanted runs, with their helps."""
    from fp8check.rules.checking.advising import Advisor

    parts = unit.parts if unit.declared and _may_suppress(unit) else [part for part in unit.parts if part.wanted]
    runs = [run for part in parts for run in part.runs]
    reports = iter(checked(request, runs).reports)
    advisor = Advisor(request)
    for part in parts:
        own = [next(reports) for _ in part.runs]
        if part.wanted:
            advise = advisor.told if len(own) == 1 else advisor.alone
            yield part, [advise(part.request, report if unit.declared else _without_unused(report)) for report in own]


def _may_suppress(unit: Unit) -> bool:
    """Whether a suppression may be one of several runs: then it is unused only where it is in all of them."""
    if unit.project.config.suppressions:
        return True
    return any(MARK in document.text for part in unit.parts for run in part.runs for document in run.documents)


def _without_unused(report: Examined) -> Examined:
    """Without suppressions of the configuration that this run does not use: another may."""
    left = tuple(finding for finding in report.findings if finding.rule != UNUSED or finding.span is not None)
    if len(left) == len(report.findings):
        return report
    return report._replace(findings=left, verdict=verdict(left, report.undecided, report.inputs))


def _plans(
    request: Request, part: Part, reports: Sequence[Examined], options: Options, *, whole: bool
) -> Mapping[int, Plans]:
    """What to do about failing runs, where it is asked for."""
    if not options.plan or not any(report.verdict == "fail" for report in reports):
        return {}
    from fp8check.rules.checking.planning import plans_for

    found = Checked(part.runs, tuple(reports))
    return plans_for(
        request._replace(runs=(part.request,)), found, asked=True, whole=whole, may=quoting.of_folder().may
    )
