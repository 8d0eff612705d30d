"""What the commands print: reports in their formats, crashes of rules, and where it goes."""

from __future__ import annotations

import sys

from fp8check.cli.options import UsageError
from fp8check.cli.streams import complain, say_exactly
from fp8check.rules.credentials import is_clean
from fp8check.rules.plain_text import shown
from fp8check.rules.report.formats import FORMATS, Look, find
from fp8check.rules.report.terminal import Style, wants_color, wants_links, width_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.rules.engine.running import Crash
    from fp8check.rules.plain_text import Syntax
    from fp8check.rules.reading import Document
    from fp8check.rules.report.formats import Format, Sources
    from fp8check.rules.report.quoting import Quotable
    from fp8check.rules.report.schema import Plans, Report
    from fp8check.rules.suppression.examined import Examined

TEXT = "text"
NAMES = tuple(format_.name for format_ in FORMATS)  # what --format takes


def formats_of(options: Options, known: Sequence[str] | None = None) -> list[tuple[str, str | None]]:
    """The formats that --format names, each with the file that it goes to; None is standard output.

    Args:
        known: what may be named; None for every format of a report.

    Raises:
        UsageError: one is named that does not exist, or --output-file has none to write.
    """
    formats: list[tuple[str, str | None]] = []
    for value in options.format or [TEXT]:
        name, equals, target = value.partition("=")
        there = NAMES if known is None else known
        if name not in there:
            raise UsageError(f"no such format: {name}; there are {', '.join(there)}")
        formats.append((name, target if equals else None))
    file = vars(options).get("output_file")
    return formats if file is None else _written(formats, file)


def _written(formats: list[tuple[str, str | None]], file: str) -> list[tuple[str, str | None]]:
    """The same, the last that goes to standard output with a file."""
    open_ = [number for number, (_, target) in enumerate(formats) if target is None]
    if not open_:
        raise UsageError(f"-o {file}: each --format names a file already; leave one of the two out")
    name, _ = formats[open_[-1]]
    return [*formats[: open_[-1]], (name, file), *formats[open_[-1] + 1 :]]


def write_text(text: str, target: str | None, syntax: Syntax) -> None:
    """Write a text that is safe to show (rules/plain_text.py) to standard output, or to a file.

    Raises:
        Unwritable: the file cannot be written, or what is there would lose something.
    """
    if target is None:
        say_exactly(text, syntax)
        return
    from fp8check.rules import writing

    writing.write(target, text.encode())


def style_of(options: Options, target: str | None) -> Style:
    """Painted, folded and with links for a terminal; plain in a file."""
    if target is not None:
        return Style(options.color == "always")
    stream, choice = sys.stdout, options.color
    return Style(wants_color(stream, choice), width_of(stream), links=wants_links(stream, choice))


def style_of_complaints() -> Style:
    """As text looks on standard error: folded for a terminal, and never painted."""
    return Style(on=False, width=width_of(sys.stderr))


def sources_of(examined: Sequence[Examined], options: Options, config: Config) -> Sources:
    """The texts that reports may quote (rules/report/quoting.py), without credentials."""
    documents = {document.path: document for report in examined for document in report.documents}
    if not all(path in options.files for path in documents):  # nearly always, and nothing has to be imported
        may = quotable(options, config).may
        documents = {path: document for path, document in documents.items() if may(path)}
    return {path: discreet(document) for path, document in documents.items()}


def discreet(document: Document) -> str:
    """The text of a file without credentials (rules/report/masking.py)."""
    if is_clean(document.text):
        return document.text
    from fp8check.rules.report.masking import masked_text

    return masked_text(document)


def quotable(options: Options, config: Config) -> Quotable:
    """The files that may be quoted: the command line names them, or the configuration."""
    from fp8check.rules.report import quoting

    return quoting.of_files(options.files) if options.files else quoting.of_configuration(config.path or "")


def write_reports(
    formats: Sequence[tuple[str, str | None]],
    examined: Sequence[Examined],
    options: Options,
    config: Config,
    plans: Mapping[int, Plans] | None = None,
) -> None:
    """Write reports of these runs, in each format to where it goes.

    Args:
        plans: what to do about the runs, by the report that has it.
    """
    from fp8check.rules.report import build

    chosen = [(one, target) for name, target in formats if (one := find(name)) is not None]
    make = build.brief if all(format_.brief for format_, _ in chosen) else build.full_report
    reports = [make(report) for report in examined]
    for number, found in (plans or {}).items():
        reports[number] = reports[number]._replace(plan=found)
    machines = [report.inputs.run.facts.machines for report in examined]
    if any(machines):
        from fp8check.rules.report.machines import with_machines  # only with several --facts

        reports = with_machines(reports, machines)
    sources = sources_of(examined, options, config)
    for one, target in chosen:
        write_text(rendered(one, target, reports, sources, options), target, one.syntax)


def rendered(format_: Format, target: str | None, reports: Sequence[Report], sources: Sources, options: Options) -> str:
    """Reports in a format, as the options want them to look."""
    return format_.render(reports, sources, look_of(options, target))


def look_of(options: Options, target: str | None) -> Look:
    """How the options want reports to look, where they go."""
    style = style_of(options, target)
    quiet = options.quiet or (options.hook and not vars(options).get("plan"))
    return Look(style.on, quiet, options.verbose, style.width, style.links)


def print_crashes(crashes: Iterable[Crash]) -> None:
    """What a plug-in's or rule's author needs, on standard error; each once."""
    for crash in {crash.rule: crash for crash in crashes}.values():
        complain(
            f"fp8check: {shown(crash.rule)} failed; please report it with these lines:\n{crash.traceback}", fold=False
        )
