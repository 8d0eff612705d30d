"""GitLab Code Quality (docs.gitlab.com/ci/testing/code_quality, report format)."""

from __future__ import annotations

from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, Report

_SEVERITIES = {"error": "critical", "warning": "major", "info": "info"}


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The findings of all runs, each once: GitLab tells them apart by fingerprint."""
    issues: dict[str, dict[str, object]] = {}
    for report in reports:
        first = report.files[0].path if report.files else "."
        for finding in report.findings:
            issues.setdefault(finding.fingerprint, _issue(finding, first))
    return dumps(list(issues.values())) + "\n"


def _issue(finding: Finding, first: str) -> dict[str, object]:
    """The issue of a finding. GitLab needs a line: one that no line holds stands at the top of the first file."""
    place = place_of(finding)
    return {
        "description": finding.message + (f". Write instead: {finding.help}" if finding.help else ""),
        "check_name": finding.rule,
        "fingerprint": finding.fingerprint,
        "severity": _SEVERITIES[finding.severity],
        "location": {
            "path": place.file if place is not None else first,
            "lines": {"begin": place.line if place is not None else 1},
        },
    }
