"""One line a finding, `file:line:column: severity: message [rule]`, as compilers write them and editors read them."""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, Report


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The findings of all runs, each once, and what each run comes to."""
    lines: dict[str, None] = {}
    for report in reports:
        lines.update((line_of(finding), None) for finding in report.findings)
        lines.update((f"fp8check: internal error in {error.rule}", None) for error in report.internal_errors)
        lines[f"{report.verdict}: {report.summary.actual}"] = None
    return "".join(f"{shown(line)}\n" for line in lines)


def line_of(finding: Finding) -> str:
    """A finding in one line, which has still to be made safe."""
    place = place_of(finding)
    where = f"{place.file}:{place.line}:{place.column}: " if place is not None else ""
    return f"{where}{finding.severity}: {finding.message} [{finding.rule}]"
