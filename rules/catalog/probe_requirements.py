"""What the FP8xx rules share: where a finding is placed, and what happens where the probe saw nothing."""

from __future__ import annotations

from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.seen import Seen
    from fp8check.rules.settings.values import Setting

    T = TypeVar("T")


def place(requested: Requested) -> Setting | None:
    """Where the run asks for FP8: its backend, else whatever asks."""
    return requested.backend or (requested.fp8[0] if requested.fp8 else None)


def known(value: T | None, what: str, seen: Seen) -> T:
    """The value, where the probe saw it.

    Raises:
        Undecided: it did not; with the reason why it did not come that far, if there is one.
    """
    if value is None:
        left = f"the time did not suffice for {', '.join(seen.left_out)}" if seen.left_out else ""
        why = f": {seen.why or left}" if seen.why or left else ""
        who = "the probe did not see" if seen.watched is None else "the watched steps did not show"
        raise Undecided(f"{who} {what}{why}", "seen")
    return value


def ran(seen: Seen) -> None:
    """Let pass what was seen by a probe that was started.

    Raises:
        Undecided: it was not.
    """
    if seen.ended == "not run":
        raise Undecided(f"the probe did not run: {seen.why}", "seen")


def made_to_measure(seen: Seen) -> bool:
    """Whether a probe saw it, which makes a step to measure it; a watched run makes its own, and measures no other."""
    return seen.watched is None


def asking(requested: Requested, seen: Seen) -> bool:
    """Whether FP8 is asked for; of a watched run a script may do that by other means than Accelerate's."""
    return bool(requested.fp8) or (seen.watched is not None and bool(requested.by_script))
