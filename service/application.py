"""The application: routes, problems, and what is around every request."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.facts import BadFacts
from fp8check.rules.plain_text import plain
from fp8check.rules.version import VERSION
from fp8check.service import logs, problems
from fp8check.service.check_service import CheckService
from fp8check.service.middleware import RequestMiddleware
from fp8check.service.models import CheckBody
from fp8check.service.problems import Problem, of_status
from fp8check.service.reportmodel import Plans, Report
from fp8check.service.routes import check, checks, health, jobs, nodes, pages, plan, rules
from fp8check.service.routes.common import ProblemBody
from fp8check.service.settings import Settings
from fp8check.service.store import Unavailable
from fp8check.service.store.reasons import reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

ABOUT = """\
Will this training run really train in FP8, with the recipe you wrote, and will that pay? Send the training file and the
Accelerate file; the answer is the report of the command `fp8check`, field by field. Every answer of 400 and above is
`application/problem+json`, and its `type` opens a page that says what to do.
"""

_PARTS = (check, plan, checks, jobs, nodes, rules, health, pages)


class PlainJSONResponse(JSONResponse):
    """JSON that can be shown in a terminal."""

    def render(self, content: object) -> bytes:
        """The body."""
        return plain(masked_shapes(json.dumps(content, ensure_ascii=False, separators=(",", ":"))), "json").encode()


class Application(FastAPI):
    """FastAPI, with an OpenAPI document that has the bodies which routes read themselves."""

    def openapi(self) -> dict[str, object]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            made = get_openapi(title=self.title, version=self.version, description=self.description, routes=self.routes)
            schemas: dict[str, object] = made.setdefault("components", {}).setdefault("schemas", {})
            for model in (CheckBody, Report, Plans, ProblemBody):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}", by_alias=True)
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
            self.openapi_schema = made
        return self.openapi_schema


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service, with settings from the environment where none are given.

    Raises:
        BadTokens: a line of the tokens file cannot be understood.
        OSError: the tokens file cannot be read.
    """
    settings = settings if settings is not None else Settings()
    logs.configure(settings)
    service = CheckService(settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            await service.start()
        except (SQLAlchemyError, Unavailable, BadFacts, OSError) as error:
            app.state.failure = _why(error, settings)
            raise
        _settle()
        try:
            yield
        finally:
            await service.stop()

    app = Application(
        title="fp8check",
        version=VERSION,
        description=ABOUT,
        lifespan=lifespan,
        default_response_class=PlainJSONResponse,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.service = service
    app.state.failure = None
    app.add_middleware(RequestMiddleware, settings=settings, metrics=service.metrics, open_=service.gate.is_open)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(RequestValidationError, _of_validation)
    for part in _PARTS:
        app.include_router(part.router)
    return app


def _why(error: Exception, settings: Settings) -> str:
    """Why the service cannot start, in words that hold no password."""
    if isinstance(error, BadFacts):
        return f"FP8CHECK_TRAINING_PYTHON: {error}"
    if isinstance(error, (SQLAlchemyError, Unavailable)):
        why = reason(error)
        shown = make_url(settings.database.get_secret_value()).render_as_string(hide_password=True)
        return f"FP8CHECK_DATABASE: {shown} does not answer, or cannot be brought up to date: {why}"
    return f"FP8CHECK_DATABASE: {error}"


def _settle() -> None:
    """What is there now stays: the garbage collector need not look at it again, and may wait longer between looks."""
    gc.enable()  # the command runs without: its other processes are short-lived
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    # The thread that writes needs the interpreter for moments between its waits for the disk: let it have it sooner.
    sys.setswitchinterval(0.001)


async def _of_framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = error.headers
    methods = _methods(request) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else []
    if methods:
        headers = {**(headers or {}), "Allow": ", ".join(methods)}
    return _answer(request, of_status(error.status_code, str(error.detail), headers))


def _methods(request: Request) -> list[str]:
    """What may be done at this address: the framework names what the first of its routes takes."""
    there = [one for part in _PARTS for one in part.router.routes if one.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for one in there for method in getattr(one, "methods", None) or ()})


async def _of_validation(request: Request, error: Exception) -> Response:
    """A parameter that does not fit. Its value is not repeated."""
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [{"field": "/".join(str(part) for part in one["loc"]), "message": one["msg"]} for one in error.errors()]
    return _answer(request, Problem("invalid", f"{faults[0]['field']}: {faults[0]['message']}", errors=faults))


def _answer(request: Request, problem: Problem) -> Response:
    return problems.answer(problem, root=request.scope.get("root_path", ""), request_id=request.state.request_id)
