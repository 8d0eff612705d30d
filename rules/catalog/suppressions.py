"""FP99x: what the user said of findings and requires of the outcome, and rules that failed: they run last."""

from __future__ import annotations

from fp8check.rules.edits.fix import cut, unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.engine.gate import Required
    from fp8check.rules.engine.running import Crash
    from fp8check.rules.suppression.suppressions import Suppression, Suppressions

OWN = "own rules/suppression/suppressions.py: what a suppression looks like, and when it holds"
REQUIRED = "own rules/engine/gate.py: what may be required, and when it is met"


@rule("FP990", "suppression-malformed", WARNING, OWN, claims=("nothing",))
def suppression_malformed(suppressions: Suppressions) -> Iterator[Found]:
    """A suppression that is not written as one: it suppresses nothing.

    Why it hurts: whoever reads the comment believes that the finding is dealt with.

    Example: `# fp8check: ignore FP101`, without brackets.

    Write instead: `# fp8check: ignore[FP101] the reason`.
    """
    for suppression in suppressions.all:
        if suppression.problem:
            yield Found(
                "this suppression is not understood, and suppresses nothing",
                place=suppression.span,
                label=suppression.problem,
                notes=_configured(suppression),
                fact="one is written as # fp8check: ignore[FP101] the reason",
            )


@rule("FP991", "suppression-without-reason", WARNING, OWN, claims=("nothing",))
def suppression_without_reason(suppressions: Suppressions) -> Iterator[Found]:
    """A suppression without a reason: it suppresses nothing.

    Why it hurts: in half a year nobody knows whether it may go.

    Example: `# fp8check: ignore[FP101]`.

    Write instead: `# fp8check: ignore[FP101] the FP8 run is a later experiment`.
    """
    for suppression in suppressions.all:
        if not suppression.problem and not suppression.reason:
            yield Found(
                "this suppression gives no reason, and suppresses nothing",
                place=suppression.span,
                label="say why the finding may stay",
                notes=_configured(suppression),
                fact=f"the reason goes after it: ignore[{', '.join(suppression.rules)}] ..."
                if suppression.span is not None
                else 'the reason is reason = "..." of its [[suppress]]',
            )


@rule("FP992", "suppression-of-unknown-rule", WARNING, OWN, claims=("nothing",))
def suppression_of_unknown_rule(suppressions: Suppressions, known_rules: Mapping[str, str]) -> Iterator[Found]:
    """A suppression names a rule that does not exist.

    Why it hurts: a typing mistake suppresses nothing, and looks as if it did.

    Example: `# fp8check: ignore[FP1O1] the reason`.

    Write instead: a rule of `fp8check rules`.
    """
    compared = 0
    for suppression in suppressions.all:
        for name in suppression.rules:
            if name.lower() not in known_rules:
                compared += 1
                yield Found(
                    f"no rule is called {name}",
                    place=suppression.span,
                    label="this suppresses nothing",
                    notes=_configured(suppression),
                    fact=_did_you_mean(name, known_rules) if compared <= COMPARED else LISTED,
                )


def _did_you_mean(name: str, known: Mapping[str, str]) -> str:
    import difflib

    lowered = name.lower()
    digits = lowered.translate(str.maketrans("oil", "011"))
    near = [digits] if digits in known else difflib.get_close_matches(lowered, known, n=1, cutoff=0.7)
    return f"did you mean {known[near[0]]}?" if near else LISTED


LISTED = "fp8check rules lists them"
COMPARED = 30  # names that are compared with all rules, which takes ten milliseconds each


