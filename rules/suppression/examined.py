"""One run, examined: what the engine judged, less what is suppressed, against the baseline, with its verdict."""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from fp8check.rules.engine.gate import Required
    from fp8check.rules.engine.inputs import Inputs
    from fp8check.rules.engine.running import Crash, Finding, UndecidedRule
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Document
    from fp8check.rules.suppression.baseline import Compared
    from fp8check.rules.suppression.suppressions import Suppressed

    Verdict = Literal["fail", "warn", "pass", "undecided"]

# What a comment begins with that is a suppression (suppressions.py): a file without it has none.
MARK = "fp8check:"


class Examined(Record):
    """One run, examined. A report is made of it (rules/report/build.py).

    Attributes:
        verdict: fail (an error was found), warn, pass, or undecided (nothing found, and something is not known).
        earlier: the outcome with earlier releases, where versions had to be assumed; None where all are known.
        suppressed: findings that a comment or the configuration takes away.
        compared: the findings against a baseline; None where there is none.
        required: what is required of the outcome, and what became of it.
        later: what is found once the errors among the findings are fixed (rules/checking/behind.py).
        hiding: the rules whose errors may hide others still: nobody could look behind them.
    """

    verdict: Verdict
    inputs: Inputs
    earlier: Outcome | None
    findings: tuple[Finding, ...]
    undecided: tuple[UndecidedRule, ...]
    crashes: tuple[Crash, ...]
    suppressed: tuple[Suppressed, ...] = ()
    compared: Compared | None = None
    required: tuple[Required, ...] = ()
    later: tuple[Finding, ...] = ()
    hiding: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What is predicted of the run."""
        return self.inputs.outcome

    @property
    def documents(self) -> tuple[Document, ...]:
        """The files of the run."""
        return self.inputs.documents

    @property
    def new_findings(self) -> tuple[Finding, ...]:
        """The findings; with a baseline, those that it does not have."""
        compared = self.compared
        if compared is None:
            return self.findings
        pairs = zip(self.findings, compared.marks, strict=True)
        return tuple(finding for finding, mark in pairs if mark in compared.new)
