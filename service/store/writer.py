"""Group commit: one thread writes, and what arrives while it commits goes into its next transaction.

A check is answered only after the transaction that holds it is on disk. A commit waits for the disk some milliseconds;
shared by all checks that wait, that costs latency and hardly any throughput.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from fp8check.service.store.tables import ANSWERS, CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

T = TypeVar("T")
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
    check_request: bytes
    report: bytes
    verdict: str
    findings: str


class _Check(NamedTuple):
    """A check to be stored, and what wakes who waits for it."""

    check: NewCheck
    future: asyncio.Future[None]


class _Work(Protocol):
    """A piece of work with a transaction of its own."""

    def run(self, engine: Engine) -> bool:
        """Do it, and wake who waits for its result; returns whether the database failed."""


class _Transaction(Generic[T]):
    """Work whose result is waited for."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self._work = work
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def run(self, engine: Engine) -> bool:
        """Do it, and wake who waits for its result; returns whether the database failed."""
        try:
            with engine.begin() as connection:
                result = self._work(connection)
        except SQLAlchemyError as error:
            _fail([self.future], error)
            return not isinstance(error, IntegrityError)
        _succeed([self.future], result)
        return False


class Writer:
    """The one thread that writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.SimpleQueue[_Check | _Work | None] = queue.SimpleQueue()
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
        waiting = _Check(check, asyncio.get_running_loop().create_future())
        self._put(waiting)
        await waiting.future

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do some work in a transaction of its own; returns what it returns, when it is on disk.

        Raises:
            Full: too much is waiting.
            SQLAlchemyError: the database refused it.
        """
        transaction = _Transaction(work)
        self._put(transaction)
        return await transaction.future

    def _put(self, item: _Check | _Work) -> None:
        if self._queue.qsize() >= MOST_WAITING:
            raise Full
        self._queue.put(item)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            checks, work, last = self._taken(first)
            if checks:
                self._write(checks)
            for one in work:
                self.failures += one.run(self._engine)
            if last:
                return

    def _taken(self, first: _Check | _Work) -> tuple[list[_Check], list[_Work], bool]:
        """The checks and the other work that are waiting now, and whether the end was among them."""
        checks: list[_Check] = []
        work: list[_Work] = []
        item: _Check | _Work | None = first
        while item is not None:
            if isinstance(item, _Check):
                checks.append(item)
            else:
                work.append(item)
            if len(checks) + len(work) == LARGEST_BATCH or self._queue.empty():
                return checks, work, False
            item = self._queue.get()  # nobody else takes from it
        return checks, work, True

    def _write(self, waiting: list[_Check]) -> None:
        checks = [one.check for one in waiting]
        futures = [one.future for one in waiting]
        try:
            try:
                self._commit(checks)
            except IntegrityError:
                # Another instance has deleted an answer that this one took for stored: write them all again.
                self._known.clear()
                self._commit(checks)
        except SQLAlchemyError as error:
            self.failures += 1
            _fail(futures, error)
            return
        _succeed(futures, None)

    def _commit(self, checks: list[NewCheck]) -> None:
        new = {check.digest: check for check in checks if check.digest not in self._known}
        with self._engine.begin() as connection:
            if new:
                columns = ("digest", "check_request", "report", "verdict", "findings")
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


def _succeed(futures: Sequence[asyncio.Future[T]], result: T) -> None:
    _wake(futures, lambda future: future.set_result(result))


def _fail(futures: Sequence[asyncio.Future[T]], error: Exception) -> None:
    _wake(futures, lambda future: future.set_exception(error))


def _wake(futures: Sequence[asyncio.Future[T]], tell: Callable[[asyncio.Future[T]], None]) -> None:
    """Wake those that wait, all at once; a loop that has ended has nobody who waits."""
    loop = futures[0].get_loop()

    def wake() -> None:
        for future in futures:
            if not future.done():  # else the caller has gone
                tell(future)

    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)
