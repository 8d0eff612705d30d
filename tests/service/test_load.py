"""A sample of `make service-load`, with bounds that a busy machine keeps, too."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from tests.support.service import served
from tests.tools.service.load import Figures, missed, round_of

if TYPE_CHECKING:
    from pathlib import Path


def test_more_is_asked_than_is_answered_in_time(tmp_path: Path) -> None:
    """Each request is answered, with a report or an honest 503; memory does not grow with what is refused."""
    with served(tmp_path) as service:
        where = (service.port, service.process.pid)
        asyncio.run(round_of(*where, 100, 2))
        found = asyncio.run(round_of(*where, 100, 8))
        assert found.errors == Counter()
        assert found.a_second > 3
        assert found.at(0.99) < 15_000
        assert found.growth < 1.5
        assert service.get("/readyz").status_code == 200
    assert '"crash"' not in service.log.read_text()


def test_larger_bodies_are_answered_by_processes_that_stay(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        where = (service.port, service.process.pid)
        asyncio.run(round_of(*where, 2, 4, large=True))
        found = asyncio.run(round_of(*where, 20, 4, large=True))
        assert found.errors == Counter()
        assert found.a_second > 1


def test_each_missed_bound_is_named() -> None:
    good = Figures(1.0, [1.0] * 60, 0, Counter(), [100.0] * 12)
    assert missed(good, good) == []
    slow = good._replace(answered=[1.0] * 50 + [1500.0] * 10)
    few = good._replace(answered=[1.0] * 10)
    wrong = good._replace(errors=Counter({"500": 1}))
    larger = good._replace(resident=[100.0] * 11 + [120.0])
    refused = good._replace(refused=3)
    for full, half in ((slow, good), (few, good), (wrong, good), (larger, good), (good, refused), (good, wrong)):
        assert len(missed(full, half)) == 1
    assert missed(refused, good) == []
