"""What a rule does where the prediction itself ends early."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.outcome import Outcome


def require_decided(asked: Asked, outcome: Outcome) -> None:
    """Go no further where FP8 is asked for and what becomes of it is not known.

    Raises:
        Undecided: the prediction's own reason.
    """
    if asked.fp8 and outcome.undecided is not None:
        raise outcome.undecided
