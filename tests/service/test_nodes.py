"""The nodes of a cluster report to the service: what is stored, who sees it, and that it is what `fp8check nodes` says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.service.store import nodes as stored_nodes
from fp8check.service.tokens import make
from tests.support.nodes import merged, node, write
from tests.tools.fuzz.vocabulary import SECRETS

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

PAGE = {"Accept": "text/html"}
ODD = [node("a"), node("b"), node("c"), node("d", facts={"driver": "1"}), node("e", verdict="fail", why=["it broke"])]


def told(client: TestClient, job: str, documents: list[dict[str, Any]]) -> None:
    for one in documents:
        answer = client.post(f"/nodes/{job}", json=one)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "job": job,
            "host": one["host"],
            "verdict": one["verdict"],
            "nodes": f"/nodes/{job}",
        }


def test_the_answer_is_that_of_the_command(client: TestClient, tmp_path: Path) -> None:
    told(client, "run-7", ODD)
    answer = client.get("/nodes/run-7")
    assert answer.json() == json.loads(json.dumps(merged(write(tmp_path / "told", ODD))))
    assert (answer.headers["FP8check-Verdict"], answer.headers["FP8check-Exit-Code"]) == ("fail", "1")
    text = client.get("/nodes/run-7?format=text")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text.endswith("fail  4 passing, 1 failing, 0 unknown\n")


def test_who_did_not_report_never_passes(client: TestClient) -> None:
    told(client, "j", ODD[:3])
    assert client.get("/nodes/j").headers["FP8check-Exit-Code"] == "0"
    missing = client.get("/nodes/j?expect=4")
    assert (missing.json()["verdict"], missing.json()["absent"]) == ("undecided", 1)
    assert missing.headers["FP8check-Exit-Code"] == "3"


def test_a_node_that_reports_again_is_what_it_told_last(client: TestClient) -> None:
    told(client, "j", [node("a"), node("b"), node("a", verdict="fail", why=["it broke"])])
    answer = client.get("/nodes/j").json()
    assert answer["counts"] == {"passing": 1, "failing": 1, "unknown": 0, "absent": 0}
    assert client.get("/nodes/other").status_code == 404


def test_it_is_there_after_a_restart(service: Any) -> None:
    with service() as client:
        told(client, "j", ODD)
        before = client.get("/nodes/j").json()
    with service() as client:
        assert client.get("/nodes/j").json() == before


def test_nobody_speaks_for_a_node_of_another_caller(service: Any, tmp_path: Path) -> None:
    made = [make("one", ("check",), 1), make("two", ("check",), 1), make("reader", ("read",), 1)]
    (tmp_path / "tokens").write_text("".join(f"{token.line()}\n" for _, token in made))
    one, two, reader = ({"Authorization": f"Bearer {secret}"} for secret, _ in made)
    with service(tokens_file=tmp_path / "tokens") as client:
        assert client.post("/nodes/j", json=node("a", verdict="fail", why=["broken"]), headers=one).status_code == 200
        assert client.post("/nodes/j", json=node("a"), headers=two).status_code == 200
        both = client.get("/nodes/j", headers=reader).json()
        assert "reported 2 times" in str(both["standing"]["a"]["why"])
        assert both["verdict"] == "undecided"
        assert client.get("/nodes/j", headers=one).json()["verdict"] == "fail"  # what it sent, and no more
        assert client.get("/nodes/j", headers=two).json()["verdict"] == "pass"
        assert client.get("/nodes/none", headers=one).status_code == 403
        assert client.get("/nodes/none", headers=reader).status_code == 404
        assert client.post("/nodes/j", json=node("a"), headers=reader).status_code == 403
        for answer in (client.get("/nodes/j"), client.post("/nodes/j", json=node("a"))):
            assert (answer.status_code, answer.json()["type"]) == (401, "/problems/token")


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (b"{", 422, "not JSON"),
        (b"[]", 422, "not an object"),
        (b"[" * 100_000, 422, "nested too deeply"),
        (b"\xff", 422, "not UTF-8"),
        (b'{"schema": "fp8check/nodes/1"}', 422, "the schema must be fp8check/node/1"),
        (json.dumps({**node("a"), "host": "../a"}).encode(), 422, "no name of a host"),
        (json.dumps({**node("a"), "facts": {"gpus": 3}}).encode(), 422, "facts"),
        (json.dumps({**node("a"), "verdict": "fine"}).encode(), 422, "its verdict"),
        (json.dumps({**node("a"), "why": ["x" * (3 << 20)]}).encode(), 413, "too large"),
    ],
)
def test_what_is_no_report_is_a_problem(content: bytes, status: int, why: str, client: TestClient) -> None:
    answer = client.post("/nodes/j", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert why in answer.json()["detail"] + answer.json()["title"]
    assert client.get("/nodes/j").status_code == 404


def test_wrong_addresses_and_kinds(client: TestClient) -> None:
    assert client.post("/nodes/j", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    for address in ("/nodes/j", "/"):
        refused = client.delete(address)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, POST")
    for job in ("-j", ".j", "a b", "j" * 65, "%0a"):
        assert client.post(f"/nodes/{job}", json=node("a")).status_code == 422
    assert client.post("/nodes/../j", json=node("a")).status_code == 404
    assert client.get("/nodes/j?expect=0").status_code == 422
    told(client, "j", ODD[:1])
    assert client.get("/nodes/j?format=sarif").status_code == 406


def test_a_job_has_room_for_so_many(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_nodes, "MOST_OF_A_JOB", 2)
    told(client, "j", [node("a"), node("b")])
    full = client.post("/nodes/j", json=node("c"))
    assert (full.status_code, full.json()["type"]) == (413, "/problems/too-large")
    told(client, "j", [node("b", verdict="warn")])  # who is there already has its place
    told(client, "k", [node("c")])
    monkeypatch.setattr(stored_nodes, "MOST_BYTES_OF_A_JOB", 10)
    assert client.post("/nodes/l", json=node("c")).status_code == 413
    assert client.get("/nodes/j").json()["counts"]["passing"] == 2


def test_what_is_old_or_too_much_goes(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(keep_checks=3, keep_days=1) as client:
        moments = iter([1, *range(10**13, 10**13 + 5)])
        monkeypatch.setattr("fp8check.service.check_service.now_ms", lambda: next(moments))
        told(client, "j", [node(name) for name in "abcdef"])
        client.portal.call(client.app.state.service.store.tidy)
        assert [one["host"] for one in client.get("/nodes/j").json()["nodes"]] == ["d", "e", "f"]


def test_nothing_is_injected_and_no_credential_is_stored(service: Any, tmp_path: Path) -> None:
    secret = next(iter(SECRETS))
    evil = node("evil", facts={"variables": {"X": f"<script>alert(1)</script>{secret}"}}, verdict="fail")
    evil["why"] = ["<img src=x onerror=alert(2)>\x1b[2J", secret]
    with service() as client:
        told(client, "j", [node("a"), node("b"), node("c"), evil])
        shown = client.get("/nodes/j", headers=PAGE)
        answers = [shown.text, client.get("/nodes/j").text, client.get("/nodes/j?format=text").text]
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert shown.text.count("<script") == 1  # page.js
    assert "<img" not in shown.text
    for one in answers:
        assert secret not in one
        assert "\x1b" not in one
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("checks.db*"))


def test_the_page_shows_every_node_and_where_they_differ(client: TestClient) -> None:
    told(client, "run-7", ODD)
    shown = client.get("/nodes/run-7?expect=6", headers=PAGE)
    assert shown.headers["content-type"].startswith("text/html")
    for part in (
        "<h1>The nodes of run-7</h1>",
        '<li class="pass">a <span class="badge">pass</span></li>',
        '<li class="warn">d <span class="badge">warn</span></li>',
        '<li class="fail">e <span class="badge">fail</span></li>',
        "driver; usual: 580.95.05 (4)",
        "<td>1: d</td>",
        "it broke",
        "1 more did not report",
        "/nodes/run-7?format=json&amp;expect=6",
    ):
        assert part in shown.text, part
    assert shown.text.index(">e <") < shown.text.index(">a <")  # what does not pass stands first
