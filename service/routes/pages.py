"""The pages for people: the form at /, what a kind of problem means, and the style and script of both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from fp8check.rules.report import html
from fp8check.service.bodies import typed
from fp8check.service.example import EXAMPLE
from fp8check.service.machine_words import gpus, preset_of, stacks, words_of
from fp8check.service.pages import STATIC, page
from fp8check.service.problems import KINDS, Problem
from fp8check.service.routes.common import caller_of, service_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.service.check_request import CheckRequest
    from fp8check.service.check_service import CheckService, StoredAnswer
    from fp8check.service.tokens import Caller
    from fp8check.service.turns import Asker

router = APIRouter(include_in_schema=False)

_LASTS = {"Cache-Control": "public, max-age=300"}
EMPTY = {"training": "", "accelerate": "", "launch": "", "facts": "", "gpu": "", "gpus": "", "stack": ""}
# What starts a run, as --launch takes it without a command.
_LAUNCHERS = ("accelerate", "torchrun", "python")


@router.get("/")
async def form(request: Request, example: bool = False) -> Response:
    """The form: empty, or with an example in it."""
    caller_of(request).need("check")
    return _form(request, EXAMPLE if example else {}, example=example)


def _form(request: Request, values: Mapping[str, str], status: int = 200, **more: object) -> Response:
    """The form with these values, and what it offers to be picked."""
    known = {name: values.get(name, "") for name in EMPTY}
    preset = preset_of(known["stack"])
    return page(
        request,
        "form.html",
        status,
        **{"problem": None, "example": False, **more},
        values=known,
        gpus=gpus(),
        stacks=stacks(),
        preset=preset,
        launchers=_LAUNCHERS,
        is_open=any(known[name] for name in ("launch", "facts", "gpu", "stack")),
    )


@router.post("/")
async def sent(request: Request) -> Response:
    """Check what the form holds, and go to the stored check; so that the address can be shared, and reloaded."""
    service = service_of(request)
    caller = caller_of(request)
    caller.need("check")
    values: Mapping[str, str] | None = None
    content_type, content = request.headers.get("content-type", ""), await request.body()
    asker = service.asker(caller, request.state.waited_s)
    try:
        check_request = await service.parsed(content_type, content, asker)
        values = _values(check_request)
        environment = check_request.options.environment and "read" in caller.scopes
        options = replace(check_request.options, environment=environment, probe=False, plan=True, goal=None)
        stored = await _checked(service, check_request._replace(options=options), asker, caller)
    except Problem as problem:
        if values is None:
            values = await typed(content_type, content)
        shown = _form(request, values, problem.status, problem=problem, kind=KINDS[problem.slug])
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
        words = words_of(check_request.facts)
        values.update({"facts": check_request.facts.text} if words is None else words._asdict())
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
