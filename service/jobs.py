"""Probes as jobs: a bounded queue, one at a time on a GPU, each in a process of its own, none lost."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from fp8check.rules import facts as machine
from fp8check.service import child
from fp8check.service.check_request import loads
from fp8check.service.problems import Problem
from fp8check.service.store import Unavailable
from fp8check.service.store.store import now_ms
from fp8check.service.store.tables import JOBS
from fp8check.service.tasks import problem_of, unpacked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy import ColumnElement, Connection

    from fp8check.service.check_request import CheckRequest
    from fp8check.service.checking import Answer
    from fp8check.service.machine import OwnMachine
    from fp8check.service.messages import ProbeTask
    from fp8check.service.metrics import Metrics
    from fp8check.service.settings import Settings
    from fp8check.service.store import Store

    # Stores an answer in a caller's name, and returns the id of the check.
    StoreAnswer = Callable[[str, Answer], Awaitable[str]]

End = Literal["done", "failed", "cancelled", "interrupted"]
State = Literal["queued", "running", End]
ENDED: tuple[End, ...] = get_args(End)
_USUAL_S = 30.0  # what a probe takes, before one has told

_log = structlog.get_logger()


class Job(NamedTuple):
    """A job as it is stored."""

    id: str
    created_ms: int
    updated_ms: int
    caller: str
    state: State
    note: str
    check_id: str | None
    request_digest: str


_COLUMNS = tuple(JOBS.c[name] for name in Job._fields)


class Jobs:
    """The probes of this instance."""

    def __init__(
        self, settings: Settings, store: Store, own: OwnMachine, metrics: Metrics, store_answer: StoreAnswer
    ) -> None:
        self._settings = settings
        self._store = store
        self._own = own
        self._metrics = metrics
        self._store_answer = store_answer
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._changed: dict[str, asyncio.Event] = {}  # of the jobs that have not ended; set anew at each change
        self._running: dict[str, asyncio.Task[None]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._mean_s = 0.0  # of the last probes
        self._submitting = 0  # jobs that are being stored, and wait in no queue yet

    async def start(self) -> None:
        """Find what the last run of this instance left: what ran is reported as interrupted, what waited goes on."""
        note = "the service ended while the probe ran; nothing was decided. Ask again"
        mine = JOBS.c.node == self._settings.node

        def recover(connection: Connection) -> list[str]:
            was = update(JOBS).where(mine, JOBS.c.state == "running")
            connection.execute(was.values(state="interrupted", note=note, updated_ms=now_ms()))
            waiting = select(JOBS.c.id).where(mine, JOBS.c.state == "queued").order_by(JOBS.c.created_ms)
            return list(connection.execute(waiting).scalars())

        for id_ in await self._store.write(recover):
            self._enqueue(id_)
        slots = self._settings.probe_slots or max(1, len(self._own.facts.gpus or ()))
        self._workers = [asyncio.create_task(self._work()) for _ in range(slots)]

    async def stop(self) -> None:
        """End what runs, as interrupted; what waits goes on after the next start."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for id_, run in list(self._running.items()):
            run.cancel()
            await asyncio.wait([run])
            await self._close(id_, "interrupted", "the service was stopped while the probe ran. Ask again")

    async def submit(self, check_request: CheckRequest, caller: str, key: str | None) -> Job:
        """Ask for a probe. With an idempotency key, the same request again is answered with the same job.

        Raises:
            Problem: the queue is full, or the key was used for another request.
            Unavailable: it cannot be stored.
        """
        digest = check_request.digest()
        if key is not None:
            earlier = await self._by_key(caller, key)
            if earlier is not None:
                return _same(earlier, digest)
        waiting = self._queue.qsize() + self._submitting
        if waiting >= self._settings.probe_queue + len(self._workers) - len(self._running):
            headers = {"Retry-After": str(self._one_ends_after_s())}
            raise Problem("queue-full", f"{waiting} probes are waiting", headers=headers)
        now = now_ms()
        job = Job(secrets.token_urlsafe(16), now, now, caller, "queued", "", None, digest)
        row = {
            **job._asdict(),
            "node": self._settings.node,
            "idempotency_key": key,
            "check_request": check_request.dumped(),
        }
        self._submitting += 1
        try:
            await self._store.write(lambda connection: connection.execute(insert(JOBS).values(row)))
        except IntegrityError:
            first = await self._by_key(caller, key or "")  # two retries at the same moment
            if first is None:
                raise
            return _same(first, digest)
        finally:
            self._submitting -= 1
        self._enqueue(job.id)
        return job

    def _one_ends_after_s(self) -> int:
        """In how many seconds a probe will have ended, as far as those before it tell."""
        usual = self._mean_s or min(_USUAL_S, self._settings.probe_timeout_s)
        return max(1, math.ceil(usual / max(1, len(self._workers))))

    async def get(self, id_: str) -> Job | None:
        """A job; None where there is none of that id."""
        return await self._one(JOBS.c.id == id_)

    async def _by_key(self, caller: str, key: str) -> Job | None:
        return await self._one(JOBS.c.caller == caller, JOBS.c.idempotency_key == key)

    async def _one(self, *where: ColumnElement[bool]) -> Job | None:
        query = select(*_COLUMNS).where(*where)
        row = await self._store.read(lambda connection: connection.execute(query).first())
        return None if row is None else Job(*row)

    async def cancel(self, id_: str) -> Job | None:
        """End a job; None where there is none of that id.

        Raises:
            Problem: it has ended already.
        """
        note = "cancelled by the caller"

        def mark(connection: Connection) -> int:
            open_ = update(JOBS).where(JOBS.c.id == id_, JOBS.c.state.in_(("queued", "running")))
            return connection.execute(open_.values(state="cancelled", note=note, updated_ms=now_ms())).rowcount

        changed = await self._store.write(mark)
        running = self._running.get(id_)
        if running is not None:
            running.cancel()
        self._say(id_)
        job = await self.get(id_)
        if job is not None and not changed:
            raise Problem("conflict", f"the job is {job.state}")
        if changed:
            self._metrics.jobs.labels("cancelled").inc()
            self._changed.pop(id_, None)
        return job

    async def wait(self, id_: str, seconds: float) -> Job | None:
        """The job when it has ended, or as it is after that time."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended(id_), seconds)
        return await self.get(id_)

    async def _ended(self, id_: str) -> None:
        async for job in self.follow(id_):
            if job.state in ENDED:
                return

    async def follow(self, id_: str) -> AsyncIterator[Job]:
        """The job now, and at each change until it has ended."""
        while True:
            changed = self._changed.get(id_)
            job = await self.get(id_)
            if job is None:
                return
            yield job
            if job.state in ENDED:
                return
            # A job of another instance is looked at now and then; our own tells.
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait() if changed is not None else asyncio.sleep(2), 5)

    def _enqueue(self, id_: str) -> None:
        self._changed[id_] = asyncio.Event()
        self._queue.put_nowait(id_)
        self._metrics.waiting.set(self._queue.qsize())

    def _say(self, id_: str) -> None:
        """Wake all that follow a job."""
        before = self._changed.get(id_)
        if before is not None:
            self._changed[id_] = asyncio.Event()
            before.set()

    async def _work(self) -> None:
        while True:
            id_ = await self._queue.get()
            self._metrics.waiting.set(self._queue.qsize())
            began = asyncio.get_running_loop().time()
            run = asyncio.create_task(self._run(id_))
            self._running[id_] = run
            self._metrics.running.set(len(self._running))
            run.add_done_callback(partial(self._ran, id_))
            await asyncio.wait([run])  # however it ends; where this worker is cancelled, stop() looks after the run
            took = asyncio.get_running_loop().time() - began
            self._mean_s = took if not self._mean_s else (3 * self._mean_s + took) / 4

    def _ran(self, id_: str, _run: asyncio.Task[None]) -> None:
        self._running.pop(id_, None)
        self._metrics.running.set(len(self._running))

    async def _run(self, id_: str) -> None:
        """Run one job to its end, whatever that is."""
        try:
            await self._probe(id_)
        except child.Ended as ended:
            await self._close(id_, "failed", f"the probe {ended}; nothing was decided")
        except Problem as problem:
            await self._close(id_, "failed", problem.detail)
        except Unavailable:
            _log.error("job-not-stored", job=id_)
        except Exception as error:  # noqa: BLE001  a job that ends in silence would be waited for for ever
            _log.error("job-crash", job=id_, error=type(error).__name__)
            await self._close(id_, "failed", "the service failed; nothing was decided")

    async def _probe(self, id_: str) -> None:
        begun = await self._begin(id_)
        if begun is None:
            return  # it was cancelled while it waited
        caller, check_request = begun
        task: ProbeTask = {
            "task": "probe",
            "check_request": check_request.dumped().decode(),
            "own": machine.dump(self._own.facts),
            "runner": self._settings.probe_runner,
            "python": self._settings.training_python,
        }
        async with contextlib.aclosing(child.run(task, limit_s=self._settings.probe_timeout_s)) as events:
            async for event in events:
                if event["event"] == "progress":
                    await self._note(id_, event["text"][:500])
                elif event["event"] == "problem":
                    raise problem_of(event)
                elif event["event"] == "result":
                    check_id = await self._store_answer(caller, unpacked(event))
                    await self._close(id_, "done", "", check_id)

    async def _begin(self, id_: str) -> tuple[str, CheckRequest] | None:
        def mark(connection: Connection) -> tuple[str, bytes] | None:
            waiting = update(JOBS).where(JOBS.c.id == id_, JOBS.c.state == "queued")
            if not connection.execute(waiting.values(state="running", updated_ms=now_ms())).rowcount:
                return None
            row = connection.execute(select(JOBS.c.caller, JOBS.c.check_request).where(JOBS.c.id == id_)).one()
            return row[0], row[1]

        begun = await self._store.write(mark)
        self._say(id_)
        return None if begun is None else (begun[0], loads(begun[1]))

    async def _note(self, id_: str, note: str) -> None:
        running = update(JOBS).where(JOBS.c.id == id_, JOBS.c.state == "running")
        await self._store.write(lambda one: one.execute(running.values(note=note, updated_ms=now_ms())))
        self._say(id_)

    async def _close(self, id_: str, state: End, note: str, check_id: str | None = None) -> None:
        """The end of a job. One that was cancelled stays so."""
        open_ = update(JOBS).where(JOBS.c.id == id_, JOBS.c.state.in_(("queued", "running")))
        values = {"state": state, "note": note, "check_id": check_id, "updated_ms": now_ms()}
        try:
            changed = await self._store.write(lambda one: one.execute(open_.values(values)).rowcount)
        except Unavailable:
            _log.error("job-not-stored", job=id_, state=state)
            return
        if changed:
            self._metrics.jobs.labels(state).inc()
        self._say(id_)
        self._changed.pop(id_, None)


def _same(job: Job, digest: str) -> Job:
    if job.request_digest != digest:
        raise Problem("key-reused", "this Idempotency-Key belongs to another request")
    return job
