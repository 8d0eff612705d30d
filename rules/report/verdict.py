"""The report of one run: what the catalogue found, in the words and numbers that every format is made from."""

from __future__ import annotations

from fp8check.rules.catalog import LAST_RESORT, RULES, Context, Open, Result, check, ordered
from fp8check.rules.catalog.rule import KNOWLEDGE
from fp8check.rules.outcome import predict
from fp8check.rules.record import Record
from fp8check.rules.settings.versions import EARLIER
from fp8check.rules.triage.suppressions import Suppressions, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from fp8check.rules.catalog import Crash, Finding, Rule
    from fp8check.rules.evidence import Evidence
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.reading import Document
    from fp8check.rules.triage.baseline import Compared
    from fp8check.rules.triage.suppressions import Suppressed, Suppression

SCHEMA = "fp8check/report/1"
UNUSED = "FP993"
DOCS = "https://fp8check.readthedocs.io/rules/"


class Report(Record):
    """What is said of one run.

    Attributes:
        verdict: fail (an error was found), warn, pass, or undecided (nothing found, and something is not known).
        earlier: the outcome with earlier releases, where versions had to be assumed; None where all are known.
        suppressed: findings that a comment or the configuration takes away.
        compared: the findings against a baseline; None where there is none.
    """

    verdict: str
    context: Context
    outcome: Outcome
    earlier: Outcome | None
    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    undecided: tuple[Open, ...]
    crashes: tuple[Crash, ...]
    suppressed: tuple[Suppressed, ...] = ()
    compared: Compared | None = None


def examine(
    run: Run,
    documents: tuple[Document, ...] = (),
    rules: Sequence[Rule] = RULES,
    evidence: Evidence | None = None,
    *,
    configured: Iterable[Suppression] = (),
    crashes: tuple[Crash, ...] = (),
    today: str | None = None,
) -> Report:
    """Predict the run's outcome, run the rules over it, and come to a verdict.

    Where versions are not known, all of it is done twice, with the newest releases and with earlier ones. What is
    found in both is found; what is found in one only depends on the version, and is undecided.

    Args:
        evidence: what a probe of the run saw.
        configured: suppressions that stand in the configuration; those in the files are read here.
        crashes: what went wrong before any rule ran: plug-ins that could not be loaded.
        today: the day that suppressions are held against, YYYY-MM-DD; None for this machine's day (UTC).
    """
    outcome = predict(run)
    context = Context(run, outcome, documents, evidence)
    early, late_rules = _parted(rules)
    result = check(context, early)
    earlier = None
    if outcome.stack.assumed:
        earlier = predict(run, EARLIER)
        result = _common(result, check(Context(run, earlier, documents, evidence), early), outcome)
    suppressions = Suppressions([*written(documents), *configured], today)
    decided = _decided(early, result) if suppressions.all else ()
    left = suppressions.apply(_without_last_resort(result.findings), decided)
    context.suppressions = suppressions
    context.known_rules = _names((*RULES, *rules)) if suppressions.all else {}  # only suppressions name rules
    context.crashes = crashes + result.crashes
    late = check(context, late_rules)
    findings = ordered((*left, *late.findings))
    verdict = _verdict(findings, result.undecided, outcome)
    all_crashes = context.crashes + late.crashes
    return Report(
        verdict, context, outcome, earlier, documents, findings, result.undecided, all_crashes, suppressions.suppressed
    )


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
    evidence: Sequence[Evidence | None] = (),
    *,
    configured: Sequence[Suppression] = (),
    crashes: tuple[Crash, ...] = (),
) -> list[Report]:
    """Reports of several runs that share files: a suppression that one of them uses is used.

    Args:
        evidence: what the probe of each run saw, in their order; empty where none was probed.
    """
    pairs = [*runs]
    seen = evidence or [None] * len(pairs)
    reports = [
        examine(run, documents, rules, one, configured=configured, crashes=crashes)
        for (run, documents), one in zip(pairs, seen, strict=True)
    ]
    return [_with_findings(report, _used_nowhere(report, reports)) for report in reports]


