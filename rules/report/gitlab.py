"""GitLab Code Quality (docs.gitlab.com/ci/testing/code_quality, report format)."""

from __future__ import annotations

import json

from fp8check.rules.report.data import items, place_of, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from fp8check.rules.report.formats import Data, Sources

_SEVERITIES = {"error": "critical", "warning": "major", "info": "info"}


def render(reports: Sequence[Data], _sources: Sources) -> str:
    """The findings of all runs, each once: GitLab tells them apart by fingerprint."""
    seen: dict[str, dict[str, Any]] = {}
    for report in reports:
        for issue in _issues(report):
            seen.setdefault(issue["fingerprint"], issue)
    return json.dumps(list(seen.values()), indent=2, ensure_ascii=False) + "\n"


def _issues(report: Data) -> Iterator[dict[str, Any]]:
    files = items(report, "files")
    first = text_of(files[0], "path") if files else "."
    for finding in items(report, "findings"):
        place = place_of(finding)
        help_ = text_of(finding, "help")
        yield {
            "description": text_of(finding, "message") + (f". Write instead: {help_}" if help_ else ""),
            "check_name": text_of(finding, "rule"),
            "fingerprint": text_of(finding, "fingerprint"),
            "severity": _SEVERITIES[text_of(finding, "severity")],
            # GitLab needs a line: a finding that no line holds stands at the top of the first file.
            "location": {
                "path": place.file if place is not None else first,
                "lines": {"begin": place.line if place is not None else 1},
            },
        }
