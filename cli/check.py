"""`fp8check FILE...`: check the runs that the files make up."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import DESCRIPTION, Parser, UsageError
from fp8check.cli.output import formats_of, print_crashes, quotable, write_reports
from fp8check.cli.requests import FEW, request_of
from fp8check.cli.streams import complain
from fp8check.rules.checking.examining import is_to_be_advised
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.request import check_request
from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.rules.checking.request import Checked, Probe, Request
    from fp8check.rules.report.schema import Plans

FOR_PEOPLE = ("text", "html")  # formats that end with what to do about one failing run, unasked


def parser() -> Parser:
    """The options of the command."""
    return Parser(
        "fp8check",
        DESCRIPTION,
        groups=(
            groups.files,
            groups.run,
            groups.machines,
            groups.server,
            groups.probe,
            groups.formats,
            groups.failing,
            groups.evidence,
            groups.requirements,
            groups.rules,
            groups.config,
            groups.baseline,
            groups.quiet,
            groups.verbose,
            groups.color,
            groups.hook,
            groups.plan,
            groups.version,
            groups.completion,
        ),
    )


def check(argv: list[str]) -> int:
    """Check the runs that the files describe."""
    options = parser().parse_args(argv)
    if options.print_completion is not None:
        from fp8check.cli.completion import print_completion

        return print_completion(options.print_completion)
    return check_options(options)


def check_options(options: Options) -> int:
    """Check what the options name; with `plan` "few", what to do is said where there are few files.

    Raises:
        InputError: it cannot be understood.
    """
    options, every = _first_of(options)
    config = load(options)
    formats = formats_of(options)
    if len(every) > 1:
        return _check_kinds(options, every, config, formats)
    if options.server is not None:
        from fp8check.cli.remote import check_there

        return check_there(options, config, formats)
    if options.probe and options.facts is not None:
        raise UsageError("--facts says what another machine is: the probe runs on this one, without --facts")
    if options.hook:
        from fp8check.cli.hooked import check_hook

        return check_hook(options, formats)
    request = request_of(options, config, probe=_probe(options, config), keep=False)
    if sum(len(part.documents) for part in request.runs) > FEW:
        if options.plan and options.plan != "few":
            raise UsageError(f"--plan is for {FEW} files at most: name those of one run")
        from fp8check.cli.many import check_many

        code = check_many(request, formats, options, config)
    else:
        code = _check(request, formats, options, config)
    passed_over = [problem for part in request.runs for problem in part.passed_over]
    if options.write_baseline is not None:
        return code
    for problem in passed_over:
        complain(f"fp8check: not checked, and not known to be no training configuration: {shown(str(problem))}\n")
    return ExitCode.UNDECIDED if passed_over and options.require_evidence and code == ExitCode.OK else code


def _first_of(options: Options) -> tuple[Options, list[str]]:
    """The options with one file of facts at the most, and all of these files."""
    every = [*dict.fromkeys(options.facts or ())]
    return options.replaced(facts=every[0] if every else None), every


def _check_kinds(
    options: Options, every: Sequence[str], config: Config, formats: Sequence[tuple[str, str | None]]
) -> int:
    """Check what the options name for each kind of machine among several.

    Raises:
        InputError: it cannot be understood.
    """
    from fp8check.cli.requests import for_each_kind

    for name in ("server", "probe", "hook"):
        if getattr(options, name):
            raise UsageError(f"--{name} takes one --facts, if any")
    request = request_of(options, config)
    if sum(len(part.documents) for part in request.runs) > FEW:
        raise UsageError(f"several --facts are for {FEW} files at most")
    return _check(for_each_kind(request, options, every), formats, options, config)


def _check(request: Request, formats: Sequence[tuple[str, str | None]], options: Options, config: Config) -> int:
    checked = check_request(request)
    if options.write_baseline is not None:
        from fp8check.cli.baseline import write_baseline

        return write_baseline(options.write_baseline, checked.reports)
    reports = checked.reports
    if is_to_be_advised(reports):
        from fp8check.rules.checking.advising import advised  # a clean check does without

        reports = advised(request, checked).reports
    write_reports(formats, reports, options, config, _plans(request, checked, formats, options, config))
    print_crashes(crash for report in checked.reports for crash in report.crashes)
    fail_on = options.fail_on or config.fail_on or "error"
    return checked.exit_code(fail_on, require_evidence=options.require_evidence)


def _plans(
    request: Request, checked: Checked, formats: Sequence[tuple[str, str | None]], options: Options, config: Config
) -> Mapping[int, Plans]:
    """What to do about one failing run that people read of, or where it is asked for, by the report; none for a clean
    one."""
    if not any(report.verdict == "fail" for report in checked.reports):
        return {}
    for_people = all(name in FOR_PEOPLE for name, _ in formats) and len(checked.reports) == 1
    if not options.plan and (not for_people or options.quiet or options.probe is not None):
        return {}
    from fp8check.rules.checking.planning import plans_for

    whole = any(name != "text" for name, _ in formats)
    may = quotable(options, config).may
    return plans_for(request, checked, asked=bool(options.plan), whole=whole, may=may)


def _probe(options: Options, config: Config) -> Probe | None:
    """What makes a real step of each run; None without --probe."""
    if options.probe is None:
        return None
    from fp8check.cli.probing import prober

    return prober(options, config)
