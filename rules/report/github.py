"""Workflow commands of GitHub Actions: findings become annotations on their lines.

docs.github.com/actions/reference/workflows-and-actions/workflow-commands

A step has ten annotations of each kind, a job fifty; the runner passes over the others, and cuts a message at 4,096
characters (actions/toolkit, docs/problem-matchers.md; actions/runner, src/Runner.Worker/ExecutionContext.cs). No more
are written: what to do first, then rules that failed, then the findings as they come; the others are lines of the log.
"""

from __future__ import annotations

from fp8check.rules.plain_text import shown
from fp8check.rules.report.concise import line_of
from fp8check.rules.report.schema import place_of, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, InternalError, Plans, Report

MOST = 10  # annotations of a kind
_LONGEST = 4096  # characters of a message, as the runner counts them: decoded
_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


class Annotations:
    """The lines of a log, as reports are added: each once, and as many annotations of a kind as GitHub shows."""

    def __init__(self) -> None:
        self._said: set[int] = set()  # hashes of 64 bits: a check of thousands of files has a million lines
        self._room = dict.fromkeys(_COMMANDS.values(), MOST)
        self._left = 0

    def add(self, report: Report) -> str:
        """The lines of one report more."""
        return "".join(f"{line}\n" for line in self._lines(report))

    def end(self) -> str:
        """That there is more than has an annotation; nothing where there is not."""
        if not self._left:
            return ""
        return (
            f"fp8check: {self._left} more without an annotation, for GitHub shows {MOST} of a kind: in this log, and in"
            " the summary of the step\n"
        )

    def _lines(self, report: Report) -> Iterator[str]:
        if report.plan is not None:
            yield from self._annotated("notice", _todo(report.plan), _todo_in_the_log(report.plan))
        for crash in report.internal_errors:
            yield from self._annotated("error", _crash(crash), f"fp8check: internal error in {shown(crash.rule)}")
        for finding in report.new_findings:
            yield from self._annotated(
                _COMMANDS[finding.severity], _command(finding), f"fp8check: {shown(line_of(finding))}"
            )
        # Lines of the log, not commands: they must not begin with "::".
        yield from self._new(f"fp8check: {report.verdict}: {shown(report.summary.actual)}")
        if report.undecided:
            from fp8check.rules.report.lacking import lacking  # with facts few reports have any

            for gap in lacking(report.undecided):
                yield from self._new(f"fp8check: not decided: {gap.sentence(gap.ids())}")

    def _annotated(self, kind: str, command: str, instead: str) -> Iterator[str]:
        """A command, while there is room for it; a line of the log `instead`."""
        for line in self._new(command):
            if self._room[kind]:
                self._room[kind] -= 1
                yield line
            else:
                self._left += 1
                yield instead

    def _new(self, line: str) -> Iterator[str]:
        mark = hash(line)
        if mark not in self._said:
            self._said.add(mark)
            yield line


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The commands, one a line; what a run comes to is printed as it is."""
    annotations = Annotations()
    return "".join([*(annotations.add(report) for report in reports), annotations.end()])


def alert(title: str, text: str, kind: str = "error") -> str:
    """What is no finding, as that a command line is wrong; `kind`: error, warning or notice."""
    return f"::{kind} title={_property(title)}::{_value(text)}\n"


def _todo(plans: Plans) -> str:
    """What to do, as a whole; before the findings."""
    from fp8check.rules.report.plan_text import short  # where a plan was asked for

    title, *rest = short(plans)
    return f"::notice title={_property(f'fp8check: {title}')}::{_value(chr(10).join(rest))}"


def _todo_in_the_log(plans: Plans) -> str:
    from fp8check.rules.report.plan_text import short

    return "\n".join(f"fp8check: {line}" for line in short(plans))


def _command(finding: Finding) -> str:
    place = place_of(finding)
    properties = [f"title={_property(f'{finding.rule} {finding.name}')}"]
    if place is not None:
        properties += [f"file={_property(place.file)}", f"line={place.line}", f"endLine={place.end_line}"]
        if place.line == place.end_line:  # columns count only there
            properties += [f"col={place.column}", f"endColumn={place.end_column}"]
    message = _value("\n".join(sentences(finding)))
    return f"::{_COMMANDS[finding.severity]} {','.join(properties)}::{message}"


def _crash(error: InternalError) -> str:
    return f"::error title=fp8check internal error::{_value(f'{error.rule}: {error.error}')}"


def _value(text: str) -> str:
    """As the runner decodes it (actions/toolkit, packages/core/src/command.ts escapeData)."""
    text = "\n".join(map(shown, text.split("\n")))
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return text.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    """As the runner decodes it (command.ts escapeProperty)."""
    return _value(text).replace(":", "%3A").replace(",", "%2C")
