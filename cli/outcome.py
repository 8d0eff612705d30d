"""`fp8check outcome FILE...`: who decided what, in the order of the chain."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser
from fp8check.cli.output import formats_of, style_of, write_text
from fp8check.cli.requests import run_options, run_request
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.request import Request, runs_of
from fp8check.rules.credentials import masked_shapes
from fp8check.rules.outcome import predict
from fp8check.rules.plain_text import plain
from fp8check.rules.report import build, trace, words
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.masking import hidden, secrets_of
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.text import headline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.report.terminal import Style

ABOUT = "Who decided what: every value of the run with the place that set it, in the order of the chain."


def parser() -> Parser:
    """The options of the command."""
    parts = (
        groups.files,
        groups.run,
        groups.machine,
        groups.config,
        groups.text_or_json,
        groups.output_file,
        groups.color,
    )
    return Parser("fp8check outcome", ABOUT, groups=parts)


def outcome(argv: list[str]) -> int:
    """Print the chain of decisions of each run."""
    options = parser().parse_args(argv)
    formats = formats_of(options, ("text", "json"))
    runs = runs_of(Request(tuple(run_request(one) for one in run_options(options, load(options)))))
    outcomes = [predict(assembled.run) for assembled in runs]
    secrets = tuple(secret for assembled in runs for secret in secrets_of(assembled.run, assembled.documents))
    for name, target in formats:
        style = style_of(options, target)
        if name == "json":
            text = "".join(map(_json, outcomes))
            write_text(plain(masked_shapes(hidden(text, secrets)), "json"), target, "json")
        else:
            text = "".join(_text(one, style) for one in outcomes)
            write_text(laid_out(hidden(text, secrets), style), target, "text")
    return ExitCode.OK


def _json(one: Outcome) -> str:
    import json

    return json.dumps(as_data(build.outcome_of(one)), indent=2) + "\n"


def _text(one: Outcome, style: Style) -> str:
    text = trace.render(words.actual(one), build.outcome_of(one), style)
    line = build.launch_line(one.run.launch)
    return text if line is None else f"{headline(line, style)}\n\n{text}"
