"""`fp8check matrix`: what really trains in FP8, for a stack of releases."""

from __future__ import annotations

from fp8check.cli.options import Parser, UsageError
from fp8check.cli.streams import say
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.report import matrix as table


def parser() -> Parser:
    """The options of the command."""
    parser = Parser("fp8check matrix", "What really trains in FP8.")
    parser.add_argument(
        "package", nargs="*", metavar="NAME==VERSION", help="accelerate==1.11.0 transformers==4.57.1 ..."
    )
    parser.add_argument("--all", action="store_true", help="docs/compatibility.md, whole")
    return parser


def matrix(argv: list[str]) -> int:
    """Print the table for the stack that is named, or all tables of docs/compatibility.md."""
    options = parser().parse_args(argv)
    if options.all:
        if options.package:
            raise UsageError("--all prints every table: no package goes with it")
        say(table.document())
        return ExitCode.OK
    stack = dict(table.STACKS[0])
    for pair in options.package:
        name, equals, version = pair.partition("==")
        if not equals or name.replace("-", "_") not in stack:
            raise UsageError(f"{pair!r} is not NAME==VERSION of {', '.join(stack)}")
        stack[name.replace("-", "_")] = version
    say(table.markdown(stack) + "\n")
    return ExitCode.OK
