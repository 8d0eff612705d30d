"""A piece of work in a process of its own, which can be ended whatever it does; it dies with the service.

Parent and child speak JSON (messages.py), one object a line: the child gets its task on standard input and says events
on standard output; the last one is a result or a problem. Standard input stays open: when it closes, the parent is
gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable

    from fp8check.service.messages import Event, Task

_T = TypeVar("_T")
LONGEST_LINE = 64 * 1024 * 1024
_GRACE_S = 2.0


class Ended(Exception):
    """The child did not come to a result; the text says how it ended."""


class TimedOut(Ended):
    """It took too long, and was ended."""


async def run(task: Task, *, limit_s: float) -> AsyncGenerator[Event, None]:
    """Run a task in a child, and yield its events. Closing the iterator ends the child.

    Raises:
        TimedOut: it was not done after `limit_s`, and was killed with all that it had started.
        Ended: it ended without a result.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fp8check.service.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # what it says there may quote the files
        start_new_session=True,
        limit=LONGEST_LINE,
    )
    try:
        async for event in _events(process, task, _Deadline(limit_s)):
            yield event
    finally:
        await _end(process)


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


async def _events(process: asyncio.subprocess.Process, task: Task, deadline: _Deadline) -> AsyncIterator[Event]:
    if process.stdin is None or process.stdout is None:
        raise Ended("has no pipes")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(json.dumps(task).encode() + b"\n")
        await deadline.of(process.stdin.drain())
    while line := await deadline.of(process.stdout.readline()):
        event: Event = json.loads(line)
        yield event
        if event["event"] != "progress":
            return
    code = await deadline.of(process.wait())
    raise Ended(f"was ended by signal {-code}" if code < 0 else f"ended with {code} and no result")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the child and all that it started; it leads a process group of its own."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), _GRACE_S)
