"""POST /check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from fp8check.rules.checking.exit_codes import OF_CHECKS
from fp8check.rules.checking.verdict import exit_code
from fp8check.service import checking
from fp8check.service.formats import CONTENT, OFFERS, choose
from fp8check.service.forms import schema
from fp8check.service.options import OF_PLAN
from fp8check.service.problems import Problem
from fp8check.service.routes.common import ALWAYS, SECURED, asked, caller_of, format_parameter, problems, service_of
from fp8check.service.routes.jobs import JobBody, body_of
from fp8check.service.store import Unavailable

if TYPE_CHECKING:
    from fp8check.rules.checking.verdict import Counts
    from fp8check.rules.report.formats import Format
    from fp8check.service.check_request import CheckRequest
    from fp8check.service.check_service import CheckService
    from fp8check.service.tokens import Caller
    from fp8check.service.turns import Asker

router = APIRouter(tags=["check"])

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def answered(
    service: CheckService,
    request: Request,
    check_request: CheckRequest,
    stored: tuple[str, str | None],
    body: bytes,
    offer: Format,
    counts: Counts,
) -> Response:
    """An answer, with where it is stored and what the command would exit with."""
    id_, share = stored
    root = request.scope.get("root_path", "")
    code = exit_code(counts, check_request.options.fail_on, require_evidence=check_request.options.require_evidence)
    headers = {
        "Content-Location": f"{root}/checks/{id_}",
        "FP8check-Verdict": counts.verdict,
        "FP8check-Exit-Code": str(code),
        "Vary": "Accept",
    }
    if service.settings.share_links and share is not None:
        headers["Link"] = f'<{root}/checks/{id_}?share={share}>; rel="share"'
    return Response(body, headers=headers, media_type=offer.media_type)


_HEADERS = {
    "Content-Location": {"description": "Where the check is stored.", "schema": {"type": "string"}, "required": True},
    "FP8check-Verdict": {"schema": {"type": "string", "enum": ["fail", "warn", "pass", "undecided"]}, "required": True},
    "FP8check-Exit-Code": {
        "description": "What the command would exit with.",
        "schema": {"type": "integer", "enum": sorted(OF_CHECKS)},
        "required": True,
    },
    "Link": {"description": "A link that opens the stored check without a token.", "schema": {"type": "string"}},
}


@router.post(
    "/check",
    dependencies=SECURED,
    response_class=Response,
    responses={
        200: {"description": "The report.", "headers": _HEADERS, "content": CONTENT},
        202: {
            "description": "A probe was asked for, and is a job now.",
            "model": JobBody,
            "headers": {"Location": {"schema": {"type": "string"}, "required": True}},
        },
        **problems(
            *ALWAYS,
            *("malformed", "scope", "origin", "no-such-format", "slow-body", "too-large", "media-type"),
            *("unreadable", "no-run", "invalid", "key-reused", "too-costly", "no-probe"),
            *("storage", "busy", "queue-full"),
        ),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/CheckBody"}},
                "multipart/form-data": {"schema": schema()},
            },
        },
        "parameters": [
            format_parameter(OFFERS),
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "For probes: the same key with the same body is the same job.",
                "schema": {"type": "string", "pattern": r"^[!-~]{1,255}$"},
            },
            {
                "name": "Prefer",
                "in": "header",
                "description": "For probes: `wait=60` answers with the report where it is there in time.",
                "schema": {"type": "string"},
            },
        ],
    },
)
async def check(request: Request) -> Response:
    """Check the files of a run, or of several: the same result as the command `fp8check`, field by field."""
    service = service_of(request)
    caller = caller_of(request)
    caller.need("check")
    offer = choose(request.query_params.get("format"), request.headers.get("accept"))
    if _KEY.fullmatch(request.headers.get("idempotency-key", "-")) is None:
        raise Problem("malformed", "Idempotency-Key is 1 to 255 visible ASCII characters")
    check_request, asker = await asked(request, caller, OF_PLAN, "POST /plan")
    if check_request.options.probe:
        return await _probe(service, request, caller, asker, check_request, offer)
    stored = await service.check(check_request, asker, offer.name)
    return answered(
        service, request, check_request, (stored.id, stored.share), stored.answer.body, offer, stored.answer.counts
    )


async def _probe(
    service: CheckService, request: Request, caller: Caller, asker: Asker, check_request: CheckRequest, offer: Format
) -> Response:
    caller.need("probe")
    if not service.settings.probe:
        raise Problem("no-probe", "probes are switched off here")
    await service.answer(check_request, asker, "json")  # files that cannot be read are refused now, and wait for no GPU
    key = request.headers.get("idempotency-key")
    wait = _WAIT.search(request.headers.get("prefer", "")) if not service.listeners.is_full else None
    try:
        job = await service.jobs.submit(check_request, caller.name, key)
        if wait is not None:
            with service.listeners.one():
                job = await service.jobs.wait(job.id, min(int(wait[1]), service.settings.wait_limit_s)) or job
        stored = await service.store.check(job.check_id) if job.check_id is not None else None
    except Unavailable as error:
        raise Problem("storage", f"the database refused it ({error})", headers={"Retry-After": "2"}) from error
    root = request.scope.get("root_path", "")
    if wait is None or stored is None:
        headers = {"Location": f"{root}/jobs/{job.id}", "Retry-After": "2"}
        body = body_of(job, root).model_dump_json()
        return Response(body, 202, headers=headers, media_type="application/json")
    body_ = await service.rendered(stored, check_request, service.asker(caller), offer.name)
    counts = checking.counts_of(stored)
    response = answered(service, request, check_request, (stored.id, service.share_of(stored.id)), body_, offer, counts)
    response.headers["Preference-Applied"] = f"wait={wait[1]}"
    return response
