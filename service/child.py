"""Work in processes of their own, which can be ended whatever they do; they die with the service (rules/child/).

Parent and child speak JSON (messages.py), one object a line: the child gets tasks on standard input, one after another,
and says events on standard output; the last one of a task is a result or a problem. Standard input stays open: when it
closes, the parent is gone. Nothing of a request is a variable of its environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING, TypeVar

from fp8check.rules.child import environment, python
from fp8check.rules.child.supervised import NotStarted, Supervised

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

    from fp8check.service.messages import Event, Task

_T = TypeVar("_T")
LONGEST_LINE = 64 * 1024 * 1024
_GRACE_S = 6.0  # more than the supervisor takes to kill
_LONGEST_START_S = 60.0
_WORKER = "from fp8check.service.worker import main\nraise SystemExit(main())"


class Ended(Exception):
    """The child did not come to a result; the text says how it ended."""


class TimedOut(Ended):
    """It took too long, and was ended."""


class Child:
    """A process that does tasks, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process, supervised: Supervised) -> None:
        self._process = process
        self._supervised = supervised
        self._is_whole = True  # whether all that it was asked was answered to the end

    @classmethod
    async def start(cls) -> Child:
        """A new process, which is ready for tasks: how long it takes to start is not taken from their time.

        Raises:
            OSError: the system has no room for one.
        """
        child = await cls._started()
        try:
            await asyncio.wait_for(child._is_ready(), _LONGEST_START_S)
        except asyncio.TimeoutError:
            await child.end()
            raise OSError("it does not start") from None
        except BaseException:
            await child.end()
            raise
        return child

    async def _is_ready(self) -> None:
        if self._process.stdout is None or not await self._process.stdout.readline():
            raise OSError("it ended before it was ready")

    @classmethod
    async def _started(cls) -> Child:
        try:
            supervised = Supervised(python.own(_WORKER), environment.with_variables_of_runs(os.environ))
        except NotStarted as error:
            raise OSError(str(error)) from error
        try:
            process = await asyncio.create_subprocess_exec(
                *supervised.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # what it says there may quote the files
                env=supervised.environ,
                pass_fds=supervised.keep,
                start_new_session=True,
                limit=LONGEST_LINE,
            )
        except BaseException:
            supervised.close()
            raise
        finally:
            supervised.started()
        return cls(process, supervised)

    @property
    def is_usable(self) -> bool:
        """Whether it can be given another task."""
        return self._is_whole and self._process.returncode is None

    async def events(self, task: Task, limit_s: float) -> AsyncGenerator[Event, None]:
        """Do a task, and yield its events; the last one is its result, or a problem.

        Raises:
            TimedOut: it was not done after `limit_s`. The child is to be ended.
            Ended: it ended without a result.
        """
        self._is_whole = False
        process, deadline = self._process, _Deadline(limit_s)
        if process.stdin is None or process.stdout is None:
            raise Ended("has no pipes")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(json.dumps(task).encode() + b"\n")
            await deadline.of(process.stdin.drain())
        while line := await deadline.of(_line(process.stdout)):
            event: Event = json.loads(line)
            self._is_whole = event["event"] != "progress"
            yield event
            if self._is_whole:
                return
        await deadline.of(process.wait())
        how, code = self._supervised.ended() or ("lost", 0)
        raise Ended(f"was ended by signal {code}" if how == "signal" else f"ended with {code} and no result")

    async def end(self) -> None:
        """End it and all that it started."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._supervised.close()
        try:
            await asyncio.wait_for(self._process.wait(), _GRACE_S)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


async def run(task: Task, *, limit_s: float) -> AsyncGenerator[Event, None]:
    """Do one task in a process of its own, and yield its events. Closing the iterator ends the process.

    Raises:
        TimedOut: it was not done after `limit_s`, and was killed with all that it had started.
        Ended: it ended without a result.
    """
    child = await Child.start()
    try:
        async for event in child.events(task, limit_s):
            yield event
    finally:
        await child.end()


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:
        raise Ended(f"said more than {LONGEST_LINE:,} bytes at once") from None


class _Deadline:
    """Waits for something, but not beyond a moment that is set once."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._at = asyncio.get_running_loop().time() + limit_s

    async def of(self, awaitable: Awaitable[_T]) -> _T:
        """What is waited for. Raises TimedOut where the moment comes first."""
        left = self._at - asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(awaitable, max(0.0, left))
        except asyncio.TimeoutError:
            raise TimedOut(f"was not done after {self._limit_s:g} s and was ended") from None
