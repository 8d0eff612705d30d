"""/jobs/{id}: a probe's state, its progress as it comes, and its end."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain
from fp8check.service.jobs import State
from fp8check.service.problems import Problem
from fp8check.service.routes.common import ALWAYS, SECURED, TheCaller, TheService, problems
from fp8check.service.store import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from fp8check.service.check_service import CheckService
    from fp8check.service.jobs import Job
    from fp8check.service.listeners import Listeners
    from fp8check.service.tokens import Caller

router = APIRouter(tags=["jobs"])

# A stream ends after this long; a browser's EventSource asks again by itself.
_LONGEST_STREAM_S = 600

JobId = Annotated[str, Path(alias="id", pattern=r"^[A-Za-z0-9_-]{1,32}$")]


# What an event is made of; `data` is a job as JSON.
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {"event": {"const": "job"}, "id": {"type": "string"}, "data": {"type": "string"}},
}


class _Stream(EventSourceResponse):
    """Events, to one of no more listeners than may be."""

    def __init__(self, changes: AsyncIterator[dict[str, str]], listeners: Listeners) -> None:
        super().__init__(changes, ping=15, send_timeout=30)
        self._listeners = listeners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events as they come."""
        with self._listeners.one():
            await super().__call__(scope, receive, send)


class JobBody(BaseModel):
    """A probe that was asked for. `report` is where its check is stored, once it is done."""

    id: str
    state: State
    note: str
    created: str
    updated: str
    events: str
    cancel: str
    report: str | None


def when(ms: int) -> str:
    """A moment as ISO 8601, UTC."""
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds")


def body_of(job: Job, root: str) -> JobBody:
    """A job as the service shows it."""
    place = f"{root}/jobs/{job.id}"
    report = None if job.check_id is None else f"{root}/checks/{job.check_id}"
    return JobBody(
        id=job.id,
        state=job.state,
        note=job.note,
        created=when(job.created_ms),
        updated=when(job.updated_ms),
        events=f"{place}/events",
        cancel=f"{place}/cancel",
        report=report,
    )


async def _job(service: CheckService, caller: Caller, id_: str) -> Job:
    """The job, where the caller may see it: it is their own, or they may read."""
    try:
        job = await service.jobs.get(id_)
    except Unavailable as error:
        raise Problem("storage", f"the database does not answer ({error})", headers={"Retry-After": "2"}) from error
    if job is None or not (job.caller == caller.name or "read" in caller.scopes):
        raise Problem("not-found", "no job has this id")
    return job


_EACH = (*ALWAYS, "not-found", "invalid", "storage")
_PROBLEMS = problems(*_EACH)


@router.get("/jobs/{id}", dependencies=SECURED, responses=_PROBLEMS)
async def job(request: Request, service: TheService, caller: TheCaller, id_: JobId) -> JobBody:
    """How a probe stands."""
    return body_of(await _job(service, caller, id_), request.scope.get("root_path", ""))


@router.get(
    "/jobs/{id}/events",
    dependencies=SECURED,
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": _EVENT}}}, **problems(*_EACH, "busy")},
)
async def events(request: Request, service: TheService, caller: TheCaller, id_: JobId) -> EventSourceResponse:
    """Each change of a probe as a server-sent event `job`, until it has ended."""
    await _job(service, caller, id_)
    root = request.scope.get("root_path", "")

    async def changes() -> AsyncIterator[dict[str, str]]:
        ends = asyncio.get_running_loop().time() + _LONGEST_STREAM_S
        async for one in service.jobs.follow(id_):
            data = plain(masked_shapes(json.dumps(body_of(one, root).model_dump())), "json")
            yield {"event": "job", "id": str(one.updated_ms), "data": data}
            if asyncio.get_running_loop().time() > ends:
                return

    return _Stream(changes(), service.listeners)


@router.post(
    "/jobs/{id}/cancel", dependencies=SECURED, responses={**_PROBLEMS, **problems("conflict", "origin", "scope")}
)
async def cancel(request: Request, service: TheService, caller: TheCaller, id_: JobId) -> JobBody:
    """End a probe that waits or runs; its process is killed."""
    caller.need("probe")
    await _job(service, caller, id_)
    try:
        ended = await service.jobs.cancel(id_)
    except Unavailable as error:
        raise Problem("storage", f"the database does not answer ({error})", headers={"Retry-After": "2"}) from error
    if ended is None:
        raise Problem("not-found", "no job has this id")
    return body_of(ended, request.scope.get("root_path", ""))
