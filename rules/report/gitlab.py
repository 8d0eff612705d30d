"""GitLab Code Quality (docs.gitlab.com/ci/testing/code_quality, report format)."""

from __future__ import annotations

from fp8check.rules.plain_text import bytes_of
from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, Report

_SEVERITIES = {"error": "critical", "warning": "major", "info": "info"}


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The findings of all runs, each once."""
    issues: dict[str, dict[str, object]] = {}
    for report in reports:
        first = report.files[0].path if report.files else "."
        todo = _todo(report)
        for finding in report.findings:
            issues.setdefault(mark_of(finding), _issue(finding, first, todo))
            todo = "" if finding.severity == "error" else todo
    return dumps(list(issues.values())) + "\n"


def mark_of(finding: Finding) -> str:
    """What GitLab tells it from others by. Its fingerprint is the same in files of another name."""
    from hashlib import sha256

    return sha256(bytes_of(f"{finding.file or ''}\0{finding.fingerprint}")).hexdigest()[:40]


def _todo(report: Report) -> str:
    """What to do, as a whole; it stands in the first error."""
    if report.plan is None:
        return ""
    from fp8check.rules.report.plan_text import sentence, short  # where a plan was asked for

    return f". {sentence(report.plan, 1)}" if report.plan.plans else f". {'; '.join(short(report.plan))}"


def _issue(finding: Finding, first: str, todo: str) -> dict[str, object]:
    """The issue of a finding. GitLab needs a line: one that no line holds stands at the top of the first file."""
    place = place_of(finding)
    advice = f". Help: {finding.help}" if finding.help else ""
    return {
        "description": finding.message + (todo if todo and finding.severity == "error" else advice),
        "check_name": finding.rule,
        "fingerprint": mark_of(finding),
        "severity": _SEVERITIES[finding.severity],
        "location": {
            "path": place.file if place is not None else first,
            "lines": {"begin": place.line if place is not None else 1},
        },
    }
