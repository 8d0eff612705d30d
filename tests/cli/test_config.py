"""The configuration file of the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import run

ACCELERATE = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config: {backend: TE, amax_history_length: 4}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    (tmp_path / "train.yaml").write_text("output_dir: out\n")
    return tmp_path


def rules(folder: Path, *arguments: str, code: int = 0) -> list[str]:
    done = run(*arguments, "--no-environment", "--format", "json", cwd=folder)
    assert done.returncode == code, done.stderr
    data = json.loads(done.stdout)
    reports = data if isinstance(data, list) else [data]
    return [one["rule"] for report in reports for one in report["findings"]]


def test_runs_are_checked_without_arguments(folder: Path) -> None:
    (folder / "fp8check.toml").write_text(
        '[[run]]\nfiles = ["train.yaml", "accel.yaml"]\ntrainer = "transformers"\n[[run]]\nfiles = ["accel.yaml"]\n'
    )
    assert rules(folder).count("FP202") == 2


def test_a_run_may_say_how_it_is_started(folder: Path) -> None:
    (folder / "fp8check.toml").write_text('[[run]]\nfiles = ["accel.yaml"]\nlaunch = "python train.py"\n')
    assert "FP301" in rules(folder, code=1)


def test_runs_are_found_beside_the_configuration(folder: Path) -> None:
    (folder / "fp8check.toml").write_text('[[run]]\nfiles = ["accel.yaml"]\n')
    assert rules(folder.parent, "--config", str(folder / "fp8check.toml")) == ["FP202", "FP606"]


@pytest.mark.parametrize("name", ["fp8check.toml", "pyproject.toml"])
def test_settings_apply_to_files_of_the_command_line_too(folder: Path, name: str) -> None:
    table = "[tool.fp8check]\n" if name == "pyproject.toml" else ""
    (folder / name).write_text(f'{table}fail-on = "warning"\nselect = ["FP2"]\nignore = ["FP203"]\n')
    assert rules(folder, "accel.yaml", code=1) == ["FP202"]
    assert rules(folder, "accel.yaml", "--fail-on", "error") == ["FP202"]
    assert rules(folder, "accel.yaml", "--select", "FP6") == ["FP606"]
    assert rules(folder, "accel.yaml", "--no-config") == ["FP202", "FP606"]


def test_suppressions(folder: Path) -> None:
    (folder / "fp8check.toml").write_text(
        '[[suppress]]\nrules = ["FP202"]\nfiles = ["acc*.yaml"]\nreason = "an old release"\nuntil = 2999-01-01\n'
    )
    assert rules(folder, "accel.yaml") == ["FP606"]


def test_a_pyproject_of_others_is_nothing(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.other]\nx = 1\nthis is no TOML")
    assert rules(folder, "accel.yaml") == ["FP202", "FP606"]
    assert run(cwd=folder).returncode == 2


def test_a_baseline(folder: Path) -> None:
    run("accel.yaml", "--no-environment", "--write-baseline", "known.json", cwd=folder)
    (folder / "fp8check.toml").write_text('baseline = "known.json"\nfail-on = "warning"\n')
    assert rules(folder, "accel.yaml") == ["FP202", "FP606"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fail_on = 1", "fail_on is not known; did you mean fail-on?"),
        ('fail-on = "info"', "fail-on is error, warning or never"),
        ('select = "FP1"', "select is a list of texts"),
        ("baseline = 5", "baseline is a text"),
        ('run = "x"', "run is a list of tables"),
        ("[[run]]\nlaunch = 'python'", "names its files"),
        ("[[run]]\nfile = ['x']", "run.file is not known; did you mean files?"),
        ("[[suppress]]\nreason = 'x'", "names its rules"),
        ("x", "fp8check.toml: "),
        ("color = 1", "there are fail-on"),
    ],
)
def test_mistakes_are_usage_errors(folder: Path, text: str, message: str) -> None:
    (folder / "fp8check.toml").write_text(text)
    done = run("accel.yaml", "--no-environment", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "fp8check.toml" in done.stderr


def test_a_missing_configuration_is_a_usage_error(folder: Path) -> None:
    assert run("accel.yaml", "--config", "none.toml", cwd=folder).returncode == 2


def test_a_table_that_is_none(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool]\nfp8check = 1  # tool.fp8check\n")
    assert "fp8check is no table" in run("accel.yaml", cwd=folder).stderr


@pytest.mark.parametrize("name", ["fp8check.toml", "pyproject.toml"])
def test_a_configuration_that_cannot_be_read_is_no_missing_one(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    done = run("accel.yaml", cwd=folder)
    assert done.returncode == 2
    assert f"{name}: a folder, not a regular file; --no-config does without" in done.stderr
    assert run("accel.yaml", "--no-config", cwd=folder).returncode != 2


@pytest.mark.parametrize(
    "content",
    ["a = " + "[" * 50_000, "# " + "x" * (1 << 20), f"{'.'.join(100_000 * ['a'])} = 1", f"[{100_000 * 'a.'}a]"],
    ids=["brackets", "a comment", "a key", "a table"],
)
def test_a_configuration_that_is_too_deep_or_too_large(folder: Path, content: str) -> None:
    (folder / "fp8check.toml").write_text(content)
    done = run("accel.yaml", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("fp8check: fp8check.toml: ")
    assert "Traceback" not in done.stderr


def test_a_list_of_many_file_names_is_no_key_of_many_parts(folder: Path) -> None:
    names = ", ".join(f'"t{number}.yaml"' for number in range(150))
    (folder / "fp8check.toml").write_text(f"[[run]]\nfiles = [\n{names}]\n")
    assert "t0.yaml: no such file" in run(cwd=folder).stderr