@rule("FP993", "suppression-unused", WARNING, OWN, claims=("nothing",))
def suppression_unused(suppressions: Suppressions) -> Iterator[Found]:
    """A suppression of something that is not found any more.

    Why it hurts: it will silently take away the finding when it comes back.

    Example: `# fp8check: ignore[FP101] ...` above a line that says `bf16: false` by now.

    Write instead: nothing; delete it.
    """
    for suppression in suppressions.unused:
        where = "here" if suppression.line is not None else "in this run"
        yield Found(
            "this suppression has nothing to suppress",
            place=suppression.span,
            label=f"{', '.join(suppression.rules)} is not found {where}",
            notes=_configured(suppression),
            fix=unsafe(cut(suppression.span)) if suppression.span is not None else None,
        )


@rule("FP994", "suppression-expired", WARNING, OWN, claims=("nothing",))
def suppression_expired(suppressions: Suppressions) -> Iterator[Found]:
    """A suppression whose last day is over: what it suppressed is reported again.

    Why it hurts: it was meant for a while, and the while is over.

    Example: `# fp8check: ignore[FP101] until=2025-12-31 waiting for a release`.

    Write instead: fix what it is about, or give it another day and a reason that still holds.
    """
    for suppression in suppressions.expired:
        if not suppression.problem:
            yield Found(
                f"this suppression ended on {suppression.until}",
                place=suppression.span,
                label="what it suppressed is reported again",
                notes=_configured(suppression),
                fact="until= takes a later day; what it is about is still there",
            )


def _configured(suppression: Suppression) -> tuple[str, ...]:
    return (
        (f"it stands in {suppression.where}: rules {', '.join(suppression.rules)}",) if suppression.span is None else ()
    )


@rule("FP995", "requirement-not-met", ERROR, REQUIRED, claims=("nothing",))
def requirement_not_met(required: Sequence[Required]) -> Iterator[Found]:
    """The outcome is not what `--require` asks for.

    Why it hurts: whoever set the requirement does not want such a run to be started.

    Example: `fp8check train.yaml accel.yaml --require "mixed_precision==fp8"`, where `bf16: true` cancels FP8.

    Write instead: what the findings beside it say. No comment, `--ignore` or baseline takes it away: leave the
    requirement out where it is not meant.
    """
    for requirement in required:
        if requirement.met is False:
            notes = (requirement.why,) if requirement.why else ()
            it = "" if requirement.value is None else "it is "
            yield Found(f"{requirement.requirement} is required: {it}{requirement.said}", notes=notes)


@rule("FP996", "requirement-undecided", ERROR, REQUIRED, claims=("nothing",))
def requirement_undecided(required: Sequence[Required]) -> Iterator[Found]:
    """What `--require` asks for is not known to be so.

    Why it hurts: a value that nobody knows meets no requirement; a pass would be a guess.

    Example: `--require "speedup>=1.1"`, where the shapes of the model are not known.

    Write instead: what it says would tell it, mostly `--facts` with the facts.json of the node that trains.
    """
    for requirement in required:
        if requirement.met is None:
            why = f"{requirement.why}: {requirement.both}" if requirement.both else requirement.why
            told = (f"what would tell: {requirement.command}",) if requirement.command else ()
            yield Found(
                f"{requirement.requirement} is required, and it is not known whether that is so", notes=(why, *told)
            )


@rule(
    "FP999",
    "internal-error",
    ERROR,
    "own rules/engine/running.py: a rule that raises is a Crash",
    claims=("nothing",),
)
def internal_error(crashes: Sequence[Crash]) -> Iterator[Found]:
    """A rule, of fp8check or of a plug-in, failed: nothing is known of what it looks for.

    Why it hurts: a rule that crashed has not looked. The exit code is 4, whatever else was found.

    Example: a plug-in's rule that raises KeyError.

    Write instead: report it, with the lines that are printed.
    """
    for crash in crashes:
        yield Found(
            f"the rule {crash.rule} failed: {crash.error}",
            notes=("this is a fault of the rule, not of your files; what it looks for was not checked",),
            fact=f"it is a fault of fp8check, and worth a report; --ignore {crash.rule} leaves it out"
            if " " not in crash.rule
            else "it is a fault of the plug-in, which its author can be told of",
        )
