"""One journey: a run, its plan, the run as the plan leaves it, and the plan of that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fp8check.rules.checking import planning
from fp8check.rules.checking.planning import after, applied, plan_request
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.record import Record
from tests.tools.journeys.measured import against

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.moves.site import Goal
    from fp8check.rules.reading import Document
    from fp8check.rules.repair.plan import Planned


class Journey(Record):
    """What became of a start.

    Attributes:
        end: "good" (nothing to do), "planned", "by hand" (a step of the plan is for people), "no plan".
        faults: what must not be: a second plan with steps, an error after the plan, a comment that is gone.
        seconds: CPU time of the first search.
    """

    name: str
    request: RunRequest
    end: str
    planned: Planned
    faults: tuple[str, ...]
    seconds: float


def travel(name: str, part: RunRequest, goal: Goal | None = None) -> Journey:
    """Plan a run, in the time that `fp8check plan` takes at most, do what the plan says, and plan again."""
    began = time.process_time()
    planned = plan_request(Request((part,)), goal, spent=after(planning.SECONDS))
    seconds = time.process_time() - began
    if not planned.plans:
        faults = () if planned.why_not else ("no plan, and no reason",)
        return Journey(name, part, "no plan", planned, faults, seconds)
    first = planned.plans[0]
    if any(one.by_hand for one in first.steps):  # what people have to write themselves is not applied
        return Journey(name, part, "by hand", planned, (), seconds)
    then = applied(part, first)
    faults = [*_faults(part, then, planned)] if first.steps else []
    if planned.goal == "fp8" and len(first.reports) == 1:
        faults += [f"measured otherwise: {one}" for one in against(then, first.reports[0].inputs.run.training.name)]
    return Journey(name, part, "planned" if first.steps else "good", planned, tuple(faults), seconds)


def _faults(before: RunRequest, after: RunRequest, planned: Planned) -> Iterator[str]:
    """What is wrong with a plan, seen from its end."""
    old = {one.rule for report in planned.given for one in report.findings if one.severity == "error"}
    for report in check_request(Request((after,))).reports:
        for one in report.findings:
            if one.severity == "error":
                yield f"{'still' if one.rule in old else 'new'} {one.rule}: {one.message}"
    again = plan_request(Request((after,)), planned.goal, plans=1)
    if not again.plans or again.plans[0].steps:
        yield f"a second plan: {[one.steps for one in again.plans[:1]] or again.why_not}"
    now = {document.path: document for document in after.documents}
    for document in before.documents:
        lost = _comments(document) - _comments(now[document.path])
        if lost:
            yield f"comments of {document.path} are gone: {sorted(lost)}"


def _comments(document: Document) -> set[str]:
    """The lines that are comments alone."""
    if document.format != "yaml":
        return set()
    return {line.strip() for line in document.text.splitlines() if line.lstrip().startswith("#")}
