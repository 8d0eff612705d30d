"""What people type that is no file of a run: each time what it is, and one thing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import run

TRAIN = "output_dir: out\nbf16: true\nlearning_rate: 1e-5\n"
ACCEL = "mixed_precision: fp8\ndistributed_type: 'NO'\nfp8_config: {backend: TE}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.yaml").write_text(TRAIN)
    (tmp_path / "accel.yaml").write_text(ACCEL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "b.yaml").write_text(TRAIN)
    (tmp_path / "none").mkdir()
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "blank.yaml").write_text(" \n\n")
    (tmp_path / "comment.yaml").write_text("# to do\n\n  # more\n")
    (tmp_path / "ds.jsonc").write_text('// a\n{"zero_optimization": {"stage": 2}, // c\n}\n')
    (tmp_path / "weights.bin").write_bytes(b"PK\x03\x04\x00\x00\x00\xff\xd0")
    (tmp_path / "train.yaml.j2").write_text("bf16: {% if x %}true{% endif %}\n")
    (tmp_path / "filled.yaml").write_text("output_dir: out\nbf16: {% if x %}true{% endif %}\n")
    (tmp_path / "job.yaml").write_text("kind: Job\nspec:\n  command: [accelerate, launch, train.py]\n")
    (tmp_path / "sky.yml").write_text("run: |\n  accelerate launch train.py\n")
    (tmp_path / "Makefile").write_text("train:\n\taccelerate launch train.py\n")
    (tmp_path / "book.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (tmp_path / "hello.sh").write_text("#!/bin/bash\necho hello\n")
    (tmp_path / "other.yaml").write_text("a: 1\n")
    (tmp_path / "ds.json").write_text('{"zero_optimization": {"stage": 2}}\n')
    (tmp_path / "node.json").write_text('{"schema": "fp8check/facts/1", "packages": {}}\n')
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("runs", "runs: a folder", "name the files of a run that are in it, as in: fp8check runs/b.yaml"),
        ("none", "none: a folder", "name the files of a run; there is no YAML, JSON or shell file in it"),
        ("empty.yaml", "empty.yaml:1:1: the file is empty", "fp8check init writes the first files of a run"),
        ("blank.yaml accel.yaml", "blank.yaml:1:1: the file is empty", "fp8check init writes the first files of a run"),
        ("comment.yaml", "comment.yaml:1:1: there is nothing in it but comments", "fp8check init writes"),
        ("ds.jsonc", ": accelerate and DeepSpeed read no JSON with comments", "and call it ds.json"),
        ("weights.bin", ": a binary file", "name the files of the run: "),
        ("train.yaml.j2", ": a template, which no trainer reads as it is", "fill it in, and check"),
        ("filled.yaml", "filled.yaml:2:8: ", "this is filled in by something before: check the file that comes out"),
        (
            "job.yaml",
            "job.yaml:1:1: it starts a training, and is no configuration of one",
            "fp8check -- COMMAND checks",
        ),
        ("sky.yml", "sky.yml:1:1: it starts a training, and is no configuration of one", "fp8check -- COMMAND checks"),
        ("Makefile", "Makefile:2:1: a makefile", "fp8check -- COMMAND checks the command that starts the training"),
        ("book.ipynb", "book.ipynb:1:1: a notebook", "jupyter nbconvert --to script book.ipynb; fp8check book.py"),
        ("hello.sh", "hello.sh:1:1: no line of this script starts a training", "fp8check -- COMMAND checks"),
        ("other.yaml", "other.yaml:1:1: this is neither", "say who reads it, if it is a training file: --trainer"),
        ("train.yaml node.json", "node.json:1:1: these are facts of a machine", "as such: --facts node.json"),
        ("train.yaml --facts ds.json", "ds.json: /schema: ", "this is no facts.json: `fp8check env --json > facts"),
        ("train.yaml --facts accel.yaml", "accel.yaml:1:1: not JSON", "this is no facts.json: `fp8check env --json"),
        ("accel.yaml init", "init: no such file, but a command, which stands first", "fp8check init accel.yaml"),
        ("outcom", "outcom: no such file, and no command", "did you mean fp8check outcome?"),
        ("trian.yaml", "trian.yaml: no such file", "did you mean train.yaml?"),
        ("runs/bb.yaml", "runs/bb.yaml: no such file", "did you mean runs/b.yaml?"),
        ("run/b.yaml", "run/b.yaml: no such file", "there is no folder run here"),
        ("plan trian.yaml", "trian.yaml: no such file", "did you mean train.yaml?"),
        ("explain trian.yaml:3", "trian.yaml: no such file", "did you mean train.yaml?"),
        ("something", "something: no such file", "names count from the current folder"),
        ("x" * 120, "x: no such file", "names count from the current folder"),
        ("help", "help: no such file, and no command", "fp8check --help"),
        ("version", "version: no such file, and no command", "fp8check --version"),
        ("--formt json train.yaml", "unrecognized arguments: --formt", "did you mean --format?"),
        ("init", "the following arguments are required: -o/--out", "as in: fp8check init --trainer trl"),
        (
            "init train.yaml",
            "the following arguments are required: -o/--out",
            "fp8check init --from train.yaml --out DIR",
        ),
    ],
)
def test_what_it_is_and_one_thing_to_do(words: str, message: str, hint: str, folder: Path) -> None:
    done = run(*words.split(), cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    first, second, *usage = done.stderr.splitlines()
    assert first.startswith("fp8check: ")
    assert message in first
    assert second.startswith("  ")
    assert hint in second
    assert not usage or usage[0].startswith("usage: ")


def test_a_file_that_is_called_as_a_command(folder: Path) -> None:
    (folder / "plan").write_text(TRAIN)
    done = run("plan", cwd=folder)
    assert done.returncode == 2
    assert "  to check the file of that name: fp8check ./plan\n" in done.stderr
    assert run("./plan", cwd=folder).returncode == 0


def test_nothing_is_told_of_what_lies_beside_a_file_that_a_configuration_names(folder: Path) -> None:
    (folder / "fp8check.toml").write_text('[[run]]\nfiles = ["runs/bb.yaml"]\n')
    done = run(cwd=folder)
    assert done.returncode == 2
    assert done.stderr == "fp8check: runs/bb.yaml: no such file\n"


def test_a_file_with_a_hostile_name_is_not_copied_as_it_is(folder: Path) -> None:
    (folder / "trai\x1b[1mn.yaml").write_text(TRAIN)
    done = run("trai\x1b[1mm.yaml", cwd=folder)
    assert "\x1b" not in done.stderr
    assert "did you mean trai\\x1b[1mn.yaml?" in done.stderr
