"""Group commit: one thread writes, and what arrives while it commits goes into its next transaction.

A check is answered only after the transaction that holds it is on disk. A commit waits for the disk some milliseconds;
shared by all checks that wait, that costs latency and hardly any throughput.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from fp8check.service.store.tables import ANSWERS, CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sqlalchemy import Connection, Engine

LARGEST_BATCH = 500
MOST_WAITING = 5_000
_MOST_KNOWN = 10_000


class Full(Exception):
    """More is waiting to be written than the database keeps up with."""


class NewCheck(NamedTuple):
    """A check to be stored. See tables.py for the columns."""

    id: str
    created_ms: int
    caller: str
    share: str
    digest: str
    question: bytes
    report: bytes
    verdict: str
    findings: str


class _Task(NamedTuple):
    """A piece of work with a transaction of its own."""

    work: Callable[[Connection], Any]


class _Entry(NamedTuple):
    item: NewCheck | _Task
    future: asyncio.Future[Any]


class Writer:
    """The one thread that writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._known: set[str] = set()  # answers that are stored already
        self._thread = threading.Thread(target=self._run, name="fp8check-writer", daemon=True)
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert_answer = dialect.insert(ANSWERS).on_conflict_do_nothing(index_elements=["digest"])
        self._insert_check = insert(CHECKS)
        self.failures = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, then end; returns when that is done."""
        self._queue.put(None)
        self._thread.join()

    async def store(self, check: NewCheck) -> None:
        """Store a check; returns when it is on disk.

        Raises:
            Full: too much is waiting.
            SQLAlchemyError: the database refused it.
        """
        await self._put(check)

    async def run(self, work: Callable[[Connection], Any]) -> Any:
        """Do some work in a transaction of its own; returns what it returns, when it is on disk.

        Raises:
            Full: too much is waiting.
            SQLAlchemyError: the database refused it.
        """
        return await self._put(_Task(work))

    async def _put(self, item: NewCheck | _Task) -> Any:
        if self._queue.qsize() >= MOST_WAITING:
            raise Full
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put(_Entry(item, future))
        return await future

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            batch, last = self._taken(entry)
            checks = [one for one in batch if isinstance(one.item, NewCheck)]
            if checks:
                self._write(checks)
            for one in batch:
                if isinstance(one.item, _Task):
                    self._work(one, one.item)
            if last:
                return

    def _taken(self, first: _Entry) -> tuple[list[_Entry], bool]:
        """What is waiting now, and whether the end was among it."""
        batch = [first]
        while len(batch) < LARGEST_BATCH:
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                return batch, True
            batch.append(entry)
        return batch, False

    def _write(self, entries: list[_Entry]) -> None:
        checks: list[NewCheck] = [entry.item for entry in entries]  # type: ignore[misc]
        try:
            try:
                self._commit(checks)
            except IntegrityError:
                # Another instance has deleted an answer that this one took for stored: write them all again.
                self._known.clear()
                self._commit(checks)
        except SQLAlchemyError as error:
            self.failures += 1
            _resolve(entries, error=error)
            return
        _resolve(entries)

    def _commit(self, checks: list[NewCheck]) -> None:
        new = {check.digest: check for check in checks if check.digest not in self._known}
        with self._engine.begin() as connection:
            if new:
                columns = ("digest", "question", "report", "verdict", "findings")
                rows = [{name: getattr(check, name) for name in columns} for check in new.values()]
                connection.execute(self._insert_answer, rows)
            columns = ("id", "created_ms", "caller", "share", "digest")
            connection.execute(
                self._insert_check, [{name: getattr(check, name) for name in columns} for check in checks]
            )
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(new)

    def forget(self) -> None:
        """Take no answer for stored any more. For work that deletes some; called in this thread."""
        self._known.clear()

    def _work(self, entry: _Entry, task: _Task) -> None:
        try:
            with self._engine.begin() as connection:
                result = task.work(connection)
        except SQLAlchemyError as error:
            self.failures += not isinstance(error, IntegrityError)
            _resolve([entry], error=error)
        else:
            _resolve([entry], result=result)


def _resolve(entries: list[_Entry], *, result: Any = None, error: Exception | None = None) -> None:
    """Wake those that wait; a loop that has ended has nobody who waits."""
    loop = entries[0].future.get_loop()

    def wake() -> None:
        for entry in entries:
            if entry.future.done():  # the caller has gone
                continue
            if error is not None:
                entry.future.set_exception(error)
            else:
                entry.future.set_result(result)

    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)
