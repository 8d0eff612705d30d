"""Many runs in one command: each report leaves as it is made, and the next run takes its place in memory."""

from __future__ import annotations

import gc
from contextlib import ExitStack

from fp8check.cli.baseline import write_baseline
from fp8check.cli.output import discreet, look_of, print_crashes, quotable
from fp8check.cli.progress import Progress
from fp8check.cli.streams import say_exactly
from fp8check.rules.checking.many import check_each
from fp8check.rules.checking.verdict import Counts, counted, exit_code, summed
from fp8check.rules.report import build
from fp8check.rules.report.formats import find
from fp8check.rules.report.many import page_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.cli.config import Config
    from fp8check.cli.options import Options
    from fp8check.rules.checking.request import Request
    from fp8check.rules.engine.running import Crash
    from fp8check.rules.report.formats import Format, Sources
    from fp8check.rules.report.schema import Report
    from fp8check.rules.writing import Output


def check_many(request: Request, formats: Sequence[tuple[str, str | None]], options: Options, config: Config) -> int:
    """Check the runs of a request, and write each report as it is made."""
    # Few runs end before it pays (cli/main.py); of thousands, what refers to itself would stay.
    gc.freeze()
    gc.enable()
    reports = check_each(request)
    if options.write_baseline is not None:
        return write_baseline(options.write_baseline, reports)
    chosen = [(one, target) for name, target in formats if (one := find(name)) is not None]
    make = build.brief if all(format_.brief for format_, _ in chosen) else build.full_report
    quoted = quotable(options, config)
    crashes: dict[str, Crash] = {}
    total = Counts("pass")
    progress, files = Progress(options), sum(len(part.documents) for part in request.runs)
    with ExitStack() as stack:
        pages = [Page(format_, target, options, stack) for format_, target in chosen]
        for number, examined in enumerate(reports):
            progress.tell(f"checked {number:,} of {files:,} files")
            report = make(examined)
            sources = {
                document.path: discreet(document) for document in examined.documents if quoted.may(document.path)
            }
            for page in pages:
                page.add(report, sources)
            crashes.update((crash.rule, crash) for crash in examined.crashes)
            total = summed(total, counted([examined]))
        progress.end()
        for page in pages:
            page.end()
    print_crashes(crashes.values())
    fail_on = options.fail_on or config.fail_on or "error"
    return exit_code(total, fail_on, require_evidence=options.require_evidence)


class Page:
    """Reports in one format, where they go."""

    def __init__(self, format_: Format, target: str | None, options: Options, stack: ExitStack) -> None:
        self._page = page_of(format_, look_of(options, target))
        self._syntax = format_.syntax
        self._file: Output | None = None
        if target is not None:
            from fp8check.rules import writing

            self._file = stack.enter_context(writing.Output(target))

    def add(self, report: Report, sources: Sources) -> None:
        """One report more."""
        self._write(self._page.add(report, sources))

    def end(self) -> None:
        """What stands behind all of them."""
        for piece in self._page.ends():
            self._write(piece)

    def _write(self, text: str) -> None:
        if self._file is not None:
            self._file.write(text.encode())
        else:
            say_exactly(text, self._syntax)
