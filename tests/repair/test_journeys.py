"""Plans followed to their end, from a fixed sample of what `make journeys` follows them from."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking import planning
from tests.tools.journeys import catalog, generated
from tests.tools.journeys.journey import travel

if TYPE_CHECKING:
    from collections.abc import Mapping

STARTS = [*catalog.starts()]


@pytest.fixture(autouse=True)
def _in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run beside each other: what a plan may take there is no measure. `make journeys` measures it."""
    monkeypatch.setattr(planning, "SECONDS", 10 * planning.SECONDS)


@pytest.mark.parametrize(("name", "case"), STARTS[::9], ids=[name for name, _ in STARTS[::9]])
def test_a_plan_ends_in_a_good_run_or_says_why_not(name: str, case: Mapping[str, object]) -> None:
    with ExitStack() as stack:
        journey = travel(name, catalog.request_of(case, stack))
    assert journey.faults == ()


def test_most_starts_have_an_end() -> None:
    assert len(STARTS) > 600


@pytest.mark.parametrize("number", [606, 1267, 1452])
def test_problems_that_have_nothing_to_do_with_each_other_are_answered_one_by_one(number: int) -> None:
    """Starts of which only an exhaustive search found a way, as long as what answers nothing counted as a step."""
    start = [*generated.starts(89, number + 1)][number]
    journey = travel(start.name, start.request)
    assert journey.planned.plans
    assert journey.faults == ()
