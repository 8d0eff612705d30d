"""The form without a browser: what is picked of the machine, the example, and that nothing typed is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.rules import facts as machine
from fp8check.rules.releases.versions import EXECUTED
from fp8check.service.example import EXAMPLE
from fp8check.service.machine_words import Words, facts_of, gpus, preset_of, stacks, words_of
from fp8check.service.problems import Problem
from tests.support.example import ACCELERATE, FACTS, TRAINING

if TYPE_CHECKING:
    from starlette.testclient import TestClient

FILES = {"training": TRAINING, "accelerate": ACCELERATE}


def report_of(client: TestClient, **data: str) -> dict[str, object]:
    answer = client.post("/check", data={**FILES, **data})
    assert answer.status_code == 200, answer.text
    result: dict[str, object] = answer.json()
    return result


def test_what_is_picked_is_what_a_facts_json_says() -> None:
    facts = machine.loads(
        facts_of(Words("H200", "2", "torch==2.8.0\ntransformer-engine==2.9.0\nrequests==2.32.0\n")).text
    )
    assert facts.packages == {
        "torch": "2.8.0",
        "transformer_engine": "2.9.0",
        "transformer_engine_torch": "2.9.0",
    }
    assert [(one.name, one.compute_capability) for one in facts.gpus or ()] == [("NVIDIA H200", "9.0")] * 2
    assert facts.variables is None, "what is not picked stays unknown"


@pytest.mark.parametrize("gpu", ["", *gpus()])
@pytest.mark.parametrize("stack", ["", *stacks().values()])
def test_the_form_shows_again_what_was_picked(gpu: str, stack: str) -> None:
    words = words_of(facts_of(Words(gpu, "3" if gpu else "", stack)))
    assert words is not None
    assert (words.gpu, words.gpus) == (gpu, "3" if gpu else "")
    assert preset_of(words.stack) == stack


def test_stacks_that_are_offered_were_run() -> None:
    for stack in stacks().values():
        releases = dict(word.split("==") for word in stack.split())
        assert releases["torch"] == EXECUTED["torch"]
        assert releases["accelerate"] == EXECUTED["accelerate"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (Words("H900"), "gpu: one of H200"),
        (Words("H200", "0"), "gpus: a number from 1 to 64"),
        (Words("H200", "9" * 5000), "gpus: a number"),
        (Words("", "2"), "gpus: of which GPU"),
        (Words(stack="torch=2.8"), "stack: "),
        (Words(stack="torch==2.8.0\ntorch==2.9.0"), "torch is named twice"),
        (Words(stack="flask==1.0\nrequests==2.0\n"), "none of these packages"),
    ],
)
def test_what_cannot_be_understood_is_refused(words: Words, said: str) -> None:
    with pytest.raises(Problem, match=said):
        facts_of(words)


def test_a_gpu_without_fp8_changes_the_answer(client: TestClient) -> None:
    verdicts = [report_of(client, gpu=gpu)["summary"] for gpu in ("H200", "A100")]
    assert verdicts[0] != verdicts[1]


def test_facts_and_words_are_not_mixed(client: TestClient) -> None:
    answer = client.post("/check", data={**FILES, "gpu": "H200", "facts": json.dumps(FACTS)})
    assert answer.status_code == 422
    assert "not both" in answer.text


def test_the_example_is_the_one_of_the_repository(client: TestClient) -> None:
    assert (EXAMPLE["training"], EXAMPLE["accelerate"]) == (TRAINING, ACCELERATE)
    assert all(
        FACTS["packages"][name] == release for name, release in (one.split("==") for one in EXAMPLE["stack"].split())
    )
    text = client.get("/?example=true").text
    assert "fp8_backend: te" in text
    assert "<option selected>H200</option>" in text
    assert "fp8_backend: te" not in client.get("/").text
    asked = client.post("/", data=EXAMPLE, follow_redirects=False)
    assert asked.status_code == 303
    shown = client.get(asked.headers["location"], headers={"Accept": "text/html"}).text
    assert 'class="verdict fail"' in shown
    assert 'class="todo"' in shown


@pytest.mark.parametrize("fault", [{"stack": "torch=2"}, {"training": "a: [1"}, {"gpu": "<script>"}])
def test_what_was_typed_stays_where_it_is_refused(fault: dict[str, str], client: TestClient) -> None:
    data = {**FILES, "launch": "torchrun", "gpu": "A100", "gpus": "4", "stack": "torch==2.8.0", **fault}
    answer = client.post("/", data=data)
    assert answer.status_code == 422
    assert "fp8_format: E4M3" in answer.text
    assert "<option selected>torchrun</option>" in answer.text
    assert ("<option selected>A100</option>" in answer.text) == ("gpu" not in fault)
    assert data["stack"] in answer.text
    assert "<script>" not in answer.text


def test_line_breaks_as_a_browser_sends_them_are_no_characters_of_the_file(client: TestClient) -> None:
    """Else no file of a pasted run could be copied or saved: a page keeps no carriage return."""
    sent = {name: value.replace("\n", "\r\n") for name, value in EXAMPLE.items()}
    asked = client.post("/", data=sent, follow_redirects=False)
    shown = client.get(asked.headers["location"], headers={"Accept": "text/html"}).text
    assert 'data-name="train.yaml"' in shown
    assert "\r" not in shown
