"""`fp8check rule ID` and `fp8check rules`."""

from __future__ import annotations

import argparse
import inspect
import sys

from fp8check.cli.check import print_crashes, usage, with_plugins
from fp8check.cli.exit_codes import ExitCode
from fp8check.cli.options import UsageError
from fp8check.rules.catalog import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.running import Crash


def rules(words: list[str]) -> int:
    """List all rules."""
    made = argparse.ArgumentParser(prog="fp8check rules", description="All rules.", allow_abbrev=False)
    asked = _asked(made, words)
    if isinstance(asked, int):
        return asked
    options, known, crashes = asked
    if options.format == "json":
        sys.stdout.write(_json([_data(one) for one in known]))
    else:
        sys.stdout.write("".join(f"{one.id}  {one.severity:<7}  {one.name:<36}  {one.summary}\n" for one in known))
    return _exit_code(crashes)


def rule(words: list[str]) -> int:
    """Explain one rule."""
    made = argparse.ArgumentParser(
        prog="fp8check rule", description="One rule: what it finds, why it hurts.", allow_abbrev=False
    )
    made.add_argument("rule", metavar="ID", help="FP101, or its name")
    asked = _asked(made, words)
    if isinstance(asked, int):
        return asked
    options, known, crashes = asked
    if crashes:
        return _exit_code(crashes)
    found = find(options.rule, known)
    if found is None:
        sys.stderr.write(f"fp8check: no rule is called {options.rule}; fp8check rules lists them\n")
        return ExitCode.USAGE
    sys.stdout.write(_json(_data(found)) if options.format == "json" else explain(found))
    return ExitCode.OK


def _asked(
    made: argparse.ArgumentParser, words: list[str]
) -> tuple[argparse.Namespace, tuple[Rule, ...], tuple[Crash, ...]] | int:
    """The options, all rules, and what went wrong with plug-ins; an exit code where there is nothing more to do."""
    made.add_argument("--format", choices=("text", "json"), default="text")
    made.add_argument("--plugin", metavar="NAME", action="append", default=[], help="rules of an installed package")
    try:
        options = made.parse_args(words)
        return (options, *with_plugins(options.plugin))
    except SystemExit as leave:  # --help
        return int(leave.code or 0)
    except UsageError as problem:
        return usage(problem)


def _exit_code(crashes: tuple[Crash, ...]) -> int:
    print_crashes(crashes)
    return ExitCode.INTERNAL_ERROR if crashes else ExitCode.OK


def explain(one: Rule) -> str:
    """The text of a rule, as `fp8check rule` prints it."""
    text = inspect.cleandoc(one.check.__doc__ or "")
    evidence = "\n".join(f"  - {line}" for line in one.evidence)
    return f"{one.id} {one.name} ({one.severity})\n\n{text}\n\nEvidence:\n{evidence}\n"


def _data(one: Rule) -> dict[str, object]:
    return {
        "id": one.id,
        "name": one.name,
        "severity": one.severity,
        "summary": one.summary,
        "explanation": inspect.cleandoc(one.check.__doc__ or ""),
        "needs": list(one.needs),
        "evidence": list(one.evidence),
    }


def _json(data: object) -> str:
    import json

    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
