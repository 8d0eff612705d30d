"""`fp8check train.py accel.yaml`: a script among the files is what the run starts, and is read, never run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.request import RunRequest, assembled
from fp8check.rules.facts import Facts
from fp8check.rules.trainers.detect import read
from tests.support.command import run

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.reading import Document

ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
OWN = "open('was-run', 'w')\nfrom accelerate import Accelerator\nAccelerator(mixed_precision='bf16')\n"
TRAINING = "output_dir: out\nbf16: true\nper_device_train_batch_size: 8\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    (tmp_path / "train.py").write_text(OWN)
    (tmp_path / "train.yaml").write_text(TRAINING)
    return tmp_path


def reports(folder: Path, *words: str) -> list[dict[str, object]]:
    done = run("--no-environment", "--format", "json", *words, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    assert not (folder / "was-run").exists()
    made = json.loads(done.stdout or "[]")
    return made if isinstance(made, list) else [made]


def places(report: dict[str, object]) -> list[str]:
    found = report["findings"]
    assert isinstance(found, list)
    return [f"{one['rule']} {one['file']}:{one['line']}:{one['column']}" for one in found if one["file"]]


def launch(report: dict[str, object]) -> object:
    summary = report["summary"]
    assert isinstance(summary, dict)
    return summary.get("launch")


def test_a_script_and_an_accelerate_file(folder: Path) -> None:
    (made,) = reports(folder, "train.py", "accel.yaml")
    assert places(made) == ["FP118 train.py:3:13"]
    assumed = "assumed: accelerate launch --config_file accel.yaml train.py (--launch says otherwise)"
    assert launch(made) == assumed
    assert f"launch    {assumed}" in run("train.py", "accel.yaml", "--no-environment", cwd=folder).stdout
    assert assumed in run("train.py", "accel.yaml", "--no-environment", "--format", "html", cwd=folder).stdout


def test_a_script_alone(folder: Path) -> None:
    (made,) = reports(folder, "train.py")
    assert launch(made) == "assumed: python train.py (--launch says otherwise)"
    assert places(made) == []


def test_a_script_with_both_files(folder: Path) -> None:
    (made,) = reports(folder, "train.py", "accel.yaml", "train.yaml")
    assert places(made) == ["FP118 train.py:3:13"]
    assert str(launch(made)).startswith("assumed: accelerate launch --config_file accel.yaml train.py train.yaml (")
    (folder / "train.py").write_text("from transformers import Trainer\n")
    (made,) = reports(folder, "accel.yaml", "train.yaml", "train.py")
    assert places(made) == ["FP101 train.yaml:2:1"]
    (folder / "own.yaml").write_text("a: 1\n")
    (folder / "train.py").write_text(OWN)
    (made,) = reports(folder, "train.py", "own.yaml")
    assert launch(made) == "assumed: python train.py own.yaml (--launch says otherwise)"


def test_each_of_several_scripts_is_a_run_where_no_command_names_one(folder: Path) -> None:
    (folder / "other.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    assert [places(one) for one in reports(folder, "train.py", "accel.yaml", "other.py")] == [
        ["FP118 train.py:3:13"],
        [],
    ]
    (made,) = reports(folder, "train.py", "accel.yaml", "other.py", "--launch", "torchrun other.py")
    assert launch(made) is None
    assert [file["path"] for file in made["files"]] == ["accel.yaml", "other.py"]  # type: ignore[attr-defined]


def test_the_launch_that_names_no_script_starts_the_one_that_is_given(folder: Path) -> None:
    (made,) = reports(folder, "train.py", "accel.yaml", "--launch", "accelerate launch --num_processes 1")
    assert places(made) == ["FP118 train.py:3:13"]


def test_no_fix_writes_into_a_script(folder: Path) -> None:
    done = run("fix", "train.py", "accel.yaml", "--unsafe", "--no-environment", cwd=folder)
    assert "left FP118" in done.stderr
    assert (folder / "train.py").read_text() == OWN


def test_in_the_hook_a_script_is_looked_at_where_it_trains(folder: Path) -> None:
    (folder / "other.py").write_text("print('fp8')\n")
    (folder / "broken.py").write_text("def\n")
    (folder / "odd.py").write_bytes(b"\xff")
    words = ("--hook", "train.py", "other.py", "broken.py", "odd.py", "accel.yaml")
    assert [one["files"] for one in reports(folder, *words)] == [
        [{"path": "accel.yaml", "kind": "accelerate", "dialect": None}],
        [{"path": "train.py", "kind": "script", "dialect": None}],
    ]


def script(name: str, text: str) -> Document:
    return read(name, text.encode())


def test_scripts_of_one_request() -> None:
    """In one process, as the service and the hook have it."""
    files = (
        script("a.py", OWN),
        script("b.py", "from accelerate import Accelerator\nAccelerator()\n"),
        script("c.py", "1"),
    )
    assert [one.run.launch.script for one in assembled(RunRequest(files, Facts()))] == ["a.py", "b.py", "c.py"]
    assert [one.run.launch.script for one in assembled(RunRequest(files, Facts(), apart=True))] == ["a.py", "b.py"]
    (one,) = assembled(RunRequest(files, Facts(), "accelerate launch b.py"))
    assert one.run.script.mixed_precision is None
    (one,) = assembled(RunRequest(files[:1], Facts(), "torchrun"))
    assert one.run.script.mixed_precision is not None


@pytest.mark.parametrize("files", [("train.py",), ("train.py", "accel.yaml")])
def test_a_switch_for_fp8_that_the_command_may_have(files: tuple[str, ...], folder: Path) -> None:
    (folder / "train.py").write_text(
        "import argparse\nimport torch\nfrom accelerate import Accelerator\np = argparse.ArgumentParser()\n"
        'p.add_argument("--fp8", action="store_true")\nargs = p.parse_args()\nmixed_precision = "no"\n'
        'if args.fp8:\n    mixed_precision = "fp8"\naccelerator = Accelerator(mixed_precision=mixed_precision)\n'
        "model = torch.nn.Linear(16, 16)\noptimizer = torch.optim.AdamW(model.parameters())\n"
        "model, optimizer = accelerator.prepare(model, optimizer)\naccelerator.backward(model(x))\n"
    )
    said = run(*files, "--no-environment", cwd=folder)
    assert "FP118" not in said.stdout.partition("not decided:")[0]
    assert "not decided: train.py passes mixed_precision=mixed_precision to Accelerator" in said.stdout
    decided = run("--no-environment", "--", "python", "train.py", "--fp8", cwd=folder).stdout
    assert "requested fp8   train.py:10" in decided
