"""What a token does not do: travel unencrypted, or to where it is sent on to."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.comment import mark_of
from fp8check.cli.pull_requests import Api, Comments, NoComment, put
from tests.ci.runner import site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ci.runner import Site


class Elsewhere(BaseHTTPRequestHandler):
    """Sends on to another place, or answers what is not JSON."""

    target = ""
    answer = b""

    def do_GET(self) -> None:
        self.send_response(302 if self.target else 200)
        if self.target:
            self.send_header("Location", self.target)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def other() -> Iterator[Site]:
    yield from site("github")


@pytest.fixture
def server(other: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Elsewhere, "target", other.url)
    made = HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


def test_a_token_is_not_sent_on(server: str, other: Site) -> None:
    with pytest.raises(NoComment, match=r"the site refused \(GET comments: HTTP 302") as raised:
        Api(server, {"Authorization": "Bearer x"}).ask("GET", "/user")
    assert not raised.value.expected
    assert other.asked == []


@pytest.mark.parametrize("url", ["http://api.example.org", "ftp://api.example.org", "", "file:///etc/passwd"])
def test_a_token_does_not_travel_unencrypted(url: str) -> None:
    with pytest.raises(NoComment, match="no https"):
        Api(url, {})


@pytest.mark.parametrize("answer", [b"", b"{", b"<html>", b"\xff", b"[" * 100_000], ids=lambda one: str(one[:6]))
def test_an_answer_that_nobody_can_read_is_told(server: str, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Elsewhere, "target", "")
    monkeypatch.setattr(Elsewhere, "answer", answer)
    with pytest.raises(NoComment, match="the site did not answer"):
        Api(server, {}).ask("GET", "/user")


def test_what_is_no_list_of_comments_is_told(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Elsewhere, "target", "")
    monkeypatch.setattr(Elsewhere, "answer", b"{}")
    comments = Comments(Api(server, {}), "/comments", str, "PATCH", lambda _: True)
    with pytest.raises(NoComment, match="no list of comments"):
        put(comments, "<!-- x -->", "text", due=True)


def test_lists_that_never_end_are_left(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Elsewhere, "target", "")
    monkeypatch.setattr(Elsewhere, "answer", b"[" + b",".join([b"{}"] * 100) + b"]")
    comments = Comments(Api(server, {}), "/comments", str, "PATCH", lambda _: True)
    assert put(comments, "<!-- x -->", "text", due=False) == "nothing was found: no comment"


def test_a_name_cannot_end_the_mark() -> None:
    assert mark_of("") == "<!-- fp8check: fp8check -->"
    assert mark_of("a --> @all\n b") == "<!-- fp8check: a-all-b -->"
    assert mark_of("-->") == "<!-- fp8check: fp8check -->"
    assert len(mark_of("x" * 500)) < 130
