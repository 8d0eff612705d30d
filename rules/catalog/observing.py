"""What the FP8xx rules share: where a finding is placed, and what happens where the probe saw nothing."""

from __future__ import annotations

from fp8check.rules.outcome import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.evidence import Evidence
    from fp8check.rules.settings.values import Setting

    T = TypeVar("T")


def place(asked: Asked) -> Setting | None:
    """Where the run asks for FP8: its backend, else whatever asks."""
    return asked.backend or (asked.fp8[0] if asked.fp8 else None)


def known(value: T | None, what: str, evidence: Evidence) -> T:
    """The value, where the probe saw it.

    Raises:
        Undecided: it did not; with the reason why it did not come that far, if there is one.
    """
    if value is None:
        left = f"the time did not suffice for {', '.join(evidence.left_out)}" if evidence.left_out else ""
        why = f": {evidence.why or left}" if evidence.why or left else ""
        raise Undecided(f"the probe did not see {what}{why}", "evidence")
    return value


def ran(evidence: Evidence) -> None:
    """Let pass evidence of a probe that was started.

    Raises:
        Undecided: it was not.
    """
    if evidence.ended == "not run":
        raise Undecided(f"the probe did not run: {evidence.why}", "evidence")
