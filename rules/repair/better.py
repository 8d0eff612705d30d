"""Whether runs are better once something was done: the finding is gone, and nothing new is wrong."""

from __future__ import annotations

from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.repair.goal import too_large

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.suppression.examined import Examined


class Worse(Exception):
    """The finding would be gone, and something else would be wrong; `str()` says what."""


def check_better(rule: str, before: Examined, after: Examined, *, is_meant: bool = False) -> None:
    """Whether what was done to a run takes a finding of that rule away, and brings nothing that is wrong.

    Args:
        is_meant: whether what was done is evidently what was meant: then it is right, whatever is open behind it.

    Raises:
        Unfixable: the finding would still be there, or it could not be decided.
        Worse: something else would be wrong.
    """
    if _times(rule, after) >= _times(rule, before):
        raise Unfixable("the finding would still be there")
    if _is_undecided(rule, after) > _is_undecided(rule, before):
        raise Unfixable("whether the finding would be gone then cannot be decided")
    if not is_meant and (after.outcome.undecided is not None) > (before.outcome.undecided is not None):
        raise Unfixable("what would happen then cannot be decided")
    for worse in _worse(before, after):
        raise Worse(worse)


def _worse(old: Examined, new: Examined) -> Iterator[str]:
    """What would be wrong then, and is not now."""
    known = _errors(old)
    for one in _errors(new):
        if one in known:
            known.remove(one)
        else:
            yield f"fixing this alone leads to {one}"
    error, end = old.outcome.error, new.outcome.error
    if end is not None and (error is None or error.code != end.code):
        yield f"fixing this alone ends the run with {end.type}"
    if too_large(new.outcome) and not too_large(old.outcome):
        yield "fixing this alone may need more memory than a GPU has"
    # Of a run that asks for no FP8 that is the cure.
    if old.inputs.requested.fp8 and old.outcome.trains_in_fp8 is True and new.outcome.trains_in_fp8 is not True:
        yield "fixing this alone takes the run out of FP8"


def _times(rule: str, report: Examined) -> int:
    return sum(finding.rule == rule for finding in report.findings)


def _is_undecided(rule: str, report: Examined) -> bool:
    return any(undecided.rule == rule for undecided in report.undecided)


def _errors(report: Examined) -> list[str]:
    return [finding.rule for finding in report.findings if finding.severity == "error"]
