"""What a rule does where the prediction itself ends early, or where it lacks a fact that matters only sometimes."""

from __future__ import annotations

from fp8check.rules.releases.versions import parsed
from fp8check.rules.settings.values import Undecided

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.facts import Facts, Gpu
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.errors import ErrorCode
    from fp8check.rules.releases.versions import Version
    from fp8check.rules.trainers.run import Run

# What comes only after something else has been cured begins with this.
LATER = "if it gets that far: "


def require_decided(requested: Requested, outcome: Outcome) -> None:
    """Go no further where FP8 is asked for and what becomes of it is not known.

    Raises:
        Undecided: the prediction's own reason.
    """
    if requested.fp8:
        require_prediction(outcome)


def require_prediction(outcome: Outcome) -> None:
    """Go on only where the prediction came to its end, whether or not FP8 is asked for.

    Raises:
        Undecided: it did not, for want of a fact.
    """
    if outcome.undecided is not None:
        raise outcome.undecided


def not_known(outcome: Outcome, what: str) -> Undecided:
    """That the outcome is not known, as a rule's reason; where no fact is missing, only the probe can tell."""
    return outcome.undecided or Undecided(what, "seen")


def reached(outcome: Outcome, text: str, *codes: ErrorCode) -> str:
    """What a rule says of how the run ends, in the place that the outcome gives it.

    Args:
        text: how the run ends by the error that the rule speaks of.
        codes: that error, as the outcome knows it. Where the run ends by another one before, the text says so.
    """
    return text if outcome.error is None or outcome.error_of(*codes) is not None else f"{LATER}{text}"


def require_gpus(facts: Facts) -> list[Gpu]:
    """The GPUs, for a rule that asks for them only where they matter.

    Raises:
        Undecided: they are not known.
    """
    if facts.gpus is None:
        raise Undecided("the GPU", "gpus")
    return facts.gpus


def require_visible_gpus(run: Run) -> Sequence[Gpu]:
    """The GPUs that the training processes see.

    Raises:
        Undecided: they are not known, or not which of them.
    """
    require_gpus(run.facts)
    seen = run.visible_gpus()
    if seen is None:
        raise Undecided("which of the GPUs the run sees", "variables")
    return seen


def require_version(text: str, of: str, needs: str) -> Version:
    """A version of the facts that is compared. A file of facts can have any text in its place.

    Args:
        of: what it is a version of, for the reason.
        needs: what gets it; one of KNOWLEDGE.

    Raises:
        Undecided: it is no version.
    """
    version = parsed(text)
    if version is None:
        raise Undecided(f"the version of {of}: {text[:60]!r} is none", needs)
    return version


def require_packages(facts: Facts) -> Mapping[str, str | None]:
    """The packages, for a rule that asks for them only where they matter.

    Raises:
        Undecided: they are not known.
    """
    if facts.packages is None:
        raise Undecided("packages", "packages")
    return facts.packages
