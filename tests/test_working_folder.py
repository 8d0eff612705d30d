"""Commands that a wrapper starts in another folder: what they name is looked for there, and nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.cli.main import main
from fp8check.rules.settings.working_folder import called_from_here, places_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = "from accelerate import Accelerator\naccelerator = Accelerator(mixed_precision='bf16')\n"
THERE = "from accelerate import Accelerator\naccelerator = Accelerator()\n"
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: {}\nfp8_config: {{backend: TE}}\n"

# In front of the command, each a way into `sub`.
WAYS = [
    "env -C sub",
    "sudo -E -D sub",
    "uv run --directory sub",
    "uv --directory sub run",
    "poetry -C sub run",
    "srun --chdir sub",
    "env -C .. env -C ROOT/sub",
    "docker run --gpus all -v $PWD:/w -w /w/sub image",
    "docker run --gpus all --mount type=bind,source=./sub,target=/w --workdir=/w image",
    "apptainer exec --nv -B .:/w,/data:/data --pwd /w/sub image.sif",
    "srun --container-image x.sqsh --container-mounts=sub:/w:rw --container-workdir=/w",
]
# Each a way to a folder of which nothing is here.
AWAY = [
    "env -C /far/away",
    "env -C $WORK",
    "env -C ~/work",
    "docker run --gpus all -w /w image",
    "docker run --gpus all -v $DATA:/w -w /w image",
    "apptainer run --nv --pwd /w/other image.sif",
]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The report of a command: in the script job.sh, or behind `--`."""
    root = tmp_path / "project"
    for folder, train, precision in (("", HERE, "bf16"), ("sub", THERE, "fp8")):
        (root / folder / "pkg").mkdir(parents=True)
        (root / folder / "train.py").write_text(train)
        (root / folder / "pkg/train.py").write_text(train)
        (root / folder / "accel.yaml").write_text(ACCELERATE.format(precision))
    monkeypatch.chdir(root)

    def run(command: str, *, as_script: bool) -> dict[str, Any]:
        command = command.replace("ROOT", str(root))
        (root / "job.sh").write_text(f"{command}\n")
        words = ["job.sh"] if as_script else ["--launch", command.replace("$PWD", str(root))]
        main(["--no-environment", "--format", "json", *words])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return report

    return run


@pytest.mark.parametrize("as_script", [True, False], ids=["script", "command"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("program", ["train.py", "-m pkg.train"])
def test_files_and_modules_are_those_of_the_folder(
    check: Callable[..., dict[str, Any]], way: str, program: str, as_script: bool
) -> None:
    report = check(f"{way} accelerate launch --config_file accel.yaml {program}", as_script=as_script)
    assert report["outcome"]["mixed_precision"] == "fp8"
    named = [one["path"].replace("/project/sub/", "sub/").rpartition("sub/")[1:] for one in report["files"]]
    assert named.count(("sub/", "accel.yaml")) == 1


@pytest.mark.parametrize("as_script", [True, False], ids=["script", "command"])
@pytest.mark.parametrize("way", AWAY)
@pytest.mark.parametrize("program", ["train.py", "-m pkg.train"])
def test_what_is_called_so_here_is_not_taken_for_what_is_there(
    check: Callable[..., dict[str, Any]], way: str, program: str, as_script: bool
) -> None:
    report = check(f"{way} accelerate launch --config_file accel.yaml {program}", as_script=as_script)
    assert [one["path"] for one in report["files"]] == ["job.sh"] * as_script
    assert report["outcome"]["undecided"]
    assert "undecided" not in report.get("launch", {})  # what it starts is known


def test_a_folder_that_is_called_as_this_one_is_a_copy_of_it(check: Callable[..., dict[str, Any]]) -> None:
    line = "apptainer exec --nv --pwd /w/project image.sif accelerate launch --config_file accel.yaml train.py"
    assert check(line, as_script=True)["outcome"]["mixed_precision"] == "bf16"


def test_where_names_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places_of("/far/away") == ["/far/away"]
    assert places_of(str(tmp_path)) == [""]
    assert places_of("x", "jobs/a") == ["x"]
    (tmp_path / "jobs/x").mkdir(parents=True)
    assert places_of("x", "jobs/a") == ["jobs/x"]
    # Of another machine: two names in a row are those of folders here.
    assert places_of(f"/far/{tmp_path.name}/jobs/x") == ["jobs/x"]
    assert places_of("/far/jobs/x", "jobs/run") == ["jobs/x"]
    assert places_of("/far/jobs", "jobs/run") == ["/far/jobs"]
    assert places_of("/far/jobs/y", "jobs/run") == ["/far/jobs/y"]


def test_a_model_of_this_folder_is_none_of_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("llama", "sub/llama"):
        (tmp_path / folder).mkdir(parents=True)
    places = ("/far/away", "sub", "")
    assert [called_from_here("--model=./llama", [place]) for place in places] == [
        "--model=/far/away/llama",
        "--model=sub/llama",
        "--model=./llama",
    ]
    assert called_from_here("./out", ["", "sub"]) == "./out"  # the run makes it


def test_a_folder_of_poetry_s_project_is_no_working_folder(check: Callable[..., dict[str, Any]]) -> None:
    line = "poetry -P sub run accelerate launch --config_file accel.yaml train.py"  # executed with poetry 2.5.1
    assert check(line, as_script=False)["outcome"]["mixed_precision"] == "bf16"


def test_a_command_line_that_goes_to_a_folder(check: Callable[..., dict[str, Any]]) -> None:
    line = "cd sub && accelerate launch --config_file accel.yaml train.py; date"
    assert check(line, as_script=False)["outcome"]["mixed_precision"] == "fp8"
