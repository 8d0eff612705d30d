"""`--write-baseline`: what there is now is known, and no longer news."""

from __future__ import annotations

from fp8check.cli.output import print_crashes
from fp8check.cli.streams import say
from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.plain_text import shown
from fp8check.rules.suppression.baseline import save_baseline
from fp8check.rules.suppression.fingerprint import fingerprints

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from fp8check.rules.engine.running import Crash, Finding
    from fp8check.rules.suppression.examined import Examined


def write_baseline(path: str, reports: Iterable[Examined]) -> int:
    """Write the findings of these runs, and return the exit code; nothing is written where a rule failed.

    Raises:
        Unwritable: the file cannot be written.
    """
    crashes: list[Crash] = []
    found: dict[str, Finding] = {}
    for report in reports:
        crashes.extend(report.crashes)
        found.update(zip(fingerprints(report.findings, report.documents), report.findings, strict=True))
    if crashes:
        print_crashes(crashes)
        return ExitCode.INTERNAL_ERROR
    number = save_baseline(path, found.items())
    say(f"{shown(path)}: {number} finding{'s' if number != 1 else ''}\n")
    return ExitCode.OK
