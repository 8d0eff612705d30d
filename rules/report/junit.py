"""JUnit XML, as CI systems read it: a suite a run; a finding is a failure, what is undecided is skipped."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from fp8check.rules.plain_text import shown
from fp8check.rules.record import Record
from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, Report


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The suites, one a run."""
    builder = ET.TreeBuilder()
    builder.start("testsuites", {"name": "fp8check"})
    builder.data("\n")
    for report in reports:
        _suite(builder, report)
    builder.end("testsuites")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(builder.close(), "unicode")}\n'


class _Case(Record):
    """A test case.

    Attributes:
        inside: the one element in it ("failure", "error", "skipped", "system-out"); None where the test passes.
        about: its attributes, and `text` what is in it.
        file, line: where it stands; None where no file holds it.
    """

    name: str
    inside: str | None = None
    about: Mapping[str, str] = {}
    text: str = ""
    file: str | None = None
    line: int | None = None


def _suite(builder: ET.TreeBuilder, report: Report) -> None:
    cases = list(_cases(report))
    numbers = {
        "tests": len(cases),
        "failures": sum(case.inside == "failure" for case in cases),
        "errors": sum(case.inside == "error" for case in cases),
        "skipped": sum(case.inside == "skipped" for case in cases),
    }
    name = ", ".join(file.path for file in report.files)
    _start(builder, "testsuite", {"name": name, **{key: str(number) for key, number in numbers.items()}})
    builder.data("\n")
    for case in cases:
        _case(builder, case)
    _whole(builder, "system-out", {}, "\n".join((report.summary.actual, *_todo(report))))
    builder.data("\n")
    builder.end("testsuite")
    builder.data("\n")


def _todo(report: Report) -> list[str]:
    """What to do, as a whole, where a plan was asked for."""
    if report.plan is None:
        return []
    from fp8check.rules.report.plan_text import short

    return short(report.plan)


def _case(builder: ET.TreeBuilder, case: _Case) -> None:
    place = {} if case.file is None else {"file": case.file, "line": str(case.line)}
    _start(builder, "testcase", {"classname": case.file or "fp8check", "name": case.name, **place})
    if case.inside is not None:
        _whole(builder, case.inside, case.about, case.text)
    builder.end("testcase")
    builder.data("\n")


def _cases(report: Report) -> Iterator[_Case]:
    """Each finding, each open question, each crash; and the run itself, so that a clean one has a test that passes."""
    if report.verdict == "pass":
        yield _Case("run")
    if report.verdict == "undecided":
        yield _Case("run", "skipped", {"message": "not everything could be decided"})
    for requirement in report.requirements:
        if requirement.met:  # the others are findings
            yield _Case(f"requires {requirement.requirement}", "system-out", {}, requirement.why)
    for finding in report.findings:
        yield _finding(finding)
    for undecided in report.undecided:
        yield _Case(undecided.rule, "skipped", {"message": f"needs {undecided.needs}: {undecided.command}"})
    for crash in report.internal_errors:
        yield _Case(crash.rule, "error", {"type": "internal error", "message": crash.error})


def _finding(finding: Finding) -> _Case:
    place = place_of(finding)
    lines = [finding.message, finding.label, *finding.notes]
    if place is not None:
        lines.insert(0, f"{place.file}:{place.line}:{place.column}")
    if finding.help:
        lines.append(f"help: {finding.help}")
    note = finding.severity == "info"
    return _Case(
        f"{finding.rule} {finding.name}",
        "system-out" if note else "failure",
        {} if note else {"type": finding.severity, "message": finding.message},
        "\n".join(shown(line) for line in lines if line),
        finding.file,
        finding.line,
    )


def _whole(builder: ET.TreeBuilder, tag: str, attributes: Mapping[str, str], text: str) -> None:
    _start(builder, tag, attributes)
    builder.data("\n".join(map(shown, text.split("\n"))))
    builder.end(tag)


def _start(builder: ET.TreeBuilder, tag: str, attributes: Mapping[str, str]) -> None:
    builder.start(tag, {name: shown(value) for name, value in attributes.items()})
