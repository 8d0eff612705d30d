"""The report of one run: what the catalogue found, in the words and numbers that every format is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.catalog import LAST_RESORT, RULES, Context, check
from fp8check.rules.outcome import predict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fp8check.rules.catalog import Crash, Finding, Open, Rule
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.reading import Document

SCHEMA = "fp8check/report/1"
DOCS = "https://fp8check.readthedocs.io/rules/"


class Report(NamedTuple):
    """What is said of one run.

    Attributes:
        verdict: fail (an error was found), warn, pass, or undecided (nothing found, and something is not known).
    """

    verdict: str
    context: Context
    outcome: Outcome
    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    undecided: tuple[Open, ...]
    crashes: tuple[Crash, ...]


def examine(run: Run, documents: tuple[Document, ...] = (), rules: Iterable[Rule] = RULES) -> Report:
    """Predict the run's outcome, run the rules over it, and come to a verdict."""
    outcome = predict(run)
    context = Context(run, outcome, documents)
    result = check(context, rules)
    findings = _without_last_resort(result.findings)
    return Report(
        _verdict(findings, result.undecided, outcome),
        context,
        outcome,
        documents,
        findings,
        result.undecided,
        result.crashes,
    )


def _without_last_resort(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Leave out "something is wrong" where another error says what."""
    said = any(one.severity == "error" and one.rule not in LAST_RESORT for one in findings)
    return tuple(one for one in findings if not said or one.rule not in LAST_RESORT)


def _verdict(findings: tuple[Finding, ...], undecided: tuple[Open, ...], outcome: Outcome) -> str:
    severities = {one.severity for one in findings}
    if "error" in severities:
        return "fail"
    if "warning" in severities:
        return "warn"
    return "undecided" if undecided or outcome.undecided is not None else "pass"


def counts(report: Report) -> dict[str, int]:
    """How many findings there are of each severity."""
    numbers = {"error": 0, "warning": 0, "info": 0}
    for finding in report.findings:
        numbers[finding.severity] += 1
    return numbers
