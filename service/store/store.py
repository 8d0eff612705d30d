"""The store: what the service asks of its database."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import create_engine, delete, event, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from fp8check.service.store import nodes
from fp8check.service.store.migrate import upgrade
from fp8check.service.store.reasons import reason
from fp8check.service.store.sqlite_file import Lost, file_of
from fp8check.service.store.tables import ANSWERS, CHECKS, JOBS, TRIALS
from fp8check.service.store.writer import Full, Late, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
    from sqlalchemy.pool import ConnectionPoolEntry

    from fp8check.service.settings import Settings
    from fp8check.service.store.sqlite_file import SqliteFile
    from fp8check.service.store.writer import NewCheck

T = TypeVar("T")
_STATEMENT_MS = 15_000
MS_A_DAY = 24 * 60 * 60 * 1000
# Checks are deleted this many at a time, so that no transaction holds up the others for long.
_DELETED_AT_ONCE = 500
# For how long a statement of SQLite waits for another process.
_LOCKED_S = 3
_READERS = 40
_MOST_READERS_WAITING = 500
_LONGEST_READ_S = 10.0
_TRIAL_S = 4.0
_TRIED_EVERY_S = 1.0
_FILLER = 32 * 1024  # of a trial: more than most checks have, so that a full disk shows
_FAULTS = (SQLAlchemyError, Full, Late, Lost, OSError)


class Unavailable(Exception):
    """The database does not answer, or cannot keep up."""


class Stored(NamedTuple):
    """A stored check with what was asked and answered."""

    id: str
    created_ms: int
    caller: str
    share: str
    verdict: str
    findings: str
    names: str = ""
    check_request: bytes = b""
    report: bytes = b""

    @property
    def cursor(self) -> str:
        """Where a page that ends with this check goes on."""
        return f"{self.created_ms}.{self.id}"


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


def make_engine(url: str, synchronous: str = "FULL", file: SqliteFile | None = None) -> Engine:
    """The engine for a database URL. `file`: its file, where it is one of SQLite."""
    if not url.startswith("sqlite"):
        limits = {"connect_timeout": 5, "options": f"-c statement_timeout={_STATEMENT_MS}"}
        return create_engine(url, pool_pre_ping=True, pool_size=5, pool_timeout=5, connect_args=limits)
    engine = create_engine(url, connect_args={"timeout": _LOCKED_S})
    file = file or file_of(url)

    @event.listens_for(engine, "do_connect")
    def before(
        _dialect: Dialect, _record: ConnectionPoolEntry, arguments: list[object], named: dict[str, object]
    ) -> None:
        if file is not None:
            file.connect(arguments, named)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # what is deleted or hashed is overwritten, not only let go of
        cursor.close()

    return engine


class Store:
    """Stored checks and jobs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        url = settings.database.get_secret_value()
        file = file_of(url)
        self.engine = make_engine(url, settings.sqlite_synchronous, file)
        self.writer = Writer(self.engine, file)
        self._reading = anyio.CapacityLimiter(_READERS)
        self._trial: asyncio.Task[None] | None = None
        self._tried = 0.0  # when it ended, in the monotonic clock

    def open(self) -> None:
        """Bring the tables up to date, and begin to write.

        Raises:
            SQLAlchemyError: the database cannot be reached or changed.
            OSError: its file cannot be made.
        """
        upgrade(self.engine)
        self.writer.start()

    def close(self) -> None:
        """Write what is waiting, and let go of the database."""
        self.writer.stop()
        self.engine.dispose()

    async def add(self, check: NewCheck) -> None:
        """Store a check; returns when it is on disk.

        Raises:
            Unavailable: it could not be stored.
        """
        try:
            await self.writer.store(check)
        except _FAULTS as error:
            raise Unavailable(reason(error)) from error

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Do some work in a transaction of its own; returns when it is on disk.

        Raises:
            Unavailable: the database cannot be reached, or cannot keep up.
            IntegrityError: a row is there already.
        """
        from sqlalchemy.exc import IntegrityError

        try:
            return await self.writer.run(work)
        except IntegrityError:
            raise
        except _FAULTS as error:
            raise Unavailable(reason(error)) from error

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Ask the database, in a thread.

        Raises:
            Unavailable: it does not answer.
        """

        def ask() -> T:
            with self.engine.connect() as connection:
                return query(connection)

        if self._reading.statistics().tasks_waiting >= _MOST_READERS_WAITING:
            raise Unavailable("it does not keep up: too much waits to be read")
        try:
            with anyio.fail_after(_LONGEST_READ_S):
                return await anyio.to_thread.run_sync(ask, limiter=self._reading, abandon_on_cancel=True)
        except TimeoutError:
            raise Unavailable("it does not answer") from None
        except SQLAlchemyError as error:
            raise Unavailable(reason(error)) from error

    async def check(self, id_: str) -> Stored | None:
        """A stored check; None where there is none of that id."""
        columns = (CHECKS.c.id, CHECKS.c.created_ms, CHECKS.c.caller, CHECKS.c.share)
        rest = (ANSWERS.c.verdict, ANSWERS.c.findings, ANSWERS.c.names, ANSWERS.c.check_request, ANSWERS.c.report)
        query = select(*columns, *rest).join(ANSWERS).where(CHECKS.c.id == id_)
        row = await self.read(lambda connection: connection.execute(query).first())
        return None if row is None else Stored(*row)

    async def checks(self, limit: int, before: str | None) -> list[Stored]:
        """The newest checks, without their contents; `before` is the cursor where a page before ended."""
        columns = (CHECKS.c.id, CHECKS.c.created_ms, CHECKS.c.caller, CHECKS.c.share)
        query = select(*columns, ANSWERS.c.verdict, ANSWERS.c.findings, ANSWERS.c.names).join(ANSWERS)
        if before is not None:
            moment, _, id_ = before.partition(".")
            at = int(moment)
            query = query.where((CHECKS.c.created_ms < at) | ((CHECKS.c.created_ms == at) & (CHECKS.c.id < id_)))
        query = query.order_by(CHECKS.c.created_ms.desc(), CHECKS.c.id.desc()).limit(limit)
        rows = await self.read(lambda connection: connection.execute(query).all())
        return [Stored(*row) for row in rows]

    async def try_out(self) -> None:
        """Find out whether a check could be stored and read now, by doing so; asked often, it is tried once a second.

        Raises:
            Unavailable: it could not.
        """
        if self._trial is None or (self._trial.done() and time.monotonic() - self._tried >= _TRIED_EVERY_S):
            self._trial = asyncio.create_task(self._try())
        try:
            await asyncio.wait_for(asyncio.shield(self._trial), _TRIAL_S)
        except asyncio.TimeoutError:
            failing = self.writer.failed > self.writer.worked
            raise Unavailable(self.writer.why if failing else "it does not answer") from None

    async def _try(self) -> None:
        try:
            await self._write_and_read()
        finally:
            self._tried = time.monotonic()

    async def _write_and_read(self) -> None:
        def write(connection: Connection) -> None:
            mine = {"at_ms": now_ms(), "filler": bytes(_FILLER)}
            changed = connection.execute(update(TRIALS).where(TRIALS.c.node == self._settings.node).values(mine))
            if not changed.rowcount:
                connection.execute(insert(TRIALS).values(node=self._settings.node, **mine))

        await self.write(write)
        await self.read(lambda connection: connection.execute(select(CHECKS.c.id).limit(1)).first())

    async def tidy(self) -> int:
        """Delete what is older or more than is kept, a little at a time; returns how many checks went."""
        gone = 0
        while True:
            number = await self.write(self._tidy_some)
            gone += number
            if number < _DELETED_AT_ONCE:
                await self.write(self._tidy_answers)
                await self.write(self._tidy_nodes)
                return gone

    def _tidy_some(self, connection: Connection) -> int:
        oldest = now_ms() - self._settings.keep_days * MS_A_DAY
        total = connection.execute(select(func.count()).select_from(CHECKS)).scalar() or 0
        excess = min(_DELETED_AT_ONCE, max(0, total - self._settings.keep_checks))
        old = select(CHECKS.c.id).where(CHECKS.c.created_ms < oldest).limit(_DELETED_AT_ONCE)
        ids = set(connection.execute(old).scalars())
        if excess:
            ids |= set(connection.execute(select(CHECKS.c.id).order_by(CHECKS.c.created_ms).limit(excess)).scalars())
        if ids:
            connection.execute(delete(CHECKS).where(CHECKS.c.id.in_(ids)))
        connection.execute(delete(JOBS).where(JOBS.c.updated_ms < oldest, JOBS.c.state.not_in(("queued", "running"))))
        return len(ids)

    def _tidy_nodes(self, connection: Connection) -> None:
        nodes.tidy(connection, now_ms() - self._settings.keep_days * MS_A_DAY, self._settings.keep_checks)

    def _tidy_answers(self, connection: Connection) -> None:
        self.writer.forget()
        used = select(CHECKS.c.digest)
        connection.execute(delete(ANSWERS).where(ANSWERS.c.digest.not_in(used)))
