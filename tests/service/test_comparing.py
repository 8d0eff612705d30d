"""The list of checks and two of them side by side, without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.example import ACCELERATE, BODY, TRAINING
from tests.tools.fuzz.invariants import page

if TYPE_CHECKING:
    from starlette.testclient import TestClient

HTML = {"Accept": "text/html"}


def stored(client: TestClient, **changed: object) -> str:
    answer = client.post("/check", json={**BODY, **changed})
    assert answer.status_code == 200, answer.text
    return answer.headers["content-location"].removeprefix("/checks/")


def compared(client: TestClient, *ids: str) -> str:
    answer = client.get("/compare", params={"id": list(ids)}, headers=HTML)
    assert answer.status_code == 200, answer.text
    page(answer.text)
    return answer.text


def test_checks_are_listed_by_the_names_of_their_files(client: TestClient) -> None:
    hostile = [{"name": "<b>&\u202e.yaml", "text": TRAINING}, {"name": "a, b.yaml", "text": ACCELERATE}]
    stored(client)
    stored(client, training=None, accelerate=None, files=hostile)
    stored(client, training=None, accelerate=None, options={"launch": "accelerate launch train.py"})
    names = [one["names"] for one in client.get("/checks").json()["checks"]]
    assert names == [[], ["<b>&\\u202e.yaml", "a, b.yaml"], ["train.yaml", "accelerate.yaml"]]
    text = client.get("/checks", headers=HTML).text
    page(text)
    assert ">train.yaml, accelerate.yaml</a>" in text
    assert "&lt;b&gt;&amp;" in text
    assert ">files without names</a>" in text


def test_more_names_than_fit_are_cut_between_names(client: TestClient) -> None:
    files = [{"name": f"{number}{'n' * 98}.yaml", "text": TRAINING} for number in range(5)]
    stored(client, training=None, accelerate=None, files=files)
    (names,) = [one["names"] for one in client.get("/checks").json()["checks"]]
    assert names == [one["name"] for one in files[:2]]


def test_two_checks_are_shown_by_what_differs(client: TestClient) -> None:
    first = stored(client)
    second = stored(client, training=TRAINING.replace("bf16: true", "bf16: false"))
    text = compared(client, first, second)
    only_first = text.partition("Only in the first")[2].partition("Only in the second")[0]
    assert "FP101 error" in only_first
    assert "FP101 error" not in text.partition("Only in the second")[2].partition("In both")[0]
    assert "<del>bf16: true\n</del><ins>bf16: false\n</ins>" in text
    assert '<th scope="row">bf16</th><td>True</td><td>False</td>' in text


def test_a_check_and_itself_do_not_differ(client: TestClient) -> None:
    one = stored(client)
    text = compared(client, one, one)
    assert "Only in the first: 0" in text
    assert "Nothing: the files are the same." in text
    assert "<del>" not in text


def test_what_is_compared_is_text_and_no_markup(client: TestClient) -> None:
    hostile = TRAINING.replace("Qwen/Qwen2.5-7B", "'<script>alert(1)</script>\u202e'")
    text = compared(client, stored(client), stored(client, training=hostile))
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text


def test_not_two_and_not_there(client: TestClient) -> None:
    one = stored(client)
    for ids, status in (([], 422), ([one], 422), ([one] * 3, 422), ([one, "x"], 404), ([one, "y" * 4000], 404)):
        assert client.get("/compare", params={"id": ids}, headers=HTML).status_code == status
