"""What the routes share: who asks, the service, and what OpenAPI says of problems."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBasic, HTTPBearer
from pydantic import BaseModel, JsonValue
from starlette.requests import HTTPConnection

from fp8check.service.check_service import CheckService
from fp8check.service.problems import KINDS, MEDIA_TYPE, Problem
from fp8check.service.tokens import Caller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.report.formats import Format
    from fp8check.service.check_request import CheckRequest
    from fp8check.service.turns import Asker


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


async def asked(request: Request, caller: Caller, leaves: frozenset[str], to: str) -> tuple[CheckRequest, Asker]:
    """What a body asks for, and who asks, from the moment on that all of it is there.

    Args:
        leaves: the options that are another route's.
        to: that route.

    Raises:
        Problem: the body cannot be read, or does not fit.
    """
    service = service_of(request)
    content = await request.body()
    asker = service.asker(caller, request.state.waited_s)
    check_request = await service.parsed(request.headers.get("content-type", ""), content, asker)
    other = check_request.options.given(leaves)
    if other is not None:
        message = f"{other} is for {to}"
        raise Problem("invalid", message, errors=[{"field": f"/options/{other}", "message": message}])
    if "read" not in caller.scopes:
        # What this machine is, is not for this caller.
        check_request = check_request._replace(options=replace(check_request.options, environment=False))
    return check_request, asker


def format_parameter(offers: Sequence[Format]) -> dict[str, object]:
    """What OpenAPI says of ?format=."""
    return {
        "name": "format",
        "in": "query",
        "description": "Goes before Accept.",
        "schema": {"type": "string", "enum": [offer.name for offer in offers]},
    }


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
