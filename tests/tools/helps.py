"""Every help with a cure, over every `found` case of the catalog: doing it takes the finding away, and brings no error.

python -m tests.tools.helps

Each finding of each case that has a cure is looked at as a report shows it: where the report says what to do, that is
done here again, to the bytes of the files, and the runs are checked anew by code that shares nothing with the proof in
rules/checking/advising.py. Prints how many were proved, how many are left to the plan, and how many rules are exempt.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from fp8check.rules.checking.advising import PLAN, advised
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.checking.stacks import changed_facts
from fp8check.rules.edits.text_edits import text_edits
from fp8check.rules.moves.launching import without_flag
from fp8check.rules.reading import read
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from tests.tools.journeys import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.engine.running import Finding
    from fp8check.rules.suppression.examined import Examined

# Rules whose help is a free text that says what to do, each with the reason; those of what a probe saw (FP8xx) apart.
EXCEPTIONS: Mapping[str, str] = {}


class Tried(Record):
    """What became of one cure.

    Attributes:
        proved: whether the report says to do it.
        fault: what is wrong where it does, or where it should and does not; "" where nothing is.
    """

    case: str
    rule: str
    help: str
    proved: bool
    fault: str


def tried(name: str, case: Mapping[str, object]) -> Iterator[Tried]:
    """Each cure of the findings of a case."""
    with ExitStack() as stack:
        part = catalog.request_of(case, stack)
        request = Request((part,))
        checked = check_request(request)
        for raw, shown in zip(checked.reports, advised(request, checked).reports, strict=True):
            for before, after in zip(raw.findings, shown.findings, strict=True):
                if before.fix is None and before.action is None:
                    continue
                proved = after.fix is not None or after.action is not None
                fault = _fault(part, checked.reports, after) if proved else _unproved(after)
                yield Tried(name, before.rule, after.help, proved, fault)


def _unproved(finding: Finding) -> str:
    return "" if finding.help.endswith(PLAN) else "it is not proved, and does not say where to look"


def _fault(part: RunRequest, before: Sequence[Examined], finding: Finding) -> str:
    """What is wrong once a cure was done."""
    after = check_request(Request((_done(part, before, finding),))).reports
    if _times(finding.rule, after) >= _times(finding.rule, before):
        return "the finding is still there"
    new = _errors(after) - _errors(before)
    if new:
        return f"new errors: {dict(new)}"
    ends = {one.outcome.error.code for one in before if one.outcome.error is not None}
    crash = next((one.outcome.error for one in after if one.outcome.error is not None), None)
    return f"a new end: {crash.first_line}" if crash is not None and crash.code not in ends else ""


def _done(part: RunRequest, reports: Sequence[Examined], finding: Finding) -> RunRequest:
    """The part as the finding's help leaves it, its files written and read again."""
    if finding.fix is not None:
        files = {edit.file for edit in finding.fix.edits} - {one.path for one in part.documents}
        named = {one.path: one for report in reports for one in report.documents if one.path in files}
        documents = (*part.documents, *named.values())
        edits = text_edits(finding.fix, documents)
        made = []
        for one in documents:
            text = one.text
            for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
                if edit.file == one.path:
                    text = text[: edit.start] + edit.text + text[edit.end :]
            same = read(one.path, text.encode(), loader=one.loader).as_kind(Kind(one.kind, one.dialect, one.loader))
            made.append(one if text == one.text else same)
        part = part._replace(documents=tuple(made))
    if finding.action is not None:
        facts = changed_facts(part.facts, finding.action.variables, finding.action.packages)
        part = part._replace(facts=facts)
        for flag in finding.action.without:
            part = part._replace(launch=without_flag(part.launch, flag))
    return part


def _times(rule: str, reports: Sequence[Examined]) -> int:
    return sum(one.rule == rule for report in reports for one in report.findings)


def _errors(reports: Sequence[Examined]) -> Counter[str]:
    return Counter(one.rule for report in reports for one in report.findings if one.severity == "error")


def main() -> int:
    """Print the numbers; 1 where a help is not true."""
    every = [one for name, case in catalog.starts() for one in tried(name, case)]
    proved = [one for one in every if one.proved]
    faults = [one for one in every if one.fault]
    for one in faults:
        print(f"{one.case}: {one.rule}: {one.help}: {one.fault}")
    rules = len({one.rule for one in proved})
    print(f"{len(every)} helps with a cure; {len(proved)} of {rules} rules say what to do, and it was done: proved")
    print(f"{len(every) - len(proved)} leave it to the plan, as their cure alone is none; {len(faults)} faults")
    print(f"{len(EXCEPTIONS)} exceptions, and the rules of what a probe saw (FP8xx)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
