"""What the commands print: reports in their formats, crashes of rules, and where it goes."""

from __future__ import annotations

import sys

from fp8check.cli.options import UsageError
from fp8check.rules.report.style import Style, wants_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from fp8check.rules.engine.running import Crash
    from fp8check.rules.suppression.examined import Examined

TEXT = "text"


def formats_of(values: Sequence[str], known: Sequence[str] | None = None) -> list[tuple[str, str | None]]:
    """The formats that --format names, each with the file that it goes to; None is standard output.

    Args:
        known: what may be named; None for every format of a report.

    Raises:
        UsageError: one is named that does not exist.
    """
    formats: list[tuple[str, str | None]] = []
    for value in values or [TEXT]:
        name, equals, target = value.partition("=")
        if name != TEXT or known is not None:
            there = names_of_formats() if known is None else known
            if name not in there:
                raise UsageError(f"no such format: {name}; there are {', '.join(there)}")
        formats.append((name, target if equals else None))
    return formats


def names_of_formats() -> tuple[str, ...]:
    """What --format takes."""
    from fp8check.rules.report.formats import FORMATS

    return (TEXT, *(one.name for one in FORMATS))


def write_text(text: str, target: str | None) -> None:
    """Write to standard output, or to a file."""
    if target is None:
        sys.stdout.write(text)
        return
    with open(target, "w", encoding="utf-8") as stream:
        stream.write(text)


def style_of(options: argparse.Namespace, target: str | None) -> Style:
    """Painted for a terminal, plain in a file."""
    choice = "never" if target is not None and options.color == "auto" else options.color
    return Style(wants_color(sys.stdout, choice))


def write_reports(name: str, target: str | None, reports: Sequence[Examined], options: argparse.Namespace) -> None:
    """Write reports in a format."""
    write_text(_rendered(name, target, reports, options), target)


def _rendered(name: str, target: str | None, reports: Sequence[Examined], options: argparse.Namespace) -> str:
    if name != TEXT:
        from fp8check.rules.report.formats import find
        from fp8check.rules.report.json_ import as_data

        format_ = find(name)
        if format_ is None:
            raise UsageError(f"no such format: {name}")
        sources = {document.path: document.text for report in reports for document in report.documents}
        return format_.render([as_data(report) for report in reports], sources)
    from fp8check.rules.report import text

    style = style_of(options, target)
    quiet = options.quiet or options.hook
    return "\n".join(text.render(report, style, quiet=quiet, verbose=options.verbose) for report in reports)


def print_crashes(crashes: Iterable[Crash]) -> None:
    """What a plug-in's or rule's author needs, on standard error; each once."""
    for crash in {crash.rule: crash for crash in crashes}.values():
        sys.stderr.write(f"fp8check: {crash.rule} failed; please report it with these lines:\n{crash.traceback}")
