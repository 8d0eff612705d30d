"""`fp8check fix FILE...`: fix what can be fixed, and say what cannot."""

from __future__ import annotations

from fp8check.cli import options as groups
from fp8check.cli.config import load
from fp8check.cli.options import Parser, UsageError
from fp8check.cli.output import discreet, print_crashes
from fp8check.cli.requests import request_of
from fp8check.cli.streams import complain, say_bytes
from fp8check.rules.checking.request import Checked, check_request
from fp8check.rules.plain_text import plain, shown
from fp8check.rules.writing import Change, replace_all, tidy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.reading import Document
    from fp8check.rules.repair import Fixed
    from fp8check.rules.suppression.examined import Examined

STDIN = "-"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


ABOUT = """\
Fix what can be fixed without changing what the run does. Edits entries and nothing else, and checks
each file before it writes it."""


def parser() -> Parser:
    """The options of the command."""
    parts = (groups.files, groups.run, groups.machine, groups.rules, groups.config, groups.failing, groups.quiet)
    parser = Parser("fp8check fix", ABOUT, groups=parts)
    parser.add_argument("--diff", action="store_true", help="print what would change, and change nothing")
    parser.add_argument("--unsafe", action="store_true", help="make fixes too that change what the run does")
    return parser


def fix(argv: list[str]) -> int:
    """Fix the files in place; with --diff print what would change; standard input goes to standard output."""
    options = parser().parse_args(argv)
    if not options.files:
        raise UsageError("name the files to fix: fp8check fix train.yaml accel.yaml")
    config = load(options)
    request = request_of(options, config)
    (part,) = request.runs

    def examine(current: Sequence[Document]) -> tuple[Examined, ...]:
        return check_request(request._replace(runs=(part._replace(documents=tuple(current)),))).reports

    from fp8check.rules import repair

    fixed = repair.fix_all(part.documents, examine, unsafe=options.unsafe)
    _put(part.documents, fixed, diff=options.diff)
    _tell(fixed, quiet=options.quiet, dry=options.diff)
    print_crashes(crash for report in fixed.left for crash in report.crashes)
    return Checked((), fixed.left).exit_code(options.fail_on or config.fail_on or "error")


def _put(before: Sequence[Document], fixed: Fixed, *, diff: bool) -> None:
    """Print or write what has changed: standard input goes to standard output, and the files change all or none.

    Raises:
        Unwritable: a file cannot be written, would lose something, or has been changed since it was read.
    """
    pairs = list(zip(before, fixed.documents, strict=True))
    if diff:
        say_bytes("".join(_diff(old, new) for old, new in pairs).encode())
        return
    for old, new in pairs:
        if old.path == STDIN:
            say_bytes(_bytes(new))
    files = [(old, new) for old, new in pairs if old.path != STDIN]
    changed = [(old, new) for old, new in files if old.text != new.text]
    if changed:
        replace_all([Change(old.path, _bytes(old), _bytes(new)) for old, new in changed])
    tidy([old.path for old, new in files if old.text == new.text])


def _bytes(document: Document) -> bytes:
    return (BYTE_ORDER_MARK if document.bom else b"") + document.text.encode()


def _diff(old: Document, new: Document) -> str:
    """What would change, for `patch`; a line that holds what may not leave fits no file any more."""
    import difflib

    names = shown(old.path), f"{shown(new.path)} (fixed)"
    lines = difflib.unified_diff(_lines(discreet(old)), _lines(discreet(new)), *names)
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return "\r\n".join(map(plain, text.split("\r\n")))


def _lines(text: str) -> list[str]:
    """The lines of a text as `patch` counts them, with their ends."""
    lines = [f"{line}\n" for line in text.split("\n")]
    return [*lines[:-1], lines[-1][:-1]] if lines[-1] != "\n" else lines[:-1]


def _tell(fixed: Fixed, *, quiet: bool, dry: bool) -> None:
    """What was done, on standard error: standard output may be a file."""
    done = "would fix" if dry else "fixed"
    lines = [f"{done} {one.rule} {one.message}: {one.help}" for one in fixed.applied]
    lines += [f"not fixed {one.finding.rule} {one.finding.message}: {one.reason}" for one in fixed.refused]
    if not quiet:
        lines += [
            f"left {one.rule} {one.message}: its fix changes what the run does (--unsafe)" for one in fixed.unsafe
        ]
    for finding in (one for report in fixed.left for one in report.findings):
        if finding.severity == "error" and finding.fix is None:
            lines.append(f"left {finding.rule} {finding.message}: this is for you to fix")
    from fp8check.rules.report.masking import hidden, secrets_of

    secrets = tuple(secret for one in fixed.left for secret in secrets_of(one.inputs.run, one.documents))
    complain("".join(f"{shown(hidden(line, secrets))}\n" for line in dict.fromkeys(lines)))
