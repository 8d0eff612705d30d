"""What a rule says where the outcome that it looks at is not known to its end."""

from __future__ import annotations

from fp8check.rules.outcome import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.outcome import Outcome


def settled(outcome: Outcome) -> None:
    """Go on only where the prediction came to its end.

    Raises:
        Undecided: it did not, for want of a fact.
    """
    if outcome.undecided is not None:
        raise outcome.undecided


def not_known(outcome: Outcome, what: str) -> Undecided:
    """That the outcome is not known, as a rule's reason; where no fact is missing, only the probe can tell."""
    return outcome.undecided or Undecided(what, "evidence")
