"""Attacks, tried and refused."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.facts import Facts
from fp8check.service import checking
from fp8check.service.check_request import CheckRequest, File
from fp8check.service.problems import Problem
from fp8check.service.tokens import load, make, today
from tests.support.example import ACCELERATE, BODY, FACTS, TRAINING
from tests.support.nodes import node
from tests.support.service import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.testclient import TestClient

MIB = 1024 * 1024
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n" for before, one in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service in a process of its own, with short time limits."""
    folder = tmp_path_factory.mktemp("attacked")
    limits = {"FP8CHECK_BODY_TIMEOUT_S": "1", "FP8CHECK_HEADER_TIMEOUT_S": "1", "FP8CHECK_CHECK_TIMEOUT_S": "2"}
    with served(folder, **limits) as one:
        yield one


def raw(service: Served, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """What the service answers to these bytes."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent
        try:
            while chunk := connection.recv(65536):
                answer += chunk
                head, _, body = answer.partition(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                if length and len(body) >= int(length):
                    break
        except ConnectionResetError:
            pass
        return answer


def head(service: Served, *more: str) -> bytes:
    lines = ["POST /check HTTP/1.1", f"Host: 127.0.0.1:{service.port}", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, "", ""]).encode()


# Bodies and files


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "bf16: true\n" + "- " * 4000,
        "a: " + "[" * 5000,
        "a: " + "{b: " * 3000,
        "\n".join("  " * depth + f"k{depth}:" for depth in range(400)),
        "bf16: true\nx: &x [*x]",
        "bf16: true\nx: &x\n  <<: *x",
        "bf16: true\n" + "".join(f"k{number}: 1\n" for number in range(60_000)),
        "bf16: true\nfp8: " + "9" * 100_000,
        "bf16: true\nx: !!python/object/apply:os.system ['id']",
        "bf16: true\nx: !!int ''",
        "bf16: true\nx: 1" + ":59" * 3000,
        "%YAML 9" * 500 + ".9\n---\nbf16: true",
        "bf16: true\nx: !!binary '" + "A" * 100_000 + "'",
    ],
    ids=[
        "alias bomb",
        "nested lists",
        "nested flow lists",
        "nested flow maps",
        "nested maps",
        "alias inside itself",
        "merge inside itself",
        "many keys",
        "long number",
        "object tag",
        "empty int",
        "sexagesimal",
        "directive",
        "binary",
    ],
)
@pytest.mark.parametrize("field", ["training", "accelerate", "deepspeed", "model_config"])
def test_hostile_files_are_answered_soon(outside: Served, field: str, text: str) -> None:
    began = time.monotonic()
    answer = outside.post("/check", json={**BODY, field: text})
    assert answer.status_code in (200, 422)
    assert time.monotonic() - began < 8
    if answer.status_code == 422:
        assert answer.json()["type"] in ("/problems/unreadable", "/problems/no-run", "/problems/too-costly")


SMALL = {
    "duplicate keys": "bf16: true\n" + "? a\n" * 380,
    "duplicate keys in one line": "bf16: true\nx: {" + "a, " * 2400 + "}",
    "flow": "bf16: true\nx: [" + "[]," * 2500 + "]",
    "aliases": "bf16: true\nb: &b [" + "1," * 1000 + "]\nc: [" + "*b," * 45 + "]",
    "merges": "bf16: true\nb: &b {"
    + ",".join(f"k{number}: 1" for number in range(300))
    + "}\n"
    + "m: {<<: *b}\n" * 160,
    "suppressions": "bf16: true\n" + "a: 1 # fp8check: ignore[FP101] x\n" * 230,
    "escapes": 'bf16: true\nx: "' + "\\u0041" * 1300 + '"',
    "colons": "bf16: true\nx: '" + ":" * 7000 + "'",
    "unknown keys": "mixed_precision: fp8\nfp8_config:\n" + "".join(f"  k{number}: 1\n" for number in range(290)),
    "unknown keys in a line": "mixed_precision: fp8\nfp8_config: {" + ", ".join(f"k{n}: 1" for n in range(280)) + "}",
    "more in a line": "mixed_precision: fp8\nfp8_config: {" + ", ".join(f"k{n}: 1" for n in range(700)) + "}",
}


@pytest.mark.parametrize("format_", ["json", "html", "sarif"])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_what_is_checked_between_other_requests_takes_no_long_time(name: str, format_: str) -> None:
    check_request = CheckRequest((File("t.yaml", SMALL[name]), File("a.yaml", ACCELERATE)))
    assert check_request.size < 8192
    if not check_request.is_small(8192):
        return  # it goes to a process of its own
    began = time.process_time()
    with contextlib.suppress(Problem):
        checking.answer(check_request, Facts, format_)
    assert time.process_time() - began < 0.6


def test_the_alias_bomb_is_named(client: TestClient) -> None:
    problem = client.post("/check", json={"training": BOMB}).json()
    assert problem["type"] == "/problems/unreadable"
    assert "aliases make more than" in problem["detail"]


@pytest.mark.parametrize("text", ["\0", "bf16: true\0", "\x1b[31m: x", "\ufffe", "\ud800"])
def test_nul_and_what_no_file_holds(client: TestClient, text: str) -> None:
    answer = client.post("/check", content=json.dumps({"training": text}), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "content", [b"\xff\xfeb\0f\0", b"bf16: \xff", b"bf16: true\0", b"\xef\xbb\xbf\xef\xbb\xbf", b"\x80" * 1000]
)
def test_bytes_that_are_no_text(client: TestClient, content: bytes) -> None:
    answer = client.post("/check", files={"training": ("t.yaml", content)})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_of_10_mb_is_refused_by_its_length(outside: Served) -> None:
    answer = raw(outside, head(outside, f"Content-Length: {10 * MIB}"), b'{"training": "', *[b"x" * 65536] * 160)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer


def test_a_body_of_10_mb_is_refused_without_a_length(outside: Served) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    answer = raw(outside, head(outside, "Transfer-Encoding: chunked"), *[chunk] * 160)
    assert answer.startswith(b"HTTP/1.1 413")


def test_multipart_that_is_too_large_or_has_too_many_parts(outside: Served) -> None:
    assert outside.post("/check", files={"training": ("t.yaml", b"x: 1\n" * 600_000)}).status_code == 413
    many = [("files", (f"{number}.yaml", b"bf16: true")) for number in range(40)]
    assert outside.post("/check", files=many).status_code in (400, 422)
    broken = outside.post(
        "/check", content=b"--x\r\nnonsense", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert broken.status_code in (400, 422)


def test_a_name_of_a_file_is_only_a_name(client: TestClient) -> None:
    for name in ("../../etc/passwd", "/etc/passwd", "C:\\x\\y.yaml", "a\nb"):
        answer = client.post("/check", files={"training": (name, TRAINING.encode())})
        assert answer.status_code in (200, 400)
        if answer.status_code == 200:
            assert "/" not in answer.json()["files"][0]["path"]


# Nothing is read, reached or run because a body names it


def _places(text: str) -> list[dict[str, object]]:
    """Bodies with a text in every field that holds one, of the files and of the request."""
    facts = json.dumps(FACTS)
    training = f"model_name_or_path: {text}\noutput_dir: {text}\ndeepspeed: {text}\nfsdp_config: {text}\nbf16: true\ndataset: {text}\n"
    accelerate = (
        f"mixed_precision: fp8\ndistributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_config_file: {text}\n"
        f"fp8_config:\n  backend: {text}\n"
    )
    return [
        {"training": training, "accelerate": accelerate, "facts": facts},
        {"training": TRAINING, "options": {"launch": f"accelerate launch --config_file {text} {text}"}},
        {
            "training": TRAINING,
            "options": {"launch": f"{text} train.py", "variables": {"HF_HOME": text, "HF_HUB_CACHE": text}},
        },
        {"files": [{"name": text, "text": TRAINING}]},
        {"training": text},
        {"training": TRAINING, "facts": text},
        {
            "training": TRAINING,
            "facts": {**FACTS, "variables": {"HF_HOME": text}, "transformer_engine": {"metapackage": text}},
        },
        {"model_config": text, "training": training},
        {"deepspeed": text, "training": training},
        {"training": TRAINING, "options": {"select": [text]}},
        {"training": TRAINING, "options": {"trainer": text}},
    ]


def test_no_path_and_no_url_in_a_body_is_opened(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    for name in ("config.json", "ds.json", "default_config.yaml"):
        (tmp_path / "secret" / name).write_text('{"canary": "CANARY-IN-A-FILE", "zero_optimization": {}}')
    client.post("/check", json=BODY)  # so that every module is there
    with watched() as events:
        for text in (
            f"{tmp_path}/secret",
            f"{tmp_path}/secret/ds.json",
            "/etc/passwd",
            "file:///etc/passwd",
            "http://127.0.0.1:1/x",
            "~/x",
        ):
            for body in _places(text):
                answer = client.post("/check", json=body)
                assert answer.status_code in (200, 422)
                assert "CANARY-IN-A-FILE" not in answer.text
    assert [
        event for event in events if event[0] != "open" or str(tmp_path / "secret") in event[1] or "passwd" in event[1]
    ] == []


_seen: list[tuple[str, str]] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Python cannot take an audit hook off again, so it is put on once and does nothing unless a test watches."""
    if _seen is not None and event in (
        "open",
        "socket.connect",
        "socket.getaddrinfo",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "import",
    ):
        if event == "import" or (event == "open" and str(arguments[0]).endswith((".db", "-wal", "-shm", "-journal"))):
            return
        _seen.append((event, str(arguments[0] if event != "socket.connect" else arguments[1])))


class watched:  # noqa: N801
    """Every file that is opened, connection made and process started inside."""

    hooked = False

    def __enter__(self) -> list[tuple[str, str]]:
        global _seen  # noqa: PLW0603
        if not watched.hooked:
            sys.addaudithook(_audit)
            watched.hooked = True
        _seen = []
        return _seen

    def __exit__(self, *_: object) -> None:
        global _seen  # noqa: PLW0603
        _seen = None


# Tokens


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """A tokens file with one token for each scope, all scopes, and one that has expired."""
    secrets, lines = {}, []
    for name, scopes in (
        ("check", ["check"]),
        ("read", ["read"]),
        ("probe", ["probe"]),
        ("all", ["check", "probe", "read"]),
    ):
        secrets[name], token = make(name, scopes, 1)
        lines.append(token.line())
    secrets["expired"], token = make("expired", ["check", "read"], 1)
    lines.append(token._replace(expires=today() - timedelta(days=1)).line())
    secrets["last"], token = make("last", ["check"], 1)
    lines.append(token._replace(expires=today()).line())
    (tmp_path / "tokens").write_text("# tokens\n\n" + "\n".join(lines) + "\n")
    return secrets


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_wrong_and_expired_tokens(service: Any, tmp_path: Path, tokens: dict[str, str]) -> None:
    with service(tokens_file=tmp_path / "tokens") as client:
        for headers in (
            {},
            bearer("fp8c_wrong"),
            bearer(""),
            {"Authorization": "Basic x"},
            {"Authorization": "Digest a"},
            bearer(tokens["expired"]),
            bearer(tokens["last"]),
        ):
            for answer in (
                client.post("/check", json=BODY, headers=headers),
                client.get("/checks", headers=headers),
                client.get("/", headers=headers),
            ):
                assert answer.status_code == 401
                assert answer.json()["type"] == "/problems/token"
                assert "Bearer" in answer.headers["www-authenticate"]
        assert client.post("/check", json=BODY, headers=bearer(tokens["check"])).status_code == 200
        import base64

        basic = base64.b64encode(f"anyone:{tokens['check']}".encode()).decode()
        assert client.get("/", headers={"Authorization": f"Basic {basic}"}).status_code == 200


def test_a_scope_gives_what_it_says_and_no_more(service: Any, tmp_path: Path, tokens: dict[str, str]) -> None:
    with service(tokens_file=tmp_path / "tokens") as client:
        stored = client.post("/check", json=BODY, headers=bearer(tokens["all"]))
        place = stored.headers["content-location"]
        probe = {**BODY, "options": {"probe": True}}
        job = client.post("/check", json=probe, headers=bearer(tokens["all"])).json()
        for name, token in (("own", "check"), ("other", "all")):
            assert client.post(f"/nodes/{name}", json=node("n1"), headers=bearer(tokens[token])).status_code == 200
        allowed = {
            "check": {("POST", "/check"), ("GET", "/nodes/own")},
            "read": {
                ("GET", "/checks"),
                ("GET", place),
                ("GET", "/environment"),
                ("GET", "/metrics"),
                ("GET", "/nodes/own"),
                ("GET", "/nodes/other"),
                ("GET", f"/jobs/{job['id']}"),
            },
            "probe": set(),
        }
        for scope, what in allowed.items():
            for method, path in sorted(set().union(*allowed.values())):
                answer = client.request(
                    method, path, json=BODY if method == "POST" else None, headers=bearer(tokens[scope])
                )
                assert (answer.status_code == 200) == ((method, path) in what), (scope, path, answer.status_code)
            assert client.post("/check", json=probe, headers=bearer(tokens[scope])).status_code == 403
            may = 200 if scope == "check" else 403
            assert client.post("/nodes/third", json=node("n1"), headers=bearer(tokens[scope])).status_code == may
            assert client.post(job["cancel"], headers=bearer(tokens[scope])).status_code in (403, 404)


def test_without_the_scope_read_nothing_is_said_of_this_machine(
    service: Any, tmp_path: Path, tokens: dict[str, str]
) -> None:
    # The interpreter is named: without torch of its own the service would not take its packages for those of the run.
    with service(tokens_file=tmp_path / "tokens", training_python=sys.executable) as client:
        asked = {"accelerate": ACCELERATE}
        assert "packages" in client.post("/check", json=asked, headers=bearer(tokens["all"])).json()["facts"]
        assert client.post("/check", json=asked, headers=bearer(tokens["check"])).json()["facts"] == {
            "schema": "fp8check/facts/1"
        }


def test_a_share_link_opens_one_check_and_nothing_else(service: Any, tmp_path: Path, tokens: dict[str, str]) -> None:
    with service(tokens_file=tmp_path / "tokens") as client:
        first, second = (client.post("/check", json=BODY, headers=bearer(tokens["check"])) for _ in range(2))
        link = first.links["share"]["url"]
        assert client.get(link).json() == first.json()
        secret = link.partition("share=")[2]
        assert client.get(f"{second.headers['content-location']}?share={secret}").status_code == 404
        assert client.get(f"{first.headers['content-location']}?share=x").status_code == 404
        assert client.get(f"{first.headers['content-location']}?share=").status_code == 404
        assert client.get(first.headers["content-location"]).status_code == 401
    with service(tokens_file=tmp_path / "tokens", share_links=False) as client:
        assert client.get(link).status_code == 401


def test_only_hashes_are_in_the_file(tmp_path: Path, tokens: dict[str, str]) -> None:
    text = (tmp_path / "tokens").read_text()
    assert not any(secret in text for secret in tokens.values())
    assert len(load(tmp_path / "tokens")) == len(tokens)


def test_without_tokens_another_machine_is_refused(service: Any) -> None:
    with service(client=("192.0.2.7", 1234)) as client:
        assert client.post("/check", json=BODY).status_code == 401
        assert client.get("/checks").status_code == 401
        assert client.get("/healthz").status_code == 200
    with service(base_url="http://fp8check.example.org") as client:  # DNS rebinding
        assert client.get("/healthz").status_code == 421


def test_other_sites_pages_are_refused(client: TestClient) -> None:
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert client.post("/check", json=BODY, headers=headers).status_code == 403
        assert client.post("/", data={"training": TRAINING}, headers=headers).status_code == 403
    assert (
        client.post(
            "/check", json=BODY, headers={"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        ).status_code
        == 200
    )


def test_a_service_for_others_does_not_start_without_tokens(tmp_path: Path) -> None:
    import subprocess

    from tests.support.command import COMMAND

    environment = {**os.environ, "FP8CHECK_DATABASE": f"sqlite:///{tmp_path}/x.db"}
    for words in (["--host", "0.0.0.0"], ["--behind-proxy"]):  # noqa: S104
        done = subprocess.run(
            [COMMAND, "serve", "--port", "0", *words],
            capture_output=True,
            text=True,
            env=environment,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert "--new-token" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "a check never sha256:00",
        "a all never sha256:" + "0" * 64,
        "a check soon sha256:" + "0" * 64,
        "a check",
        "a/b check never sha256:" + "0" * 64,
    ],
)
def test_a_tokens_file_with_a_line_that_is_none_is_refused_whole(tmp_path: Path, line: str) -> None:
    (tmp_path / "tokens").write_text(line)
    with pytest.raises(ValueError, match="tokens:1"):
        load(tmp_path / "tokens")


# Slow clients, and connections


def test_a_slow_head_and_a_slow_body_are_ended(outside: Served) -> None:
    began = time.monotonic()
    assert raw(outside, *[bytes([byte]) for byte in head(outside)[:40]], pause_s=0.05).startswith(b"HTTP/1.1 408")
    length = f"Content-Length: {len(json.dumps(BODY))}"
    answer = raw(outside, head(outside, length), *[b"{"] * 30, pause_s=0.05)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"slow-body" in answer
    assert time.monotonic() - began < 15
    assert outside.get("/healthz").status_code == 200


def test_connections_that_say_nothing_are_closed(outside: Served) -> None:
    idle = [socket.create_connection(("127.0.0.1", outside.port), timeout=10) for _ in range(50)]
    assert outside.post("/check", json=BODY).status_code == 200
    for one in idle:
        assert one.recv(1000).startswith(b"HTTP/1.1 408")
        one.close()


def test_a_head_without_end_is_refused(outside: Served) -> None:
    answer = raw(outside, head(outside)[:-2], *[b"X-Filler: " + b"x" * 8000 + b"\r\n"] * 20)
    assert answer.startswith(b"HTTP/1.1 431")


def test_two_lengths_and_other_smuggling_are_refused(outside: Served) -> None:
    both = head(outside, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    assert raw(outside, both).startswith(b"HTTP/1.1 4")
    assert raw(outside, head(outside, "Content-Length: 5", "Content-Length: 6") + b"12345").startswith(b"HTTP/1.1 400")
    assert raw(outside, b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n").startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("address", [b"/healthz/?\xe9", b"/?a=\xff", b"/checks/?\xc3\xa9"])
def test_an_address_is_ascii(outside: Served, address: bytes) -> None:
    host = f"127.0.0.1:{outside.port}".encode()
    answer = raw(outside, b"GET " + address + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


def test_a_client_that_goes_away_leaves_nothing(outside: Served) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", outside.port)) as connection:
            connection.sendall(head(outside, "Content-Length: 100") + b"{")
    assert outside.post("/check", json=BODY).status_code == 200
    assert '"crash"' not in outside.log.read_text()


# Secrets


def test_no_canary_in_any_answer_log_or_error(tmp_path: Path) -> None:
    """Secrets in the service's variables, in its settings, in what is sent, and in what goes wrong."""
    canary = "CANARY0123456789abcdef"
    secret, token = make("ci", ["check", "read", "probe"], 1)
    (tmp_path / "tokens").write_text(token.line())
    variables = {
        "HF_HUB_TOKEN": f"hf_{canary}",
        "NCCL_SECRET": canary,
        "TORCH_PASSWORD": canary,
        "AWS_SECRET_ACCESS_KEY": canary,
        "WANDB_API_KEY": canary,
        "ACCELERATE_URL": f"https://user:{canary}@host/",
        "FP8CHECK_TOKENS_FILE": str(tmp_path / "tokens"),
        "FP8CHECK_LOG_LEVEL": "debug",
    }
    said = []
    with served(tmp_path, **variables) as one:
        headers = bearer(secret)
        bodies: list[Any] = [
            {"accelerate": ACCELERATE},
            {"training": f"hub_token: {canary}\nbf16: [1\n"},
            {
                "training": TRAINING,
                "facts": {**FACTS, "variables": {"HF_TOKEN": canary}},
                "options": {"select": [canary]},
            },
            {"training": TRAINING, "unknown": canary},
            {"training": TRAINING, "options": {"trainer": canary}},
            {"training": {"x": canary}},
        ]
        for body in bodies:
            answer = one.post("/check", json=body, headers=headers)
            if "hub_token" not in str(body):  # a message on a file may show the line that it is about
                said.append(answer.text)
        said.append(
            one.post(
                "/check", content=f'{{"training": "{canary}', headers={**headers, "Content-Type": "application/json"}
            ).text
        )
        said += [
            one.get(path, headers=headers).text
            for path in ("/environment", "/checks", "/metrics", "/openapi.json", "/")
        ]
        one.post("/check", json={**BODY, "options": {"probe": True}}, headers={**headers, "Prefer": "wait=20"})
        said.append(one.get(f"/checks/{canary}", headers=bearer(canary)).text)
    log = one.log.read_text()
    assert log.count('"request"') >= 10
    for text in (*said, log):
        assert canary not in text
        assert secret not in text


def test_what_libraries_log_is_not_passed_on(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/healthz")
    logging.getLogger("sqlalchemy").warning("a row with CANARY-IN-A-ROW")
    assert "CANARY-IN-A-ROW" not in capsys.readouterr().err


def test_an_unexpected_error_is_a_problem_and_its_message_is_not_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("CANARY-IN-A-MESSAGE")

    monkeypatch.setattr("fp8check.service.checking.request_of", fail)
    answer = client.post("/check", json=BODY)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "CANARY" not in answer.text + capsys.readouterr().err


def test_every_answer_has_the_security_headers(client: TestClient) -> None:
    for answer in (client.get("/"), client.post("/check", json=BODY), client.get("/nothing"), client.get("/style.css")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "same-origin"


def test_markup_in_files_is_shown_and_not_run(client: TestClient) -> None:
    evil = "<script>alert(1)</script>"
    text = f"# {evil}\n'{evil}': \"{evil}\"\nbf16: true\nmodel_name_or_path: '{evil}'\noutput_dir: \"'><img src=x onerror=alert(1)>\"\n"
    accelerate = f"mixed_precision: fp8\nfp8_config:\n  backend: '{evil}'\ndistributed_type: '{evil}'\n"
    body = {
        "files": [{"name": f"{evil}.yaml", "text": text}],
        "accelerate": accelerate,
        "options": {"variables": {evil: evil}},
    }
    stored = client.post("/check", json=body)
    assert stored.status_code == 200
    place = stored.headers["content-location"]
    for answer in (client.get(place, headers={"Accept": "text/html"}), client.get(f"{place}?format=html")):
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert "&lt;script&gt;" in answer.text
