"""`fp8check plan` and `fp8check fix --goal` as people run them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.command import run
from tests.support.paths import EXAMPLE

TRAIN = "# My training.\noutput_dir: out\nlearning_rate: 1.0e-5\nbf16: true  # always\n"
ACCEL = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: te\n'
FACTORY = "model_name_or_path: a/b\nfinetuning_type: full\nfp8: true\nbf16: true\n"
OPTIONS = ("--no-environment", "--no-config")
FACTS = {
    "schema": "fp8check/facts/1",
    "packages": {"torch": "2.11.0", "accelerate": "1.15.0", "transformers": "5.6.0", "llamafactory": "0.9.5"}
    | {"transformer_engine": "2.20.2", "transformer_engine_torch": "2.20.2", "torchao": None, "peft": "0.20.0"},
    "variables": {},
    "gpus": [{"index": 0, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, "mig": False}],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.yaml").write_text(TRAIN)
    (tmp_path / "accel.yaml").write_text(ACCEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.yaml").write_text(FACTORY)
    (tmp_path / "facts.json").write_text(json.dumps(FACTS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_changes_nothing(folder: Path) -> None:
    done = run("plan", "train.yaml", "accel.yaml", *OPTIONS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:4] == [
        "what to do (fp8check fix --goal fp8)",
        "  1. train.yaml:4   bf16: true -> bf16: false",
        "  2. accel.yaml:4   backend: te -> backend: TE",
        "  3. start with     accelerate launch --config_file accel.yaml train.py train.yaml",
    ]
    assert (folder / "train.yaml").read_text() == TRAIN
    assert sorted(os.listdir()) == ["accel.yaml", "train.yaml"]


def test_the_plan_as_json(folder: Path) -> None:
    done = run("plan", "train.yaml", "accel.yaml", "--format", "json", *OPTIONS)
    assert json.loads(done.stdout)["plans"][0]["steps"][0]["after"] == "bf16: false"
    assert folder.is_dir()


def test_a_goal_that_cannot_be_reached(folder: Path) -> None:
    gpu = {"index": 0, "name": "NVIDIA A100", "compute_capability": "8.0", "memory_mib": 81920, "mig": False}
    (folder / "facts.json").write_text(json.dumps(FACTS | {"gpus": [gpu]}))
    done = run("plan", "train.yaml", "accel.yaml", "--facts", "facts.json", "--no-config")
    assert done.returncode == 1
    assert done.stdout.startswith("no way to FP8 was found\n")
    fixed = run("fix", "--goal", "fp8", "train.yaml", "accel.yaml", "--facts", "facts.json", "--no-config")
    assert (fixed.returncode, fixed.stdout) == (1, "")
    assert fixed.stderr == done.stdout
    assert (folder / "train.yaml").read_text() == TRAIN


def test_the_first_plan_is_made(folder: Path) -> None:
    done = run("fix", "--goal", "fp8", "train.yaml", "accel.yaml", *OPTIONS)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "changed train.yaml:4   bf16: true -> bf16: false",
        "changed accel.yaml:4   backend: te -> backend: TE",
        "start with: accelerate launch --config_file accel.yaml train.py train.yaml",
    ]
    assert (folder / "train.yaml").read_text() == TRAIN.replace("true", "false")
    assert (folder / "accel.yaml").read_text() == ACCEL.replace("te\n", "TE\n")
    again = run("fix", "--goal", "fp8", "train.yaml", "accel.yaml", *OPTIONS)
    assert again.returncode == 0
    assert again.stderr.startswith("nothing to do\nstart with")
    assert run("plan", "train.yaml", "accel.yaml", *OPTIONS).stdout.startswith("nothing to do\n")


def test_a_plan_of_a_command_is_made(folder: Path) -> None:
    """As `plan -- COMMAND` says it: the command names its files."""
    (folder / "train.py").write_text(
        "import sys\nfrom transformers import HfArgumentParser, Trainer, TrainingArguments\n"
        "(arguments,) = HfArgumentParser(TrainingArguments).parse_yaml_file(sys.argv[1])\n"
        "Trainer(model, arguments).train()\n"
    )
    command = ("accelerate", "launch", "--config_file", "accel.yaml", "train.py", "train.yaml")
    shown = run("plan", *OPTIONS, "--", *command)
    assert shown.stdout.startswith("what to do (fp8check fix --goal fp8)\n")
    done = run("fix", "--goal", "fp8", *OPTIONS, "--", *command)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"start with: {' '.join(command)}"
    assert (folder / "train.yaml").read_text() == TRAIN.replace("true", "false")


def test_a_new_file_is_written(factory: Path) -> None:
    shown = run("fix", "--goal", "fp8", "--diff", "train.yaml", "--facts", "facts.json", "--no-config")
    assert "+mixed_precision: fp8\n" in shown.stdout
    assert not (factory / "accel.yaml").exists()
    done = run("fix", "--plan", "1", "train.yaml", "--facts", "facts.json", "--no-config", "-q")
    assert done.returncode == 0
    assert (factory / "accel.yaml").read_text().startswith("compute_environment: LOCAL_MACHINE\n")
    assert run("train.yaml", "accel.yaml", "--facts", "facts.json", "--no-config").returncode == 0


def test_all_files_or_none(factory: Path) -> None:
    (factory / "train.yaml").unlink()
    (factory / "away").mkdir()
    (factory / "away" / "train.yaml").write_text(FACTORY)
    (factory / "train.yaml").symlink_to("away/train.yaml")
    (factory / "away").chmod(0o500)
    if os.access(factory / "away", os.W_OK):
        pytest.skip("this user may write everywhere")
    done = run("fix", "--goal", "fp8", "train.yaml", "--facts", "facts.json", "--no-config")
    (factory / "away").chmod(0o700)
    assert done.returncode == 2
    assert not (factory / "accel.yaml").exists()


def test_what_is_no_file_is_said(factory: Path) -> None:
    packages = FACTS["packages"]
    assert isinstance(packages, dict)
    (factory / "facts.json").write_text(json.dumps(FACTS | {"packages": packages | {"accelerate": "1.11.0"}}))
    done = run("fix", "--goal", "fp8", "train.yaml", "--facts", "facts.json", "--no-config")
    assert "to do: install" in done.stderr or "start with: accelerate launch" in done.stderr


@pytest.mark.parametrize(("number", "reason"), [("0", "a number from 1 on"), ("9", "there is no plan 9")])
def test_a_plan_that_is_not_there(folder: Path, number: str, reason: str) -> None:
    done = run("fix", "--goal", "fp8", "--plan", number, "train.yaml", "accel.yaml", *OPTIONS)
    assert done.returncode == 2
    assert reason in done.stderr
    assert (folder / "train.yaml").read_text() == TRAIN


def test_several_runs_of_the_configuration(folder: Path) -> None:
    run_ = '[[run]]\nfiles = ["train.yaml", "accel.yaml"]\n'
    (folder / "fp8check.toml").write_text(run_ * 2)
    done = run("plan", "--no-environment")
    assert done.returncode == 2
    assert "name the files of one" in done.stderr


def test_the_command_of_a_script_that_was_given_starts_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").mkdir()
    text = (
        "from transformers import Trainer, TrainingArguments\nTrainer(args=TrainingArguments('o', bf16=True)).train()\n"
    )
    (tmp_path / "new" / "mine.py").write_text(text)
    (tmp_path / "new" / "accel.yaml").write_text(ACCEL.replace("te", "TE"))
    done = run("plan", "new/mine.py", "new/accel.yaml", *OPTIONS)
    assert "start with     accelerate launch --config_file new/accel.yaml new/mine.py" in done.stdout


def test_each_failing_run_of_a_configuration_has_its_plan(folder: Path) -> None:
    """The one that is good has none; what is asked for nowhere else is not looked for."""
    (folder / "good.yaml").write_text(TRAIN.replace("true", "false"))
    (folder / "fine.yaml").write_text(ACCEL.replace(": te", ": TE"))
    pairs = (("train.yaml", "accel.yaml"), ("good.yaml", "fine.yaml"), ("train.yaml", "fine.yaml"))
    (folder / "fp8check.toml").write_text("".join(f'[[run]]\nfiles = ["{one}", "{other}"]\n' for one, other in pairs))
    (folder / "facts.json").write_text(json.dumps(FACTS))
    reports = json.loads(run("--facts", "facts.json", "--plan", "--format", "json").stdout)
    steps = [
        None if one["plan"] is None else [step["before"] for step in one["plan"]["plans"][0]["steps"]]
        for one in reports
    ]
    assert steps == [["bf16: true", "backend: te"], None, ["bf16: true"]]
    unasked = json.loads(run("--facts", "facts.json", "--format", "json").stdout)
    assert [one["plan"] for one in unasked] == [None, None, None]
    text = run("--facts", "facts.json", "--plan").stdout
    assert text.count("what to do (fp8check fix --goal fp8)") == 2


def test_a_plan_for_very_many_files_is_refused(folder: Path) -> None:
    names = [f"train{number}.yaml" for number in range(60)]
    for name in names:
        (folder / name).write_text(TRAIN)
    done = run(*names, "accel.yaml", "--plan", *OPTIONS)
    assert done.returncode == 2
    assert "--plan is for 50 files at most" in done.stderr


def test_a_page_has_it_unasked_and_json_does_not(folder: Path) -> None:
    assert 'class="todo"' in run("train.yaml", "accel.yaml", "--format", "html", *OPTIONS).stdout
    words = ("train.yaml", "accel.yaml", "--format", "json", *OPTIONS)
    assert json.loads(run(*words).stdout)["plan"] is None
    assert 'class="todo"' not in run("train.yaml", "accel.yaml", "--format", "html", "-q", *OPTIONS).stdout
    assert folder.is_dir()


SHARED = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n'
OF_THE_PROJECT = """
[[run]]
files = ["train.yaml", "accel.yaml"]
[[run]]
files = ["other.yaml", "accel.yaml"]
"""


def test_no_plan_breaks_another_run_of_the_configuration(folder: Path) -> None:
    (folder / "accel.yaml").write_text(SHARED)
    (folder / "other.yaml").write_text("output_dir: other\nlearning_rate: 1.0e-5\nbf16: false\n")
    (folder / "fp8check.toml").write_text(OF_THE_PROJECT)
    asked = ("train.yaml", "accel.yaml", "--no-environment", "--goal", "bf16")
    for command in ("plan", "fix"):
        done = run(command, *asked)
        assert done.returncode == 1
        why = "cannot be: other.yaml is run with accel.yaml, too, and would not train in FP8 then"
        assert why in done.stdout + done.stderr
        assert run(command, *asked, "--no-config", *(("--diff",) if command == "fix" else ())).returncode == 0
    # What the other run does not notice is planned.
    assert run("plan", "train.yaml", "accel.yaml", "--no-environment").returncode == 0
    # One that is at fault by itself stands in nobody's way, and neither does one that cannot be read.
    for text in ("output_dir: other\nlearning_rate: 1.0e-5\nbf16: true\n", "a: [\n"):
        (folder / "other.yaml").write_text(text)
        assert run("plan", *asked).returncode == 0


def test_a_command_is_a_run_of_its_own_beside_those_of_the_configuration(folder: Path) -> None:
    (folder / "accel.yaml").write_text(SHARED)
    (folder / "train.py").write_text(
        "from transformers import Trainer, TrainingArguments\n"
        "Trainer(model=1, args=TrainingArguments(output_dir='o', bf16=True)).train()\n"
    )
    (folder / "other.yaml").write_text("output_dir: other\nlearning_rate: 1.0e-5\nbf16: false\n")
    (folder / "fp8check.toml").write_text(OF_THE_PROJECT)
    command = ("--no-environment", "--launch", "accelerate launch --config_file accel.yaml train.py")
    told = run("plan", *command, "--goal", "bf16")
    assert "other.yaml is run with accel.yaml, too" in told.stdout
    checked = run("--no-environment", "--format", "json", *command[1:])
    assert {one["path"] for one in json.loads(checked.stdout)["files"]} == {"train.py", "accel.yaml"}


def test_a_check_ends_with_no_plan_of_less_than_half_the_speed_of_bf16() -> None:
    """What is found in a moment here is torchao without torch.compile; `fp8check plan` has the time for more."""
    files = [str(EXAMPLE / "train.yaml"), str(EXAMPLE / "accelerate.yaml"), "--no-environment", "--no-config"]
    at_end = run(*files).stdout.partition("what to do")[2].splitlines()
    assert at_end == ["  fp8check plan, on the same files, tries more than a check has time for"]
    assert "torch_compile: true" in run("plan", *files).stdout


ENGINE = "from accelerate import Accelerator\n\n\ndef run():\n    return Accelerator(mixed_precision='bf16')\n"


@pytest.mark.parametrize("where", ["beside", "through a link"])
def test_a_module_that_makes_the_accelerator_is_edited_where_it_lies_here(folder: Path, where: str) -> None:
    """No command names it: what lies elsewhere is read, and not written, whatever link leads there."""
    here = folder / "here"
    here.mkdir()
    os.chdir(here)
    engine = here / "engine.py" if where == "beside" else folder / "elsewhere.py"
    engine.write_text(ENGINE)
    if where != "beside":
        (here / "engine.py").symlink_to(engine)
    (here / "train.py").write_text("from engine import run\n\nrun()\n")
    (here / "accel.yaml").write_text(ACCEL.replace("te", "AO"))
    command = ("accelerate", "launch", "--config_file", "accel.yaml", "train.py")
    done = run("fix", "--goal", "fp8", *OPTIONS, "--", *command)
    assert engine.read_text() == (ENGINE.replace("bf16", "fp8") if where == "beside" else ENGINE), done
