"""The pages for people: the form at /, what a kind of problem means, and the style and script of both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from fp8check.rules.report import html
from fp8check.service.pages import STATIC, page
from fp8check.service.problems import KINDS, Problem
from fp8check.service.routes.common import caller_of, service_of

if TYPE_CHECKING:
    from fp8check.service.check_request import CheckRequest
    from fp8check.service.check_service import CheckService, StoredAnswer
    from fp8check.service.tokens import Caller
    from fp8check.service.turns import Asker

router = APIRouter(include_in_schema=False)

_LASTS = {"Cache-Control": "public, max-age=300"}
EMPTY = {"training": "", "accelerate": "", "launch": "", "facts": ""}


@router.get("/")
async def form(request: Request) -> Response:
    """The form."""
    caller_of(request).need("check")
    return page(request, "form.html", problem=None, values=EMPTY)


@router.post("/")
async def sent(request: Request) -> Response:
    """Check what the form holds, and go to the stored check; so that the address can be shared, and reloaded."""
    service = service_of(request)
    caller = caller_of(request)
    caller.need("check")
    values = dict(EMPTY)
    content = await request.body()
    asker = service.asker(caller, request.state.waited_s)
    try:
        check_request = await service.parsed(request.headers.get("content-type", ""), content, asker)
        values = _values(check_request)
        environment = check_request.options.environment and "read" in caller.scopes
        options = replace(check_request.options, environment=environment, probe=False, plan=True, goal=None)
        stored = await _checked(service, check_request._replace(options=options), asker, caller)
    except Problem as problem:
        shown = page(request, "form.html", problem.status, problem=problem, kind=KINDS[problem.slug], values=values)
        shown.headers.update(problem.headers)
        return shown
    root = request.scope.get("root_path", "")
    secret = f"?share={stored.share}" if service.settings.share_links else ""
    return RedirectResponse(f"{root}/checks/{stored.id}{secret}", 303)


async def _checked(service: CheckService, check_request: CheckRequest, asker: Asker, caller: Caller) -> StoredAnswer:
    """The check, with what to do; without, where that takes too long, or too many ask for it."""
    try:
        return await service.check(check_request, asker, "json")
    except Problem as problem:
        if problem.slug not in ("too-costly", "busy"):
            raise
    options = replace(check_request.options, plan=False)
    return await service.check(check_request._replace(options=options), service.asker(caller), "json")


def _values(check_request: CheckRequest) -> dict[str, str]:
    """What stood in the form, to stand there again."""
    values = dict(EMPTY, launch=check_request.options.launch or "")
    for file in check_request.files:
        if file.name in ("train.yaml", "accelerate.yaml"):
            values["training" if file.name == "train.yaml" else "accelerate"] = file.text
    if check_request.facts is not None:
        values["facts"] = check_request.facts.text
    return values


@router.get("/problems/{slug}")
async def problem(request: Request, slug: str) -> Response:
    """What a kind of problem means: the page that `type` of an answer opens."""
    kind = KINDS.get(slug)
    if kind is None:
        raise Problem("not-found", "there is no such kind of problem")
    return page(request, "problem.html", slug=slug, kind=kind)


@router.get("/style.css")
async def style() -> Response:
    """The style of the pages, and of reports in HTML."""
    text = html.style() + (STATIC / "page.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css", headers=_LASTS)


@router.get("/page.js")
async def script() -> Response:
    """What makes the form comfortable; the pages work without it."""
    return Response((STATIC / "page.js").read_bytes(), media_type="text/javascript", headers=_LASTS)
