"""`fp8check run --compare bf16`, for real: two trials of a few steps, which leave nothing behind; or why there are none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.schema import schema_of
from tests.support.paths import ROOT
from tests.support.schemas import closed, misfits, validator
from tests.support.watching import PROGRAMS, torch_python, watched

if TYPE_CHECKING:
    from tests.support.watching import Ran

FP8 = 'mixed_precision: fp8\nnum_processes: 1\ndistributed_type: "NO"\nuse_cpu: true\nfp8_config:\n  backend: AO\n'
FP8 += "  enable_fsdp_float8_all_gather: false\n"


def packages() -> dict[str, str]:
    """The variables with which the interpreter of the tests has Accelerate and torchao, emulated on the CPU."""
    path = [str(ROOT / "tests" / "run" / "recorder")]
    if torch_python().startswith(str(ROOT / ".conformance")):
        from tests.tools.conformance import stacks

        root = (ROOT / ".conformance").resolve()
        path.append(stacks.environment(stacks.known()["newest"], root)["PYTHONPATH"])
    emulated = {"EMULATE": "1", "ACCELERATE_BYPASS_DEVICE_MAP": "true", "RECORD": os.devnull, "RECORD_ALL": "0"}
    return {**emulated, "PYTHONPATH": os.pathsep.join(path)}


def prepared(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with a program and its Accelerate file, and the variables of its runs."""
    here, out = tmp_path / "here", tmp_path / "out"
    for folder in (here, out):
        folder.mkdir()
    (here / "accel.yaml").write_text(FP8)
    shutil.copy(PROGRAMS / "saving.py", here)
    return here, {**packages(), "OUT": str(out)}


def launched(*words: str) -> list[str]:
    """The command."""
    return [torch_python(), "-m", "accelerate.commands.launch", "--config_file", "accel.yaml", "saving.py", *words]


def compared(here: Path, environ: dict[str, str], words: list[str], *options: str) -> Ran:
    """Both runs of it."""
    return watched(words, here, "--compare", "bf16", "--steps", "6", *options, environ=environ)


