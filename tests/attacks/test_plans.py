"""Attacks on what to do: values of others in steps, in launch lines and in texts that are meant to be copied."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.attacks.lines import attack
from tests.attacks.test_output import FORMATS, LINE, RIGHT_TO_LEFT, SECRET, hidden, quoted
from tests.support.service import served
from tests.tools.fuzz.invariants import no_command, no_secret, report
from tests.tools.golden import run

TRAIN = "output_dir: out\nlearning_rate: 1.0e-5\nbf16: true\n"
ACCEL = "distributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\nfp8_config:\n  backend: te\n"
NASTY = (
    f"x{LINE}",
    "\x1b[2J\x1b]0;t\x07",
    RIGHT_TO_LEFT,
    "\u200b",
    "##[group]",
    "##vso[task.complete]",
    "</pre><b>",
    "%0A::error::x",
)
NAMED = "words-that-only-a-name-tells"
TOKEN = "hf_" + 5 * "abcDEF12"


def planned(folder: Path, *words: str, files: dict[str, str]) -> tuple[str, str]:
    """What the command says with --plan, or what `fp8check plan` says, of files in a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = run([*words, "--no-environment", "--no-config"])
    finally:
        os.chdir(before)
    assert done.code in (0, 1), done.err
    return done.out, done.err


@attack("S1", "S2", "S4")
@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_of_a_value_steers_where_it_is_a_step(format_: str, tmp_path: Path) -> None:
    for number, value in enumerate(NASTY):
        folder = tmp_path / str(number)
        accel = f"{ACCEL}  fp8_format: {quoted(value)}\n"
        launch = f"accelerate launch --config_file accel.yaml 'train{value}.py' train.yaml"
        for more in ((), ("--launch", launch)):
            words = ("train.yaml", "accel.yaml", "--plan", "--format", format_, *more)
            text, _ = planned(
                folder, *words, files={"train.yaml": f"{TRAIN}run_name: {quoted(value)}\n", "accel.yaml": accel}
            )
            assert hidden(text) == set()
            report(format_, text)


@attack("S1", "S2")
@pytest.mark.parametrize("value", NASTY)
def test_nor_in_the_plan_itself(value: str, tmp_path: Path) -> None:
    files = {"train.yaml": f"{TRAIN}bf16: {quoted(value)}\n", "accel.yaml": f"{ACCEL}  fp8_format: {quoted(value)}\n"}
    launch = f"accelerate launch --config_file accel.yaml 'train{value}.py' train.yaml --x '{value}'"
    for format_ in ("text", "json"):
        for more in ((), ("--launch", launch)):
            text, errors = planned(
                tmp_path, "plan", "train.yaml", "accel.yaml", "--format", format_, *more, files=files
            )
            assert hidden(text + errors) == set()
            no_command(text, format_)
            if format_ == "json":
                assert json.loads(text)["schema"] == "fp8check/plan/1"


@attack("S6")
@pytest.mark.parametrize("format_", FORMATS)
def test_no_credential_of_a_launch_line_or_a_file_is_in_it(format_: str, tmp_path: Path) -> None:
    files = {"train.yaml": f"hub_token: {NAMED}\n{TRAIN}", "accel.yaml": f"{ACCEL.rstrip()} # {TOKEN}\n"}
    launch = (
        f"WANDB_API_KEY={NAMED}-2 accelerate launch --config_file accel.yaml train.py train.yaml"
        f" --hub_token {NAMED}-3 --x https://me:{NAMED}-4@example.org"
    )
    for words in (("train.yaml", "accel.yaml", "--plan"), ("plan", "train.yaml", "accel.yaml")):
        if words[0] == "plan" and format_ not in ("text", "json"):
            continue
        text, errors = planned(tmp_path, *words, "--format", format_, "--launch", launch, files=files)
        no_secret(text, format_)
        for secret in (NAMED, TOKEN):
            assert secret not in text + errors


@attack("S5")
@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_elsewhere_is_changed_without_being_quoted(format_: str, tmp_path: Path) -> None:
    """The launch command names it: a plan says what to change in it, and not what else stands in the line."""
    folder = tmp_path / "run"
    folder.mkdir()
    accel = f"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {{backend: te}} # {SECRET}\n"
    files = {"train.yaml": TRAIN, "train.py": "", "../elsewhere/accel.yaml": accel}
    launch = "accelerate launch --config_file ../elsewhere/accel.yaml train.py train.yaml"
    for words in (("train.yaml", "--plan"), ("plan", "train.yaml")):
        if words[0] == "plan" and format_ not in ("text", "json"):
            continue
        text, _ = planned(folder, *words, "--format", format_, "--launch", launch, files=files)
        assert SECRET not in text
        assert "elsewhere/accel.yaml" in text
        if format_ in ("text", "json"):
            assert "is not quoted" in text


def test_the_service_offers_no_file_with_a_mask_and_stores_none_without(tmp_path: Path) -> None:
    body = {
        "training": f"hub_token: {NAMED}\n{TRAIN}",
        "accelerate": f"{ACCEL.rstrip()} # {TOKEN}\n",
        "options": {"plan": True, "environment": False, "launch": f"accelerate launch train.py --hub_token {NAMED}-2"},
    }
    with served(tmp_path) as service:
        answer = service.post("/check", json=body)
        place = answer.headers["content-location"]
        said = [answer.text, *(service.get(f"{place}?format={one}").text for one in FORMATS)]
        said.append(service.get(place, headers={"Accept": "text/html"}).text)
        plain = {**body, "options": {"environment": False}}
        said += [service.post(f"/plan?format={one}", json=plain).text for one in ("json", "text")]
        for text in said:
            assert NAMED not in text
            assert TOKEN not in text
        assert 'data-name="train.yaml"' not in said[-3]
        for path in tmp_path.glob("checks.db*"):
            assert NAMED.encode() not in path.read_bytes()
            assert TOKEN.encode() not in path.read_bytes()


def test_plan_of_a_service_reads_and_looks_for_nothing(tmp_path: Path) -> None:
    """A name in a body opens no file of the service, also where a plan would change that file."""
    (tmp_path / "ds.json").write_text(f'{{"bf16": {{"enabled": true}}, "note": "{SECRET}"}}')
    (tmp_path / "accel.yaml").write_text(f"{ACCEL}# {SECRET}\n")
    bodies = (
        {"training": f"{TRAIN}deepspeed: {tmp_path}/ds.json\n", "accelerate": ACCEL},
        {"training": TRAIN, "options": {"launch": f"accelerate launch --config_file {tmp_path}/accel.yaml train.py"}},
        {"files": [{"name": f"{tmp_path}/train.yaml", "text": TRAIN}]},
    )
    with served(tmp_path) as service:
        for body in bodies:
            for route in ("/plan?format=json", "/plan?format=text"):
                answer = service.post(route, json=body)
                assert answer.status_code in (200, 422)
                assert SECRET not in answer.text
                assert "accelerate.yaml" not in answer.text or "accelerate" in body, (
                    "accel.yaml is not known to be there"
                )
