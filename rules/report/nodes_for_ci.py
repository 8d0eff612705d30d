"""What is said of the nodes of a cluster, for CI systems: JUnit XML and SARIF 2.1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fp8check.rules.plain_text import shown
from fp8check.rules.report.pretty import dumps
from fp8check.rules.report.sarif import MOST_RESULTS, SCHEMA, artifact
from fp8check.rules.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.nodes.fleet import Fleet, Standing

# Of what can be said of a node: the level in SARIF, and the element in JUnit.
_SAID = {"fail": ("error", "failure"), "warn": ("warning", "system-out"), "undecided": ("note", "skipped")}
# By a folder of reports these stand for it: what is said of a node that is not there has no file.
_RULES = {
    "node-fails": ("fail", "A node cannot run this, or not as the others do."),
    "node-warns": ("warn", "A node differs from the others in what may differ."),
    "node-unknown": ("undecided", "A node did not report, or it is not known whether it can run this."),
}


def as_junit(answer: Fleet) -> str:
    """A suite with a test a node: what fails is a failure, and what nobody knows is skipped."""
    builder = ET.TreeBuilder()
    verdicts = [standing.verdict for standing in answer.nodes]
    numbers = {
        "tests": str(len(verdicts) + 1),
        "failures": str(verdicts.count("fail") + (answer.verdict == "fail")),
        "errors": "0",
        "skipped": str(verdicts.count("undecided") + (answer.verdict == "undecided")),
    }
    builder.start("testsuites", {"name": "fp8check"})
    builder.data("\n")
    builder.start("testsuite", {"name": "nodes", **numbers})
    builder.data("\n")
    for standing in answer.nodes:
        _case(builder, standing.host, standing.verdict, standing.why)
    _case(builder, "all nodes", answer.verdict, tuple(_of_all(answer)))
    builder.end("testsuite")
    builder.data("\n")
    builder.end("testsuites")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(builder.close(), "unicode")}\n'


def _case(builder: ET.TreeBuilder, name: str, verdict: str, why: tuple[str, ...]) -> None:
    builder.start("testcase", {"classname": "nodes", "name": shown(name)})
    if verdict in _SAID:
        _, tag = _SAID[verdict]
        text = "\n".join(map(shown, why))
        first = shown(why[0]) if why else verdict
        about = {} if tag == "system-out" else {"message": first}
        builder.start(tag, {**about, "type": verdict} if tag == "failure" else about)
        builder.data(text)
        builder.end(tag)
    builder.end("testcase")
    builder.data("\n")


def _of_all(answer: Fleet) -> Iterator[str]:
    """What is said of all of them together, and of no one node."""
    yield f"{len(answer.passing)} passing, {len(answer.failing)} failing, {len(answer.unknown)} unknown"
    if answer.absent:
        yield f"{answer.absent} more did not report"
    yield from (drift.sentence for drift in answer.drift)
    yield from (f"{name} cannot be read: {why}" for name, why in answer.unread)


def as_sarif(answer: Fleet, folder: str) -> str:
    """A log with a result a node that does not pass, at its report in the folder."""
    names = list(_RULES)
    results: list[dict[str, object]] = []
    for standing in answer.nodes:
        rule = next((name for name, (verdict, _) in _RULES.items() if verdict == standing.verdict), None)
        if rule is not None:
            results.append(_result(standing, rule, names.index(rule), folder))
    notes = [{"level": "note", "message": {"text": text}} for text in _of_all(answer)]
    left_out = len(results) - MOST_RESULTS
    if left_out > 0:
        notes.append({"level": "warning", "message": {"text": f"{left_out:,} more nodes do not pass"}})
    run = {
        "tool": {
            "driver": {
                "name": "fp8check",
                "version": VERSION,
                "rules": [
                    {
                        "id": name,
                        "shortDescription": {"text": text},
                        "defaultConfiguration": {"level": _SAID[verdict][0]},
                    }
                    for name, (verdict, text) in _RULES.items()
                ],
            }
        },
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "properties": {"verdict": answer.verdict},
        "results": results[:MOST_RESULTS],
    }
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def _result(standing: Standing, rule: str, index: int, folder: str) -> dict[str, object]:
    path = f"{folder}/{standing.host}.json"
    place = {"artifactLocation": artifact(path), "region": {"startLine": 1, "startColumn": 1}}
    return {
        "ruleId": rule,
        "ruleIndex": index,
        "level": _SAID[standing.verdict][0],
        "message": {"text": f"{standing.host}: {'. '.join(standing.why) or standing.verdict}"},
        "locations": [{"physicalLocation": place}],
    }
