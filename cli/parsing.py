"""argparse, told to raise what is wrong: loaded only where there is an option to parse (options.py)."""

from __future__ import annotations

import argparse

from fp8check.cli.options import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

FILES = "FILE: training file, Accelerate file, DeepSpeed JSON, config.json, in any order; - is standard input."


class ArgumentParser(argparse.ArgumentParser):
    """A parser that raises what is wrong, for the one handler of errors (cli/main.py)."""

    def __init__(self, prog: str, description: str, *, files: bool) -> None:
        usage, epilog = ("%(prog)s [options] [FILE ...]", FILES) if files else (None, None)
        super().__init__(
            prog, usage, description, epilog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}")
