"""The options of the command line."""

from __future__ import annotations

import argparse

from fp8check.rules.checking.runs import TRAINERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

DESCRIPTION = """\
Tells before the GPU hours are spent whether a training run will really train in FP8, with the recipe you wrote.

  fp8check cfg.yaml accel.yaml         check one run; the files in any order
  fp8check a.yaml b.yaml accel.yaml    several training files against one Accelerate file
  fp8check cfg.yaml accel.yaml --probe ... and run one real FP8 step here
  fp8check probe cfg.yaml accel.yaml   only that step, and what was seen of it
  fp8check worth MODEL --gpu H200 --tokens 2048,4096   step time in BF16 and FP8, by size of micro-batch
  fp8check outcome cfg.yaml accel.yaml who decided what, in order
  fp8check explain cfg.yaml:31 accel.yaml   what becomes of one line
  fp8check matrix                      what really trains in FP8, by trainer, backend and distribution
  fp8check                             check the runs that fp8check.toml or [tool.fp8check] names
  fp8check fix cfg.yaml accel.yaml     fix what can be fixed safely; --diff shows it only
  fp8check env                         what is known of this machine; --json for facts.json
  fp8check serve                       the HTTP service; fp8check --server URL asks one
  fp8check rules                       all rules
  fp8check rule FP101                  one rule: what it finds, why it hurts, what to write instead
"""

# Of the commands that take the same options.
ABOUT = {
    "outcome": "Who decided what: every value of the run with the place that set it, in the order of the chain.",
    "probe": "One real FP8 step on this machine's GPU, the way the run would make it, and all that was seen of it.",
    "explain": "What becomes of one line: who reads it, what overrides it, which rules speak of it. Name it FILE:LINE.",
    "fix": "Fix what can be fixed without changing what the run does. Edits entries and nothing else, and checks\n"
    "each file before it writes it.",
}


class _Parser(argparse.ArgumentParser):
    def parse_args(self, args: Sequence[str], namespace: None = None) -> argparse.Namespace:  # type: ignore[override]
        # A bare --probe must not take the file behind it for its value.
        words = ["--probe=gpu" if word == "--probe" else word for word in args]
        return self.parse_intermixed_args(words, namespace)  # options may stand between the files

    def error(self, message: str) -> NoReturn:
        self.print_usage(None)
        raise UsageError(message)


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help of a fixed width: asking the terminal would import shutil, on every start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=110)


class UsageError(ValueError):
    """The command line cannot be understood."""


def parser(command: str = "check") -> argparse.ArgumentParser:
    """The parser of `check` and of the commands that take the same options."""
    made = _Parser(
        prog="fp8check" if command == "check" else f"fp8check {command}",
        description=ABOUT.get(command, DESCRIPTION),
        formatter_class=_Help,
        allow_abbrev=False,
    )
    made.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="training file, Accelerate file, DeepSpeed JSON, config.json; - is standard input",
    )
    run = made.add_argument_group("the run")
    run.add_argument(
        "--launch", metavar="COMMAND", help="how it is started: accelerate, python, torchrun, or the whole command"
    )
    run.add_argument("--trainer", choices=TRAINERS, help="who reads the training file (found from its content)")
    machine = made.add_argument_group("the machine")
    machine.add_argument("--facts", metavar="FILE", help="facts.json of the node that will train (fp8check env --json)")
    machine.add_argument("--python", metavar="PATH", help="the interpreter that will train")
    machine.add_argument("--no-environment", action="store_true", help="do not look at this machine at all")
    machine.add_argument(
        "--set-variable", metavar="NAME=VALUE", action="append", default=[], help="a variable of the training shell"
    )
    machine.add_argument(
        "--server", metavar="URL", help="let a service check the files; its token is the variable FP8CHECK_TOKEN"
    )
    probe = made.add_argument_group("the probe")
    probe.add_argument(
        "--probe",
        choices=("gpu", "emulate"),
        metavar="WHERE",
        help="--probe also runs one real FP8 step here, on the GPU; --probe=emulate emulates it on the CPU",
    )
    probe.add_argument("--no-probe", action="store_const", const=None, dest="probe", help="do not (the default)")
    output = made.add_argument_group("the report")
    output.add_argument(
        "--format",
        metavar="FORMAT[=FILE]",
        action="append",
        default=[],
        help="text, json, sarif, junit, html, concise, github or gitlab; may be repeated",
    )
    output.add_argument(
        "--fail-on",
        choices=("error", "warning", "never"),
        help="from which severity on to exit with 1 (default: error)",
    )
    output.add_argument("--require-evidence", action="store_true", help="exit with 3 where something stays undecided")
    output.add_argument(
        "--select", metavar="RULES", action="append", default=[], help="only these rules or groups: FP1,FP203"
    )
    output.add_argument("--ignore", metavar="RULES", action="append", default=[], help="not these rules or groups")
    output.add_argument(
        "--plugin", metavar="NAME", action="append", default=[], help="rules of an installed package, by entry point"
    )
    output.add_argument("--baseline", metavar="FILE", help="report what this file does not have")
    output.add_argument("--write-baseline", metavar="FILE", help="write what is found into this file, and exit with 0")
    output.add_argument("--config", metavar="FILE", help="fp8check.toml or pyproject.toml (those of this folder)")
    output.add_argument("--no-config", action="store_true", help="read no configuration")
    output.add_argument("-q", "--quiet", action="store_true", help="findings only")
    if command == "check":
        output.add_argument("-v", "--verbose", action="store_true", help="also what is undecided, for want of what")
    output.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    made.add_argument(
        "--hook", action="store_true", help="pre-commit: pass over files that are no training or Accelerate file"
    )
    made.add_argument("--version", action="version", version=_version())
    return made


def format_names() -> tuple[str, ...]:
    """What --format takes."""
    from fp8check.rules.report.formats import FORMATS

    return ("text", *(one.name for one in FORMATS))


def _version() -> str:
    from fp8check.rules.version import VERSION

    return f"fp8check {VERSION}"


def names(values: Sequence[str]) -> tuple[str, ...]:
    """Rule ids or groups from repeated, comma-separated options."""
    return tuple(name.strip().upper() for value in values for name in value.split(",") if name.strip())
