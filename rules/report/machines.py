"""Reports of a run on several kinds of machines: each says which they are, and a finding where it is not everywhere."""

from __future__ import annotations

from collections import defaultdict

from fp8check.rules.plain_text import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.schema import Finding, Report

NAMED = 3
_LONGEST = 60  # characters of a name


def in_words(machines: Sequence[str]) -> str:
    """Some machines, the first of them by name."""
    names = [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..." for text in map(shown, machines[:NAMED])]
    more = len(machines) - len(names)
    if more:
        return f"{', '.join(names)} and {more:,} more"
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def with_machines(reports: Sequence[Report], machines: Sequence[Sequence[str]]) -> list[Report]:
    """The reports with the machines of each: where findings of a run differ between them, their messages say which.

    Args:
        machines: the names of those that each report is of; none where nothing is to be said.
    """
    runs: dict[object, list[int]] = defaultdict(list)
    for number, report in enumerate(reports):
        runs[report.files, report.launch].append(number)
    found = list(reports)
    for those in runs.values():
        keys = [{_key(finding) for finding in reports[number].findings} for number in those]
        everywhere = set.intersection(*keys)
        for number in those:
            if machines[number]:
                found[number] = _on(reports[number], machines[number], everywhere)
    return found


def _on(report: Report, machines: Sequence[str], everywhere: set[object]) -> Report:
    where = f"on {in_words(machines)}: "
    return report._replace(
        machines=tuple(machines),
        summary=report.summary._replace(actual=where + report.summary.actual),
        findings=tuple(
            finding if _key(finding) in everywhere else finding._replace(message=where + finding.message)
            for finding in report.findings
        ),
    )


def _key(finding: Finding) -> object:
    return finding.rule, finding.file, finding.line, finding.column, finding.message
