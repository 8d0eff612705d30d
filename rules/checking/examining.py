"""From judged runs to reports: suppressions, rules that look at what others said, verdicts, baselines."""

from __future__ import annotations

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.verdict import verdict
from fp8check.rules.engine.definition import ERROR
from fp8check.rules.engine.judge import judge
from fp8check.rules.engine.running import ordered, run_rules
from fp8check.rules.suppression.examined import MARK, Examined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.gate import Required, Requirement
    from fp8check.rules.engine.judge import Judged
    from fp8check.rules.engine.running import Crash, Finding
    from fp8check.rules.reading import Document, Span
    from fp8check.rules.seen import Seen
    from fp8check.rules.suppression.suppressions import Suppressed, Suppression
    from fp8check.rules.trainers.run import Run

UNUSED = "FP993"
REQUIREMENTS = ("FP995", "FP996")


def examine(
    run: Run,
    documents: tuple[Document, ...] = (),
    rules: Sequence[Rule] = RULES,
    seen: Seen | None = None,
    *,
    configured: Iterable[Suppression] = (),
    crashes: tuple[Crash, ...] = (),
    today: str | None = None,
    requirements: Sequence[Requirement] = (),
) -> Examined:
    """Judge a run, take away what is suppressed, and come to a verdict.

    Args:
        seen: what a probe of the run saw.
        configured: suppressions that stand in the configuration; those in the files are read here.
        crashes: what went wrong before any rule ran: plug-ins that could not be loaded.
        today: the day that suppressions and facts are held against, YYYY-MM-DD; None for this machine's day (UTC).
        requirements: what is required of the outcome.
    """
    early, late_rules = _parted(rules)
    judged = judge(run, documents, early, seen, today or "")
    every = [*_written(documents), *configured]
    met = _required(requirements, judged) if requirements else ()
    crashes += judged.crashes
    findings = judged.findings
    suppressed: tuple[Suppressed, ...] = ()
    # Else nothing is suppressed, or required, and those rules have nothing to say.
    if every or crashes or met or (late_rules and late_rules is not _LATE):
        from fp8check.rules.suppression.suppressions import apply

        suppressions = apply(every, findings, _decided(early, judged) if every else (), today)
        later = {
            "suppressions": suppressions,
            "known_rules": _names((*RULES, *rules)) if every else {},  # only suppressions name rules
            "crashes": crashes,
            "required": met,
        }
        late = run_rules(judged.inputs._replace(later=later), late_rules)
        findings = ordered((*suppressions.left, *late.findings))
        crashes += late.crashes
        suppressed = suppressions.suppressed
    return Examined(
        verdict(findings, judged.undecided, judged.inputs),
        judged.inputs,
        judged.earlier,
        findings,
        judged.undecided,
        crashes,
        suppressed,
        required=met,
    )


def _required(requirements: Sequence[Requirement], judged: Judged) -> tuple[Required, ...]:
    from fp8check.rules.engine.gate import required  # few checks have any

    return required(requirements, judged.inputs.outcome, judged.earlier)


def _written(documents: tuple[Document, ...]) -> Iterable[Suppression]:
    """The suppressions in the comments of these files, which few have."""
    if not any(MARK in document.text for document in documents):
        return ()
    from fp8check.rules.suppression.comments import suppressions_in

    return suppressions_in(documents)


def _parted(rules: Sequence[Rule]) -> tuple[Sequence[Rule], Sequence[Rule]]:
    """The rules that run first, and those that look at what they said."""
    if rules is RULES:  # nearly always, and a service asks for every check
        return _EARLY, _LATE
    if not any(rule.is_late for rule in rules):  # as in each try of a search for plans
        return rules, ()
    return [rule for rule in rules if not rule.is_late], [rule for rule in rules if rule.is_late]


_EARLY = tuple(rule for rule in RULES if not rule.is_late)
_LATE = tuple(rule for rule in RULES if rule.is_late)


