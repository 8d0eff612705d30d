"""`fp8check upgrade --to`: what another stack would change, as people run it, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fp8check.rules.checking import upgrading
from fp8check.rules.checking.request import Request, RunRequest, check_request
from fp8check.rules.checking.stacks import BadStack, installed, releases
from fp8check.rules.facts import Facts
from fp8check.rules.report.terminal import Style
from fp8check.rules.report.upgrade import as_json, as_text
from fp8check.rules.trainers.detect import read
from tests.support.example import EXAMPLE
from tests.support.good_run import ACCEL, FACTS, FILES, KNOWN, PACKAGES, TRAIN, placed
from tests.support.inside import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return placed(tmp_path)


def request(**packages: str | None) -> Request:
    documents = (read("train.yaml", TRAIN.encode()), read("accel.yaml", ACCEL.encode()))
    return Request((RunRequest(documents, Facts(packages={**PACKAGES, **packages}, variables={}), None, "trl"),))


def asked(to: str, *words: str, code: int) -> Any:
    done = run("upgrade", *(words or KNOWN), "--to", to, "--format", "json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_what_breaks_what_comes_and_what_would_have_to_be_changed() -> None:
    data = asked("accelerate==1.11.0 transformer-engine==2.9.0", code=1)
    (one,) = data["runs"]
    assert (data["schema"], data["verdict"], one["before"]["verdict"] != "fail") == ("fp8check/upgrade/1", "fail", True)
    changes = {change["name"]: change for change in one["changes"]}
    assert changes["starts"] == {"name": "starts", "before": True, "after": False, "better": False}
    assert changes["fp8_layers"] == {"name": "fp8_layers", "before": "all", "after": "none", "better": False}
    assert "AttributeError (prepare)" in changes["error"]["after"]
    assert "FP612" in [finding["rule"] for finding in one["new"]]
    assert one["plan"]["reached"]
    assert data["today"]["packages"]["accelerate"] == "1.15.0"
    assert data["to"]["packages"]["transformer_engine_torch"] == "2.9.0"


def test_what_gets_better_the_other_way() -> None:
    Path("facts.json").write_text(
        json.dumps({**FACTS, "packages": {**PACKAGES, "accelerate": "1.11.0", "transformer_engine": "2.9.0"}})
    )
    data = asked("accelerate==1.15.0 transformer_engine==2.20.2", code=0)
    (one,) = data["runs"]
    better = {change["name"] for change in one["changes"] if change["better"]}
    assert {"starts", "fp8_layers"} <= better
    assert "FP612" in [finding["rule"] for finding in one["gone"]]
    assert one["plan"] is None


def test_as_text() -> None:
    done = run("upgrade", *KNOWN, "--to", "accelerate==1.11.0, transformer_engine==2.9.0")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "today     accelerate 1.15.0, transformers 5.17.0, transformer engine 2.20.2, torch 2.11.0, trl 0.24.0, "
        "transformer engine torch 2.20.2"
    )
    assert lines[1].startswith("then      accelerate 1.11.0, transformers 5.17.0, transformer engine 2.9.0")
    assert "          then   does not start: AttributeError (prepare): module" in done.stdout
    assert "worse     starts: true -> false" in lines
    assert "what to change then" in lines


def test_nothing_changes() -> None:
    done = run("upgrade", *KNOWN, "--to", "accelerate==1.15.0")
    assert done.returncode == 0
    assert "then      the same releases" in done.stdout
    assert done.stdout.endswith("nothing changes\n")


def test_what_is_newer_than_what_was_executed_is_said() -> None:
    done = run("upgrade", *KNOWN, "--to", "accelerate==1.99.0 numpy==2.0 left-pad==1.0")
    assert "extrapolated: the launch, Accelerator() and prepare() with accelerate 1.99.0" in done.stdout
    assert "nothing here looks at left_pad" in done.stdout
    assert asked("accelerate==1.99.0", code=0)["runs"][0]["after"]["outcome"]["extrapolated"][0]["release"] == "1.99.0"


def test_without_facts_it_says_what_today_is_taken_to_be() -> None:
    done = run("upgrade", *FILES, "--no-environment", "--to", "accelerate==1.11.0 transformers==4.57.1")
    assert "today     no release is known: --facts or --stack says them" in done.stdout
    assert "          with accelerate 1.15.0, transformers 5." in done.stdout
    assert " assumed, which neither --to nor facts name" in done.stdout
    data = asked("accelerate==1.11.0", *FILES, "--no-environment", "--stack", "accelerate==1.9.0", code=0)
    assert data["today"]["packages"] == {"accelerate": "1.9.0"}
    assert "accelerate" not in data["today"]["assumed"]


def test_a_release_that_is_not_named_is_the_newest_that_is_modeled() -> None:
    assert asked("accelerate", *FILES, "--no-environment", code=0)["to"]["packages"] == {"accelerate": "1.15.0"}


def test_several_runs_and_lines_of_a_shell_script() -> None:
    Path("other.yaml").write_text(TRAIN.replace("size: 4", "size: 1"))
    data = asked("accelerate==1.9.0", "train.yaml", "other.yaml", "accel.yaml", "--facts", "facts.json", code=0)
    assert [one["files"][0]["path"] for one in data["runs"]] == ["train.yaml", "other.yaml"]
    done = run(
        "upgrade", "train.yaml", "other.yaml", "accel.yaml", "--facts", "facts.json", "--to", "accelerate==1.9.0"
    )
    assert "\n\ntrain.yaml, accel.yaml\n" in done.stdout
    Path("job.sh").write_text("accelerate launch --config_file accel.yaml train.py\n")
    Path("train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    done = run("upgrade", "job.sh", "--facts", "facts.json", "--to", "accelerate==1.9.0")
    assert "\n\njob.sh:1\n" in done.stdout


def test_what_of_the_options_counts() -> None:
    to = ("--to", "accelerate==1.11.0 transformer_engine==2.9.0")
    assert run("upgrade", *KNOWN, *to, "--fail-on", "never").returncode == 0
    assert run("upgrade", *KNOWN, *to, "--select", "FP1").returncode == 0
    done = run("upgrade", *KNOWN, *to, "--format", "json=a.json", "--format", "text=b.txt")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(Path("a.json").read_text())["schema"] == "fp8check/upgrade/1"
    assert Path("b.txt").read_text().startswith("today ")


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("", "no package is named"),
        (" , ", "no package is named"),
        ("left-pad", "left_pad needs its release: left_pad==..."),
        ("accelerate>=1.15", "'accelerate>=1.15' is not NAME==RELEASE"),
        ("accelerate==", "'accelerate==': '' is no release"),
        ("accelerate==new", "'new' is no release"),
        ("accelerate==1.2\x1b[31m", "is no release"),
        ("-r requirements.txt", "'-r' is not NAME==RELEASE"),
        ("==1.0", "'==1.0' is not NAME==RELEASE"),
        ("a[b]==1", "is not NAME==RELEASE"),
        ("torch==2.1 torch==2.2", "torch is named twice: 2.1 and 2.2"),
        ("accelerate==" + 400 * "9", "is no release"),
        ("x" * 90 + "==1", "is not NAME==RELEASE"),
        ("a==1 " * 900, "a stack of more than 4,000 characters"),
        (" ".join(f"p{number}==1" for number in range(201)), "a stack of more than 200 packages"),
    ],
)
def test_what_is_no_stack_is_refused(to: str, said: str) -> None:
    done = run("upgrade", *FILES, "--no-environment", "--to", to)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "pip freeze" in done.stderr
    assert "\x1b" not in done.stderr


def test_to_is_needed() -> None:
    done = run("upgrade", *FILES, "--no-environment")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'upgrade needs --to "accelerate==1.16.0 ..."' in done.stderr


@given(text=st.one_of(st.text(max_size=60), st.from_regex(r"[a-z\-_\[\]@= .,><0-9]{0,40}", fullmatch=True)))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_stack_or_refused(text: str) -> None:
    try:
        found = releases(text)
    except BadStack:
        return
    assert found
    assert releases(" ".join(f"{name}=={release}" for name, release in found.items())) == found


def test_another_torch_brings_its_own_libraries() -> None:
    known = Facts(
        packages={"torch": "2.8.0", "nvidia_cudnn_cu12": "9.1", "peft": "0.20.0"},
        cuda={"torch": "12.8", "driver": "13.0"},
        libraries={"cudnn": "9.1"},
        duplicates={"torch": ["2.8.0", "2.7.0"], "peft": ["0.20.0", "0.19.0"]},
        transformer_engine={"imports": True},
    )
    changed = installed(known, {"torch": "2.13.0"})
    assert changed.packages == {"torch": "2.13.0", "peft": "0.20.0"}
    assert (changed.cuda, changed.libraries) == ({"driver": "13.0"}, None)
    assert changed.duplicates == {"peft": ["0.20.0", "0.19.0"]}
    assert changed.transformer_engine == {"imports": True}
    assert installed(known, {"torch": "2.8.0"}).libraries == {"cudnn": "9.1"}
    other = installed(known, {"transformer_engine": "2.20.2"})
    assert other.packages is not None
    assert other.packages["transformer_engine_torch"] == "2.20.2"
    assert (other.transformer_engine, other.cuda) == (None, known.cuda)
    assert installed(Facts(), {"peft": "0.20.0"}).packages == {"peft": "0.20.0"}


def test_other_runs_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    both = iter((check_request(request()), check_request(request())._replace(reports=())))
    monkeypatch.setattr(upgrading, "check_request", lambda _request: next(both))
    with pytest.raises(upgrading.OtherRuns, match="there is nothing to compare"):
        upgrading.upgraded(request(), {"accelerate": "1.11.0"})


def test_a_run_that_asks_for_no_fp8_is_no_better_for_it() -> None:
    documents = (read("accel.yaml", b"distributed_type: 'NO'\nmixed_precision: bf16\nfp8_config: {backend: TE}\n"),)
    part = RunRequest(documents, Facts(packages={**PACKAGES, "accelerate": "1.9.0"}, variables={}))
    found, _ = upgrading.upgraded(Request((part,)), {"accelerate": "1.15.0"})
    (one,) = found.runs
    assert all(change.better is None for change in one.changes)


def test_findings_that_stand_at_one_place_are_counted() -> None:
    twice = (
        read("accel.yaml", b"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE, x: 1, y: 2}\n"),
    )
    part = RunRequest(twice, Facts(packages=PACKAGES, variables={}))
    found, then = upgrading.upgraded(Request((part,)), {"accelerate": "1.15.0"})
    (one,) = found.runs
    assert (one.new, one.gone, one.unchanged) == ((), (), len(then.reports[0].findings))


def test_credentials_do_not_leave() -> None:
    secret = "hf_" + "Zq7Rk2Vn9Xw4Bt6Yp1Lc8Md3Hs5Jg0Faab"
    text = f"{TRAIN}hub_token: {secret}\npush_to_hub_token: a-secret-word\n"
    part = RunRequest((read("train.yaml", text.encode()),), Facts(packages=PACKAGES, variables={}), None, "trl")
    found, _ = upgrading.upgraded(Request((part,)), {"trl": "0.21.0"})
    for out in (as_json(found), as_text(found, Style(False))):
        assert secret not in out
        assert "a-secret-word" not in out


def test_a_way_that_is_not_found_is_said() -> None:
    Path("facts.json").write_text(
        json.dumps({**FACTS, "gpus": [{**FACTS["gpus"][0], "name": "NVIDIA A100", "compute_capability": "8.0"}]})
    )  # type: ignore[index, dict-item]
    done = run("upgrade", *KNOWN, "--to", "accelerate==1.14.0")
    assert "then no way was found" in done.stdout
    data = asked("accelerate==1.14.0", code=1)
    assert data["runs"][0]["plan"]["reached"] is False


def test_the_example() -> None:
    words = [str(EXAMPLE / "train.yaml"), str(EXAMPLE / "accelerate.yaml"), "--facts", str(EXAMPLE / "facts.json")]
    (one,) = asked("accelerate==1.9.0 transformers==4.57.1", *words, code=1)["runs"]
    changes = {change["name"]: change for change in one["changes"]}
    assert changes["mixed_precision"] == {"name": "mixed_precision", "before": "bf16", "after": "fp8", "better": True}
    assert changes["recipe.amax_history_len"]["after"] == 16
    assert {"FP101", "FP108", "FP205"} <= {finding["rule"] for finding in one["gone"]}
    assert [finding["rule"] for finding in one["new"]] == ["FP206"]
    done = run("upgrade", *words, "--to", "accelerate==1.9.0 transformers==4.57.1")
    assert "better    mixed_precision: bf16 -> fp8" in done.stdout
    assert "other     recipe.amax_history_len: 1024 -> 16" in done.stdout
    assert "what to change then\n  1. install        pip install torchao==0.17.0\n" in done.stdout
