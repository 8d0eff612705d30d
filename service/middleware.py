"""Around every request: an id, limits, security headers, a line in the log, and numbers. Plain ASGI, one layer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import time
from collections import deque
from typing import TYPE_CHECKING

import anyio
import structlog
from starlette.requests import ClientDisconnect

from fp8check.rules.report import html
from fp8check.service import problems
from fp8check.service.logs import frames
from fp8check.service.problems import Problem
from fp8check.service.tokens import is_loopback

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from fp8check.service.metrics import Metrics
    from fp8check.service.settings import Settings

# Nothing of the page comes from elsewhere, nothing is inline, and no other site may frame it or post to it.
# The hash is that of the style in a report that was asked for as HTML.
_STYLE = base64.b64encode(hashlib.sha256(html.style().encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'self' 'sha256-{_STYLE}'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # with no-referrer, browsers send "Origin: null" for our own form
    (b"content-security-policy", _POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_DRAINED = 32 * 1024 * 1024
_DRAIN_S = 2.0
_FREE = 64 * 1024
_A_ROUND = 4
_TOO_LARGE = "the body is larger than this service reads"
_ONCE = frozenset(
    (b"host", b"origin", b"authorization", b"content-type", b"content-length", b"transfer-encoding", b"sec-fetch-site")
)
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))

_log = structlog.get_logger()


def _is_address(scope: Scope) -> bool:
    """Whether a query and a path are what RFC 3986 allows; what decodes them later takes it for granted."""
    path: str = scope["path"]
    is_text = path.isascii() or path.encode("utf-8", "replace").decode() == path
    return is_text and scope.get("query_string", b"").isascii()


class RequestMiddleware:
    """The one middleware."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, *, open_: bool) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._open = open_
        self._room = _Room(settings.uploads_bytes)
        self._pace = Pace()
        self._count = metrics.requests.labels
        self._time = metrics.seconds.labels

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        sent = _Sent(send, request_id)
        body = _Body(receive, self._settings, self._room)
        await self._pace.begin()
        scope["state"]["waited_s"] = time.perf_counter() - began
        try:
            self._admit(scope, headers)
            body.check_length(headers.get(b"content-length"))
            await self._app(scope, body, sent)
        except Problem as problem:
            cut = problem.slug == "too-large" or body.is_cut
            await self._fail(problem, scope, receive, sent, cut=cut)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001  the last line of defense: an answer instead of a dropped connection
            _log.error("crash", request_id=request_id, error=type(error).__name__, frames=frames(error))
            detail = "an unexpected error was logged under the request id"
            await self._fail(Problem("internal", detail), scope, receive, sent, cut=body.is_cut)
        finally:
            body.leave()
            self._account(scope, sent, time.perf_counter() - began)

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        """Refuse what is sent to another host's name (DNS rebinding) or by another site's page (CSRF), and what says
        twice what can be said once: a proxy may have looked at the other one."""
        if len(headers) != len(scope["headers"]):
            _refuse_what_is_said_twice(scope)
        if not _is_address(scope):
            raise Problem("malformed", "the address has a character that is not written out as %XX")
        if b"host" not in headers and scope["http_version"] != "1.0":
            raise Problem("malformed", "the header Host is missing")
        host = headers.get(b"host", b"").decode("latin-1")
        parts = _HOST.fullmatch(host)
        if parts is None and host:
            raise Problem("malformed", "the header Host is no name, with a port or without")
        name = parts["name"].strip("[]").lower() if parts is not None else ""
        allowed = self._settings.allowed_hosts
        known = name in allowed or (not allowed and (not self._open or is_loopback(name)))
        if not known:
            raise Problem("host", f"the request is for the host {name[:80]!r}")
        if scope["method"] in _SAFE:
            return
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            raise Problem("origin", "the header Origin names another site")
        if headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
            raise Problem("origin", "the header Sec-Fetch-Site says that another site's page sent this")

    async def _fail(self, problem: Problem, scope: Scope, receive: Receive, sent: _Sent, *, cut: bool) -> None:
        if sent.status:
            return  # too late to say anything
        response = problems.answer(problem, root=scope.get("root_path", ""), request_id=sent.request_id)
        if cut:
            response.headers["connection"] = "close"  # the rest of the body is not read
            await _answer_first(response, receive, sent)
        else:
            await response(scope, receive, sent)

    def _account(self, scope: Scope, sent: _Sent, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(none)")
        self._count(scope["method"] if scope["method"].isalpha() else "?", route, sent.status or 499).inc()
        self._time(route).observe(seconds)
        _log.info(
            "request",
            request_id=sent.request_id,
            method=scope["method"],
            route=route,
            status=sent.status or 499,
            ms=round(seconds * 1000, 2),
            caller=scope["state"].get("caller"),
        )


def _refuse_what_is_said_twice(scope: Scope) -> None:
    seen: set[bytes] = set()
    for name, _ in scope["headers"]:
        if name in _ONCE and name in seen:
            raise Problem("malformed", f"the header {name.decode()} is there more than once")
        seen.add(name)


async def _answer_first(response: Response, receive: Receive, sent: _Sent) -> None:
    """Answer a client that is still sending, then let it send a little more before the connection is closed.

    Closed with unread bytes, the connection would be reset, and the client would lose the answer.
    """
    await sent({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await sent({"type": "http.response.body", "body": response.body, "more_body": True})
    left = _DRAINED
    with anyio.move_on_after(_DRAIN_S):
        while left > 0:
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
            left -= len(message.get("body", b""))
    await sent({"type": "http.response.body", "body": b""})


class _Sent:
    """Sends the answer, with the headers that every answer has; knows what was sent."""

    __slots__ = ("_send", "request_id", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = message["headers"]
            names = {name for name, _ in own}
            extra = [pair for pair in SECURITY_HEADERS if pair[0] not in names]
            message["headers"] = [*own, *extra, (b"x-request-id", self.request_id.encode())]
        await self._send(message)


class Pace:
    """So many requests begin in a round of the event loop: what is being answered does not wait for all that arrive at
    once. Used by one loop only, so it needs no lock."""

    __slots__ = ("_begun", "_is_due", "_waiting")

    def __init__(self) -> None:
        self._begun = 0  # in this round
        self._is_due = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def begin(self) -> None:
        """Begin in this round, or in one of the next."""
        loop = asyncio.get_running_loop()
        if self._begun < _A_ROUND and not self._waiting:
            self._begun += 1
            self._go_on(loop)
            return
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        self._go_on(loop)
        await future

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._round, loop)

    def _round(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_due = False
        self._begun = 0
        while self._waiting and self._begun < _A_ROUND:
            future = self._waiting.popleft()
            if not future.done():  # else the client has gone
                future.set_result(None)
                self._begun += 1
        if self._begun:
            self._go_on(loop)


class _Room:
    """Memory for all bodies that are there at a time."""

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left = most


class _Body:
    """Receives a body: no more than so many bytes as they arrive, whatever Content-Length says, and in time.

    What it has beyond `_FREE` bytes takes room, of which there is so much for all bodies, until the request is over.
    """

    __slots__ = ("_deadline", "_limit", "_read", "_receive", "_room", "_taken", "_timeout_s", "_whole")

    def __init__(self, receive: Receive, settings: Settings, room: _Room) -> None:
        self._receive = receive
        self._limit = settings.body_limit
        self._timeout_s = settings.body_timeout_s
        self._room = room
        self._read = 0
        self._taken = 0
        self._deadline: float | None = None
        self._whole = False

    @property
    def is_cut(self) -> bool:
        """Whether a part of it was read, and the rest was not."""
        return self._deadline is not None and not self._whole

    def check_length(self, said: bytes | None) -> None:
        """Refuse a body that says itself that it is too large. Raises Problem."""
        if said is not None and said.isdigit() and int(said[:19]) > self._limit:
            raise Problem("too-large", _TOO_LARGE)

    def leave(self) -> None:
        """Give back the room that it takes: the request is over."""
        self._room.left += self._taken
        self._taken = 0

    def _take(self, more: int) -> None:
        self._read += more
        if self._read > self._limit:
            raise Problem("too-large", _TOO_LARGE)
        needed = max(0, self._read - _FREE) - self._taken
        if needed > self._room.left:
            detail = "other bodies take the room that there is for large ones"
            raise Problem("busy", detail, headers={"Retry-After": "2"})
        self._room.left -= needed
        self._taken += needed

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is that the client goes away: that may take its time
            return await self._receive()
        message = await self._in_time()
        if message["type"] == "http.request":
            self._take(len(message.get("body", b"")))
            self._whole = not message.get("more_body", False)
        return message

    async def _in_time(self) -> Message:
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            self._deadline = loop.time() + self._timeout_s
        try:
            with anyio.fail_after(self._deadline - loop.time()):
                return await self._receive()
        except TimeoutError:
            raise Problem("slow-body", f"the body was not there after {self._timeout_s:g} s") from None


def _request_id(sent: bytes | None) -> str:
    """The caller's own id where it is harmless, else a new one."""
    if sent is not None and _ID.fullmatch(sent):
        return sent.decode("ascii")
    return secrets.token_hex(8)
