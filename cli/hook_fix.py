"""`fp8check fix --hook`: the safe fixes of the runs that the files of a commit belong to.

pre-commit stops a commit whose files a hook has changed, so that somebody looks at them first. The exit code says it to
other programs that call hooks.
"""

from __future__ import annotations

from fp8check.cli.commit import change_of
from fp8check.cli.hooked import fail_on_of, tell, tell_unknown, units
from fp8check.cli.moved import name_from
from fp8check.cli.options import UsageError
from fp8check.cli.output import print_crashes
from fp8check.cli.projects import inside
from fp8check.cli.putting import put
from fp8check.cli.requests import request_for
from fp8check.cli.streams import complain
from fp8check.rules.checking.exit_codes import ExitCode, worst
from fp8check.rules.checking.request import Checked, check_request
from fp8check.rules.plain_text import shown
from fp8check.rules.reading.kind import CONFIGURATION
from fp8check.rules.repair import fix_all
from fp8check.rules.report import quoting
from fp8check.rules.report.masking import hidden, secrets_of
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.cli.options import Options
    from fp8check.cli.units import Part, Unit
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document
    from fp8check.rules.repair import Fixed
    from fp8check.rules.suppression.examined import Examined


def fix_hook(options: Options) -> int:
    """Fix what can be fixed safely in the runs that the given files belong to; silent where there is nothing to do.

    Raises:
        InputError: the command line or a configuration cannot be understood.
    """
    if options.goal is not None or options.plan is not None:
        raise UsageError("a hook makes safe fixes only: --goal and --plan do not go with --hook")
    change = change_of(options.files)
    codes = [tell_unknown(change)]
    for unit in units(options, change):
        codes.append(tell(unit, options))
        with inside(unit.project.folder):
            codes += [_fix(part, unit, options) for part in unit.parts if part.wanted and part.runs]
    return worst(codes)


def _fix(part: Part, unit: Unit, options: Options) -> int:
    """Fix the files of some runs, which fixes of others may have changed already."""
    request = request_for((), options, unit.project.config)
    documents = _documents(part)

    def examine(current: Sequence[Document]) -> tuple[Examined, ...]:
        changed = part.request._replace(documents=tuple(current))
        return check_request(request._replace(runs=(changed,))).reports

    fixed = fix_all(documents, examine, unsafe=options.unsafe)
    put(documents, fixed.documents, diff=options.diff)
    _tell(fixed, unit.project.folder, dry=options.diff)
    print_crashes(crash for report in fixed.left for crash in report.crashes)
    code = Checked((), fixed.left).exit_code(fail_on_of(unit, options))
    return ExitCode.FINDINGS if fixed.applied and code == ExitCode.OK else code


def _documents(part: Part) -> tuple[Document, ...]:
    """The files of a run as they are now; of a script's lines also those that these name."""
    given = {document.path: None for document in part.request.documents}
    if any(document.kind == "shell" for document in part.request.documents):
        may = quoting.of_folder().may
        named = (document for run in part.runs for document in run.documents if document.kind in CONFIGURATION)
        given.update((document.path, None) for document in named if may(document.path))
    return tuple(read(path, trainer=part.request.trainer) for path in given)


def _tell(fixed: Fixed, folder: str, *, dry: bool) -> None:
    """What was done, and what is left, on standard error."""
    done = "would fix" if dry else "fixed"
    lines = [
        f"{_place(finding, folder)}{done} {finding.rule} {finding.message}"
        + (f": {finding.help}" if finding.help else "")
        for finding in fixed.applied
    ]
    lines += [
        f"{_place(refusal.finding, folder)}not fixed {refusal.finding.rule} {refusal.finding.message}: {refusal.reason}"
        for refusal in fixed.refused
    ]
    lines += [f"{_place(finding, folder)}left {finding.rule} {finding.message}: {why}" for finding, why in _left(fixed)]
    secrets = tuple(secret for report in fixed.left for secret in secrets_of(report.inputs.run, report.documents))
    complain("".join(f"{shown(hidden(line, secrets))}\n" for line in dict.fromkeys(lines)))


def _left(fixed: Fixed) -> Iterator[tuple[Finding, str]]:
    """The errors that are still there, each with why."""
    unsafe = {(finding.rule, finding.span) for finding in fixed.unsafe}
    refused = {(refusal.finding.rule, refusal.finding.span) for refusal in fixed.refused}
    for finding in (finding for report in fixed.left for finding in report.new_findings):
        if finding.severity != "error" or (finding.rule, finding.span) in refused:
            continue
        is_unsafe = (finding.rule, finding.span) in unsafe
        yield finding, "its fix changes what the run does (--unsafe)" if is_unsafe else "this is for you to fix"


def _place(finding: Finding, folder: str) -> str:
    span = finding.span
    return "" if span is None else f"{name_from(folder, span.file)}:{span.line}: "
