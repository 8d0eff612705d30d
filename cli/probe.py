"""`fp8check probe FILE...`: one real step, and all that was seen of it."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser
from fp8check.cli.output import formats_of, print_crashes, sources_of, style_of, write_text
from fp8check.cli.probing import prober
from fp8check.cli.requests import request_of
from fp8check.rules.checking.request import check_request
from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain
from fp8check.rules.report import build, text
from fp8check.rules.report.formats import Look
from fp8check.rules.report.laying import laid_out
from fp8check.rules.report.schema import as_data
from fp8check.rules.report.seen import page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Sources
    from fp8check.rules.report.schema import Report
    from fp8check.rules.report.terminal import Style

ABOUT = "One real FP8 step on this machine's GPU, the way the run would make it, and all that was seen of it."


def parser() -> Parser:
    """The options of the command."""
    parts = (
        groups.files,
        groups.run,
        groups.this_machine,
        groups.probe,
        groups.rules,
        groups.config,
        groups.text_or_json,
        groups.output_file,
    )
    parser = Parser("fp8check probe", ABOUT, groups=(*parts, groups.failing, groups.color))
    parser.add_argument("--json", action="store_true", help="the same as --format json")
    parser.set_defaults(probe="gpu")
    return parser


def probe(argv: list[str]) -> int:
    """Probe the runs that the files describe, and print what was seen with what the FP8xx rules make of it."""
    options = parser().parse_args(argv)
    options = options.replaced(probe=options.probe or "gpu")
    if options.json:
        options = options.replaced(format=["json"])
    formats = formats_of(options, ("text", "json"))
    config = load(options)
    checked = check_request(request_of(options, config, probe=prober(options, config), only="FP8"))
    reports = [build.full_report(examined) for examined in checked.reports]
    sources = sources_of(checked.reports, options, config)
    for name, target in formats:
        if name == "json":
            write_text(plain(masked_shapes(_json(reports)), "json"), target, "json")
        else:
            style = style_of(options, target)
            write_text(laid_out(_text(reports, sources, style), style), target, "text")
    print_crashes(crash for report in checked.reports for crash in report.crashes)
    return checked.exit_code(options.fail_on or config.fail_on or "error", require_evidence=True)


def _json(reports: Sequence[Report]) -> str:
    import json

    keys = ("verdict", "findings", "undecided", "internal_errors", "probe")
    data = [{"schema": "fp8check/probe/1", **{key: as_data(report)[key] for key in keys}} for report in reports]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=False) + "\n"


def _text(reports: Sequence[Report], sources: Sources, style: Style) -> str:
    look = Look(style.on, quiet=True, width=style.width, links=style.links)
    parts: list[str] = []
    for report in reports:
        parts.append(text.render([report], sources, look))
        parts.extend(f"{line}\n" for line in text.undecided(report, style, verbose=True))
        if report.probe is not None:
            parts.append(page(report.probe))
    return "\n".join(part for part in parts if part)
