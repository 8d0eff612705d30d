"""Entry point: which command, and what happens when something goes wrong."""

from __future__ import annotations

import errno
import gc
import sys

from fp8check.cli.commands import find
from fp8check.cli.streams import Lost, complain, finish
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.input_error import InputError
from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    gc.disable()  # a short-lived process whose input is limited: collecting garbage costs more than it frees
    code = _answer(argv)
    try:
        finish()
    except Lost as problem:
        return _refuse(problem, argv)
    return code


def _answer(argv: list[str]) -> int:
    try:
        return _run(argv)
    except InputError as problem:
        return _refuse(problem, argv)
    except OSError as problem:
        if problem.filename is None:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                return _crash(problem, argv)
            problem.filename = "the output cannot be written"
        return _refuse(problem, argv)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  the last line of defense: a report to paste instead of a traceback
        return _crash(error, argv)


def _run(argv: list[str]) -> int:
    command = find(argv[0]) if argv else None
    try:
        if command is not None:
            return command(argv[1:])
        from fp8check.cli.check import check

        return check(argv)
    except SystemExit as leave:  # --help, --version
        return int(leave.code or 0)


def _refuse(problem: Exception, argv: list[str]) -> int:
    """Say what is wrong with the command line, a file, or where output should go. All commands end here."""
    text, hint = str(problem), ""
    if isinstance(problem, InputError):
        from fp8check.cli import advice  # where something is refused

        text, hint = advice.of(problem, argv)
    if isinstance(problem, OSError) and problem.strerror is not None:
        text = f"{problem.filename}: {problem.strerror.lower()}" if problem.filename else problem.strerror.lower()
    complain(f"fp8check: {shown(text)}\n")
    if isinstance(problem, InputError):
        if hint:
            complain(f"  {shown(hint)}\n")
        if problem.usage:
            complain(f"{problem.usage}\n")
    return ExitCode.USAGE


def _crash(error: Exception, argv: list[str]) -> int:
    import platform
    import traceback

    from fp8check.rules.version import VERSION

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    complain(
        "fp8check: internal error. This is a fault of fp8check, not of your files. Nothing was decided.\n"
        "Please report it with the lines below.\n\n"
        f"fp8check {VERSION}, Python {platform.python_version()}, {platform.platform()}\n"
        f"arguments: {len(argv)}\n{''.join(lines)}",
        fold=False,
    )
    return ExitCode.INTERNAL_ERROR
