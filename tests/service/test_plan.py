"""POST /plan: the same plans as the command and the Python API give, and the same manners as POST /check."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from fp8check.rules.checking import InputError, plan
from fp8check.rules.checking.planning import SECONDS
from fp8check.rules.report.plan import as_json, as_text
from fp8check.rules.report.terminal import Style
from fp8check.service.reportmodel import Plans, Report
from fp8check.service.tokens import make
from tests.service.test_parity import Input, cases, put
from tests.support.example import BODY, FACTS, TRAINING
from tests.support.paths import CORPUS, EXAMPLE
from tests.support.service import served
from tests.tools.golden import run

if TYPE_CHECKING:
    from starlette.testclient import TestClient

FILES = {
    "training": "# My training.\noutput_dir: out\nlearning_rate: 1.0e-5\nbf16: true  # always\n",
    "accelerate": 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: te\n',
}
UNSEEN = {"environment": False}
USAGE = 2


@pytest.fixture
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared are plans, not how far each came before its time was up on a machine that others use as well."""
    for module in ("rules.checking.planning", "service.check_service"):
        monkeypatch.setattr(f"fp8check.{module}.SECONDS", 10 * SECONDS)


def body(**options: object) -> dict[str, object]:
    return {**FILES, "options": {**UNSEEN, **options}}


def by_command(one: Input) -> tuple[int, str]:
    said = run(["plan", *one.words()])
    return said.code, said.err if said.code == USAGE else said.out


def by_api(one: Input) -> tuple[int, str]:
    options = {name: value for name, value in one.options.items() if name in ("launch", "trainer", "goal")}
    try:
        planned = plan(*one.names, facts="facts.json" if one.facts else None, **options)  # type: ignore[arg-type]
    except InputError as problem:
        return USAGE, str(problem)
    return int(not planned.reached), as_json(planned)


def by_service(one: Input, client: TestClient, folder: Path) -> tuple[int, str]:
    files = [{"name": name, "text": (folder / name).read_text(encoding="utf-8")} for name in one.names]
    sent: dict[str, object] = {"files": files, "options": {**UNSEEN, **one.options}}
    if one.facts:
        sent["facts"] = (folder / "facts.json").read_text(encoding="utf-8")
    answer = client.post("/plan", json=sent)
    if answer.status_code == 422:
        assert answer.headers["content-type"] == "application/problem+json"
        return USAGE, answer.json()["detail"]
    assert answer.status_code == 200, answer.text
    return int(answer.headers["fp8check-exit-code"]), answer.text


def compare(one: Input, client: TestClient, folder: Path) -> int:
    """Fails where two of them differ."""
    code, said = by_command(one)
    in_python, over_http = by_api(one), by_service(one, client, folder)
    assert (in_python[0], over_http[0]) == (code, code)
    if code != USAGE:
        assert json.loads(in_python[1]) == json.loads(over_http[1]) == json.loads(said)
        assert over_http[1] == said, "byte for byte"
    return code


