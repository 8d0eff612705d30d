"""/nodes/{job}: the nodes of a cluster report there, and are answered for together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from fp8check.rules.nodes.document import MOST_GPUS, SCHEMA, WORST
from fp8check.rules.schemas.nodes import nodes as schema_of_nodes
from fp8check.service.formats import PLANS, choose, wants_page
from fp8check.service.pages import page, report_parts
from fp8check.service.problems import Problem
from fp8check.service.routes.common import (
    ALWAYS,
    SECURED,
    TheCaller,
    TheService,
    format_parameter,
    problems,
)

router = APIRouter(tags=["nodes"])

Job = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="A name that all nodes know.")]

# What is looked at of HOST.json (`fp8check schema node` is all of it).
_NODE = {
    "type": "object",
    "required": ["schema", "host", "facts", "verdict"],
    "properties": {
        "schema": {"const": SCHEMA},
        "host": {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$", "maxLength": 253},
        "facts": {"type": "object"},
        "seen": {"type": ["array", "null"], "items": {"type": "object"}, "maxItems": MOST_GPUS},
        "verdict": {"enum": [*WORST]},
        "why": {"type": ["array", "null"], "items": {"type": "string"}},
    },
}
_NODES = {key: value for key, value in schema_of_nodes().items() if key not in ("$schema", "title")}
_HEADERS = {
    "FP8check-Verdict": {"schema": {"enum": [*WORST]}, "required": True},
    "FP8check-Exit-Code": {
        "description": "What `fp8check nodes` would exit with.",
        "schema": {"type": "integer"},
        "required": True,
    },
}


class StoredNode(BaseModel):
    """A report that was stored."""

    job: str
    host: str
    verdict: str
    nodes: str


@router.post(
    "/nodes/{job}",
    dependencies=SECURED,
    response_model=StoredNode,
    responses=problems(
        *ALWAYS,
        *("malformed", "scope", "origin", "slow-body", "too-large", "media-type", "invalid", "too-costly"),
        *("storage", "busy"),
    ),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _NODE}}}},
)
async def tell(request: Request, service: TheService, caller: TheCaller, job: Job) -> StoredNode:
    """One node reports: HOST.json, as `fp8check node` writes it. A later report of a node takes the place of the first.

    What is compared of it is stored, and not the rest of it.
    """
    caller.need("check")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem("media-type", f"the body is {kind[:80] or 'of no Content-Type'}; JSON is read")
    content = await request.body()
    told = await service.tell(job, content, service.asker(caller, request.state.waited_s))
    nodes = f"{request.scope.get('root_path', '')}/nodes/{job}"
    return StoredNode(job=job, host=told.host, verdict=told.verdict, nodes=nodes)


@router.get(
    "/nodes/{job}",
    dependencies=SECURED,
    response_class=Response,
    responses={
        200: {
            "description": "What is said of all nodes.",
            "headers": _HEADERS,
            "content": {"application/json": {"schema": _NODES}, "text/plain": {"schema": {"type": "string"}}},
        },
        **problems(*ALWAYS, "scope", "not-found", "no-such-format", "invalid", "storage", "busy", "too-costly"),
    },
    openapi_extra={"parameters": [format_parameter(PLANS)]},
)
async def nodes(
    request: Request,
    service: TheService,
    caller: TheCaller,
    job: Job,
    expect: Annotated[int | None, Query(ge=1, le=10_000_000, description="How many nodes have to report.")] = None,
) -> Response:
    """All nodes of a job, merged: what `fp8check nodes` says. Without the scope read, what this caller sent of them."""
    asked, accept = request.query_params.get("format"), request.headers.get("accept")
    offer = None if asked is None and wants_page(accept) else choose(asked, accept, PLANS)
    asker = service.asker(caller, request.state.waited_s)
    name = None if "read" in caller.scopes else caller.name
    answer = await service.nodes(job, name, expect, None if offer is None else offer.name, asker)
    if answer is None:
        caller.need("read")  # what others sent is not for this caller, nor whether they did
        raise Problem("not-found", "no node has reported for this job, or that was deleted after the time it is kept")
    if offer is None:
        return page(request, "nodes.html", job=job, nodes=report_parts(answer.body), formats=PLANS, expect=expect)
    headers = {"FP8check-Verdict": answer.verdict, "FP8check-Exit-Code": str(answer.code), "Vary": "Accept"}
    return Response(answer.body, media_type=offer.media_type, headers=headers)
