"""From judged runs to reports: suppressions, rules that look at what others said, verdicts, baselines."""

from __future__ import annotations

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.verdict import verdict
from fp8check.rules.engine.judge import judge
from fp8check.rules.engine.running import ordered, run_rules
from fp8check.rules.suppression.examined import Examined
from fp8check.rules.suppression.suppressions import MARK, apply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.judge import Judged
    from fp8check.rules.engine.running import Crash, Finding
    from fp8check.rules.reading import Document
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.suppressions import Suppression
    from fp8check.rules.trainers.run import Run

UNUSED = "FP993"


def examine(
    run: Run,
    documents: tuple[Document, ...] = (),
    rules: Sequence[Rule] = RULES,
    seen: Seen | None = None,
    *,
    configured: Iterable[Suppression] = (),
    crashes: tuple[Crash, ...] = (),
    today: str | None = None,
) -> Examined:
    """Judge a run, take away what is suppressed, and come to a verdict.

    Args:
        seen: what a probe of the run saw.
        configured: suppressions that stand in the configuration; those in the files are read here.
        crashes: what went wrong before any rule ran: plug-ins that could not be loaded.
        today: the day that suppressions are held against, YYYY-MM-DD; None for this machine's day (UTC).
    """
    early, late_rules = _parted(rules)
    judged = judge(run, documents, early, seen)
    every = [*_written(documents), *configured]
    suppressions = apply(every, judged.findings, _decided(early, judged) if every else (), today)
    later = {
        "suppressions": suppressions,
        "known_rules": _names((*RULES, *rules)) if every else {},  # only suppressions name rules
        "crashes": crashes + judged.crashes,
    }
    late = run_rules(judged.inputs._replace(later=later), late_rules)
    findings = ordered((*suppressions.left, *late.findings))
    return Examined(
        verdict(findings, judged.undecided, judged.inputs),
        judged.inputs,
        judged.earlier,
        findings,
        judged.undecided,
        crashes + judged.crashes + late.crashes,
        suppressions.suppressed,
    )


def _written(documents: tuple[Document, ...]) -> Iterable[Suppression]:
    """The suppressions in the comments of these files, which few have."""
    if not any(MARK in one.text for one in documents):
        return ()
    from fp8check.rules.suppression.comments import written

    return written(documents)


def _parted(rules: Sequence[Rule]) -> tuple[Sequence[Rule], Sequence[Rule]]:
    """The rules that run first, and those that look at what they said."""
    if rules is RULES:  # nearly always, and a service asks for every check
        return _EARLY, _LATE
    return [one for one in rules if not one.is_late], [one for one in rules if one.is_late]


_EARLY = tuple(one for one in RULES if not one.is_late)
_LATE = tuple(one for one in RULES if one.is_late)


def examine_all(
    runs: Iterable[tuple[Run, tuple[Document, ...]]],
    rules: Sequence[Rule] = RULES,
    seen: Sequence[Seen | None] = (),
    *,
    configured: Sequence[Suppression] = (),
    crashes: tuple[Crash, ...] = (),
) -> list[Examined]:
    """Reports of several runs that share files: a suppression that one of them uses is used.

    Args:
        seen: what the probe of each run saw, in their order; empty where none was probed.
    """
    pairs = [*runs]
    probed = seen or [None] * len(pairs)
    reports = [
        examine(run, documents, rules, one, configured=configured, crashes=crashes)
        for (run, documents), one in zip(pairs, probed, strict=True)
    ]
    return [_with_findings(report, _used_nowhere(report, reports)) for report in reports]


def _used_nowhere(report: Examined, reports: Sequence[Examined]) -> tuple[Finding, ...]:
    """The report's findings, without suppressions that are unused here and used in another run with the same file."""
    kept = []
    for finding in report.findings:
        others = [one for one in reports if finding.span is None or _has(one, finding.span.file)]
        if finding.rule != UNUSED or all(_says(one, finding) for one in others):
            kept.append(finding)
    return tuple(kept)


def _has(report: Examined, path: str) -> bool:
    return any(document.path == path for document in report.documents)


def _says(report: Examined, finding: Finding) -> bool:
    return any(
        (one.rule, one.span, one.notes) == (finding.rule, finding.span, finding.notes) for one in report.findings
    )


def _with_findings(report: Examined, findings: tuple[Finding, ...]) -> Examined:
    if len(findings) == len(report.findings):
        return report
    return report._replace(findings=findings, verdict=verdict(findings, report.undecided, report.inputs))


def _names(rules: Iterable[Rule]) -> dict[str, str]:
    """Ids and names of rules by themselves in lower case, as a suppression may write them."""
    return {name.lower(): name for one in rules for name in (one.id, one.name)}


def _decided(rules: Sequence[Rule], judged: Judged) -> Collection[str]:
    """Ids and names of rules that ran to an answer."""
    open_ = {one.rule for one in judged.undecided} | {one.rule for one in judged.crashes}
    return _names(one for one in rules if one.id not in open_)


def compared(report: Examined, baseline: Sequence[Mapping[str, str]]) -> Examined:
    """The report with its findings held against a baseline."""
    from fp8check.rules.suppression.baseline import compare
    from fp8check.rules.suppression.fingerprint import fingerprints

    return report._replace(compared=compare(fingerprints(report.findings, report.documents), baseline))
