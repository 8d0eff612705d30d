"""One line a finding, `file:line:column: severity: message [rule]`, as compilers write them and editors read them."""

from __future__ import annotations

from fp8check.rules.report.data import items, place_of, text_of, whole
from fp8check.rules.report.frames import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Data, Sources


def render(reports: Sequence[Data], _sources: Sources) -> str:
    """The findings of all runs, each once, and what each run comes to."""
    lines: dict[str, None] = {}
    for report in reports:
        lines.update((_line(finding), None) for finding in items(report, "findings"))
        lines.update((f"fp8check: internal error in {one['rule']}", None) for one in items(report, "internal_errors"))
        happens = text_of(whole(report, "summary"), "happens")
        lines[f"{report['verdict']}: {happens}"] = None
    return "".join(f"{visible(line)}\n" for line in lines)


def _line(finding: Data) -> str:
    place = place_of(finding)
    where = f"{place.file}:{place.line}:{place.column}: " if place is not None else ""
    return f"{where}{finding['severity']}: {finding['message']} [{finding['rule']}]"