@pytest.mark.usefixtures("time_enough")
@pytest.mark.parametrize("part", range(4))
def test_cases(part: int, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 24th case of all rules."""
    codes = set()
    for number, (_, case) in enumerate(cases()):
        if number % 96 == 24 * part:
            folder = tmp_path / str(number)
            folder.mkdir()
            monkeypatch.chdir(folder)
            one = put(case, folder)
            if one.names and "host" not in case:  # the command may have the default Accelerate file of another machine
                codes.add(compare(one, client, folder))
    assert {0, 1} & codes


@pytest.mark.usefixtures("time_enough")
@pytest.mark.parametrize("goal", ["fp8", "bf16"])
def test_the_example(goal: str, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    assert compare(Input(["train.yaml", "accelerate.yaml"], facts=True, goal=goal), client, EXAMPLE) == 0


@pytest.mark.usefixtures("time_enough")
@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")
def test_real_configuration_files(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS)
    names = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*.yaml"))
    for name in names[::40]:
        compare(Input([name], facts=False), client, CORPUS)


def test_the_text_is_what_the_command_prints(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    words = ["plan", "train.yaml", "accelerate.yaml", "--facts", "facts.json"]
    files = [{"name": name, "text": Path(name).read_text()} for name in ("train.yaml", "accelerate.yaml")]
    sent = {"files": files, "facts": Path("facts.json").read_text()}
    answer = client.post("/plan?format=text", json=sent)
    assert answer.text == run(words).out
    assert answer.headers["content-type"].startswith("text/plain")
    planned = plan("train.yaml", "accelerate.yaml", facts="facts.json")
    assert as_text(planned, Style(on=False)) == answer.text
    painted = client.post("/plan", json={**sent, "options": {"color": True}}, headers={"Accept": "text/plain"})
    assert painted.text == run([*words, "--color", "always"]).out


def test_a_form_says_the_same(client: TestClient) -> None:
    data = {"environment": "false", "goal": "bf16"}
    form = client.post("/plan", data=data, files={name: (None, text) for name, text in FILES.items()})
    assert form.json() == client.post("/plan", json=body(goal="bf16")).json()
    assert form.json()["goal"] == "bf16"


def test_nothing_is_stored(client: TestClient) -> None:
    answer = client.post("/plan", json=body())
    assert "content-location" not in answer.headers
    assert client.get("/checks").json()["checks"] == []


@pytest.mark.parametrize(
    ("route", "options", "said"),
    [
        ("/plan", {"probe": True}, "probe is for POST /check"),
        ("/plan", {"fail_on": "never"}, "fail_on is for POST /check"),
        ("/plan", {"plan": True}, "plan is for POST /check"),
        ("/check", {"goal": "fp8"}, "goal is for POST /plan"),
        ("/plan", {"goal": "fp4"}, "goal"),
    ],
)
def test_what_is_for_the_other_is_refused(
    client: TestClient, route: str, options: dict[str, object], said: str
) -> None:
    answer = client.post(route, json=body(**options))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"x", "text/plain", 415),
        (b"{}", "application/json", 422),
        (b'{"training": "bf16: [1"}', "application/json", 422),
    ],
)
def test_what_cannot_be_answered_is_a_problem(client: TestClient, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/plan", content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(answer.json()) >= {"type", "title", "status", "detail", "request_id"}


def test_other_formats_are_refused(client: TestClient) -> None:
    answer = client.post("/plan?format=sarif", json=body())
    assert answer.status_code == 406
    assert [one["format"] for one in answer.json()["formats"]] == ["json", "text"]


def test_openapi_describes_it_with_examples_that_work(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/plan"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    for example in examples.values():
        answer = client.post("/plan", json=example["value"])
        assert answer.status_code == 200
        jsonschema.validate(answer.json(), Plans.model_json_schema())
        assert answer.json()["reached"] is True
    assert answer.json()["goal"] == "bf16"


def test_a_check_has_the_plan_where_it_is_asked_for(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("train.yaml", FILES["training"]), ("accelerate.yaml", FILES["accelerate"])):
        (tmp_path / name).write_text(text)
    here = run(["train.yaml", "accelerate.yaml", "--no-environment", "--no-config", "--plan", "--format", "json"])
    answer = client.post("/check", json=body(plan=True))
    assert answer.json() == json.loads(here.out)
    assert answer.json()["plan"]["reached"] is True
    jsonschema.validate(answer.json(), Report.model_json_schema())
    assert client.post("/check", json=body()).json()["plan"] is None
    stored = client.get(answer.headers["content-location"] + "?format=text").text
    assert "what to do (fp8check fix --goal fp8)" in stored
    clean = {"training": "output_dir: out\nbf16: false\n", "accelerate": FILES["accelerate"].replace(": te", ": TE")}
    assert client.post("/check", json={**clean, "options": {**UNSEEN, "plan": True}}).json()["plan"] is None


def test_nothing_of_this_machine_is_looked_for(client: TestClient, tmp_path: Path) -> None:
    """The name of a new file would tell which files there are."""
    training = f"{tmp_path}/train.yaml"
    sent = {"files": [{"name": training, "text": TRAINING}], "facts": FACTS}
    before = client.post("/plan", json=sent)
    made = [one["file"] for found in before.json()["plans"] for one in found["steps"] if one["kind"] == "file"]
    assert f"{tmp_path}/accel.yaml" in made
    (tmp_path / "accel.yaml").write_text("")
    assert client.post("/plan", json=sent).json() == before.json()


def test_who_may_not_see_this_machine_does_not(tmp_path: Path) -> None:
    secret, token = make("ci", ("check",), 1)
    (tmp_path / "tokens").write_text(token.line())
    with served(tmp_path, FP8CHECK_TOKENS_FILE=str(tmp_path / "tokens")) as one:
        assert one.post("/plan", json=FILES).status_code == 401
        answer = one.post("/plan", json=FILES, headers={"Authorization": f"Bearer {secret}"})
        unseen = one.post("/plan", json=body(), headers={"Authorization": f"Bearer {secret}"})
        assert answer.json() == unseen.json()


SLOW = {  # its trainer is named, as too little of the file is known for a guess
    "training": "model_name_or_path: a/b\noutput_dir: out\nlearning_rate: 1.0e-5\nbf16: true\n"
    + "".join(f"k{number}: 1 # fp8check: ignore[FP101] x\n" for number in range(2_500)),
    "accelerate": "mixed_precision: fp8\nfp8_config:\n" + "".join(f"  k{number}: 1\n" for number in range(4_000)),
}


def test_many_plans_leave_room_for_checks(tmp_path: Path) -> None:
    """A plan may take a second: it waits in a line of its own, and each caller is answered, some with 503."""
    with served(tmp_path) as one, ThreadPoolExecutor(12) as pool:
        one.post("/check", json=BODY)
        sent = [
            pool.submit(
                one.post,
                "/plan",
                json={**SLOW, "options": {**UNSEEN, "trainer": "transformers", "variables": {"N": str(number)}}},
            )
            for number in range(12)
        ]
        slowest = 0.0
        while not all(done.done() for done in sent):
            began = time.monotonic()
            assert one.get("/healthz").status_code == 200
            assert one.post("/check", json=BODY).status_code in (200, 503)
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.05)
        answers = [done.result() for done in sent]
        assert {answer.status_code for answer in answers} <= {200, 422, 503}
        for answer in answers:
            if answer.status_code != 200:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["type"] in ("/problems/busy", "/problems/too-costly")
        assert slowest < 3 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        assert one.post("/plan", json=body()).status_code == 200
    assert '"crash"' not in one.log.read_text()


def test_a_plan_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with served(tmp_path, FP8CHECK_CHECK_TIMEOUT_S="0.05") as one:
        answer = one.post("/plan", json={**SLOW, "options": {**UNSEEN, "trainer": "transformers"}})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/too-costly")
        assert one.get("/healthz").status_code == 200


SCRIPT = """\
import torch
from accelerate import Accelerator

accelerator = Accelerator(mixed_precision="bf16")
model = torch.nn.Linear(64, 64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model, optimizer = accelerator.prepare(model, optimizer)
accelerator.backward(model(torch.zeros(16, 64)).sum())
optimizer.step()
"""
SHELL = "#!/bin/bash\naccelerate launch --config_file accel.yaml --mixed_precision bf16 train.py\n"


@pytest.mark.parametrize(
    ("names", "launch", "changed"),
    [
        (["train.py", "accel.yaml"], None, "train.py"),
        (["train.py", "accel.yaml"], "accelerate launch --config_file accel.yaml train.py", "train.py"),
        (["run.sh", "accel.yaml", "train.py"], None, "run.sh"),
    ],
    ids=["a script", "a script that a command starts", "a shell script"],
)
def test_scripts(
    names: list[str],
    launch: str | None,
    changed: str,
    client: TestClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script that is sent along is changed as one that the command reads is."""
    monkeypatch.chdir(tmp_path)
    is_shell = "run.sh" in names
    (tmp_path / "run.sh").write_text(SHELL)
    (tmp_path / "train.py").write_text(SCRIPT.replace('mixed_precision="bf16"', "") if is_shell else SCRIPT)
    (tmp_path / "accel.yaml").write_text(FILES["accelerate"].replace(": te", ": TE"))
    one = Input(names, facts=False, **({} if launch is None else {"launch": launch}))
    code, said = by_service(one, client, tmp_path)
    assert code == 0
    first = json.loads(said)["plans"][0]
    assert {step["file"] for step in first["steps"] if step["kind"] == "edit"} == {changed}
    assert {edit["file"] for edit in first["fix"]["edits"]} == {changed}
    one.names = [name for name in names if not is_shell or name != "train.py"]  # the command finds it by itself
    assert by_command(one) == (code, said)
