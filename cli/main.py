"""Entry point: which command, and what happens when something goes wrong."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys

from fp8check.cli.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def run() -> NoReturn:
    """The installed command: `main`, and the end of the process at once.

    Taking the interpreter apart, object by object, costs a tenth of the command's time and frees what the system is
    about to free. What asked to be called at exit is called.
    """
    code = main()
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    gc.disable()  # a short-lived process whose input is limited: collecting garbage costs more than it frees
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone (`| head`). Nothing can be written any more, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.INTERNAL_ERROR
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return _crash(problem, words)
        sys.stderr.write(f"fp8check: the output cannot be written: {(problem.strerror or '').lower()}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001  the last line of defense: a report to paste instead of a traceback
        return _crash(error, words)
    return code


def _run(words: list[str]) -> int:
    from fp8check.cli import commands

    command = commands.COMMANDS.get(words[0]) if words else None
    return command(words[1:]) if command is not None else commands.COMMANDS["check"](words)


def _crash(error: Exception, words: list[str]) -> int:
    import platform
    import traceback

    from fp8check.rules.version import VERSION

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    sys.stderr.write(
        "fp8check: internal error. This is a fault of fp8check, not of your files. Nothing was decided.\n"
        "Please report it with the lines below.\n\n"
        f"fp8check {VERSION}, Python {platform.python_version()}, {platform.platform()}\n"
        f"arguments: {len(words)}\n{''.join(lines)}"
    )
    return ExitCode.INTERNAL_ERROR
