"""Group commit: one thread writes, and what arrives while it commits goes into its next transaction.

A check is answered only after the transaction that holds it is on disk. A commit waits for the disk some milliseconds;
shared by all checks that wait, that costs latency and hardly any throughput.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from fp8check.service.store.migrate import upgrade
from fp8check.service.store.reasons import reason
from fp8check.service.store.sqlite_file import Lost
from fp8check.service.store.tables import ANSWERS, CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Engine

    from fp8check.service.store.sqlite_file import SqliteFile

T = TypeVar("T")
LARGEST_BATCH = 500
MOST_WAITING = 5_000
MOST_BYTES = 64 * 1024 * 1024
LONGEST_WAIT_S = 10.0
_MOST_KNOWN = 10_000
_OF_WORK = 1024  # bytes that other work is taken for


class Full(Exception):
    """More is waiting to be written than the database keeps up with."""

    def __init__(self) -> None:
        super().__init__("it does not keep up: too much waits to be written")


class Late(Exception):
    """It took too long."""

    def __init__(self) -> None:
        super().__init__("it does not answer")


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
    names: str = ""


class _Check(NamedTuple):
    """A check to be stored, and what wakes who waits for it."""

    check: NewCheck
    future: asyncio.Future[None]

    @property
    def size(self) -> int:
        """Bytes, about."""
        return len(self.check.check_request) + len(self.check.report)


class _Work(Protocol):
    """A piece of work with a transaction of its own."""

    size: int

    def run(self, writer: Writer) -> None:
        """Do it, and wake who waits for its result."""


class _Transaction(Generic[T]):
    """Work whose result is waited for."""

    size = _OF_WORK

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self._work = work
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def run(self, writer: Writer) -> None:
        """Do it, and wake who waits for its result. Where nobody waits any more, it is not done."""
        if self.future.done():
            return
        try:
            result = writer.transaction(self._work)
        except Exception as error:  # noqa: BLE001  whoever waits has it; the thread goes on
            _fail([self.future], error)
        else:
            _succeed([self.future], result)


class Writer:
    """The one thread that writes.

    Attributes:
        worked: when a transaction came to its end the last time, in the monotonic clock; 0.0: never.
        failed: when one failed, and it was not its own fault.
        why: why that was, in words.
    """

    def __init__(self, engine: Engine, file: SqliteFile | None) -> None:
        self._engine = engine
        self._file = file
        self._queue: queue.SimpleQueue[_Check | _Work | None] = queue.SimpleQueue()
        self._bytes = 0
        self._lock = threading.Lock()
        self._known: set[str] = set()  # answers that are stored already
        self._thread = threading.Thread(target=self._run, name="fp8check-writer", daemon=True)
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert_answer = dialect.insert(ANSWERS).on_conflict_do_nothing(index_elements=["digest"])
        self._insert_check = insert(CHECKS)
        self.worked = 0.0
        self.failed = 0.0
        self.why = ""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is waiting, then end; returns when that is done, or after the longest wait."""
        self._queue.put(None)
        self._thread.join(2 * LONGEST_WAIT_S)

    async def store(self, check: NewCheck) -> None:
        """Store a check; returns when it is on disk.

        Raises:
            Full: too much is waiting.
            Late: it was not on disk in time. What did not begin is not written any more.
            SQLAlchemyError, Lost: the database refused it.
        """
        waiting = _Check(check, asyncio.get_running_loop().create_future())
        self._put(waiting)
        await _in_time(waiting.future)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do some work in a transaction of its own; returns what it returns, when it is on disk.

        Raises:
            Full, Late, SQLAlchemyError, Lost: as above.
        """
        transaction = _Transaction(work)
        self._put(transaction)
        return await _in_time(transaction.future)

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do some work; returns when it is on disk, and will be found there. Called in this thread.

        Raises:
            SQLAlchemyError, Lost: it is not.
        """
        try:
            self._see_to_the_file()
            with self._engine.begin() as connection:
                result = work(connection)
            if self._file is not None:
                self._file.check()
        except IntegrityError:
            raise
        except (SQLAlchemyError, Lost, OSError) as error:
            self.failed, self.why = time.monotonic(), reason(error)
            raise
        self.worked = time.monotonic()
        return result

    def _see_to_the_file(self) -> None:
        """Go on with the file that is there now, where it is another one than before."""
        if self._file is None:
            return
        try:
            self._file.check()
        except Lost:
            self._known.clear()
            self._engine.dispose()
            self._file.take()
            upgrade(self._engine)

    def _put(self, item: _Check | _Work) -> None:
        with self._lock:
            if self._queue.qsize() >= MOST_WAITING or self._bytes + item.size > MOST_BYTES:
                raise Full
            self._bytes += item.size
        self._queue.put(item)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            checks, work, last = self._taken(first)
            waited_for = [one for one in checks if not one.future.done()]
            if waited_for:
                self._write(waited_for)
            for one in work:
                one.run(self)
            with self._lock:
                self._bytes -= sum(one.size for one in checks) + sum(one.size for one in work)
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
        except Exception as error:  # noqa: BLE001  those that wait have it; the thread goes on
            _fail(futures, error)
            return
        _succeed(futures, None)

    def _commit(self, checks: list[NewCheck]) -> None:
        new: dict[str, NewCheck] = {}

        def insert_all(connection: Connection) -> None:
            new.update({check.digest: check for check in checks if check.digest not in self._known})
            if new:
                parts = ("digest", "check_request", "report", "verdict", "findings", "names")
                rows = [{name: getattr(check, name) for name in parts} for check in new.values()]
                connection.execute(self._insert_answer, rows)
            columns = ("id", "created_ms", "caller", "share", "digest")
            connection.execute(
                self._insert_check, [{name: getattr(check, name) for name in columns} for check in checks]
            )

        self.transaction(insert_all)
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(new)

    def forget(self) -> None:
        """Take no answer for stored any more. For work that deletes some; called in this thread."""
        self._known.clear()


async def _in_time(future: asyncio.Future[T]) -> T:
    try:
        return await asyncio.wait_for(future, LONGEST_WAIT_S)
    except asyncio.TimeoutError:
        raise Late from None


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
