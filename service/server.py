"""Listening: uvicorn, with limits on what comes before a request has a body."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fp8check.service.tokens import BadTokens, is_loopback

if TYPE_CHECKING:
    from fastapi import FastAPI

    from fp8check.service.settings import Settings

LARGEST_HEAD = 64 * 1024
MOST_CONNECTIONS = 1000
_BACKLOG = 512


class NotServed(Exception):
    """The service cannot start; the text says why, and what to do."""


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 with limits of time and size on the head of a request.

    A client that sends it slowly, or without end, would hold a connection for ever.
    """

    head_timeout_s = 10.0

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    # uvicorn's own signature: the base class takes any transport, TCP comes with this one.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there: its first request has to come."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._late)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._head_bytes = 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._late)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_time()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        super().data_received(data)
        if self._head_timer is not None:  # the head is not there yet
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._refuse(b"431 Request Header Fields Too Large", b"headers-too-large", b"The headers are too large")

    def _in_time(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _late(self) -> None:
        self._head_timer = None
        self._refuse(b"408 Request Timeout", b"slow-body", b"The head of the request did not arrive in time")

    def _refuse(self, status: bytes, slug: bytes, title: bytes) -> None:
        """Answer without the application, and hang up."""
        self._in_time()
        if self.transport.is_closing():
            return
        body = b'{"type":"/problems/%b","title":"%b","status":%b,"detail":"%b"}' % (slug, title, status[:3], title)
        head = (
            b"HTTP/1.1 %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head % (status, len(body)) + body)
        self.transport.close()


def configuration(app: FastAPI, settings: Settings, *, behind_proxy: bool = False) -> uvicorn.Config:
    """How uvicorn serves an application."""
    protocol = type("Protocol", (Protocol,), {"head_timeout_s": settings.header_timeout_s})
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        access_log=False,  # the service logs by itself, without what was sent
        log_level="warning",
        log_config=None,
        server_header=False,
        proxy_headers=behind_proxy,
        limit_concurrency=MOST_CONNECTIONS,
        backlog=_BACKLOG,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=20,
    )


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
