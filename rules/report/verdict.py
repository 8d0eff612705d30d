"""The report of one run: what the catalogue found, in the words and numbers that every format is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog import LAST_RESORT, RULES, Context, Open, Result, check
from fp8check.rules.catalog.rule import KNOWLEDGE
from fp8check.rules.outcome import predict
from fp8check.rules.record import Record
from fp8check.rules.settings.versions import EARLIER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.catalog import Crash, Finding, Rule
    from fp8check.rules.evidence import Evidence
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.reading import Document

SCHEMA = "fp8check/report/1"
DOCS = "https://fp8check.readthedocs.io/rules/"


class Report(Record):
    """What is said of one run.

    Attributes:
        verdict: fail (an error was found), warn, pass, or undecided (nothing found, and something is not known).
        earlier: the outcome with earlier releases, where versions had to be assumed; None where all are known.
    """

    verdict: str
    context: Context
    outcome: Outcome
    earlier: Outcome | None
    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    undecided: tuple[Open, ...]
    crashes: tuple[Crash, ...]


def examine(
    run: Run,
    documents: tuple[Document, ...] = (),
    rules: Sequence[Rule] = RULES,
    evidence: Evidence | None = None,
) -> Report:
    """Predict the run's outcome, run the rules over it, and come to a verdict.

    Where versions are not known, all of it is done twice, with the newest releases and with earlier ones. What is
    found in both is found; what is found in one only depends on the version, and is undecided.
    """
    outcome = predict(run)
    context = Context(run, outcome, documents, evidence)
    result = check(context, rules)
    earlier = None
    if outcome.stack.assumed:
        earlier = predict(run, EARLIER)
        result = _common(result, check(Context(run, earlier, documents, evidence), rules), outcome)
    findings = _without_last_resort(result.findings)
    verdict = _verdict(findings, result.undecided, outcome)
    return Report(verdict, context, outcome, earlier, documents, findings, result.undecided, result.crashes)


def _common(newest: Result, earlier: Result, outcome: Outcome) -> Result:
    """What both worlds say; what one of them says alone becomes undecided."""
    places = {(one.rule, one.span) for one in newest.findings} & {(one.rule, one.span) for one in earlier.findings}
    findings = tuple(one for one in newest.findings if (one.rule, one.span) in places)
    open_ = {one.rule: one for one in (*newest.undecided, *earlier.undecided)}
    packages = ", ".join(sorted(outcome.stack.assumed)).replace("_", " ")
    for one in (*newest.findings, *earlier.findings):
        if (one.rule, one.span) not in places and one.rule not in LAST_RESORT:
            open_.setdefault(one.rule, Open(one.rule, f"the versions of {packages}", KNOWLEDGE["packages"]))
    return Result(findings, tuple(open_[rule] for rule in sorted(open_)), newest.crashes + earlier.crashes)


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
