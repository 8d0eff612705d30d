"""argparse, told to raise what is wrong: loaded only where there is an option to parse (options.py)."""

from __future__ import annotations

import argparse
import sys

from fp8check.cli.streams import say
from fp8check.rules.report.terminal import HANG, USUAL, width_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from fp8check.rules.input_error import InputError

FILES = (
    "FILE is a training file, an Accelerate file, DeepSpeed JSON, config.json or a shell script, in any order; - is "
    "standard input. COMMAND starts the run, as in --launch."
)


class ArgumentParser(argparse.ArgumentParser):
    """A parser that raises what is wrong, as `raises`, for the one handler of errors (cli/main.py)."""

    def __init__(self, prog: str, description: str, *, files: bool, raises: type[InputError]) -> None:
        usage, epilog = ("%(prog)s [options] [FILE ...] [-- COMMAND ...]", FILES) if files else (None, None)
        super().__init__(prog, usage, description, epilog, formatter_class=_Unwritten, allow_abbrev=False)
        self._raises = raises
        self.register("action", "append", _Append)
        self.register("action", "once", _Once)

    def format_help(self) -> str:
        """The help, as wide as the terminal."""
        self.formatter_class = _Written
        return super().format_help()

    def format_usage(self) -> str:
        """How the command is used, as wide as the terminal."""
        self.formatter_class = _Written
        return super().format_usage()

    def error(self, message: str) -> NoReturn:
        """Raise it, with how the command is used."""
        problem = self._raises(message, usage=self.format_usage().rstrip())
        _, found, word = message.partition("unrecognized arguments: ")
        if found:
            from fp8check.cli.advice import near_option

            problem.hint = near_option(word.partition(" ")[0], self._option_string_actions)
        raise problem

    def _print_message(self, message: str, file: object = None) -> None:
        """Print help or the release: to standard output, all that argparse prints itself here."""
        del file
        say(message, fold=True)


class _Once(argparse.Action):
    """A value of an option that other commands take several of: the last of them is not taken in silence."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: object, values: object, *_: object) -> None:
        """Keep it."""
        if getattr(namespace, self.dest) not in (None, values):
            parser.error(f"this command takes one {self.option_strings[0]}")
        setattr(namespace, self.dest, values)


class _Written(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, and with marks where a description has two columns."""

    def __init__(self, prog: str) -> None:
        width = width_of(sys.stdout)
        super().__init__(prog, width=(width or USUAL) - 2)
        self._marks = width is not None

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        filled = super()._fill_text(text, width, indent)
        return "\n".join(map(_with_mark, filled.split("\n"))) if self._marks else filled


def _with_mark(line: str) -> str:
    """A line of two columns, such as a command and what it does, with a mark before the second."""
    first = line.lstrip(" ")
    if first == line:  # a sentence: its lines begin where it does
        return f"{HANG}{line}"
    before, gap, behind = first.partition("  ")
    spaces = len(behind) - len(behind.lstrip(" "))
    return f"{line[: -len(first)]}{before}{gap}{' ' * spaces}{HANG}{behind[spaces:]}" if gap else line


class _Unwritten(argparse.RawDescriptionHelpFormatter):
    """What argparse makes for each option that is declared, and writes nothing with: asked for the terminal's width, it
    loads shutil, and with it bz2 and lzma.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


class _Append(argparse.Action):
    """As argparse's own, which copies the list for each value: a command line may have thousands."""

    def __call__(self, parser: object, namespace: object, values: object, option: str | None = None) -> None:
        del parser, option
        kept = vars(namespace)
        if kept.get(self.dest) is self.default:
            kept[self.dest] = list(self.default or ())
        kept[self.dest].append(values)