def examine_all(
    runs: Iterable[tuple[Run, tuple[Document, ...]]],
    rules: Sequence[Rule] = RULES,
    seen: Sequence[Seen | None] = (),
    *,
    configured: Sequence[Suppression] = (),
    crashes: tuple[Crash, ...] = (),
    requirements: Sequence[Requirement] = (),
) -> list[Examined]:
    """Reports of several runs that share files: a suppression that one of them uses is used.

    Args:
        seen: what the probe of each run saw, in their order; empty where none was probed.
    """
    pairs = [*runs]
    probed = seen or [None] * len(pairs)
    reports = [
        examine(run, documents, rules, one, configured=configured, crashes=crashes, requirements=requirements)
        for (run, documents), one in zip(pairs, probed, strict=True)
    ]
    told = Told()
    reports = [told.without_told(report) for report in reports]
    if not any(finding.rule == UNUSED for report in reports for finding in report.findings):
        return reports
    unused = Unused()
    for report in reports:
        unused.add(report)
    return [unused.without_used(report) for report in reports]


class Told:
    """Notes of no file, as FP606 on the environment: they hold for the whole command, and its first run tells them."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def without_told(self, report: Examined) -> Examined:
        """The report of the next run, without the notes that a run before it had."""
        left = tuple(finding for finding in report.findings if not self._was_told(finding))
        return _with_findings(report, left)

    def _was_told(self, finding: Finding) -> bool:
        if finding.severity != "info" or finding.span is not None:
            return False
        before = len(self._told)
        self._told.add((finding.rule, finding.message))
        return len(self._told) == before


class Unused:
    """Suppressions that runs have no use for: one is unused where that holds in every run with its file."""

    def __init__(self) -> None:
        from collections import Counter

        self._said: Counter[tuple[Span | None, tuple[str, ...]]] = Counter()
        self._runs: Counter[str | None] = Counter()  # by file; all of them are those of None

    def add(self, report: Examined) -> None:
        """One run more."""
        self._said.update({(finding.span, finding.notes) for finding in report.findings if finding.rule == UNUSED})
        self._runs.update({None, *(document.path for document in report.documents)})

    def without_used(self, report: Examined) -> Examined:
        """The report, without suppressions that another run uses."""
        left = tuple(finding for finding in report.findings if finding.rule != UNUSED or self._is_unused(finding))
        return _with_findings(report, left)

    def _is_unused(self, finding: Finding) -> bool:
        file = None if finding.span is None else finding.span.file
        return self._said[finding.span, finding.notes] == self._runs[file]


def _with_findings(report: Examined, findings: tuple[Finding, ...]) -> Examined:
    if len(findings) == len(report.findings):
        return report
    return report._replace(findings=findings, verdict=verdict(findings, report.undecided, report.inputs))


def _names(rules: Iterable[Rule]) -> dict[str, str]:
    """Ids and names of rules by themselves in lower case, as a suppression may write them."""
    return {name.lower(): name for rule in rules for name in (rule.id, rule.name)}


def _decided(rules: Sequence[Rule], judged: Judged) -> Collection[str]:
    """Ids and names of rules that ran to an answer."""
    open_ = {undecided.rule for undecided in judged.undecided} | {failure.rule for failure in judged.crashes}
    return _names(rule for rule in rules if rule.id not in open_)


def is_to_be_advised(reports: Sequence[Examined]) -> bool:
    """Whether there is an error, or any finding that has a cure to be proved."""
    found = [finding for report in reports for finding in report.findings]
    return any(finding.severity == ERROR or finding.fix is not None or finding.action is not None for finding in found)


def compared(report: Examined, baseline: Sequence[Mapping[str, str]]) -> Examined:
    """The report with its findings held against a baseline."""
    from fp8check.rules.suppression.baseline import compare
    from fp8check.rules.suppression.fingerprint import fingerprints

    marks = fingerprints(report.findings, report.documents)
    if report.required:  # what is required is never known of old
        pairs = zip(report.findings, marks, strict=True)
        required = {mark for finding, mark in pairs if finding.rule in REQUIREMENTS}
        baseline = [entry for entry in baseline if entry["fingerprint"] not in required]
    return report._replace(compared=compare(marks, baseline))
