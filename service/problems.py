"""What can be wrong with a request, all in one place; every answer of 400 and above is one of these (RFC 9457)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.credentials import masked_shapes
from fp8check.rules.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """A kind of problem: the status it answers with, a title, and what to do about it (the page that `type` opens)."""

    status: int
    title: str
    about: str


KINDS: dict[str, Kind] = {
    "malformed": Kind(
        400,
        "The request cannot be read",
        "The body is not what its Content-Type says, or a header has no meaning. Send JSON, or multipart/form-data as "
        "curl -F does.",
    ),
    "token": Kind(
        401,
        "A valid token is needed",
        "Send Authorization: Bearer TOKEN. The token is missing, unknown or expired; whoever runs the service makes "
        "one with fp8check serve --new-token NAME.",
    ),
    "scope": Kind(
        403,
        "This token may not do that",
        "Each token has scopes: check (POST /check, /plan and /nodes), probe (probes on the GPUs), read (stored "
        "checks, nodes, this machine's environment, metrics). Ask whoever runs the service for one with the scope that "
        "is named.",
    ),
    "origin": Kind(
        403,
        "Another site's page may not do that",
        "A browser sent this for a page of another site. Open the service's own page, or use a token.",
    ),
    "not-found": Kind(
        404,
        "There is nothing here",
        "The address is wrong, or what was stored has been deleted after the time that the service keeps it.",
    ),
    "method": Kind(405, "Not this method", "The header Allow says which methods there are."),
    "no-such-format": Kind(
        406, "No such format", "The answer says which formats there are; Accept: application/json always works."
    ),
    "slow-body": Kind(408, "The body did not arrive in time", "Send it faster, or again."),
    "conflict": Kind(
        409,
        "It is too late for that",
        "The job has ended already; its state says how.",
    ),
    "too-large": Kind(
        413,
        "The body is too large",
        "Training and Accelerate files have a few kilobytes. Something else was sent, or far too many files; or a job "
        "has as many reports of nodes as are kept together.",
    ),
    "media-type": Kind(
        415,
        "Not this kind of body",
        "Send application/json, or multipart/form-data as curl -F does.",
    ),
    "host": Kind(
        421, "Not this host", "The service does not go by the name that Host says; see FP8CHECK_ALLOWED_HOSTS."
    ),
    "unreadable": Kind(
        422,
        "A file cannot be read",
        "The training tools could not load this file either. The answer says where and why.",
    ),
    "no-run": Kind(
        422,
        "These files do not make up a run",
        "A run has one training file, one Accelerate file, or both. The answer says which file does not fit.",
    ),
    "invalid": Kind(422, "The request does not fit", "The answer says which field, and what it takes."),
    "key-reused": Kind(
        422,
        "This idempotency key was used for another request",
        "Use a new Idempotency-Key for a new request; send the same one only with the same body.",
    ),
    "too-costly": Kind(
        422,
        "The check took too long and was ended",
        "Real files take milliseconds. Nothing was decided about these.",
    ),
    "headers-too-large": Kind(431, "The headers are too large", "Send fewer or shorter headers."),
    "queue-full": Kind(
        503,
        "Too many probes are waiting",
        "One probe runs at a time on a GPU. Ask again after the seconds that Retry-After says.",
    ),
    "internal": Kind(
        500,
        "The service failed",
        "This is a fault of fp8check, not of your files. Nothing was decided. Please report it with the request id.",
    ),
    "no-probe": Kind(501, "There are no probes here", "This service was set up without them (FP8CHECK_PROBE)."),
    "storage": Kind(
        503,
        "The answer could not be stored",
        "The service answers only what it has stored. Ask again after the seconds that Retry-After says.",
    ),
    "busy": Kind(
        503,
        "Too much to do",
        "More is asked than is answered in time, and what is not answered in time is not kept waiting. Nothing was "
        "decided. Ask again after the seconds that Retry-After says.",
    ),
}

_BY_STATUS = {
    401: "token",
    403: "scope",
    404: "not-found",
    405: "method",
    413: "too-large",
    415: "media-type",
    406: "no-such-format",
}


class Problem(Exception):
    """A request that is answered with a problem.

    Attributes:
        slug: its kind, a key of KINDS.
        detail: what is wrong in this request, one sentence.
        errors: each fault with its place.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, object]] | None = None,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(f"{slug}: {detail}")
        self.slug = slug
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.more = more

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.slug].status


def answer(problem: Problem, *, root: str = "", request_id: str = "") -> Response:
    """The problem as a response; `root` is the path that the service is mounted at."""
    from starlette.responses import Response  # a check in a process of its own has problems, and no responses

    kind = KINDS[problem.slug]
    body: dict[str, object] = {
        "type": f"{root}/problems/{problem.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        **problem.more,
    }
    if problem.errors is not None:
        body["errors"] = problem.errors
    if request_id:
        body["request_id"] = request_id
    text = plain(masked_shapes(json.dumps(body, ensure_ascii=False)), "json").encode()
    return Response(text, kind.status, headers=problem.headers, media_type=MEDIA_TYPE)


def of_status(status: int, detail: str, headers: Mapping[str, str] | None) -> Problem:
    """The problem for a status that the framework raised."""
    slug = _BY_STATUS.get(status, "malformed" if status < 500 else "internal")
    return Problem(slug, detail, headers=headers)
