"""JUnit XML, as CI systems read it: a suite a run; a finding is a failure, what is undecided is skipped."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from fp8check.rules.report.schema import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.report.formats import Look, Sources
    from fp8check.rules.report.schema import Finding, Report

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(reports: Sequence[Report], _sources: Sources, _look: Look) -> str:
    """The suites, one a run."""
    root = _element("testsuites", "\n", name="fp8check")
    root.extend(_suite(report) for report in reports)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "unicode")}\n'


def _suite(report: Report) -> ET.Element:
    cases = list(_cases(report))
    suite = _element(
        "testsuite",
        "\n",
        name=", ".join(file.path for file in report.files),
        tests=str(len(cases)),
        failures=str(_number(cases, "failure")),
        errors=str(_number(cases, "error")),
        skipped=str(_number(cases, "skipped")),
    )
    suite.extend(cases)
    suite.append(_element("system-out", report.summary.actual))
    for line in (*suite, suite):
        line.tail = "\n"
    return suite


def _number(cases: Sequence[ET.Element], tag: str) -> int:
    return sum(case.find(tag) is not None for case in cases)


def _cases(report: Report) -> Iterator[ET.Element]:
    """Each finding, each open question, each crash; and the run itself, so that a clean one has a test that passes."""
    if report.verdict == "pass":
        yield _case("run")
    if report.verdict == "undecided":
        yield _case("run", _element("skipped", message="not everything could be decided"))
    for finding in report.findings:
        yield _finding(finding)
    for one in report.undecided:
        yield _case(one.rule, _element("skipped", message=f"needs {one.needs}: {one.command}"))
    for crash in report.internal_errors:
        yield _case(crash.rule, _element("error", type="internal error", message=crash.error))


def _finding(finding: Finding) -> ET.Element:
    place = place_of(finding)
    lines = [finding.message, finding.label, *finding.notes]
    if place is not None:
        lines.insert(0, f"{place.file}:{place.line}:{place.column}")
    if finding.help:
        lines.append(f"write instead: {finding.help}")
    text = "\n".join(line for line in lines if line)
    if finding.severity == "info":
        inside = _element("system-out", text)
    else:
        inside = _element("failure", text, type=finding.severity, message=finding.message)
    where = {"file": place.file, "line": str(place.line)} if place is not None else {}
    name = f"{finding.rule} {finding.name}"
    return _case(name, inside, classname=place.file if place is not None else "fp8check", **where)


def _case(name: str, inside: ET.Element | None = None, *, classname: str = "fp8check", **where: str) -> ET.Element:
    case = _element("testcase", classname=classname, name=name, **where)
    if inside is not None:
        case.append(inside)
    return case


def _element(tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.Element(tag, {name: _allowed(value) for name, value in attributes.items()})
    element.text = None if text is None else _allowed(text)
    return element


def _allowed(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
