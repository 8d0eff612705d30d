"""The service without HTTP: checks what is asked for, stores what was answered, runs jobs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, NamedTuple

import anyio.to_thread
import structlog

from fp8check.rules import facts as machine
from fp8check.rules.checking.planning import SECONDS
from fp8check.rules.plain_text import shown
from fp8check.service import checking, fleets
from fp8check.service.bodies import parsed
from fp8check.service.cache import AnswerCache, Entry, entry_of
from fp8check.service.check_request import CheckRequest, File, loads
from fp8check.service.formats import OFFERS
from fp8check.service.jobs import Jobs
from fp8check.service.listeners import Listeners
from fp8check.service.machine import OwnMachine
from fp8check.service.metrics import Metrics
from fp8check.service.pool import Lane, Pool
from fp8check.service.problems import Problem
from fp8check.service.store import NewCheck, Store, Unavailable, nodes
from fp8check.service.store.store import now_ms
from fp8check.service.tasks import unpacked
from fp8check.service.tokens import Gate, exposure, load
from fp8check.service.turns import Asker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from fp8check.service.checking import Answer, PlanAnswer
    from fp8check.service.fleets import FleetAnswer, Told
    from fp8check.service.messages import CheckTask, NodesTask, Outcome, ParseTask, PlanTask, RenderTask
    from fp8check.service.settings import Settings
    from fp8check.service.store import Stored
    from fp8check.service.tokens import Caller

_TIDY_EVERY_S = 3600
_LARGEST_PARSED_INLINE = 16 * 1024
_LARGEST_RENDERED_INLINE = 32 * 1024  # of the report and the request that are stored
_RETRY = {"Retry-After": "2"}
_MOST_SHARES = 100
_MOST_NAMES = 255  # characters, as tables.py has it
_log = structlog.get_logger()


class StoredAnswer(NamedTuple):
    """An answer that is stored: the check's id, and the secret that opens it without a token."""

    id: str
    share: str
    answer: Answer


