"""The line before a place: in turns, of bounded length, and for no longer than is said."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.service.middleware import Pace
from fp8check.service.problems import Problem
from fp8check.service.turns import Asker, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 10))


def asker(name: str, within_s: float = 5) -> Asker:
    return Asker(name, asyncio.get_running_loop().time() + within_s)


class Line:
    """Some that ask for a turn, and the order in which they had it."""

    def __init__(self, places: int = 1, most_waiting: int = 100) -> None:
        self.turns = Turns(range(places), most_waiting=most_waiting, what="checks")
        self.had: list[str] = []
        self.refused: list[tuple[str, Problem]] = []
        self.go = asyncio.Event()

    async def ask(self, name: str, caller: str | None = None, within_s: float = 5) -> None:
        try:
            async with self.turns.turn(asker(caller or name, within_s)):
                self.had.append(name)
                await self.go.wait()
        except Problem as problem:
            self.refused.append((name, problem))

    async def start(self, *names: str, within_s: float = 5) -> list[asyncio.Task[None]]:
        """Each asks in the name of its first letter."""
        tasks = [asyncio.create_task(self.ask(name, name[0], within_s)) for name in names]
        await asyncio.sleep(0.01)
        return tasks


def test_so_many_work_at_a_time() -> None:
    async def work() -> None:
        line = Line(places=2)
        tasks = await line.start("a1", "b1", "c1")
        assert (line.had, line.turns.waiting) == (["a1", "b1"], 1)
        line.go.set()
        await asyncio.gather(*tasks)
        assert (line.had, line.turns.waiting) == (["a1", "b1", "c1"], 0)

    run(work)


def test_callers_take_turns() -> None:
    async def work() -> None:
        line = Line()
        tasks = await line.start("a1", "a2", "a3", "a4", "b1", "c1")
        line.go.set()
        await asyncio.gather(*tasks)
        assert line.had == ["a1", "a2", "b1", "c1", "a3", "a4"]

    run(work)


def test_nobody_waits_for_longer_than_is_said() -> None:
    async def work() -> None:
        line = Line()
        tasks = await line.start("a1")
        late = await line.start("b1", within_s=0.05)
        await asyncio.gather(*late)
        ((name, problem),) = line.refused
        assert (name, problem.status, line.turns.waiting) == ("b1", 503, 0)
        assert int(problem.headers["Retry-After"]) >= 1
        line.go.set()
        await asyncio.gather(*tasks)
        assert line.had == ["a1"]

    run(work)


def test_a_full_line_refuses_whoever_has_most_in_it() -> None:
    async def work() -> None:
        line = Line(most_waiting=3)
        tasks = await line.start("a1", "a2", "a3", "a4", "a5")
        assert [name for name, _ in line.refused] == ["a5"]
        tasks += await line.start("b1")
        assert [name for name, _ in line.refused] == ["a5", "a4"]
        tasks += await line.start("b2", "b3")
        assert [name for name, _ in line.refused] == ["a5", "a4", "b2", "b3"]
        line.go.set()
        await asyncio.gather(*tasks)
        assert line.had == ["a1", "a2", "b1", "a3"]

    run(work)


def test_who_goes_away_leaves_the_line() -> None:
    async def work() -> None:
        line = Line()
        first, second, third = await line.start("a1", "b1", "c1")
        second.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert line.turns.waiting == 1
        line.go.set()
        await asyncio.gather(first, third)
        assert line.had == ["a1", "c1"]

    run(work)


def test_a_place_goes_on_where_its_next_one_goes_away_at_the_same_moment() -> None:
    async def work() -> None:
        line = Line()
        first, second, third = await line.start("a1", "b1", "c1")
        line.go.set()
        while "a1" in line.had and not first.done():
            await asyncio.sleep(0)
            if line.turns.waiting == 1:  # b1 has the place, and does not know it yet
                second.cancel()
        await asyncio.gather(third)
        assert line.had == ["a1", "c1"]
        with pytest.raises(asyncio.CancelledError):
            await second

    run(work)


def test_what_goes_wrong_in_a_turn_gives_the_place_back() -> None:
    async def work() -> None:
        turns = Turns([0], most_waiting=0, what="checks")
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with turns.turn(asker("a")):
                    raise ZeroDivisionError
        async with turns.turn(asker("a")):
            with pytest.raises(Problem, match="busy"):
                async with turns.turn(asker("b")):
                    pass

    run(work)


def test_when_to_ask_again_grows_with_the_line() -> None:
    async def work() -> None:
        line = Line()
        async with line.turns.turn(asker("z")):
            await asyncio.sleep(0.3)
        tasks = await line.start(*(f"a{number}" for number in range(20)))
        assert 4 <= int(line.turns.refusal().headers["Retry-After"]) <= 10
        line.go.set()
        await asyncio.gather(*tasks)

    run(work)


def test_so_many_begin_in_a_round_of_the_loop_and_in_their_order() -> None:
    async def work() -> None:
        pace, rounds, begun = Pace(), 0, []

        async def ask(number: int) -> None:
            await pace.begin()
            begun.append((rounds, number))

        tasks = [asyncio.create_task(ask(number)) for number in range(20)]
        gone = tasks.pop(10)
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            rounds += 1
            if rounds == 1:
                gone.cancel()
        assert [number for _, number in begun] == [number for number in range(20) if number != 10]
        assert max(Counter(one for one, _ in begun).values()) <= 4
        await asyncio.wait_for(pace.begin(), 1)  # whoever comes later does not wait

    run(work)
