"""Workflow commands of GitHub Actions: each finding becomes an annotation on its line.

docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.schema import place_of, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, InternalError, Plans, Report

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The commands, one a line; what a run comes to is printed as it is."""
    lines: dict[str, None] = {}
    for report in reports:
        if report.plan is not None:
            lines[_todo(report.plan)] = None
        lines.update((_command(finding), None) for finding in report.findings)
        lines.update((_crash(one), None) for one in report.internal_errors)
        # A line of the log, not a command: it must not begin with "::".
        lines[f"fp8check: {report.verdict}: {_value(report.summary.actual)}"] = None
    return "".join(f"{line}\n" for line in lines)


def _todo(plans: Plans) -> str:
    """What to do, as a whole; before the findings, for a step shows ten notices and no more."""
    from fp8check.rules.report.plan_text import short  # where a plan was asked for

    title, *rest = short(plans)
    return f"::notice title={_property(f'fp8check: {title}')}::{_value(chr(10).join(rest))}"


def _command(finding: Finding) -> str:
    place = place_of(finding)
    properties = [f"title={_property(f'{finding.rule} {finding.name}')}"]
    if place is not None:
        properties += [f"file={_property(place.file)}", f"line={place.line}", f"endLine={place.end_line}"]
        if place.line == place.end_line:  # columns count only there
            properties += [f"col={place.column}", f"endColumn={place.end_column}"]
    message = _value("\n".join(sentences(finding)))
    return f"::{_COMMANDS[finding.severity]} {','.join(properties)}::{message}"


def _crash(one: InternalError) -> str:
    return f"::error title=fp8check internal error::{_value(f'{one.rule}: {one.error}')}"


def _value(text: str) -> str:
    """As the runner decodes it (actions/toolkit, packages/core/src/command.ts escapeData)."""
    return shown(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    """As the runner decodes it (command.ts escapeProperty)."""
    return _value(text).replace(":", "%3A").replace(",", "%2C")