class CheckService:
    """All parts of one running service."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.gate = _gate(settings.tokens_file)
        self.machine = OwnMachine(settings)
        self.store = Store(settings)
        self.jobs = Jobs(settings, self.store, self.machine, self.metrics, self._store_probe)
        self._cache = AnswerCache(settings.cache_bytes)
        self.pool = Pool(settings)
        self.listeners = Listeners(settings.listeners)
        self._lane = Lane(settings)
        self._asides: list[asyncio.Task[None]] = []
        self._shares: dict[str, str] = {}  # of the last probes: the database has the hash only

    async def start(self) -> None:
        """Open the database, look at this machine, and take up what was left.

        Raises:
            SQLAlchemyError: the database cannot be reached.
            BadInterpreter: FP8CHECK_TRAINING_PYTHON is none.
        """
        await anyio.to_thread.run_sync(self.store.open)
        await anyio.to_thread.run_sync(self.machine.look)
        _warm()
        await self.jobs.start()
        self._asides = [
            asyncio.create_task(_again(self._tidy, _TIDY_EVERY_S)),
            asyncio.create_task(_again(self._look, self.settings.own_environment_s)),
        ]

    async def stop(self) -> None:
        """End what runs, write what waits, and let go of the database."""
        for task in self._asides:
            task.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)
        await self.jobs.stop()
        await self.pool.stop()
        await self._lane.stop()
        await anyio.to_thread.run_sync(self.store.close)

    def asker(self, caller: Caller, waited_s: float = 0.0) -> Asker:
        """Who asks, from now on: called when all of a request is there. `waited_s`: how long it has waited already."""
        until = asyncio.get_running_loop().time() + self.settings.check_wait_s - waited_s
        return Asker(caller.name, until)

    async def parsed(self, content_type: str, content: bytes, asker: Asker) -> CheckRequest:
        """The check that a body asks for.

        Raises:
            Problem: the body cannot be read, or does not fit.
        """
        limit = self.settings.body_limit
        if len(content) <= _LARGEST_PARSED_INLINE:
            return await parsed(content_type, content, limit)
        task: ParseTask = {
            "task": "parse",
            "content_type": content_type,
            "body": base64.b64encode(content).decode(),
            "body_limit": limit,
        }
        outcome = await self.pool.do(task, len(content), asker)
        if outcome["event"] != "parsed":
            raise _astray(outcome)
        return loads(outcome["check_request"].encode())

    async def check(self, check_request: CheckRequest, asker: Asker, format_: str) -> StoredAnswer:
        """Check a request, and store the answer; returns when it is on disk.

        Raises:
            Problem: the request cannot be answered, or the answer cannot be stored.
        """
        entry = await self.answer(check_request, asker, format_)
        return await self._store_answer(entry, check_request, asker.caller)

    async def answer(self, check_request: CheckRequest, asker: Asker, format_: str) -> Entry:
        """Check a request, and store nothing.

        Raises:
            Problem: the request cannot be answered.
        """
        dumped = check_request.dumped()
        key = (dumped, format_, self.machine.generation)
        entry = self._cache.get(key)
        self.metrics.cache.labels("miss" if entry is None else "hit").inc()
        if entry is None:
            answer = await self._answer(check_request, asker, format_)
            if answer.check_request == dumped:  # as most are: it is held once
                answer = answer._replace(check_request=dumped)
            entry = entry_of(answer)
            self._cache.put(key, entry)
        return entry

    async def rendered(self, stored: Stored, check_request: CheckRequest, asker: Asker, format_: str | None) -> bytes:
        """A stored check in a format; None: the part of the page that shows it.

        Raises:
            Problem: too much is asked for, or it took too long.
        """
        if format_ == "json":
            return stored.report
        size = len(stored.report) + len(stored.check_request)
        if size <= _LARGEST_RENDERED_INLINE:
            async with self._lane.turn(asker) as helper:
                if helper is None:
                    return checking.stored_as(stored, check_request, format_)
                return _body(await helper.do(_render_task(stored, format_), size))
        return _body(await self.pool.do(_render_task(stored, format_), size, asker))

    async def _answer(self, check_request: CheckRequest, asker: Asker, format_: str) -> Answer:
        size, searches = check_request.size, check_request.options.plan
        if not searches and check_request.is_small(self.settings.inline_limit):
            async with self._lane.turn(asker) as helper:
                if helper is None:
                    return checking.answer(check_request, lambda: self.machine.facts, format_)
                return _answer(await helper.do(self._check_task(check_request, format_), size))
        return _answer(await self.pool.do(self._check_task(check_request, format_), size, asker, searches=searches))

    async def plan(self, check_request: CheckRequest, asker: Asker, format_: str) -> PlanAnswer:
        """What to do about the runs of a request; nothing is stored.

        Args:
            format_: "json" or "text".

        Raises:
            Problem: the request cannot be answered.
        """
        task: PlanTask = {
            "task": "plan",
            "check_request": check_request.dumped().decode(),
            "own": self.machine.dumped,
            "format": format_,
            "seconds": SECONDS,
        }
        outcome = await self.pool.do(task, check_request.size, asker, searches=True)
        if outcome["event"] != "planned":
            raise _astray(outcome)
        return checking.PlanAnswer(base64.b64decode(outcome["body"]), outcome["reached"])

    async def tell(self, job: str, content: bytes, asker: Asker) -> Told:
        """Store what a node tells; returns when it is on disk.

        Raises:
            Problem: it is no report of a node, there is no room for it, or it cannot be stored.
        """
        if len(content) <= _LARGEST_PARSED_INLINE:
            told = fleets.told_by(content)
        else:
            body = base64.b64encode(content).decode()
            outcome = await self.pool.do({"task": "node", "body": body}, len(content), asker)
            if outcome["event"] != "told":
                raise _astray(outcome)
            told = fleets.Told(outcome["host"], outcome["verdict"], outcome["told"])
        node = nodes.NewNode(job, told.host, asker.caller, now_ms(), told.told.encode())
        try:
            await self.store.write(lambda connection: nodes.put(connection, node))
        except nodes.TooMany:
            detail = "the job has as many reports as are kept together: use another name for another cluster"
            raise Problem("too-large", detail) from None
        except Unavailable as error:
            raise Problem("storage", f"the database refused it ({error})", headers=_RETRY) from error
        return told

    async def nodes(
        self, job: str, caller: str | None, expect: int | None, format_: str | None, asker: Asker
    ) -> FleetAnswer | None:
        """What is said of the nodes of a job; None where none reported.

        Args:
            caller: only what that one sent; None: all.
            format_: see `fleets.answered`.

        Raises:
            Problem: the database does not answer, too much is asked for, or it took too long.
        """
        try:
            told = await self.store.read(lambda connection: nodes.reports_of(connection, job, caller))
        except Unavailable as error:
            raise Problem("storage", f"the database does not answer ({error})", headers=_RETRY) from error
        if not told:
            return None
        task: NodesTask = {
            "task": "nodes",
            "told": [one.decode() for one in told],
            "expect": expect,
            "format": format_,
        }
        outcome = await self.pool.do(task, sum(map(len, told)), asker)
        if outcome["event"] != "merged":
            raise _astray(outcome)
        return fleets.FleetAnswer(base64.b64decode(outcome["body"]), outcome["verdict"], outcome["code"])

    def _check_task(self, check_request: CheckRequest, format_: str) -> CheckTask:
        return {
            "task": "check",
            "check_request": check_request.dumped().decode(),
            "own": self.machine.dumped,
            "format": format_,
        }

    async def _store_answer(self, entry: Entry, check_request: CheckRequest, caller: str) -> StoredAnswer:
        id_, share = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        counts = entry.answer.counts
        check = NewCheck(
            id=id_,
            created_ms=now_ms(),
            caller=caller,
            share=digest_of(share),
            digest=entry.digest,
            check_request=entry.answer.check_request,
            report=entry.answer.report,
            verdict=counts.verdict,
            findings=checking.numbers(counts),
            names=_names(check_request),
        )
        try:
            await self.store.add(check)
        except Unavailable as error:
            raise Problem("storage", f"the database refused it ({error})", headers=_RETRY) from error
        self.metrics.checks.labels(counts.verdict).inc()
        return StoredAnswer(id_, share, entry.answer)

    async def _store_probe(self, caller: str, answer: Answer) -> str:
        stored = await self._store_answer(entry_of(answer), loads(answer.check_request), caller)
        self._shares[stored.id] = stored.share
        if len(self._shares) > _MOST_SHARES:
            self._shares.pop(next(iter(self._shares)))
        return stored.id

    def share_of(self, id_: str) -> str | None:
        """The secret of a probe's check, for whoever waits for it; None where it was stored too long ago."""
        return self._shares.get(id_)

    async def _tidy(self) -> None:
        gone = await self.store.tidy()
        if gone:
            _log.info("tidied", checks=gone)

    async def _look(self) -> None:
        await anyio.to_thread.run_sync(self.machine.look)


