"""`fp8check rule ID` and `fp8check rules`."""

from __future__ import annotations

import inspect
import sys

from fp8check.cli.options import Parser, plugin
from fp8check.cli.output import print_crashes
from fp8check.cli.streams import say
from fp8check.rules.catalog import find
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.selection import UnknownRule, with_plugins
from fp8check.rules.report.schema import DOCS
from fp8check.rules.report.terminal import Style, wants_links, width_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.running import Crash


def rules_parser() -> Parser:
    """The options of `fp8check rules`."""
    return _with_format(Parser("fp8check rules", "All rules.", groups=(plugin,)))


def rule_parser() -> Parser:
    """The options of `fp8check rule`."""
    parser = Parser("fp8check rule", "One rule: what it finds, why it hurts.", groups=(plugin,))
    parser.add_argument("rule", metavar="ID", help="FP101, or its name")
    return _with_format(parser)


def _with_format(parser: Parser) -> Parser:
    parser.add_argument("--format", "--output-format", choices=("text", "json"), default="text")
    return parser


def rules(argv: list[str]) -> int:
    """List all rules."""
    options = rules_parser().parse_args(argv)
    known = with_plugins(options.plugin)
    if options.format == "json":
        say(_json([_data(rule_) for rule_ in known.rules]), "json")
    else:
        style = Style(on=False, width=width_of(sys.stdout), links=wants_links(sys.stdout, "auto"))
        text = "".join(
            f"{style.rule(rule_.id)}  {rule_.severity:<7}  {rule_.name:<36}  {style.hang}{rule_.summary}\n"
            for rule_ in known.rules
        )
        say(text, painted=style.links, fold=True)
    return _exit_code(known.crashes)


def rule(argv: list[str]) -> int:
    """Explain one rule."""
    options = rule_parser().parse_args(argv)
    known = with_plugins(options.plugin)
    if known.crashes:
        return _exit_code(known.crashes)
    found = find(options.rule, tuple(known.rules))
    if found is None:
        raise UnknownRule(f"no rule is called {options.rule}; fp8check rules lists them")
    if options.format == "json":
        say(_json(_data(found)), "json")
    else:
        say(explain(found), fold=True)
    return ExitCode.OK


def _exit_code(crashes: tuple[Crash, ...]) -> int:
    print_crashes(crashes)
    return ExitCode.INTERNAL_ERROR if crashes else ExitCode.OK


def explain(rule_: Rule) -> str:
    """The text of a rule, as `fp8check rule` prints it."""
    text = inspect.cleandoc(rule_.check.__doc__ or f"Python -OO has no explanations; see {DOCS}{rule_.id}")
    evidence = "\n".join(f"  - {line}" for line in rule_.evidence)
    return f"{rule_.id} {rule_.name} ({rule_.severity})\n\n{text}\n\nEvidence:\n{evidence}\n"


def _data(rule_: Rule) -> dict[str, object]:
    return {
        "id": rule_.id,
        "name": rule_.name,
        "severity": rule_.severity,
        "summary": rule_.summary,
        "explanation": inspect.cleandoc(rule_.check.__doc__ or ""),
        "needs": list(rule_.needs),
        "evidence": list(rule_.evidence),
    }


def _json(data: object) -> str:
    import json

    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
