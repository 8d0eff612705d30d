"""`fp8check explain FILE:LINE`: what becomes of one line."""

from __future__ import annotations

import sys

from fp8check.cli.check import PROBLEMS, runs, usage
from fp8check.cli.exit_codes import ExitCode
from fp8check.cli.options import UsageError, parser
from fp8check.rules.checking.judging import examine
from fp8check.rules.report.line import explain_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.reading import Document


def explain(words: list[str]) -> int:
    """Tell what becomes of the line that the first argument names; the other files of the run follow it."""
    try:
        options = parser("explain").parse_args(words)
        path, line = _place(options.files)
        options.files = [path, *options.files[1:]]
        assembled = runs(options)
    except SystemExit as leave:
        return int(leave.code or 0)
    except PROBLEMS as problem:
        return usage(problem)
    for one in assembled:
        document = _document(one.documents, path)
        if document is None:
            continue
        if line > document.text.count("\n") + 1:
            return usage(UsageError(f"{path} has no line {line}"))
        report = examine(one.run, one.documents)
        sys.stdout.write("\n".join(explain_line(report, document, line)) + "\n")
    return ExitCode.OK


def _place(files: list[str]) -> tuple[str, int]:
    path, _, line = files[0].rpartition(":") if files else ("", "", "")
    if not path or not line.isdigit():
        raise UsageError("say which line: fp8check explain train.yaml:31 accel.yaml")
    return path, int(line)


def _document(documents: tuple[Document, ...], path: str) -> Document | None:
    return next((document for document in documents if document.path == path), None)
