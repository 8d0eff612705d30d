"""The processes that do what takes longer than a moment: parsing large bodies, checking them, rendering large reports.

They stay, and do one task after the other: to start one costs more than most tasks. One that does not come to an end in
time is ended, and so is one that has done much: what it let grow goes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from fp8check.service import child
from fp8check.service.problems import Problem
from fp8check.service.tasks import problem_of
from fp8check.service.turns import Turns

if TYPE_CHECKING:
    from fp8check.service.messages import Outcome, PoolTask
    from fp8check.service.settings import Settings
    from fp8check.service.turns import Asker

_log = structlog.get_logger()
_MOST_TASKS = 500
_MOST_BYTES = 32 * 1024 * 1024
# From here on a task is a large one: it leaves one place to the others.
LARGE = 256 * 1024


class _Worker:
    """A child of the pool, and what it has done."""

    def __init__(self, of: child.Child) -> None:
        self.child = of
        self._tasks = 0
        self._bytes = 0

    async def outcome(self, task: PoolTask, size: int, limit_s: float) -> Outcome:
        """Do a task.

        Raises:
            Problem: what it came to.
            Ended: it came to nothing.
        """
        self._tasks += 1
        self._bytes += size
        async with contextlib.aclosing(self.child.events(task, limit_s)) as events:
            async for event in events:
                if event["event"] == "problem":
                    if event["frames"]:  # a fault of fp8check; the child has no log
                        _log.error("crash", frames=event["frames"])
                    raise problem_of(event)
                if event["event"] != "progress":
                    return event
        raise child.Ended("ended without a result")

    @property
    def is_spent(self) -> bool:
        """Whether it is time to end it."""
        return not self.child.is_usable or self._tasks >= _MOST_TASKS or self._bytes >= _MOST_BYTES


class Pool:
    """Some processes, and the line before them."""

    def __init__(self, settings: Settings) -> None:
        size = settings.check_processes
        self._limit_s = settings.check_timeout_s
        self._places = Turns(size, most_waiting=settings.check_queue, what="checks")
        self._of_large = Turns(max(1, size - 1), most_waiting=settings.check_queue, what="large checks")
        self._idle: list[_Worker] = []

    async def do(self, task: PoolTask, size: int, asker: Asker) -> Outcome:
        """Do a task.

        Args:
            size: bytes of what it is about: what it costs grows with them.

        Raises:
            Problem: what it came to; too many wait, or it took too long.
        """
        async with contextlib.AsyncExitStack() as stack:
            if size >= LARGE:
                await stack.enter_async_context(self._of_large.turn(asker))
            await stack.enter_async_context(self._places.turn(asker))
            return await self._do(task, size)

    async def stop(self) -> None:
        """End all processes."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(one.child.end() for one in idle))

    async def _do(self, task: PoolTask, size: int) -> Outcome:
        worker = await self._taken()
        try:
            return await worker.outcome(task, size, self._limit_s)
        except child.Ended as ended:
            raise Problem("too-costly", f"the check {ended}") from None
        finally:
            if worker.is_spent:
                await worker.child.end()
            else:
                self._idle.append(worker)

    async def _taken(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.child.is_usable:
                return worker
            await worker.child.end()
        try:
            return _Worker(await child.Child.start())
        except OSError as error:
            detail = f"no process can be started ({error.strerror})"
            raise Problem("busy", detail, headers={"Retry-After": "5"}) from None
