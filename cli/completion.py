"""`fp8check --print-completion SHELL`: the script by which a shell completes command lines.

shtab writes it from the options as argparse has them. A shell that completes a line runs the script alone.
"""

from __future__ import annotations

import argparse
from importlib import import_module

from fp8check.cli.commands import COMMANDS
from fp8check.cli.nodes import FORMATS as NODES
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import NAMES
from fp8check.cli.streams import say_exactly
from fp8check.rules.catalog import RULES
from fp8check.rules.checking.exit_codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_FILES = ("FILE", "PATH", "MODEL_OR_CONFIG_DIR")


def print_completion(shell: str) -> int:
    """Print the script for a shell.

    Raises:
        UsageError: shtab is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise UsageError('completion needs shtab: pip install "fp8check[completion]"') from None
    script: str = shtab.complete(_whole(shtab), shell=shell)
    say_exactly(_with_files(script, shell))
    return ExitCode.OK


def _with_files(script: str, shell: str) -> str:
    """The script, which offers files for the first word, too: shtab knows commands there, or files."""
    if shell == "bash":
        return f"{script}\n_shtab_fp8check_pos_0_COMPGEN=_shtab_compgen_files\n"
    if shell == "zsh":
        script = script.replace(
            "_describe 'fp8check commands' _commands\n", "_describe 'fp8check commands' _commands\n  _files\n"
        )
        before, case, after = script.rpartition("      esac\n")
        return f"{before}        *) _files ;;\n{case}{after}"
    return script


def parser_of(command: str) -> Parser:
    """The options of a command."""
    module = import_module(f"fp8check.cli.{COMMANDS[command]}")
    made: Parser = (getattr(module, "parser", None) or getattr(module, f"{command}_parser"))()
    return made


def _whole(shtab: ModuleType) -> argparse.ArgumentParser:
    """All commands in one parser, as shtab takes it."""
    whole = argparse.ArgumentParser("fp8check")
    _add(whole, parser_of("check"), shtab)
    commands = whole.add_subparsers()
    for name in COMMANDS:
        made = parser_of(name)
        _add(commands.add_parser(name, help=made.description.partition("\n")[0]), made, shtab)
    return whole


def _add(into: argparse.ArgumentParser, made: Parser, shtab: ModuleType) -> None:
    for action in made.built()._actions:
        if "--help" in action.option_strings:
            continue
        _complete(action, made, shtab)
        into._add_action(action)
    if made.takes_files and made.prog != "fp8check":
        into.add_argument("files", nargs="*").complete = shtab.FILE  # type: ignore[attr-defined]


def _complete(action: argparse.Action, made: Parser, shtab: ModuleType) -> None:
    """Say what an option or a word takes."""
    if action.metavar == "DIR":
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif action.metavar in _FILES:
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif action.metavar == "FORMAT[=FILE]":
        action.choices = {"fp8check": NAMES, "fp8check nodes": NODES}.get(made.prog, ("text", "json"))
    elif action.metavar in ("RULES", "ID"):
        action.choices = tuple(rule.id for rule in RULES)
