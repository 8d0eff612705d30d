"""`fp8check explain FILE:LINE`: what becomes of one line."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.requests import request_of
from fp8check.cli.streams import say
from fp8check.rules.checking.advising import advised
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.checking.request import check_request
from fp8check.rules.checking.trying import Trials, sets
from fp8check.rules.plain_text import shown
from fp8check.rules.report import build
from fp8check.rules.report.line import concerns, explain_line, is_to_be_tried
from fp8check.rules.settings.values import whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading import Document

ABOUT = "What becomes of one line: who reads it, what overrides it, which rules speak of it. Name it FILE:LINE."


def parser() -> Parser:
    """The options of the command."""
    return Parser(
        "fp8check explain", ABOUT, groups=(groups.files, groups.run, groups.machine, groups.rules, groups.config)
    )


def explain(argv: list[str]) -> int:
    """Tell what becomes of the line that the first argument names; the other files of the run follow it."""
    options = parser().parse_args(argv)
    path, line = _place(options.files)
    options = options.replaced(files=[path, *options.files[1:]])
    told, found = False, False
    request = request_of(options, load(options))
    reports = advised(request, check_request(request)).reports
    trials = Trials(request) if len(request.runs) == 1 else None
    for at, examined in enumerate(reports):
        document = _document(examined.documents, path)
        if document is None:
            continue
        found = True
        if not 1 <= line <= document.text.count("\n") + 1:
            raise UsageError(f"{path} has no line {line}")
        report = build.full_report(examined)
        if concerns(report, document, line) or sets(examined, document, line):
            told = True
            tries = None
            if trials is not None and is_to_be_tried(report, document, line):
                tries = trials.of(at, document, line)
            say("\n".join(explain_line(report, document, line, tries)) + "\n", fold=True)
    if not found:
        say(f"{shown(path)}:{line}  no run that can be read here has this file\n", fold=True)
    elif not told:
        say(f"{shown(path)}:{line}  no command that starts a training stands on this line\n", fold=True)
    return ExitCode.OK


def _place(files: list[str]) -> tuple[str, int]:
    path, _, line = files[0].rpartition(":") if files else ("", "", "")
    number = whole_number(line)
    if not path or number is None:
        raise UsageError("say which line: fp8check explain train.yaml:31 accel.yaml")
    return path, number


def _document(documents: tuple[Document, ...], path: str) -> Document | None:
    return next((document for document in documents if document.path == path), None)
