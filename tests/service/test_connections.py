"""What comes before a request reaches the application: heads, hosts, targets, connections, and who does not read."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.example import BODY
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(
        tmp_path_factory.mktemp("connections"), FP8CHECK_BODY_TIMEOUT_S="2", FP8CHECK_SEND_TIMEOUT_S="1"
    ) as one:
        yield one


def sent(service: Served, data: bytes, within_s: float = 10) -> bytes:
    """All that the service answers to these bytes, until it hangs up or says nothing more."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=within_s) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        answer = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while chunk := connection.recv(65536):
                answer += chunk
                connection.settimeout(0.5)
        return answer


def request(*lines: str, target: str = "/healthz", method: str = "GET", body: bytes = b"") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode() + body


def assert_problem(answer: bytes, status: int) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert b"application/problem+json" in head
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["type"].startswith("/problems/")
    assert problem["request_id"]
    assert b"x-content-type-options: nosniff" in head


# One Host header


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["localhost", "evil.example"],
        ["evil.example", "localhost"],
        ["localhost", "localhost"],
        ["localhost, evil.example"],
        ["localhost evil.example"],
        ["localhost@evil.example"],
        ["localhost/evil"],
        ["localhost:80:80"],
        ["local\thost"],
        ["localhost:port"],
    ],
)
def test_there_is_one_host_and_it_is_a_name(service: Served, hosts: list[str]) -> None:
    assert_problem(sent(service, request(*(f"Host: {one}" for one in hosts))), 400)