def _used_nowhere(report: Report, reports: Sequence[Report]) -> tuple[Finding, ...]:
    """The report's findings, without suppressions that are unused here and used in another run with the same file."""
    kept = []
    for finding in report.findings:
        others = [one for one in reports if finding.span is None or _has(one, finding.span.file)]
        if finding.rule != UNUSED or all(_says(one, finding) for one in others):
            kept.append(finding)
    return tuple(kept)


def _has(report: Report, path: str) -> bool:
    return any(document.path == path for document in report.documents)


def _says(report: Report, finding: Finding) -> bool:
    return any(
        (one.rule, one.span, one.notes) == (finding.rule, finding.span, finding.notes) for one in report.findings
    )


def _with_findings(report: Report, findings: tuple[Finding, ...]) -> Report:
    if len(findings) == len(report.findings):
        return report
    verdict = _verdict(findings, report.undecided, report.outcome)
    return report._replace(findings=findings, verdict=verdict)


def _names(rules: Iterable[Rule]) -> dict[str, str]:
    """Ids and names of rules by themselves in lower case, as a suppression may write them."""
    return {name.lower(): name for one in rules for name in (one.id, one.name)}


def _decided(rules: Sequence[Rule], result: Result) -> Collection[str]:
    """Ids and names of rules that ran to an answer."""
    open_ = {one.rule for one in result.undecided} | {one.rule for one in result.crashes}
    return _names(one for one in rules if one.id not in open_)


def _common(newest: Result, earlier: Result, outcome: Outcome) -> Result:
    """What both worlds say; what one of them says alone becomes undecided."""
    places = {(one.rule, one.span) for one in newest.findings} & {(one.rule, one.span) for one in earlier.findings}
    findings = tuple(one for one in newest.findings if (one.rule, one.span) in places)
    open_ = {one.rule: one for one in (*newest.undecided, *earlier.undecided)}
    packages = ", ".join(sorted(outcome.stack.assumed)).replace("_", " ")
    for one in (*newest.findings, *earlier.findings):
        if (one.rule, one.span) not in places and one.rule not in LAST_RESORT:
            open_.setdefault(one.rule, Open(one.rule, f"the versions of {packages}", KNOWLEDGE["packages"]))
    crashes = {one.rule: one for one in (*newest.crashes, *earlier.crashes)}
    return Result(findings, tuple(open_[rule] for rule in sorted(open_)), tuple(crashes.values()))


def _without_last_resort(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Leave out "something is wrong" where another error says what."""
    said = any(one.severity == "error" and one.rule not in LAST_RESORT for one in findings)
    return tuple(one for one in findings if not said or one.rule not in LAST_RESORT)


def _verdict(findings: tuple[Finding, ...], undecided: tuple[Open, ...], outcome: Outcome) -> str:
    severities = {one.severity for one in findings}
    if "error" in severities:
        return "fail"
    if "warning" in severities:
        return "warn"
    return "undecided" if undecided or outcome.undecided is not None else "pass"


def counts(report: Report) -> dict[str, int]:
    """How many findings there are of each severity; with a baseline, how many new ones."""
    numbers = {"error": 0, "warning": 0, "info": 0}
    for finding in new_findings(report):
        numbers[finding.severity] += 1
    return numbers


def new_findings(report: Report) -> tuple[Finding, ...]:
    """The findings; with a baseline, those that it does not have."""
    if report.compared is None:
        return report.findings
    from fp8check.rules.report.fingerprint import fingerprints

    pairs = zip(report.findings, fingerprints(report), strict=True)
    return tuple(finding for finding, mark in pairs if mark in report.compared.new)


def compared(report: Report, baseline: Sequence[Mapping[str, str]]) -> Report:
    """The report with its findings held against a baseline."""
    from fp8check.rules.report.fingerprint import fingerprints
    from fp8check.rules.triage.baseline import compare

    return report._replace(compared=compare(fingerprints(report), baseline))
