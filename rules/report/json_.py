"""The report for programs: JSON, schema fp8check/report/1."""

from __future__ import annotations

from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.schema import as_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Report


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """One object, or a list where there are several runs."""
    return dumps(data_of(reports)) + "\n"


def data_of(reports: Sequence[Report]) -> object:
    """The reports as plain data: one object, or a list where there are several runs."""
    data = [as_data(report) for report in reports]
    return data[0] if len(data) == 1 else data
