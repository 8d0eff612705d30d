"""POST /plan."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from fp8check.rules.checking.exit_codes import ExitCode
from fp8check.service.formats import PLAN_CONTENT, PLANS, choose
from fp8check.service.forms import schema
from fp8check.service.options import OF_CHECK
from fp8check.service.routes.common import ALWAYS, SECURED, asked, caller_of, format_parameter, problems, service_of

router = APIRouter(tags=["plan"])

_HEADERS = {
    "FP8check-Exit-Code": {
        "description": "What the command would exit with: 0 where there is a plan, 1 where there is none.",
        "schema": {"type": "integer", "enum": [int(ExitCode.OK), int(ExitCode.FINDINGS)]},
        "required": True,
    }
}
_TRAINING = "output_dir: out\nlearning_rate: 1.0e-5\nbf16: true  # always\n"
_ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: te\n"
_EXAMPLES = {
    "two files": {
        "summary": "Two files, on a machine of which nothing is known",
        "value": {"training": _TRAINING, "accelerate": _ACCELERATE, "options": {"environment": False}},
    },
    "a goal": {
        "summary": "A clean run in BF16",
        "value": {"training": _TRAINING, "accelerate": _ACCELERATE, "options": {"environment": False, "goal": "bf16"}},
    },
}


@router.post(
    "/plan",
    dependencies=SECURED,
    response_class=Response,
    responses={
        200: {
            "description": "What to do, ranked; or why there is no way.",
            "headers": _HEADERS,
            "content": PLAN_CONTENT,
        },
        **problems(
            *ALWAYS,
            *("malformed", "scope", "origin", "no-such-format", "slow-body", "too-large", "media-type"),
            *("unreadable", "no-run", "invalid", "too-costly", "busy"),
        ),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/CheckBody"}, "examples": _EXAMPLES},
                "multipart/form-data": {"schema": schema()},
            },
        },
        "parameters": [format_parameter(PLANS)],
    },
)
async def plan(request: Request) -> Response:
    """What to do, as a whole, so that the run is good: what the command `fp8check plan` says. Nothing is stored.

    The body is that of POST /check; of the options, those that `fp8check plan` has.
    """
    caller = caller_of(request)
    caller.need("check")
    offer = choose(request.query_params.get("format"), request.headers.get("accept"), PLANS)
    check_request, asker = await asked(request, caller, OF_CHECK, "POST /check")
    found = await service_of(request).plan(check_request, asker, offer.name)
    code = ExitCode.OK if found.reached else ExitCode.FINDINGS
    headers = {"FP8check-Exit-Code": str(int(code)), "Vary": "Accept"}
    return Response(found.body, headers=headers, media_type=offer.media_type)
