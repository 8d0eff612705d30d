"""JUnit XML, as CI systems read it: a suite a run; a finding is a failure, what is undecided is skipped."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from fp8check.rules.report.data import items, place_of, text_of, texts, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.report.formats import Data, Sources

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(reports: Sequence[Data], _sources: Sources) -> str:
    """The suites, one a run."""
    suites = "".join(_suite(report) for report in reports)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="fp8check">\n{suites}</testsuites>\n'


def _suite(report: Data) -> str:
    files = ", ".join(text_of(file, "path") for file in items(report, "files"))
    cases = list(_cases(report))
    failures = sum(severity in ("error", "warning") for severity, _ in cases)
    numbers = {
        "tests": len(cases),
        "failures": failures,
        "errors": sum(severity == "crash" for severity, _ in cases),
        "skipped": sum(severity == "undecided" for severity, _ in cases),
    }
    counts = " ".join(f'{name}="{number}"' for name, number in numbers.items())
    about = _text(text_of(whole(report, "summary"), "happens"))
    text = "".join(case for _, case in cases)
    return f"<testsuite name={_attribute(files)} {counts}>\n{text}<system-out>{about}</system-out>\n</testsuite>\n"


def _cases(report: Data) -> Iterator[tuple[str, str]]:
    """Each finding, each open question, each crash; and the run itself, so that a clean one has a test that passes."""
    verdict = text_of(report, "verdict")
    inside = '<skipped message="not everything could be decided"/>' if verdict == "undecided" else ""
    kind = "undecided" if verdict == "undecided" else "pass"
    if verdict in ("pass", "undecided"):
        yield kind, f'<testcase classname="fp8check" name="run">{inside}</testcase>\n'
    for finding in items(report, "findings"):
        yield text_of(finding, "severity"), _finding(finding)
    for one in items(report, "undecided"):
        message = _attribute(f"needs {text_of(one, 'needs')}: {text_of(one, 'command')}")
        rule = _attribute(text_of(one, "rule"))
        yield "undecided", f'<testcase classname="fp8check" name={rule}><skipped message={message}/></testcase>\n'
    for one in items(report, "internal_errors"):
        rule, message = _attribute(text_of(one, "rule")), _attribute(text_of(one, "error"))
        error = f'<error type="internal error" message={message}/>'
        yield "crash", f'<testcase classname="fp8check" name={rule}>{error}</testcase>\n'


def _finding(finding: Data) -> str:
    place = place_of(finding)
    name = f"{text_of(finding, 'rule')} {text_of(finding, 'name')}"
    attributes = f"classname={_attribute(place.file if place is not None else 'fp8check')} name={_attribute(name)}"
    if place is not None:
        attributes += f' file={_attribute(place.file)} line="{place.line}"'
    lines = [text_of(finding, "message"), text_of(finding, "label"), *texts(finding, "notes")]
    if place is not None:
        lines.insert(0, f"{place.file}:{place.line}:{place.column}")
    if text_of(finding, "help"):
        lines.append(f"write instead: {text_of(finding, 'help')}")
    text = _text("\n".join(line for line in lines if line))
    if text_of(finding, "severity") == "info":
        return f"<testcase {attributes}><system-out>{text}</system-out></testcase>\n"
    head = f"type={_attribute(text_of(finding, 'severity'))} message={_attribute(text_of(finding, 'message'))}"
    return f"<testcase {attributes}><failure {head}>{text}</failure></testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text))
