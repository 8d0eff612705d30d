"""What a report, and several of them, come to: the verdict and the exit code. Decided here and nowhere else."""

from __future__ import annotations

from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.rules.suppression.examined import counts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fp8check.rules.engine.inputs import Inputs
    from fp8check.rules.engine.running import Finding, UndecidedRule
    from fp8check.rules.suppression.examined import Examined, Verdict

# As --fail-on takes them: from which severity on findings fail a check.
FAIL_ON = ("error", "warning", "never")


def verdict(findings: Iterable[Finding], undecided: Sequence[UndecidedRule], inputs: Inputs) -> Verdict:
    """fail, warn, undecided or pass. A probe that was wanted and could not run is no pass."""
    severities = {one.severity for one in findings}
    if "error" in severities:
        return "fail"
    if "warning" in severities:
        return "warn"
    unseen = inputs.seen is not None and inputs.seen.ended == "not run"
    return "undecided" if undecided or unseen or inputs.outcome.undecided is not None else "pass"


def exit_code(reports: Sequence[Examined], fail_on: str = "error", *, require_evidence: bool = False) -> int:
    """What a check of these runs exits with; see `code_of`."""
    numbers = {"error": 0, "warning": 0, "undecided": 0, "crashes": 0}
    for report in reports:
        found = counts(report)
        numbers["error"] += found["error"]
        numbers["warning"] += found["warning"]
        numbers["undecided"] += len(report.undecided) + (report.outcome.undecided is not None)
        numbers["crashes"] += len(report.crashes)
    return code_of(numbers, fail_on, require_evidence=require_evidence)


def code_of(numbers: Mapping[str, object], fail_on: str = "error", *, require_evidence: bool = False) -> int:
    """What a check with these numbers of `error`, `warning`, `undecided` and `crashes` exits with.

    Args:
        fail_on: one of FAIL_ON.
        require_evidence: whether what stays undecided is no success.
    """
    if numbers["crashes"]:
        return ExitCode.INTERNAL_ERROR
    failing = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[fail_on]
    if any(numbers[severity] for severity in failing):
        return ExitCode.FINDINGS
    return ExitCode.UNDECIDED if require_evidence and numbers["undecided"] else ExitCode.OK
