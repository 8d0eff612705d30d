"""`fp8check fix FILE...`: fix what can be fixed, and say what cannot."""

from __future__ import annotations

import os
import sys

from fp8check.cli.check import PROBLEMS, assembled, chosen, documents_of, facts_of, usage
from fp8check.cli.config import load
from fp8check.cli.exit_codes import ExitCode
from fp8check.cli.options import UsageError, parser
from fp8check.rules.checking.judging import examine_all
from fp8check.rules.report.frames import visible
from fp8check.rules.suppression.examined import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.repair import Fixed
    from fp8check.rules.suppression.examined import Examined

STDIN = "-"


def fix(words: list[str]) -> int:
    """Fix the files in place; with --diff print what would change; standard input goes to standard output."""
    made = parser("fix")
    made.add_argument("--diff", action="store_true", help="print what would change, and change nothing")
    made.add_argument("--unsafe", action="store_true", help="make fixes too that change what the run does")
    try:
        options = made.parse_args(words)
        config = load(options)
        rules, crashes = chosen(options, config)
        documents = documents_of(options)
        if not documents:
            raise UsageError("name the files to fix: fp8check fix train.yaml accel.yaml")
        facts = facts_of(options)
        assembled(documents, options, facts)  # what is no run is said before anything is changed
    except SystemExit as leave:
        return int(leave.code or 0)
    except PROBLEMS as problem:
        return usage(problem)

    def examine(current: Sequence[Document]) -> list[Examined]:
        runs = ((one.run, one.documents) for one in assembled(list(current), options, facts))
        return examine_all(runs, rules, configured=config.suppressions, crashes=crashes)

    from fp8check.rules import repair

    fixed = repair.fix_all(documents, examine, unsafe=options.unsafe)
    try:
        _put(documents, fixed, diff=options.diff)
    except OSError as problem:
        return usage(problem)
    _tell(fixed, quiet=options.quiet, dry=options.diff)
    if any(report.crashes for report in fixed.left):
        return ExitCode.INTERNAL_ERROR
    return ExitCode.FINDINGS if any(counts(report)["error"] for report in fixed.left) else ExitCode.OK


def _put(before: Sequence[Document], fixed: Fixed, *, diff: bool) -> None:
    for old, new in zip(before, fixed.documents, strict=True):
        if diff:
            sys.stdout.write(_diff(old, new))
        elif old.path == STDIN:
            sys.stdout.write(new.text)
        elif old.text != new.text:
            _replace(new)


def _diff(old: Document, new: Document) -> str:
    import difflib

    lines = difflib.unified_diff(
        old.text.splitlines(keepends=True), new.text.splitlines(keepends=True), old.path, f"{new.path} (fixed)"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _replace(document: Document) -> None:
    """Write the file whole or not at all: beside it first, then in its place. Its mode stays, and so does a link."""
    import shutil
    import tempfile

    path = os.path.realpath(document.path)
    mark = b"\xef\xbb\xbf" if document.bom else b""
    descriptor, beside = tempfile.mkstemp(prefix=".fp8check-", dir=os.path.dirname(path) or ".")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(mark + document.text.encode())
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copymode(path, beside)
        os.replace(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def _tell(fixed: Fixed, *, quiet: bool, dry: bool) -> None:
    """What was done, on standard error: standard output may be a file."""
    done = "would fix" if dry else "fixed"
    lines = [f"{done} {one.rule} {visible(one.message)}: {visible(one.help)}" for one in fixed.applied]
    lines += [f"not fixed {one.finding.rule} {visible(one.finding.message)}: {one.reason}" for one in fixed.refused]
    if not quiet:
        lines += [
            f"left {one.rule} {visible(one.message)}: its fix changes what the run does (--unsafe)"
            for one in fixed.unsafe
        ]
    for finding in (one for report in fixed.left for one in report.findings):
        if finding.severity == "error" and finding.fix is None:
            lines.append(f"left {finding.rule} {visible(finding.message)}: this is for you to fix")
    sys.stderr.write("".join(f"{line}\n" for line in dict.fromkeys(lines)))
