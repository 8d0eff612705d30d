"""judge(run) = outcome + rules: what is predicted of a run, and what the rules make of it."""

from __future__ import annotations

from fp8check.rules.engine.definition import ERROR, KNOWLEDGE
from fp8check.rules.engine.inputs import Inputs, requested
from fp8check.rules.engine.running import Result, UndecidedRule, run_rules
from fp8check.rules.outcome import as_known, predict_plain
from fp8check.rules.record import Record
from fp8check.rules.releases.versions import EARLIER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.running import Crash, Finding
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.seen import Seen
    from fp8check.rules.trainers.run import Run


class Judged(Record):
    """What is predicted of one run, and what the rules say of it.

    Attributes:
        inputs: what the rules looked at: the run, its outcome and what is asked for among them.
        earlier: the outcome with earlier releases, where versions had to be assumed; None where all are known.
    """

    inputs: Inputs
    earlier: Outcome | None
    findings: tuple[Finding, ...]
    undecided: tuple[UndecidedRule, ...]
    crashes: tuple[Crash, ...]


def judge(
    run: Run, documents: tuple[Document, ...], rules: Sequence[Rule], seen: Seen | None = None, day: str = ""
) -> Judged:
    """Predict the run's outcome, and run the rules over it.

    Where versions are not known, all of it is done twice, with the newest releases and with earlier ones. What is
    found in both is found; what is found in one only depends on the version, and is undecided.

    Args:
        rules: those that look at the run; rules that look at what these say (`Rule.is_late`) are not among them.
        seen: what a probe of the run saw.
        day: the day that facts are held against, YYYY-MM-DD; "" for this machine's (UTC).
    """
    outcome = predict_plain(run)
    wanted = requested(run)
    inputs = Inputs(run, outcome, wanted, documents, seen, day=day)
    result = run_rules(inputs, rules)
    earlier = None
    if outcome.stack.assumed:
        earlier = predict_plain(run, EARLIER)
        before = inputs._replace(outcome=earlier)
        if before.concerns_fp8 == inputs.concerns_fp8:
            result = _common(result, run_rules(before, rules, of_outcome=True), outcome, earlier, _of_outcome(rules))
        else:
            result = _common(result, run_rules(before, rules), outcome, earlier)
    findings = _without_last_resort(result.findings, rules)
    if run.unread:
        inputs = inputs._replace(outcome=as_known(outcome))
        earlier = None if earlier is None else as_known(earlier)
    return Judged(inputs, earlier, findings, result.undecided, result.crashes)


def _of_outcome(rules: Sequence[Rule]) -> Collection[str]:
    last, ids = _LAST[0]
    if last is not rules:
        ids = frozenset([rule.id for rule in rules if rule.is_of_outcome])
        _LAST[0] = rules, ids
    return ids


_LAST: list[tuple[Sequence[Rule], frozenset[str]]] = [((), frozenset())]  # nearly all runs of a command have the same


def _common(
    newest: Result, earlier: Result, outcome: Outcome, before: Outcome, again: Collection[str] | None = None
) -> Result:
    """What holds with both sets of releases; what one of them says alone becomes undecided.

    Args:
        before: the outcome with the earlier ones.
        again: the rules that were asked again with these; None for all.
    """
    findings, alone = _held_together(newest.findings, earlier.findings, again)
    open_ = {undecided.rule: undecided for undecided in (*newest.undecided, *earlier.undecided)}
    packages = ", ".join(sorted(outcome.stack.assumed)).replace("_", " ")
    for lone, there, other in zip(alone, (outcome, before), (before, outcome), strict=True):
        for finding in lone:
            if finding.last_resort:
                continue
            lacking = open_.get(finding.rule) or UndecidedRule(
                finding.rule, f"the versions of {packages}", KNOWLEDGE["packages"]
            )
            if not lacking.depends and finding.severity == ERROR:
                lacking = lacking._replace(depends=_depends(finding, there, other))
            open_[finding.rule] = lacking
    crashes = {failure.rule: failure for failure in (*newest.crashes, *earlier.crashes)}
    return Result(findings, tuple(open_[rule] for rule in sorted(open_)), tuple(crashes.values()))


def _held_together(
    newest: tuple[Finding, ...], earlier: tuple[Finding, ...], again: Collection[str] | None
) -> tuple[tuple[Finding, ...], tuple[list[Finding], list[Finding]]]:
    """What both found, as the first says it, and what either found alone. What one rule found at one place is one.

    That the run ends is one, wherever it ends with one and with the other: it does not start.
    """
    compared = newest if again is None else [finding for finding in newest if finding.rule in again]
    if len(compared) == len(earlier) and all(
        one.rule == other.rule and one.span == other.span
        for one, other in zip(compared, earlier)  # noqa: B905  they are equally many
    ):
        return newest, ([], [])  # nearly always, and a file may have thousands
    there, before = ({_one(finding) for finding in found} for found in (compared, earlier))
    lone = [finding for finding in compared if _one(finding) not in before]
    alone = {_one(finding) for finding in lone}
    both = tuple([finding for finding in newest if _one(finding) not in alone])
    return both, (lone, [finding for finding in earlier if _one(finding) not in there])


def _one(finding: Finding) -> tuple[str, Span | None]:
    return finding.rule, None if finding.last_resort else finding.span


def _depends(found: Finding, outcome: Outcome, other: Outcome) -> str:
    """What is found with the assumed releases of one outcome, and with which of them: those that it names, or all."""
    assumed, others = outcome.stack.assumed, other.stack.assumed
    unlike = {name: release for name, release in assumed.items() if others.get(name) != release}
    words = [f"{name.replace('_', ' ')} {release}" for name, release in sorted((unlike or assumed).items())]
    named = [word for word in words if word in found.message or word in found.label]
    where = "" if found.span is None else f" ({found.span.file}:{found.span.line})"
    return f"with {', '.join(named or words)}: {found.message}{where}"


def _without_last_resort(findings: tuple[Finding, ...], rules: Sequence[Rule]) -> tuple[Finding, ...]:
    """Leave out "something is wrong" where another error says what: that the run ends, only where one says that."""
    if not any(finding.last_resort for finding in findings):
        return findings
    ending = {rule.id for rule in rules if "ends" in rule.claims}
    said = {finding.rule for finding in findings if finding.severity == "error" and not finding.last_resort}
    return tuple(
        finding
        for finding in findings
        if not finding.last_resort or not (said & ending if finding.rule in ending else said)
    )
