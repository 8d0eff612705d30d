"""The helps of findings: what a rule takes for a cure is done to a copy, and said where the run is better for it.

Nothing else tells people what to do about a finding. Where the cure brings another error, or cannot be made, the help
says what is true of it, or that a plan looks at the whole.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.behind import behind, unseen
from fp8check.rules.checking.curing import cured_as_values
from fp8check.rules.checking.examining import is_to_be_advised
from fp8check.rules.checking.request import assembled, checked
from fp8check.rules.edits.instruction import Words
from fp8check.rules.edits.text_edits import Editor
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.engine.definition import ERROR
from fp8check.rules.input_error import InputError
from fp8check.rules.repair.better import Worse, check_better

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fp8check.rules.checking.request import Checked, Request, RunRequest
    from fp8check.rules.engine.definition import Rule
    from fp8check.rules.engine.running import Finding
    from fp8check.rules.reading import Document
    from fp8check.rules.suppression.examined import Examined

JUDGED = 40  # runs that are judged at most for the helps of one check: some 50 ms
OF_MANY = 60  # of one of more files than are kept in memory: not twice as many at once as of one that is
# What counts as one run more, for to edit and judge it takes as long: characters of files and command, of a script that
# the command starts, findings of a report, variables of the environment.
A_RUN_MORE = 1_000
A_SCRIPT_MORE = 10_000
FINDINGS_MORE = 25
VARIABLES_MORE = 250
PLAN = "`fp8check plan` looks for all steps"


def advised(request: Request, found: Checked) -> Checked:
    """The reports of a check with the helps of their findings, each proved, and with what their errors hide."""
    return _each(request, found, Advisor(request, JUDGED).told) if is_to_be_advised(found.reports) else found


def looked_behind(request: Request, found: Checked) -> tuple[Checked, int]:
    """The reports of a check with what their errors hide, and how many runs were judged to find out.

    Helps are as the rules left them: nobody reads them.
    """
    if not is_to_be_advised(found.reports):
        return found, 0
    advisor = Advisor(request, JUDGED)
    return _each(request, found, advisor.looked_behind), advisor.runs


def _each(request: Request, found: Checked, told: Callable[[RunRequest, Examined], Examined]) -> Checked:
    if len(found.reports) == 1:
        return found._replace(reports=(told(request.runs[0], found.reports[0]),))
    if len(request.runs) == 1:
        owners = [request.runs[0]] * len(found.reports)
    else:
        owners = [part for part in request.runs for _ in assembled(part)]
    pairs = zip(owners, found.reports, strict=True)
    return found._replace(reports=tuple(told(alone(part, report), report) for part, report in pairs))


def alone(part: RunRequest, report: Examined) -> RunRequest:
    """The one run of a part that has several, looked at by itself."""
    return part._replace(documents=report.documents)


class Advisor:
    """Proves helps for the runs of one request, as long as it may judge runs.

    Args:
        most: how many it judges.

    Attributes:
        runs: how many were.
    """

    def __init__(self, request: Request, most: int = OF_MANY) -> None:
        given = {rule.id for rule in request.rules}
        others = tuple(rule for rule in RULES if rule.id not in given)
        self.is_selected = bool(others)
        self._selected = given
        # What is not selected is not shown, and may be wrong all the same.
        self._request = request._replace(rules=(*request.rules, *others), probe=None, baseline=None)
        self._left = most
        self._of_report = 0  # what judging a run costs more because of what is said of it
        self.runs = 0
        self._is_spent = False
        self._errors: tuple[Rule, ...] | None = None
        self._of_several: set[tuple[str, ...]] = set()  # shell scripts that start more than one run

    def alone(self, part: RunRequest, report: Examined) -> Examined:
        """The report of one of several runs, looked at by itself, with its helps."""
        return self.told(alone(part, report), report)

    def told(self, part: RunRequest, report: Examined) -> Examined:
        """The report of the one run of a part, with its helps."""
        if not is_to_be_advised((report,)):
            return report
        self._of_report = _cost_of_report(report, part)
        proofs, words = _Proofs(self, part, report), Words(report.documents)
        told = tuple(_with_help(finding, proofs, words) for finding in report.findings)
        return self.looked_behind(part, report)._replace(findings=told)

    def looked_behind(self, part: RunRequest, report: Examined) -> Examined:
        """The report of the one run of a part, with what its errors hide."""
        if not is_to_be_advised((report,)):
            return report
        self._of_report = _cost_of_report(report, part)
        later, hiding = ((), unseen(report)) if self._is_spent else behind(part, report, self._afresh, self._affords)
        later = tuple(finding for finding in later if finding.rule in self._selected)
        return report._replace(later=later, hiding=hiding)

    def _afresh(self, part: RunRequest) -> Examined:
        self.spend(part.documents, part.launch)
        return self.judged(part)

    def spend(self, documents: Sequence[Document], launch: str | None) -> None:
        """Take what it costs to edit and to judge such a run; before either, since many findings ask for it.

        Raises:
            Unfixable: too many were judged already.
        """
        if not self._affords(documents, launch):
            raise Unfixable("it takes too long to find out")
        self._left -= _cost(documents, launch) + self._of_report
        self.runs += 1

    def _affords(self, documents: Sequence[Document], launch: str | None) -> bool:
        """Whether such a run may be edited and judged once more; once one may not, no error is looked behind."""
        affords = _cost(documents, launch) + self._of_report <= self._left
        self._is_spent = self._is_spent or not affords
        return affords

    def judged(self, part: RunRequest, rule: str = "") -> Examined:
        """The report of the one run of these files.

        Args:
            rule: where given, of that rule and those alone that find errors.

        Raises:
            Unfixable: it would be another number of runs.
            InputError: the files make up no run.
        """
        scripts = tuple(document.path for document in part.documents if document.kind == "shell")
        if scripts and scripts in self._of_several:
            raise Unfixable("they start several runs")
        runs = tuple(islice(assembled(part), 2))  # a shell script may start very many: none of them is judged then
        if len(runs) != 1:
            self._of_several.add(scripts)
            raise Unfixable("they would be other runs")
        request = self._request._replace(runs=(part,))
        if rule:
            request = request._replace(rules=self._that_count(rule))
        return checked(request, runs).reports[0]

    def _that_count(self, rule: str) -> tuple[Rule, ...]:
        """The rules that say whether a cure of a finding of that rule is one."""
        if self._errors is None:
            self._errors = tuple(
                rule_ for rule_ in self._request.rules if rule_.severity == ERROR and not rule_.is_late
            )
        own = tuple(rule_ for rule_ in self._request.rules if rule_.id == rule and rule_ not in self._errors)
        return tuple(self._request.rules) if any(rule_.is_late for rule_ in own) else (*self._errors, *own)


def _cost(documents: Sequence[Document], launch: str | None) -> int:
    """Runs of a usual size that take as long to edit and to judge as these files and this command."""
    return 1 + (sum(len(document.text) for document in documents) + len(launch or "")) // A_RUN_MORE


def _cost_of_report(report: Examined, part: RunRequest) -> int:
    """Runs of a usual size that such a report costs more to make: facts may have thousands of variables, and a command
    may start a long script, which is followed anew for each."""
    variables = report.inputs.run.facts.variables or ()
    given = {document.path for document in part.documents}
    followed = sum(len(document.text) for document in report.documents if document.path not in given)
    return len(report.findings) // FINDINGS_MORE + len(variables) // VARIABLES_MORE + followed // A_SCRIPT_MORE


def _with_help(finding: Finding, proofs: _Proofs, words: Words) -> Finding:
    if finding.fix is None and finding.action is None:
        return finding
    reason = proofs.reason(finding)
    if reason is not None:
        return finding._replace(help=_joined(finding.help, reason), fix=None, action=None)
    what = words.of(finding.fix, finding.action, finding.span)
    return finding._replace(help=_joined(what, finding.help))


@lru_cache(maxsize=64)  # what is said of the many is one text
def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


class _Proofs:
    """What is proved of the cures of a run's findings."""

    def __init__(self, advisor: Advisor, part: RunRequest, report: Examined) -> None:
        self._advisor = advisor
        self._part = part
        self._documents = report.documents
        self._editor = Editor(report.documents)
        self._before: Examined | None = None if advisor.is_selected else report

    def reason(self, finding: Finding) -> str | None:
        """Why the cure of a finding is not proved; None where it is."""
        try:
            self._advisor.spend(self._documents, self._part.launch)
            if self._before is None:
                self._before = self._advisor.judged(self._part)
            part = cured_as_values(self._part, self._documents, self._editor, finding.fix, finding.action)
            is_meant = finding.fix is not None and finding.fix.safe
            check_better(finding.rule, self._before, self._advisor.judged(part, finding.rule), is_meant=is_meant)
        except Worse as worse:
            return f"{worse}: {PLAN}"
        except (Unfixable, InputError):
            return PLAN
        return None
