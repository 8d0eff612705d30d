"""What a report, and several of them, come to: the verdict and the exit code. Decided here and nowhere else."""

from __future__ import annotations

from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fp8check.rules.engine.inputs import Inputs
    from fp8check.rules.engine.running import Finding, UndecidedRule
    from fp8check.rules.suppression.examined import Examined, Verdict

# As --fail-on takes them: from which severity on findings fail a check.
FAIL_ON = ("error", "warning", "never")
# The verdict of several runs is that of the worst.
WORST: tuple[Verdict, ...] = ("fail", "warn", "undecided", "pass")


class Counts(Record):
    """What all runs of a check come to.

    Attributes:
        verdict: that of the worst run.
        error, warning, info: findings of that severity; with a baseline, new ones.
        undecided: rules that could not be decided, and predictions that end early.
        crashes: rules that failed.
    """

    verdict: Verdict
    error: int = 0
    warning: int = 0
    info: int = 0
    undecided: int = 0
    crashes: int = 0


def verdict(findings: Iterable[Finding], undecided: Sequence[UndecidedRule], inputs: Inputs) -> Verdict:
    """fail, warn, undecided or pass. A probe that was wanted and did not come to its end is no pass.

    Rules say what ended it; where these are not selected, it has shown nothing all the same.
    """
    severities = {finding.severity for finding in findings}
    if "error" in severities:
        return "fail"
    if "warning" in severities:
        return "warn"
    unseen = inputs.seen is not None and inputs.seen.ended != "done"
    return "undecided" if undecided or unseen or inputs.outcome.undecided is not None else "pass"


def counted(runs: Sequence[Examined]) -> Counts:
    """The numbers of all runs together."""
    severities = [finding.severity for run in runs for finding in run.new_findings]
    return Counts(
        verdict=min((run.verdict for run in runs), key=WORST.index, default="pass"),
        error=severities.count("error"),
        warning=severities.count("warning"),
        info=severities.count("info"),
        undecided=sum(len(run.undecided) + (run.outcome.undecided is not None) for run in runs),
        crashes=sum(len(run.crashes) for run in runs),
    )


def summed(counts: Counts, other: Counts) -> Counts:
    """What two checks come to together."""
    return Counts(
        min(counts.verdict, other.verdict, key=WORST.index),
        counts.error + other.error,
        counts.warning + other.warning,
        counts.info + other.info,
        counts.undecided + other.undecided,
        counts.crashes + other.crashes,
    )


def exit_code(counts: Counts, fail_on: str = "error", *, require_evidence: bool = False) -> int:
    """What a check with these numbers exits with.

    Args:
        fail_on: one of FAIL_ON.
        require_evidence: whether what stays undecided is no success.
    """
    if counts.crashes:
        return ExitCode.INTERNAL_ERROR
    failing = {"error": counts.error, "warning": counts.error + counts.warning, "never": 0}[fail_on]
    if failing:
        return ExitCode.FINDINGS
    return ExitCode.UNDECIDED if require_evidence and counts.undecided else ExitCode.OK
