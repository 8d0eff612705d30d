"""The processes that do what takes longer than a moment: parsing large bodies, checking them, rendering large reports.

They stay, and do one task after the other: to start one costs more than most tasks. One that does not come to an end in
time is ended, and so is one that has done much: what it let grow goes with it. Small checks are done between other
requests, and in processes of their own where those are not soon enough.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from fp8check.rules import facts
from fp8check.service import child
from fp8check.service.check_request import CheckRequest, File
from fp8check.service.problems import Problem
from fp8check.service.tasks import problem_of
from fp8check.service.turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fp8check.service.messages import CheckTask, Outcome, PoolTask
    from fp8check.service.settings import Settings
    from fp8check.service.turns import Asker

_log = structlog.get_logger()
_MOST_TASKS = 5000
_MOST_BYTES = 32 * 1024 * 1024
# From here on a task is a large one: it leaves one place to the others.
LARGE = 256 * 1024


class Worker:
    """A process that does tasks, one at a time; it is started when there is one, and anew when it has done much."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._child: child.Child | None = None
        self._tasks = 0
        self._bytes = 0

    async def do(self, task: PoolTask, size: int) -> Outcome:
        """Do a task.

        Args:
            size: bytes of what it is about: what it costs grows with them.

        Raises:
            Problem: what it came to; or it took too long.
        """
        usable = await self._usable()
        self._tasks += 1
        self._bytes += size
        try:
            return await _outcome(usable, task, self._limit_s)
        except child.Ended as ended:
            raise Problem("too-costly", f"the check {ended}") from None
        finally:
            if self._is_spent():
                await self.end()

    async def end(self) -> None:
        """End the process, where there is one."""
        ended, self._child = self._child, None
        self._tasks = self._bytes = 0
        if ended is not None:
            await ended.end()

    def _is_spent(self) -> bool:
        used = self._tasks >= _MOST_TASKS or self._bytes >= _MOST_BYTES
        return used or self._child is None or not self._child.is_usable

    async def _usable(self) -> child.Child:
        if self._child is None or self._is_spent():
            await self.end()
            try:
                self._child = await child.Child.start()
            except OSError as error:
                detail = f"no process can be started ({error.strerror or error})"
                raise Problem("busy", detail, headers={"Retry-After": "5"}) from None
        return self._child


async def _outcome(of: child.Child, task: PoolTask, limit_s: float) -> Outcome:
    async with contextlib.aclosing(of.events(task, limit_s)) as events:
        async for event in events:
            if event["event"] == "problem":
                if event["frames"]:  # a fault of fp8check; the child has no log
                    _log.error("crash", frames=event["frames"])
                raise problem_of(event)
            if event["event"] != "progress":
                return event
    raise child.Ended("ended without a result")


class Pool:
    """Some processes, and the line before them."""

    def __init__(self, settings: Settings) -> None:
        self._workers = [Worker(settings.check_timeout_s) for _ in range(settings.check_processes)]
        self._places = Turns(self._workers, most_waiting=settings.check_queue, what="checks")
        most_large = max(1, len(self._workers) - 1)
        self._of_large = Turns([None] * most_large, most_waiting=settings.check_queue, what="large checks")

    async def do(self, task: PoolTask, size: int, asker: Asker, *, searches: bool = False) -> Outcome:
        """Do a task.

        Args:
            size: bytes of what it is about.
            searches: whether it looks for a plan, which may take a second whatever the size: it counts as a large one.

        Raises:
            Problem: what it came to; too many wait, or it took too long.
        """
        async with contextlib.AsyncExitStack() as stack:
            if searches or size >= LARGE:
                await stack.enter_async_context(self._of_large.turn(asker))
            worker = await stack.enter_async_context(self._places.turn(asker))
            return await worker.do(task, size)

    async def stop(self) -> None:
        """End all processes."""
        await asyncio.gather(*(worker.end() for worker in self._workers))


class Lane:
    """Where small checks are done: between other requests; and where that is not enough, in some processes as well."""

    def __init__(self, settings: Settings) -> None:
        self._limit_s = settings.check_timeout_s
        self._turns: Turns[Worker | None] = Turns([None], most_waiting=settings.check_queue, what="checks")
        self._missing = settings.check_helpers
        self._helpers: list[Worker] = []
        self._starting: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def turn(self, asker: Asker) -> AsyncIterator[Worker | None]:
        """Wait for a turn: here (None), or in a process.

        Raises:
            Problem: too many wait, or the wait was too long.
        """
        if self._turns.waiting and self._missing and self._starting is None:
            self._starting = asyncio.create_task(self._help())
        async with self._turns.turn(asker) as place:
            if place is None:
                # The place is kept until the others that came at the same moment stand in the line.
                await asyncio.sleep(0)
            yield place

    async def stop(self) -> None:
        """End all processes."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in self._helpers))

    async def _help(self) -> None:
        """Start a process, and give it work when it has done some: its first task takes as long as its start."""
        helper = Worker(self._limit_s)
        self._helpers.append(helper)
        self._missing -= 1
        try:
            await helper.do(_FIRST, 0)
            self._turns.add(helper)
        except Problem as problem:
            _log.warning("no-helper", why=problem.detail)
        finally:
            self._starting = None


_FIRST: CheckTask = {
    "task": "check",
    "check_request": CheckRequest((File("accelerate.yaml", "mixed_precision: fp8\n"),)).dumped().decode(),
    "own": facts.dump(facts.Facts()),
    "format": "json",
}