def test_another_host_is_refused(service: Served) -> None:
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[2001:db8::1]",
        "localhost.evil.example",
    ):
        assert_problem(sent(service, request(f"Host: {host}")), 421)
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:99"):
        assert sent(service, request(f"Host: {host}")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", ["Origin", "Authorization", "Content-Type", "Sec-Fetch-Site"])
def test_what_can_be_said_once_is_not_said_twice(service: Served, name: str) -> None:
    lines = ["Host: localhost", f"{name}: none", f"{name}: none"]
    assert_problem(sent(service, request(*lines, "Content-Length: 2", method="POST", target="/check", body=b"{}")), 400)
    assert_problem(sent(service, request("Host: localhost", f"{name}: a", f"{name.lower()}: b")), 400)


def test_a_target_with_a_host_is_for_that_host(service: Served) -> None:
    for target in ("http://evil.example/healthz", "https://evil.example:1/healthz", "http://localhost:81/healthz"):
        assert_problem(sent(service, request("Host: localhost", target=target)), 400)
    assert_problem(sent(service, request("Host: evil.example", target="http://evil.example/healthz")), 421)
    assert sent(service, request("Host: localhost", target="http://localhost/healthz")).startswith(b"HTTP/1.1 200")
    assert sent(service, request("Host: localhost:80", target="http://LOCALHOST/healthz")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "data",
    [
        request("Host: localhost", target="*", method="OPTIONS"),
        request("Host: localhost", target="localhost:80", method="CONNECT"),
        request("Host: localhost", target="healthz"),
        request("Host: localhost", "Content-Length: +5", method="POST", target="/check", body=b"12345"),
        request("Host: localhost", "Content-Length : 5", method="POST", target="/check", body=b"12345"),
        request("Host: localhost", "Content-Length: 5", "Content-Length: 5", method="POST", target="/check", body=b"12345"),
        request("Host: localhost", "Transfer-Encoding: chunked, identity", method="POST", target="/check", body=b"0\r\n\r\n"),
        request("Host: localhost", "Transfer-Encoding: xchunked", method="POST", target="/check", body=b"0\r\n\r\n"),
        request("Host: localhost", "Transfer-Encoding: chunked", "Content-Length: 5", method="POST", target="/check", body=b"0\r\n\r\n"),
        request("Host: localhost", " folded: x"),
        request("Host: localhost", "A\0: x"),
        b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
        b"GET /healthz HTTP/3.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
        request("Host: localhost", "Connection: Upgrade", "Upgrade: h2c", "Content-Length: 2", method="POST", target="/check", body=b"{}"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_a_problem(service: Served, data: bytes) -> None:
    answer = sent(service, data)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501")), answer
    assert b"application/problem+json" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert service.get("/healthz").status_code == 200


def test_lines_behind_a_body_change_nothing_and_have_an_end(service: Served) -> None:
    chunked = request(
        "Host: localhost",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        method="POST",
        target="/check",
    )
    content = json.dumps(BODY).encode()
    whole = chunked + b"%x\r\n" % len(content) + content + b"\r\n0\r\n"
    answer = sent(
        service, whole + b"Host: evil.example\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    endless = sent(service, whole + b"X-Filler: " + b"x" * 8000 + b"\r\n" + (b"X-More: " + b"y" * 8000 + b"\r\n") * 40)
    assert endless.startswith(b"HTTP/1.1 431")


def test_a_request_that_follows_a_refused_one_is_not_answered(service: Served) -> None:
    one = request("Host: localhost", target="http://evil.example/healthz")
    assert sent(service, one + request("Host: localhost")).count(b"HTTP/1.1 ") == 1


# Many connections, and who does not read


def test_connections_have_a_bound_and_it_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    with served(tmp_path_factory.mktemp("many"), FP8CHECK_HEADER_TIMEOUT_S="60") as service:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < 1500:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(1500, hard), hard))
        assert service.get("/healthz").status_code == 200
        with contextlib.ExitStack() as idle:
            for _ in range(1010):
                idle.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10))
            answer = sent(service, request("Host: localhost"))
            assert_problem(answer, 503)
            assert b"retry-after: " in answer
        until = time.monotonic() + 10
        while service.get("/healthz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert '"crash"' not in service.log.read_text()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_does_not_read_is_hung_up_on(service: Served) -> None:
    """A client that asks for much and reads nothing holds up nobody else, and its connection ends."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(request("Host: localhost", target="/openapi.json") * 500)
        for _ in range(20):
            assert service.get("/healthz").status_code == 200
        until = time.monotonic() + 20
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while True:  # to send is how it is seen without reading
                assert time.monotonic() < until
                connection.send(b"G")
                time.sleep(0.1)


def test_bodies_have_a_room_in_common(tmp_path_factory: pytest.TempPathFactory) -> None:
    variables = {"FP8CHECK_UPLOADS_BYTES": "500000", "FP8CHECK_BODY_TIMEOUT_S": "60"}
    with served(tmp_path_factory.mktemp("room"), **variables) as service:
        head = request(
            "Host: localhost",
            "Content-Type: application/json",
            "Content-Length: 1000000",
            method="POST",
            target="/check",
        )
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as slow:
            slow.sendall(head + b"x" * 540_000)
            time.sleep(1)
            refused = sent(service, head + b"x" * 200_000)
            assert_problem(refused, 503)
            assert b"retry-after: " in refused
            assert service.post("/check", json=BODY).status_code == 200
        until = time.monotonic() + 10  # who goes away leaves the room
        text = BODY["training"] + "# a comment\n" * 20_000
        while service.post("/check", json={**BODY, "training": text}).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.2)


def test_listeners_have_a_bound(tmp_path_factory: pytest.TempPathFactory) -> None:
    import httpx2 as httpx

    from tests.support.paths import ROOT

    variables = {
        "FP8CHECK_LISTENERS": "2",
        "FP8CHECK_PROBE_RUNNER": "tests.support.fake_probe:run",
        "PYTHONPATH": str(ROOT),
    }
    folder = tmp_path_factory.mktemp("listeners")
    with served(folder, **variables, NVTE_TEST_PIDS=str(folder / "pids")) as service:
        body = {**BODY, "options": {"probe": True, "launch": "python endless.py"}}
        job = service.post("/check", json=body).json()
        url = service.url.rstrip("/") + job["events"]
        with httpx.stream("GET", url, timeout=30) as one, httpx.stream("GET", url, timeout=30) as two:
            assert (one.status_code, two.status_code) == (200, 200)
            refused = service.get(job["events"])
            assert (refused.status_code, refused.json()["type"]) == (503, "/problems/busy")
            assert int(refused.headers["retry-after"]) > 0
            waits = service.post("/check", json=body, headers={"Prefer": "wait=30"})
            assert waits.status_code == 202
        until = time.monotonic() + 10
        while True:
            with httpx.stream("GET", url, timeout=30) as again:
                if again.status_code == 200:
                    break
            assert time.monotonic() < until
        service.post(job["cancel"])
