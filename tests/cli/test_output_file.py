"""Where output goes: -o, and --output-format as another name of --format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import run

FILES = {
    "train.yaml": "model_name_or_path: m\noutput_dir: out\nbf16: true\n",
    "accel.yaml": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("option", [["-o", "r.out"], ["--output-file", "r.out"], ["--output-file=r.out"]])
@pytest.mark.parametrize("format_", ["text", "sarif", "markdown"])
def test_a_report_goes_to_a_file(option: list[str], format_: str, folder: Path) -> None:
    there = run(*FILES, "--no-environment", f"--format={format_}", cwd=folder)
    done = run(*FILES, "--no-environment", "--output-format", format_, *option, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (there.returncode, "", there.stderr)
    assert (folder / "r.out").read_text() == there.stdout


def test_without_a_format_it_is_the_text(folder: Path) -> None:
    run(*FILES, "--no-environment", "-o", "r.txt", cwd=folder)
    assert (folder / "r.txt").read_text().splitlines()[3].startswith("FP101 error ")


def test_it_is_for_the_last_format_that_names_no_file(folder: Path) -> None:
    formats = ("--format", "text", "--format", "json", "--format", "sarif=r.sarif")
    done = run(*FILES, "--no-environment", *formats, "-o", "r.json", cwd=folder)
    assert done.stdout.splitlines()[3].startswith("FP101 error ")
    assert json.loads((folder / "r.json").read_text())["schema"] == "fp8check/report/1"
    assert json.loads((folder / "r.sarif").read_text())["version"] == "2.1.0"


def test_where_each_format_names_its_file_there_is_nothing_to_write(folder: Path) -> None:
    done = run(*FILES, "--no-environment", "--format", "text=a", "-o", "b", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("fp8check: -o b: each --format names a file already")
    assert not (folder / "a").exists()


@pytest.mark.parametrize("command", ["plan", "outcome"])
def test_other_commands(command: str, folder: Path) -> None:
    there = run(command, *FILES, "--no-environment", "--format=json", cwd=folder)
    done = run(command, *FILES, "--no-environment", "--output-format=json", "-o", "x.json", cwd=folder)
    assert done.stdout == ""
    assert (folder / "x.json").read_text() == there.stdout
    assert done.returncode == there.returncode


def test_facts(folder: Path) -> None:
    done = run("env", "--json", "-o", "facts.json", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads((folder / "facts.json").read_text())["schema"] == "fp8check/facts/1"
    run("env", "-o", "facts.txt", cwd=folder)
    assert (folder / "facts.txt").read_text().startswith("python ")


def test_worth_and_init(folder: Path) -> None:
    run("worth", "Qwen/Qwen2.5-7B", "--output-format", "json", "-o", "w.json", cwd=folder)
    assert json.loads((folder / "w.json").read_text())["schema"] == "fp8check/worth/1"
    done = run("init", "--trainer=trl", "--model=Qwen/Qwen2.5-7B", "-o", "new", "--no-environment", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert [*(folder / "new").iterdir()]
    assert "FP101" in run("rules", "--output-format=json", cwd=folder).stdout
