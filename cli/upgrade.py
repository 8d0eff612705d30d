"""`fp8check upgrade FILE... --to "accelerate==1.16.0 ..."`: what another stack would change."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import formats_of, print_crashes, style_of, write_text
from fp8check.cli.requests import request_of

ABOUT = """\
What other releases would change: each run is checked with today's releases and with those of --to. Shows what gets
better or worse, which findings come and go, and what to change in the files. Changes nothing."""


def parser() -> Parser:
    """The options of the command."""
    parts = (
        groups.files,
        groups.run,
        groups.machine,
        groups.text_or_json,
        groups.output_file,
        groups.failing,
        groups.evidence,
        groups.rules,
        groups.config,
        groups.color,
    )
    made = Parser("fp8check upgrade", ABOUT, groups=parts)
    made.add_argument(
        "--to",
        metavar="STACK",
        help='the other releases: "accelerate==1.16.0 torch==2.13.0"; packages not named stay as they are',
    )
    made.add_argument("--stack", metavar="STACK", help="today's releases, in place of those that are found")
    return made


def upgrade(argv: list[str]) -> int:
    """Print what another stack would change; the exit code is that of a check with it."""
    options = parser().parse_args(argv)
    if options.to is None:
        raise UsageError('upgrade needs --to "accelerate==1.16.0 ...": the releases to compare with')
    formats = formats_of(options, ("text", "json"))
    config = load(options)
    from fp8check.rules.checking.stacks import releases
    from fp8check.rules.checking.upgrading import upgraded
    from fp8check.rules.report import upgrade as report

    to, stack = releases(options.to), None if options.stack is None else releases(options.stack)
    found, then = upgraded(request_of(options, config), to, stack)
    for name, target in formats:
        style = style_of(options, target)
        as_json = name == "json"
        text = report.as_json(found) if as_json else report.as_text(found, style)
        write_text(text, target, "json" if as_json else "text")
    print_crashes(crash for examined in then.reports for crash in examined.crashes)
    fail_on = options.fail_on or config.fail_on or "error"
    return then.exit_code(fail_on, require_evidence=options.require_evidence)
