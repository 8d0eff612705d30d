"""What the routes share: who asks, the service, and what OpenAPI says of problems."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBasic, HTTPBearer
from pydantic import BaseModel, JsonValue
from starlette.requests import HTTPConnection

from fp8check.service.check_service import CheckService
from fp8check.service.problems import KINDS, MEDIA_TYPE
from fp8check.service.tokens import Caller


# Only for OpenAPI: tokens.py reads the header, so that a wrong one is answered with a problem.
class _Bearer(HTTPBearer):
    async def __call__(self, request: HTTPConnection) -> None:
        """Read nothing."""


class _Basic(HTTPBasic):
    async def __call__(self, request: HTTPConnection) -> None:
        """Read nothing."""


_BEARER = _Bearer(scheme_name="token", description="A token of this service.")
_BASIC = _Basic(scheme_name="browser", description="Any user name, and a token as password.")


class ProblemBody(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[dict[str, JsonValue]] | None = None


def service_of(request: Request) -> CheckService:
    """The running service."""
    service: CheckService = request.app.state.service
    return service


def caller_of(request: Request) -> Caller:
    """Who sends this request.

    Raises:
        Problem: no valid token.
    """
    caller = service_of(request).gate.caller(request.scope, request.headers)
    request.state.caller = caller.name
    return caller


TheService = Annotated[CheckService, Depends(service_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
SECURED = [Security(_BEARER), Security(_BASIC)]


def problems(*slugs: str) -> dict[int | str, dict[str, object]]:
    """What OpenAPI says of these kinds of problems, by status."""
    responses: dict[int | str, dict[str, object]] = {}
    for slug in slugs:
        kind = KINDS[slug]
        known = responses.get(kind.status)
        words = f"{known['description']}; {kind.title.lower()}" if known is not None else kind.title
        responses[kind.status] = {
            "description": words,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        if "Retry-After" in kind.about:
            responses[kind.status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "required": True}}
    return responses


ALWAYS = ("token", "host", "internal")
