"""A line of bounded length: there are so many places, the others wait, and no one waits for longer than is said.

Callers take turns: whoever sends much waits behind their own requests, and the others do not wait behind those. Where
the line is full, whoever has most in it gives way. All of it belongs to one event loop, so it needs no lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

T = TypeVar("T")
_LONGEST_RETRY_S = 60
_WEIGHT = 0.1  # of the newest turn in the mean: some dozens of turns are remembered


class Asker(NamedTuple):
    """In whose name something is done, and when waiting for it ends at the latest, in the loop's time."""

    caller: str
    until: float


class Turns(Generic[T]):
    """The line before some places.

    Args:
        places: where work is done, each by one at a time.
        most_waiting: how many may wait; the next is refused.
        what: what is waited for, in words: "checks".
    """

    def __init__(self, places: Sequence[T], *, most_waiting: int, what: str) -> None:
        self._free = deque(places)
        self._places = len(places)
        self._most_waiting = most_waiting
        self._what = what
        self._lines: OrderedDict[str, deque[asyncio.Future[T]]] = OrderedDict()  # by caller; the next one first
        self._mean_s = 0.0
        self.waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self, asker: Asker) -> AsyncIterator[T]:
        """Wait for a place, and have it: the first one that is free, in the order in which they became so.

        Raises:
            Problem: the line is full, or the wait was too long.
        """
        loop = asyncio.get_running_loop()
        place = self._free.popleft() if self._free and not self.waiting else await self._wait(asker)
        began = loop.time()
        try:
            yield place
        finally:
            took = loop.time() - began
            self._mean_s += (took - self._mean_s) * _WEIGHT if self._mean_s else took
            self._give_back(place)

    def add(self, place: T) -> None:
        """Another place, from now on."""
        self._places += 1
        self._give_back(place)

    def _give_back(self, place: T) -> None:
        self._free.append(place)
        self._next()

    def refusal(self) -> Problem:
        """That there is too much to do, and when to ask again: when those that wait now will have been served."""
        after = math.ceil(self._mean_s * (self.waiting + 1) / self._places)
        headers = {"Retry-After": str(min(max(1, after), _LONGEST_RETRY_S))}
        return Problem("busy", f"{self.waiting} {self._what} are waiting", headers=headers)

    async def _wait(self, asker: Asker) -> T:
        caller = asker.caller
        if self.waiting >= self._most_waiting:
            self._make_room(caller)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._lines.setdefault(caller, deque()).append(future)
        self.waiting += 1
        timer = loop.call_at(asker.until, self._refuse, caller, future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._leave(caller, future)
            else:  # it was this one's turn at the very moment: the next one has it
                self._give_back(future.result())
            raise
        finally:
            timer.cancel()

    def _make_room(self, caller: str) -> None:
        """Refuse this caller, or the newest of whoever has most in the line."""
        longest = max(self._lines, key=lambda one: len(self._lines[one]), default=caller)
        if len(self._lines.get(longest, ())) <= len(self._lines.get(caller, ())) + 1:
            raise self.refusal()
        self._refuse(longest, self._lines[longest][-1])

    def _refuse(self, caller: str, future: asyncio.Future[T]) -> None:
        if not future.done():
            problem = self.refusal()
            self._leave(caller, future)
            future.set_exception(problem)

    def _leave(self, caller: str, future: asyncio.Future[T]) -> None:
        line = self._lines.get(caller)
        if line is not None and future in line:
            line.remove(future)
            self.waiting -= 1
            if not line:
                del self._lines[caller]

    def _next(self) -> None:
        """Give a free place to the next in the line."""
        while self._free and self._lines:
            caller, line = next(iter(self._lines.items()))
            future = line.popleft()
            self.waiting -= 1
            if line:
                self._lines.move_to_end(caller)
            else:
                del self._lines[caller]
            if not future.done():
                future.set_result(self._free.popleft())
