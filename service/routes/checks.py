"""/checks and /checks/{id}: what was checked, in every format, and as a page."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from fp8check.rules.checking.verdict import exit_code
from fp8check.service import checking
from fp8check.service.check_request import loads
from fp8check.service.check_service import digest_of
from fp8check.service.comparing import compared
from fp8check.service.formats import CONTENT, OFFERS, choose, wants_page
from fp8check.service.pages import page, report_parts
from fp8check.service.problems import Problem
from fp8check.service.routes.common import (
    ALWAYS,
    SECURED,
    TheCaller,
    TheService,
    caller_of,
    format_parameter,
    problems,
    service_of,
)
from fp8check.service.routes.jobs import when
from fp8check.service.store import Unavailable
from fp8check.service.tokens import Caller

if TYPE_CHECKING:
    from fp8check.service.check_service import CheckService
    from fp8check.service.store import Stored

router = APIRouter(tags=["check"])

_LONGEST_ID = 32
_MOST_COMPARED = 2 * 1024 * 1024  # bytes of both, with what was asked
CheckId = Annotated[str, Path(alias="id", pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class StoredCheck(BaseModel):
    """A stored check, in short."""

    id: str
    created: str
    caller: str
    names: list[str]
    verdict: str
    errors: int
    warnings: int
    report: str


class StoredChecks(BaseModel):
    """The newest checks, and where the older ones are."""

    checks: list[StoredCheck]
    next: str | None


def short(stored: Stored, root: str) -> StoredCheck:
    """A stored check, in short."""
    counts = checking.counts_of(stored)
    return StoredCheck(
        id=stored.id,
        created=when(stored.created_ms),
        caller=stored.caller,
        names=stored.names.splitlines(),
        verdict=stored.verdict,
        errors=counts.error,
        warnings=counts.warning,
        report=f"{root}/checks/{stored.id}",
    )


@router.get(
    "/checks",
    dependencies=SECURED,
    response_model=StoredChecks,
    responses=problems(*ALWAYS, "scope", "invalid", "storage"),
)
async def checks(
    request: Request,
    service: TheService,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[
        str | None, Query(pattern=r"^[0-9]{1,15}\.[A-Za-z0-9_-]{1,32}$", description="As `next` has it.")
    ] = None,
) -> StoredChecks | Response:
    """What was checked, the newest first."""
    caller.need("read")
    root = request.scope.get("root_path", "")
    try:
        found = await service.store.checks(limit, before)
    except Unavailable as error:
        raise Problem("storage", f"the database does not answer ({error})", headers={"Retry-After": "2"}) from error
    more = f"{root}/checks?limit={limit}&before={found[-1].cursor}" if len(found) == limit else None
    body = StoredChecks(checks=[short(one, root) for one in found], next=more)
    if wants_page(request.headers.get("accept")):
        return page(request, "checks.html", checks=body.checks, next=more)
    return body


async def stored_check(service: CheckService, id_: str) -> Stored:
    """A stored check.

    Raises:
        Problem: there is none of that id, or the database does not answer.
    """
    try:
        stored = await service.store.check(id_)
    except Unavailable as error:
        raise Problem("storage", f"the database does not answer ({error})", headers={"Retry-After": "2"}) from error
    if stored is None:
        raise Problem("not-found", "no check has this id, or it was deleted after the time that checks are kept")
    return stored


@router.get("/compare", include_in_schema=False)
async def compare(
    request: Request,
    service: TheService,
    caller: TheCaller,
    ids: Annotated[list[str] | None, Query(alias="id", max_length=200)] = None,
) -> Response:
    """Two stored checks side by side, for people."""
    caller.need("read")
    if ids is None or len(ids) != 2:
        raise Problem("invalid", "two checks are compared: tick two of the list")
    first, second = [await stored_check(service, one[:_LONGEST_ID]) for one in ids]
    size = sum(len(one.report) + len(one.check_request) for one in (first, second))
    if size > _MOST_COMPARED:
        raise Problem("too-costly", "these checks are too large to be compared on a page; their JSON has all of them")
    found = await anyio.to_thread.run_sync(compared, first, second)
    root = request.scope.get("root_path", "")
    return page(request, "compared.html", compared=found, checks=[short(one, root) for one in (first, second)])


@router.get(
    "/checks/{id}",
    dependencies=SECURED,
    response_class=Response,
    responses={
        200: {"description": "The report.", "content": CONTENT},
        **problems(*ALWAYS, "scope", "not-found", "no-such-format", "invalid", "storage", "busy", "too-costly"),
    },
    openapi_extra={"parameters": [format_parameter(OFFERS)]},
)
async def stored(
    request: Request,
    id_: CheckId,
    share: Annotated[
        str | None, Query(max_length=64, description="The secret of a share link, in place of a token.")
    ] = None,
) -> Response:
    """A stored check: the report as it was answered, in any format. A browser gets a page."""
    service = service_of(request)
    if share is None or not service.settings.share_links:
        share = None
        caller = caller_of(request)
        found = await stored_check(service, id_)
        if found.caller != caller.name:  # what they asked for themselves, they have seen
            caller.need("read")
    else:
        caller = Caller(f"share {id_}", frozenset())
        found = await stored_check(service, id_)
        if not hmac.compare_digest(found.share, digest_of(share)):
            raise Problem("not-found", "no check has this id, or it was deleted after the time that checks are kept")
    asked, accept = request.query_params.get("format"), request.headers.get("accept")
    check_request, asker = loads(found.check_request), service.asker(caller, request.state.waited_s)
    if asked is None and wants_page(accept):
        # The secret is only known to whoever brings it: what is stored is its hash.
        link = None if share is None else f"{request.scope.get('root_path', '')}/checks/{found.id}?share={share}"
        return page(
            request,
            "check.html",
            report=report_parts(await service.rendered(found, check_request, asker, None)),
            names=[file.name for file in check_request.files],
            link=link,
            created=when(found.created_ms),
            id=found.id,
            formats=OFFERS,
            shared=share,
        )
    offer = choose(asked, accept)
    body = await service.rendered(found, check_request, asker, offer.name)
    counts = checking.counts_of(found)
    code = exit_code(counts, check_request.options.fail_on, require_evidence=check_request.options.require_evidence)
    headers = {"FP8check-Verdict": counts.verdict, "FP8check-Exit-Code": str(code), "Vary": "Accept"}
    return Response(body, media_type=offer.media_type, headers=headers)
