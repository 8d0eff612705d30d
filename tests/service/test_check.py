"""POST /check: what it takes, what it answers, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.report.formats import FORMATS
from tests.support.example import ACCELERATE, BODY, EXAMPLE, FACTS, TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient


def test_json_and_multipart_get_the_same_report(client: TestClient) -> None:
    files = {
        name: (EXAMPLE / file).open("rb")
        for name, file in (("training", "train.yaml"), ("accelerate", "accelerate.yaml"), ("facts", "facts.json"))
    }
    as_form = client.post("/check", files=files)
    for file in files.values():
        file.close()
    as_json = client.post("/check", json=BODY)
    assert as_form.status_code == as_json.status_code == 200
    assert as_form.json() == as_json.json()
    assert as_json.headers["fp8check-verdict"] == "fail"
    assert as_json.headers["fp8check-exit-code"] == "1"


def test_facts_may_be_text_or_an_object(client: TestClient) -> None:
    as_object = client.post("/check", json=BODY).json()
    as_text = client.post("/check", json={**BODY, "facts": json.dumps(FACTS)}).json()
    assert as_object == as_text


def test_files_in_any_order_and_with_names(client: TestClient) -> None:
    files = [{"name": "a/accel.yaml", "text": ACCELERATE}, {"name": "cfg.yaml", "text": TRAINING}]
    report = client.post("/check", json={"files": files, "facts": FACTS}).json()
    assert [(file["path"], file["kind"]) for file in report["files"]] == [
        ("cfg.yaml", "training"),
        ("a/accel.yaml", "accelerate"),
    ]


def test_what_is_required_fails_the_exit_code(client: TestClient) -> None:
    options = {"require": ["starts==true", "fp8_layers==none", "memory<=1"], "select": ["FP995"]}
    answer = client.post("/check", json={**BODY, "options": options})
    assert answer.headers["fp8check-exit-code"] == "1"
    report = answer.json()
    assert [one["met"] for one in report["requirements"]] == [True, False, False]
    assert [one["rule"] for one in report["findings"]] == ["FP995", "FP995"]
    met = client.post("/check", json={**BODY, "options": {**options, "require": ["starts==true"]}})
    assert met.headers["fp8check-exit-code"] == "0"
    wrong = client.post("/check", json={**BODY, "options": {"require": ["speedupp>=1"]}})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/invalid")
    assert "the outcome has no 'speedupp'" in wrong.json()["detail"]


def test_several_training_files_are_several_runs(client: TestClient) -> None:
    files = [{"name": "one.yaml", "text": TRAINING}, {"name": "two.yaml", "text": TRAINING}]
    reports = client.post("/check", json={"files": files, "accelerate": ACCELERATE, "facts": FACTS}).json()
    assert [report["files"][0]["path"] for report in reports] == ["one.yaml", "two.yaml"]


def test_files_of_one_name_are_told_apart(client: TestClient) -> None:
    files = [{"name": "c.yaml", "text": TRAINING}, {"name": "c.yaml", "text": ACCELERATE}]
    report = client.post("/check", json={"files": files, "facts": FACTS}).json()
    assert [file["path"] for file in report["files"]] == ["c.yaml", "2-c.yaml"]


@pytest.mark.parametrize("format_", [one.name for one in FORMATS])
def test_every_format_by_accept_and_by_name(client: TestClient, format_: str) -> None:
    media_type = next(one.media_type for one in FORMATS if one.name == format_)
    by_name = client.post(f"/check?format={format_}", json=BODY)
    assert by_name.status_code == 200
    assert by_name.headers["content-type"].partition(";")[0] == media_type
    if format_ != "concise":  # text/plain is the text of the command
        assert client.post("/check", json=BODY, headers={"Accept": media_type}).text == by_name.text
    stored = client.get(by_name.headers["content-location"] + f"?format={format_}")
    assert stored.status_code == 200
    assert stored.headers["content-type"] == by_name.headers["content-type"]
    if format_ == "json":
        assert stored.json() == by_name.json()
    else:
        assert stored.text == by_name.text


def test_accept_with_weights(client: TestClient) -> None:
    answer = client.post(
        "/check", json=BODY, headers={"Accept": "text/html;q=0.2, application/sarif+json;q=0.9, */*;q=0.1"}
    )
    assert answer.headers["content-type"] == "application/sarif+json"
    refused = client.post("/check", json=BODY, headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert {"format": "sarif", "media_type": "application/sarif+json"} in refused.json()["formats"]


def test_options_are_those_of_the_command(client: TestClient) -> None:
    options = {"select": ["fp1"], "launch": "python train.py", "variables": {"ACCELERATE_MIXED_PRECISION": "fp8"}}
    report = client.post("/check", json={**BODY, "options": options}).json()
    assert {finding["rule"][:3] for finding in report["findings"]} <= {"FP1"}
    assert report["facts"]["variables"] == {"ACCELERATE_MIXED_PRECISION": "fp8"}
    form = {"select": "FP1", "launch": "python train.py", "variable": "ACCELERATE_MIXED_PRECISION=fp8"}
    files = {
        "training": ("train.yaml", TRAINING),
        "accelerate": ("accelerate.yaml", ACCELERATE),
        "facts": ("facts.json", json.dumps(FACTS)),
    }
    assert client.post("/check", data=form, files=files).json() == report
    assert client.post("/check", json=BODY).json()["facts"]["variables"] == {}


def test_fail_on_changes_the_exit_code_and_nothing_else(client: TestClient) -> None:
    first = client.post("/check", json=BODY)
    never = client.post("/check", json={**BODY, "options": {"fail_on": "never"}})
    assert never.headers["fp8check-exit-code"] == "0"
    assert never.json() == first.json()


def test_without_facts_this_machine_is_checked(client: TestClient) -> None:
    report = client.post("/check", json={"accelerate": ACCELERATE}).json()
    assert report["facts"] == client.get("/environment").json()
    unknown = client.post("/check", json={"accelerate": ACCELERATE, "options": {"environment": False}}).json()
    assert "packages" not in unknown["facts"]


def test_another_machine_trains(service: Callable[..., object]) -> None:
    with service(own_environment=False) as client:  # type: ignore[attr-defined]
        assert "packages" not in client.post("/check", json={"accelerate": ACCELERATE}).json()["facts"]
        assert client.get("/environment").status_code == 404


def test_a_launch_command_alone_is_a_run(client: TestClient) -> None:
    launch = "trl sft --mixed_precision fp8 --bf16 True --model_name_or_path Qwen/Qwen2.5-0.5B --dataset_name trl-lib/Capybara"
    report = client.post("/check", json={"facts": FACTS, "options": {"launch": launch}}).json()
    assert (report["verdict"], report["files"]) == ("fail", [])
    assert "FP101" in [one["rule"] for one in report["findings"]]
    form = {"launch": launch}
    assert client.post("/check", data=form, files={"facts": ("facts.json", json.dumps(FACTS))}).json() == report
    unknown = client.post("/check", json={"facts": FACTS, "options": {"launch": "make train"}}).json()
    assert (unknown["verdict"], unknown["findings"]) == ("undecided", [])


WRONG = [
    ({}, 422, "no-run"),
    ({"options": {"launch": ""}}, 422, "no-run"),
    ({"options": {"launch": "  "}}, 422, "no-run"),
    ({"training": "a: 1"}, 422, "no-run"),
    (
        {"training": TRAINING, "files": [{"name": "x", "text": ACCELERATE}, {"name": "y", "text": ACCELERATE}]},
        422,
        "no-run",
    ),
    ({"training": "bf16: [1"}, 422, "unreadable"),
    ({"training": TRAINING, "facts": {"schema": "other"}}, 422, "unreadable"),
    ({"training": 1}, 422, "invalid"),
    ({"trainings": TRAINING}, 422, "invalid"),
    ({"training": TRAINING, "options": {"select": ["XYZ"]}}, 422, "invalid"),
    ({"training": TRAINING, "options": {"launch": "accelerate launch 'x"}}, 422, "no-run"),
]


@pytest.mark.parametrize(("body", "status", "slug"), WRONG)
def test_what_does_not_fit_is_refused_with_a_reason(
    client: TestClient, body: dict[str, object], status: int, slug: str
) -> None:
    answer = client.post("/check", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"/problems/{slug}"
    assert problem["detail"]
    assert client.get(problem["type"]).status_code == 200


def test_an_unreadable_file_says_where(client: TestClient) -> None:
    problem = client.post("/check", json={"training": "bf16: true\n\tfp8: true\n"}).json()
    assert problem["errors"][0]["line"] == 2
    assert problem["errors"][0]["hint"] == "YAML is indented with spaces; replace the tab"


def test_other_bodies_and_no_body(client: TestClient) -> None:
    assert client.post("/check", content="x", headers={"Content-Type": "text/yaml"}).status_code == 415
    assert client.post("/check").status_code == 415
    assert client.post("/check", content="{", headers={"Content-Type": "application/json"}).status_code == 400
    assert client.post("/check", content="x", headers={"Content-Type": "multipart/form-data"}).status_code == 400


def test_what_the_framework_refuses_is_a_problem_too(client: TestClient) -> None:
    for answer in (
        client.get("/nothing"),
        client.delete("/check"),
        client.get("/checks?limit=x"),
        client.get("/rules/none"),
    ):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code >= 400
    assert client.delete("/check").headers["allow"] == "POST"


def test_stored_checks_are_listed_page_by_page(client: TestClient) -> None:
    for _ in range(5):
        client.post("/check", json=BODY)
    first = client.get("/checks?limit=3").json()
    assert len(first["checks"]) == 3
    second = client.get(first["next"]).json()
    assert len(second["checks"]) == 2
    assert second["next"] is None
    assert len({check["id"] for check in first["checks"] + second["checks"]}) == 5
    assert first["checks"][0]["errors"] == 4


def test_an_answer_that_is_known_is_the_same_and_stored_again(client: TestClient) -> None:
    first, second = client.post("/check", json=BODY), client.post("/check", json=BODY)
    assert first.content == second.content
    assert first.headers["content-location"] != second.headers["content-location"]
    assert 'fp8check_cache_total{result="hit"} 1.0' in client.get("/metrics").text


def test_a_request_id_is_kept_or_made(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a\x01b"}).headers["x-request-id"] != "a\x01b"


def test_metrics_have_route_templates_and_no_paths(client: TestClient) -> None:
    client.get("/rules/FP101")
    client.get("/checks/secret-looking-id")
    text = client.get("/metrics").text
    assert 'route="/rules/{id}"' in text
    assert "secret-looking-id" not in text


def test_large_files_are_checked_in_a_process_of_their_own(client: TestClient) -> None:
    padding = "# " + "x" * 20_000 + "\n"
    small, large = (
        client.post("/check", json=BODY).json(),
        client.post("/check", json={**BODY, "training": TRAINING + padding}),
    )
    assert large.status_code == 200
    # of a large run fewer helps are proved, and less is looked at behind its errors, which it says
    found, expected = (
        [{**one, "help": "", "fix": None} for one in report["findings"] if "after" not in one]
        for report in (large.json(), small)
    )
    assert found == expected
    assert large.json()["hiding"]
    wrong = client.post("/check", json={"training": "bf16: [1\n" + padding})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/unreadable")


def test_garbage_is_collected_also_where_the_command_had_switched_that_off(service: Callable[..., object]) -> None:
    """Without it, the process grows by fifty kilobytes a request."""
    import gc

    gc.disable()
    try:
        with service():  # type: ignore[attr-defined]
            assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


TRAINS = (
    "from transformers import HfArgumentParser, Trainer, TrainingArguments\n"
    "HfArgumentParser(TrainingArguments)\nTrainer().train()\n"
)
SHELL = (
    "#!/bin/bash\nPRECISION=fp8\n"
    "accelerate launch --config_file conf/accel.yaml --mixed_precision $PRECISION src/train.py --bf16 True\n"
    "accelerate launch --config_file elsewhere.yaml other.py\n"
)


@pytest.mark.parametrize("name", ["job.sbatch", "start"])
def test_each_launch_line_of_a_shell_script_is_a_run(client: TestClient, name: str) -> None:
    files = [
        {"name": name, "text": SHELL},
        {"name": "other.py", "text": "from accelerate import Accelerator\nAccelerator()\n"},
        {"name": "accel.yaml", "text": ACCELERATE},
        {"name": "train.py", "text": TRAINS},
    ]
    answer = client.post("/check", json={"files": files, "facts": FACTS})
    assert answer.status_code == 200
    first, second = answer.json()
    assert first["launch"]["line"] == 3
    assert [file["path"] for file in first["files"]] == [name, "accel.yaml", "train.py"]
    (found,) = [one for one in first["findings"] if one["rule"] == "FP101"]
    assert (found["file"], found["line"]) == (name, 3)
    assert [file["path"] for file in second["files"]] == [name, "other.py"]
    assert "elsewhere.yaml: no such file" in second["outcome"]["undecided"]


def test_a_shell_script_that_starts_nothing_and_one_with_a_launch_command(client: TestClient) -> None:
    nothing = client.post("/check", json={"files": [{"name": "a.sh", "text": "echo\n"}]})
    assert nothing.status_code == 422
    assert "no line of this script starts a training" in nothing.json()["detail"]
    both = {"files": [{"name": "a.sh", "text": SHELL}], "options": {"launch": "accelerate launch"}}
    assert "a shell script has its own launch lines" in client.post("/check", json=both).json()["detail"]


def test_a_shell_script_by_multipart_and_in_text(client: TestClient) -> None:
    files = [("files", ("run.sh", SHELL.encode())), ("files", ("accel.yaml", ACCELERATE.encode()))]
    answer = client.post("/check?format=text", files=files)
    assert answer.status_code == 200
    assert "run.sh:3:1  accelerate launch --config_file conf/accel.yaml" in answer.text