def _gate(path: Path | None) -> Gate:
    """Who may ask. Tells where others could change that."""
    if path is None:
        return Gate(None)
    gate = Gate(load(path))
    known = exposure(path)
    if known is not None:
        _log.warning("tokens-file", problem=known)
    return gate


def digest_of(share: str) -> str:
    """What is stored of the secret of a share link. It is 128 random bits: its hash cannot be guessed back."""
    return hashlib.sha256(share.encode("utf-8", "replace")).hexdigest()


def _names(check_request: CheckRequest) -> str:
    """The names of the files, for a list of checks: a line each, and as many as fit."""
    kept: list[str] = []
    for file in check_request.files:
        name = shown(file.name)
        if sum(map(len, kept)) + len(kept) + len(name) > _MOST_NAMES:
            break
        kept.append(name)
    return "\n".join(kept)


def _render_task(stored: Stored, format_: str | None) -> RenderTask:
    return {
        "task": "render",
        "check_request": stored.check_request.decode(),
        "report": stored.report.decode(),
        "format": format_,
    }


def _answer(outcome: Outcome) -> Answer:
    if outcome["event"] != "result":
        raise _astray(outcome)
    return unpacked(outcome)


def _body(outcome: Outcome) -> bytes:
    if outcome["event"] != "rendered":
        raise _astray(outcome)
    return base64.b64decode(outcome["body"])


def _astray(outcome: Outcome) -> Problem:
    """A process answered something else than it was asked."""
    return Problem("internal", f"a process answered {outcome['event']}")


def _warm() -> None:
    """Check something in every format: what is imported at its first use is there before the first request."""
    check_request = CheckRequest((File("accelerate.yaml", "mixed_precision: fp8\nfp8_config:\n  backend: TE\n"),))
    for offer in OFFERS:
        checking.answer(check_request, machine.Facts, offer.name)


async def _again(work: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Do something now and then. A failure is logged, and it is tried again."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await work()
        except (Unavailable, machine.BadFacts) as error:
            _log.warning("aside-failed", work=work.__name__, error=type(error).__name__)
