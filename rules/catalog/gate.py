"""FP995 and FP996: what the check requires of the outcome (--require). They run after all others."""

from __future__ import annotations

from fp8check.rules.engine.definition import ERROR, Found, rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.engine.gate import Required

OWN = "own rules/engine/gate.py: what may be required, and when it is met"


@rule("FP995", "requirement-not-met", ERROR, OWN, claims=("nothing",))
def requirement_not_met(required: Sequence[Required]) -> Iterator[Found]:
    """The outcome is not what `--require` asks for.

    Why it hurts: whoever set the requirement does not want such a run to be started.

    Example: `fp8check train.yaml accel.yaml --require "mixed_precision==fp8"`, where `bf16: true` cancels FP8.

    Write instead: what the findings beside it say. No comment, `--ignore` or baseline takes it away: leave the
    requirement out where it is not meant.
    """
    for one in required:
        if one.met is False:
            notes = (one.why,) if one.why else ()
            it = "" if one.value is None else "it is "
            yield Found(f"{one.requirement} is required: {it}{one.said}", notes=notes)


@rule("FP996", "requirement-undecided", ERROR, OWN, claims=("nothing",))
def requirement_undecided(required: Sequence[Required]) -> Iterator[Found]:
    """What `--require` asks for is not known to be so.

    Why it hurts: a value that nobody knows meets no requirement; a pass would be a guess.

    Example: `--require "speedup>=1.1"`, where the shapes of the model are not known.

    Write instead: what it says would tell it, mostly `--facts` with the facts.json of the node that trains.
    """
    for one in required:
        if one.met is None:
            why = f"{one.why}: {one.both}" if one.both else one.why
            told = (f"what would tell: {one.command}",) if one.command else ()
            yield Found(f"{one.requirement} is required, and it is not known whether that is so", notes=(why, *told))
