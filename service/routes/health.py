"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.responses import Response

from fp8check.rules.version import VERSION
from fp8check.service.problems import Problem
from fp8check.service.routes.common import ALWAYS, SECURED, TheCaller, TheService, problems
from fp8check.service.store import Unavailable

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """That the service runs, and which release."""

    status: str
    version: str


@router.get("/healthz", responses=problems("host", "internal"))
async def healthz() -> Health:
    """Whether the process runs; asks nothing of the database."""
    return Health(status="ok", version=VERSION)


@router.get("/readyz", responses=problems("host", "internal", "storage"))
async def readyz(service: TheService) -> Health:
    """Whether checks can be answered: the database takes one, and gives it back."""
    try:
        await service.store.try_out()
    except Unavailable as error:
        raise Problem("storage", f"the database cannot be used: {error}", headers={"Retry-After": "5"}) from error
    return Health(status="ready", version=VERSION)


@router.get(
    "/metrics",
    dependencies=SECURED,
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(*ALWAYS, "scope", "not-found"),
    },
)
async def metrics(service: TheService, caller: TheCaller) -> Response:
    """Numbers for Prometheus."""
    caller.need("read")
    if not service.settings.metrics:
        raise Problem("not-found", "this service was set up without metrics")
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)
