"""What is said of one run."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.engine.inputs import Inputs
    from fp8check.rules.engine.running import Crash, Finding, UndecidedRule
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Document
    from fp8check.rules.suppression.baseline import Compared
    from fp8check.rules.suppression.suppressions import Suppressed

SCHEMA = "fp8check/report/1"
DOCS = "https://fp8check.readthedocs.io/rules/"


class Report(Record):
    """What is said of one run.

    Attributes:
        verdict: fail (an error was found), warn, pass, or undecided (nothing found, and something is not known).
        earlier: the outcome with earlier releases, where versions had to be assumed; None where all are known.
        suppressed: findings that a comment or the configuration takes away.
        compared: the findings against a baseline; None where there is none.
    """

    verdict: str
    inputs: Inputs
    earlier: Outcome | None
    findings: tuple[Finding, ...]
    undecided: tuple[UndecidedRule, ...]
    crashes: tuple[Crash, ...]
    suppressed: tuple[Suppressed, ...] = ()
    compared: Compared | None = None

    @property
    def outcome(self) -> Outcome:
        """What is predicted of the run."""
        return self.inputs.outcome

    @property
    def documents(self) -> tuple[Document, ...]:
        """The files of the run."""
        return self.inputs.documents


def counts(report: Report) -> dict[str, int]:
    """How many findings there are of each severity; with a baseline, how many new ones."""
    numbers = {"error": 0, "warning": 0, "info": 0}
    for finding in new_findings(report):
        numbers[finding.severity] += 1
    return numbers


def new_findings(report: Report) -> tuple[Finding, ...]:
    """The findings; with a baseline, those that it does not have."""
    if report.compared is None:
        return report.findings
    from fp8check.rules.report.fingerprint import fingerprints

    pairs = zip(report.findings, fingerprints(report), strict=True)
    return tuple(finding for finding, mark in pairs if mark in report.compared.new)
