"""`fp8check probe FILE...`, and the probe behind `fp8check FILE... --probe`."""

from __future__ import annotations

import sys

from fp8check.cli.exit_codes import ExitCode
from fp8check.cli.options import UsageError, parser
from fp8check.rules.checking.runs import WrongFiles
from fp8check.rules.facts import BadFacts
from fp8check.rules.outcome import predict
from fp8check.rules.reading import Unreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.examined import Examined

STAGES = {
    "import": "importing torch and the backend",
    "load": "loading the libraries of the GPU",
    "device": "looking at the GPU",
    "accelerator": "building Accelerator",
    "build": "building the layers",
    "prepare": "converting them in prepare()",
    "compile": "compiling",
    "step": "FP8 steps",
    "time": "timing FP8",
    "numerics": "comparing with FP32",
    "ragged": "the ragged last batch",
    "bf16": "timing BF16",
}


def probe_runs(assembled: Iterable[Assembled], options: argparse.Namespace) -> Iterator[Seen]:
    """Probe each run, one after the other: they share the GPU. Stages are told on a terminal."""
    from fp8check.probe import probe as probe_one

    for one in assembled:
        yield probe_one(
            one.run, predict(one.run), python=options.python, emulate=options.probe == "emulate", tell=_tell
        )


def _tell(stage: str) -> None:
    """One line on standard error, where a person may be watching; a report goes to standard output."""
    if sys.stderr.isatty():
        sys.stderr.write(f"fp8check: {STAGES.get(stage, stage)} ...\n")
        sys.stderr.flush()


def probe(words: list[str]) -> int:
    """Probe the runs that the files describe, and print what was seen with what the FP8xx rules make of it."""
    from fp8check.cli.check import runs, usage
    from fp8check.rules.catalog import RULES
    from fp8check.rules.checking.judging import examine

    made = parser("probe")
    made.add_argument("--json", action="store_true", help="what was seen, as JSON")
    made.set_defaults(probe="gpu")
    try:
        options = made.parse_args(words)
        options.probe = options.probe or "gpu"
        assembled = runs(options)
    except SystemExit as leave:
        return int(leave.code or 0)
    except (UsageError, WrongFiles, Unreadable, BadFacts) as problem:
        return usage(problem)
    rules = [one for one in RULES if one.id.startswith("FP8")]
    seen = list(probe_runs(assembled, options))
    reports = [examine(one.run, one.documents, rules, seen) for one, seen in zip(assembled, seen, strict=True)]
    sys.stdout.write(_json(reports) if options.json or options.format == ["json"] else _text(reports, options))
    return _exit_code(reports)


def _json(reports: list[Examined]) -> str:
    import json

    from fp8check.rules.report.json_ import as_data

    keys = ("verdict", "findings", "undecided", "internal_errors", "probe")
    data = [{"schema": "fp8check/probe/1", **{key: as_data(one)[key] for key in keys}} for one in reports]
    return json.dumps(data[0] if len(data) == 1 else data, indent=2, ensure_ascii=False) + "\n"


def _text(reports: list[Examined], options: argparse.Namespace) -> str:
    from fp8check.rules.report import text
    from fp8check.rules.report.seen import page
    from fp8check.rules.report.style import Style, wants_color

    style = Style(wants_color(sys.stdout, options.color))
    parts: list[str] = []
    for report in reports:
        parts.append(text.render(report, style, quiet=True))
        parts.extend(f"{one.rule} undecided: {one.needs}\n" for one in report.undecided)
        if report.inputs.seen is not None:
            parts.append(page(report.inputs.seen))
    return "\n".join(part for part in parts if part)


def _exit_code(reports: list[Examined]) -> int:
    if any(report.crashes for report in reports):
        return ExitCode.INTERNAL_ERROR
    verdicts = {report.verdict for report in reports}
    if "fail" in verdicts:
        return ExitCode.FINDINGS
    return ExitCode.UNDECIDED if "undecided" in verdicts else ExitCode.OK