def left_behind(tmp_path: Path) -> list[str]:
    """All files, but the evidence that was asked for."""
    found = (path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    return sorted(name for name in found if "__pycache__" not in name and name != "here/evidence.json")


@pytest.mark.slow
def test_both_precisions_side_by_side_and_nothing_is_left_behind(tmp_path: Path) -> None:
    here, environ = prepared(tmp_path)
    ran = compared(here, environ, launched())
    assert ran.code == 0, ran.errors
    assert left_behind(tmp_path) == ["here/accel.yaml", "here/saving.py"]
    assert (here / "accel.yaml").read_text() == FP8
    # The sixth step of each is the last: the program is held in the optimizer's, before it prints.
    assert ran.output.split() == [word for name in ("fp8", "bf16") for step in range(5) for word in (name, str(step))]
    assert misfits(validator(closed(schema_of("seen"))), ran.seen) == {}
    both = ran.seen["compared"]
    assert both["changed"] == [
        "accel.yaml:1 mixed_precision: fp8 -> mixed_precision: bf16",
        "accel.yaml:5 fp8_config:\n  backend: AO\n  enable_fsdp_float8_all_gather: false -> gone",
    ]
    assert (ran.seen["layers"]["torchao"], both["bf16"]["layers"]["torchao"]) == (1, 0)
    assert both["loss"]["fp8"] == ran.seen["loss"]
    assert [len(both["loss"][name]) for name in ("fp8", "bf16")] == [6, 6]
    assert both["loss"]["fp8"] != both["loss"]["bf16"]
    assert abs(both["loss_gap"]["mean"]) < 0.01
    assert both["speedup"] == pytest.approx(both["ms"]["bf16"]["median"] / both["ms"]["fp8"]["median"], rel=1e-3)
    assert both["tokens_per_s"]["fp8"] > 0
    assert both["peak_gib"] == {"fp8": None, "bf16": None}
    assert "how fast it is on a GPU: this was a CPU, where FP8 is emulated" in both["undecided"]
    assert "fp8check: FP8 beside BF16" in ran.errors


@pytest.mark.skipif(os.environ.get("TEST_RUN") != "all", reason="make run-test")
def test_a_copy_that_fails_decides_nothing(tmp_path: Path) -> None:
    here, environ = prepared(tmp_path)
    ran = compared(here, environ, launched("fails"), "--require-evidence")
    assert ran.code == 3
    both = ran.seen["compared"]
    assert "in BF16: the program ended when 2 of 6 steps had been seen" in both["undecided"], both
    assert left_behind(tmp_path) == ["here/accel.yaml", "here/saving.py"]


PYTHON = "an interpreter with torch"  # stands for one that not every machine has
# What is in the folder, the command, and why it is not tried.
REFUSED = {
    "a shell script": ({"run.sh": "accelerate launch saving.py\n"}, ["bash", "run.sh"], "a shell script does more"),
    "a tracker": (
        {"tracked.py": "import mlflow\nfrom accelerate import Accelerator\nAccelerator()\n"},
        ["accelerate", "launch", "--config_file", "accel.yaml", "tracked.py"],
        "tracked.py imports mlflow",
    ),
    "a tracker behind another module": (
        {"tracked.py": "import os, mlflow.pytorch as flow\nfrom accelerate import Accelerator\nAccelerator()\n"},
        ["accelerate", "launch", "--config_file", "accel.yaml", "tracked.py"],
        "tracked.py imports mlflow",
    ),
    "a tracker in a module of the script": (
        {
            "tracked.py": "import helper\nfrom accelerate import Accelerator\nAccelerator()\n",
            "helper.py": "def log():\n    from neptune import init_run\n",
        },
        ["accelerate", "launch", "--config_file", "accel.yaml", "tracked.py"],
        "helper.py imports neptune",
    ),
    "other machines": (
        {},
        ["torchrun", "--nnodes", "2", "--node_rank", "0", "saving.py"],
        "other machines take part",
    ),
    "no script": ({}, ["python", "nowhere.py"], "nowhere.py was not read"),
    "no way in": (
        {},
        [PYTHON, "-I", "-m", "accelerate.commands.launch", "--config_file", "accel.yaml", "saving.py"],
        "does not let the watcher in",
    ),
    "PYTHONPATH": (
        {},
        ["env", "PYTHONPATH=/nowhere", PYTHON, "-m", "accelerate.commands.launch", "saving.py"],
        "sets PYTHONPATH",
    ),
    "already in BF16": (
        {"accel.yaml": 'mixed_precision: bf16\nnum_processes: 1\ndistributed_type: "NO"\nuse_cpu: true\n'},
        [PYTHON, "-m", "accelerate.commands.launch", "--config_file", "accel.yaml", "saving.py"],
        "it asks for no FP8",
    ),
    "FP8 of its own": (
        {"own.py": (PROGRAMS / "te_autocast.py").read_text()},
        ["python", "own.py"],
        "fp8_autocast, and no file, flag or variable turns that off: give the script a switch for it",
    ),
    "a container": ({}, ["docker", "run", "image", "accelerate", "launch", "saving.py"], "docker run"),
    "another machine": ({}, ["srun", "accelerate", "launch", "--config_file", "accel.yaml", "saving.py"], "srun"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_tried_is_not_started(why: str, tmp_path: Path) -> None:
    files, words, says = REFUSED[why]
    here, environ = prepared(tmp_path)
    for name, text in files.items():
        (here / name).write_text(text)
    ran = compared(here, environ, [torch_python() if word == PYTHON else word for word in words])
    assert "fp8check: not started: it cannot be compared with BF16: " in ran.errors, ran.errors
    assert says in ran.errors.rpartition("compared with BF16")[2]
    assert (ran.code, ran.output, ran.seen) == (1, "", {})
    assert left_behind(tmp_path) == sorted({"here/accel.yaml", "here/saving.py", *(f"here/{name}" for name in files)})


def test_it_goes_with_no_whole_run(tmp_path: Path) -> None:
    here, environ = prepared(tmp_path)
    ran = compared(here, environ, launched(), "--every", "9")
    assert ran.code == 2
    assert "--every goes with a whole run" in ran.errors


def test_a_mirror_has_all_that_is_there_and_the_changed_files(tmp_path: Path) -> None:
    from fp8check.probe.mirror import Mirror

    here, root = tmp_path / "project" / "here", tmp_path / "root"
    for folder in (here / "data", tmp_path / "project" / "conf", root):
        folder.mkdir(parents=True)
    (here / "data" / "rows").write_text("rows")
    (here / "train.yaml").write_text("old")
    (tmp_path / "project" / "conf" / "accel.yaml").write_text("old")
    (tmp_path / "project" / "conf" / "other").write_text("other")
    files = {"train.yaml": "new", "../conf/accel.yaml": "new", "more.yaml": "new"}
    mirror = Mirror(str(root), str(here), files)
    there = Path(mirror.here)
    told = {name: (there / name).read_text() for name in ("train.yaml", "../conf/accel.yaml", "more.yaml", "data/rows")}
    assert told == {"train.yaml": "new", "../conf/accel.yaml": "new", "more.yaml": "new", "data/rows": "rows"}
    assert (there / ".." / "conf" / "other").read_text() == "other"
    assert (here / "train.yaml").read_text() == "old"
    assert not (here / "more.yaml").exists()
    assert mirror.word(f"--config={here / 'train.yaml'}") == f"--config={there / 'train.yaml'}"
    assert mirror.word("train.yaml") == "train.yaml"
