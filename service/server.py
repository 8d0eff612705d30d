"""Listening: uvicorn, with limits on what comes before a request has a body."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fp8check.service.middleware import SECURITY_HEADERS
from fp8check.service.problems import Problem, answer
from fp8check.service.tokens import BadTokens, is_loopback

if TYPE_CHECKING:
    from fastapi import FastAPI

    from fp8check.service.settings import Settings

LARGEST_HEAD = 64 * 1024
MOST_CONNECTIONS = 1000
_MOST_REFUSED = 100  # connections beyond those that are told why they are refused
_SPARE_FILES = 100  # for the database, processes and whatever else has a number
_BACKLOG = 512


class NotServed(Exception):
    """The service cannot start; the text says why, and what to do."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with limits on what comes before a request has a body, and on who does not read the answer.

    A client that sends a head slowly or without end, or does not read, would hold a connection and its memory for ever.
    What is refused here is refused without the application, with the same kind of body.
    """

    head_timeout_s = 10.0
    send_timeout_s = 30.0
    most_connections = MOST_CONNECTIONS

    _head_timer: asyncio.TimerHandle | None = None
    _stalled_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _is_refused = False
    _is_excess = False

    # uvicorn's own signature: the base class takes any transport, TCP comes with this one.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: its first request has to come."""
        super().connection_made(transport)
        excess = len(self.connections) - self.most_connections
        if excess > _MOST_REFUSED:
            transport.abort()
        elif excess > 0:  # what it sends is read first: closed with unread bytes, it would lose the answer
            self._is_excess = True
            self._head_timer = self.loop.call_later(1.0, self._refuse_connection)
        else:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._late)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._late)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head; or one behind the body, which changes nothing that was decided about the head."""
        if self._head_timer is not None:
            super().on_header(name, value)
        else:
            self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_time()
        if self._is_refused or self.transport.is_closing():
            self._is_refused = True
        elif self._is_excess:
            self._refuse_connection()
        elif self.parser.should_upgrade():
            self._refuse("malformed", "this service does not switch protocols: leave out the header Upgrade")
        elif not self._is_for_its_host():
            self._refuse("malformed", "the target of the request and the header Host name different hosts")
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is there."""
        if not self._is_refused:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._in_time()
        self._moving()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        super().data_received(data)
        if self._head_timer is not None:  # the head is not there yet
            self._count(len(data))

    def pause_writing(self) -> None:
        """The client does not read what is sent."""
        super().pause_writing()
        self._stalled_timer = self.loop.call_later(self.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        self._moving()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """No other request came; what was not read of the last answer by now is not waited for."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's own words are no problem+json
        """Answer what is no HTTP."""
        self._refuse("malformed", "what was sent is no HTTP/1.1")

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing is to be said: it was refused."""

    def _is_for_its_host(self) -> bool:
        """Whether a target with a host (RFC 9112, section 3.2.2) names that of the header."""
        if self.url.startswith(b"/"):
            return True
        target = httptools.parse_url(self.url)
        if target.host is None:
            return True
        named = target.host if target.port in (None, 80) else b"%b:%d" % (target.host, target.port)
        said = [value.lower().removesuffix(b":80") for name, value in self.headers if name == b"host"]
        return said == [named.lower()]

    def _count(self, more: int) -> None:
        """Count bytes of a head, or of the lines behind a body."""
        self._head_bytes += more
        if self._head_bytes > LARGEST_HEAD:
            self._refuse("headers-too-large", "the head of the request is larger than 64 KiB")

    def _in_time(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _moving(self) -> None:
        if self._stalled_timer is not None:
            self._stalled_timer.cancel()
            self._stalled_timer = None

    def _late(self) -> None:
        self._head_timer = None
        self._refuse("slow-body", "the head of the request did not arrive in time")

    def _refuse_connection(self) -> None:
        self._refuse("busy", f"{self.most_connections} clients are connected", retry_after_s=2)

    def _refuse(self, slug: str, detail: str, *, retry_after_s: int = 0) -> None:
        """Answer without the application, and hang up."""
        self._in_time()
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        headers = {"Connection": "close", **({"Retry-After": str(retry_after_s)} if retry_after_s else {})}
        response = answer(Problem(slug, detail, headers=headers), request_id=secrets.token_hex(8))
        lines = [b"HTTP/1.1 %d %b" % (response.status_code, HTTPStatus(response.status_code).phrase.encode())]
        lines += [b"%b: %b" % pair for pair in (*response.raw_headers, *SECURITY_HEADERS)]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()


def configuration(app: FastAPI, settings: Settings, *, behind_proxy: bool = False) -> uvicorn.Config:
    """How uvicorn serves an application."""
    limits = {
        "head_timeout_s": settings.header_timeout_s,
        "send_timeout_s": settings.send_timeout_s,
        "most_connections": _most_connections(),
    }
    protocol = type("Protocol", (Protocol,), limits)
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        loop="asyncio",  # uvloop accepts one connection a round, so that new clients wait behind all that are there
        access_log=False,  # the service logs by itself, without what was sent
        log_level="warning",
        log_config=None,
        server_header=False,
        proxy_headers=behind_proxy,
        backlog=_BACKLOG,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=20,
    )


def _most_connections() -> int:
    """As many as the system lets this process have, with some spare."""
    try:
        import resource
    except ImportError:  # not on Windows
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + _MOST_REFUSED + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(10, min(MOST_CONNECTIONS, soft - _MOST_REFUSED - _SPARE_FILES))
    return MOST_CONNECTIONS


def serve(host: str, port: int, *, behind_proxy: bool = False) -> None:
    """Serve until stopped.

    Raises:
        NotServed: it cannot start.
    """
    from pydantic import ValidationError
    from sqlalchemy.exc import ArgumentError

    from fp8check.service.application import create_app
    from fp8check.service.settings import Settings

    try:
        settings = Settings()
        app = create_app(settings)
    except ValidationError as error:
        faults = "; ".join(f"FP8CHECK_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
        raise NotServed(f"settings: {faults}") from None
    except BadTokens as error:
        raise NotServed(f"FP8CHECK_TOKENS_FILE: {error}") from None
    except OSError as error:
        raise NotServed(f"FP8CHECK_TOKENS_FILE: {error}") from None
    except ArgumentError:
        raise NotServed("FP8CHECK_DATABASE is no SQLAlchemy URL, such as sqlite:///fp8check.db") from None
    if app.state.service.gate.is_open and (behind_proxy or not is_loopback(host)):
        raise NotServed(
            f"without tokens only this machine is served, and --host {host} is reached from others. Make a token with "
            "fp8check serve --new-token NAME, and name the file with its line in FP8CHECK_TOKENS_FILE"
        )
    listener = _listener(host, port)
    shown = f"[{host}]" if ":" in host else host
    print(f"fp8check serves http://{shown}:{listener.getsockname()[1]}/", flush=True)
    server = uvicorn.Server(configuration(app, settings, behind_proxy=behind_proxy))
    with contextlib.suppress(SystemExit):  # uvicorn's way to say that the application did not start
        server.run(sockets=[listener])
    if not server.started:
        raise NotServed(f"the service did not start: {app.state.failure or 'the log says why'}")


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        raise NotServed(f"{host}:{port}: {error}") from None
    return listener
