"""`fp8check plan FILE...`: what to do, as a whole, so that the run is good; changes nothing."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import formats_of, quotable, style_of, write_text
from fp8check.cli.progress import LOOKING, Progress
from fp8check.cli.requests import beside, request_of
from fp8check.rules.checking.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.checking.request import Request

ABOUT = """\
Everything to do so that the run starts and trains in the chosen precision: changes to files, command, variables and
packages. Every plan was tried on a copy first. Changes nothing."""


def parser() -> Parser:
    """The options of the command."""
    parts = (
        groups.files,
        groups.run,
        groups.machine,
        groups.goal,
        groups.text_or_json,
        groups.output_file,
        groups.rules,
        groups.config,
        groups.color,
    )
    return Parser("fp8check plan", ABOUT, groups=parts)


def plan(argv: list[str]) -> int:
    """Print the plans for the run, the nearest first."""
    options = parser().parse_args(argv)
    formats = formats_of(options, ("text", "json"))
    config = load(options)
    request = one_request(request_of(options, config))
    from fp8check.rules.checking.planning import SECONDS, after, plan_request
    from fp8check.rules.report import plan as report

    progress = Progress(options)
    others = beside(options, config, request)
    planned = plan_request(request, options.goal, spent=progress.watching(after(SECONDS), LOOKING), beside=others)
    progress.end()
    may = quotable(options, config).may
    for name, target in formats:
        style = style_of(options, target)
        as_json = name == "json"
        text = report.as_json(planned, may) if as_json else report.as_text(planned, style, may)
        write_text(text, target, "json" if as_json else "text")
    return ExitCode.OK if planned.reached else ExitCode.FINDINGS


def one_request(request: Request) -> Request:
    """The request, where it is of one group of files.

    Raises:
        UsageError: it is of several.
    """
    if len(request.runs) != 1:
        raise UsageError("the configuration has several runs: name the files of one")
    return request
