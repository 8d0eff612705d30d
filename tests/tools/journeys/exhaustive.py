"""Every move in every state, three deep: whether a start without a plan has none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from fp8check.rules.checking.planning import plan_request
from fp8check.rules.checking.request import Request, RunRequest
from fp8check.rules.moves import remedies
from fp8check.rules.record import Record
from fp8check.rules.repair import search as searching
from fp8check.rules.settings.values import Undecided

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.edits.action import Action
    from fp8check.rules.moves.site import Goal
    from fp8check.rules.repair.search import Judged

DEPTH = 3
STATES = 1500
_TABLES = (remedies._BY_CODE, remedies._BY_SUBJECT)
EVERY = tuple(dict.fromkeys(move for table in _TABLES for moves in table.values() for move in moves))


class Everything(searching.Search):
    """A search that tries every move in each state, whatever the problem is."""

    def actions(self, judged: Judged) -> Iterator[Action]:
        """All that any move proposes, as far as the state is less than three steps away."""
        if len({*judged.state.why.values()}) > DEPTH:
            return
        yield from super().actions(judged)
        for number, report in enumerate(judged.reports):
            site = self._site(f"{len(judged.state.why)} {number}", judged.state, report)
            for move in EVERY:
                try:
                    yield from move(site)
                except Undecided:
                    continue


class Tried(Record):
    """What came of it: the steps of the ways that were found, and how many states were judged."""

    ways: tuple[str, ...]
    states: int


def good_ways(part: RunRequest, goal: Goal) -> Tried:
    """The ways that are found so; none where nothing that a move does answers the run."""
    with (
        patch("fp8check.rules.repair.plan.Search", Everything),
        patch("fp8check.rules.repair.plan.forbidden", lambda *_: []),
    ):
        planned = plan_request(Request((part,)), goal, states=STATES, plans=1)
    return Tried(tuple(str([step.after for step in one.steps]) for one in planned.plans), 0)
