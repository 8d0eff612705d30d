"""`fp8check matrix`: what really trains in FP8, for a stack of releases."""

from __future__ import annotations

import argparse
import sys

from fp8check.cli.exit_codes import ExitCode
from fp8check.rules.report import matrix as table


def matrix(words: list[str]) -> int:
    """Print the table for the stack that is named, or all tables of docs/compatibility.md."""
    made = argparse.ArgumentParser(prog="fp8check matrix", description="What really trains in FP8.", allow_abbrev=False)
    made.add_argument("package", nargs="*", metavar="NAME==VERSION", help="accelerate==1.11.0 transformers==4.57.1 ...")
    made.add_argument("--all", action="store_true", help="docs/compatibility.md, whole")
    try:
        options = made.parse_args(words)
    except SystemExit as leave:
        return int(leave.code or 0)
    if options.all:
        sys.stdout.write(table.document())
        return ExitCode.OK
    stack = dict(table.STACKS[0])
    for pair in options.package:
        name, equals, version = pair.partition("==")
        if not equals or name.replace("-", "_") not in stack:
            sys.stderr.write(f"fp8check: {pair!r} is not NAME==VERSION of {', '.join(stack)}\n")
            return ExitCode.USAGE
        stack[name.replace("-", "_")] = version
    sys.stdout.write(table.markdown(stack) + "\n")
    return ExitCode.OK
