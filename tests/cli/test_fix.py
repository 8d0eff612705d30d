"""`fp8check fix` as people run it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.command import run

BROKEN = (
    "# Accelerate, by hand\n"
    'distributed_type: "NO"\n'
    "mixed_precision: fp8  # the point of it all\n"
    "fp8_config:\n"
    "  backend: te          # Transformer Engine\n"
    "  amax_history_length: 16\n"
)
FIXED = BROKEN.replace("te  ", "TE  ").replace("history_length", "history_len")
OPTIONS = ("--no-environment", "--no-config")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accel.yaml"
    path.write_text(BROKEN)
    path.chmod(0o640)
    return path


def test_in_place(file: Path) -> None:
    done = run("fix", str(file), *OPTIONS)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("fixed FP20") == 2
    assert file.read_text() == FIXED
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(file.parent) == ["accel.yaml"]
    again = run("fix", str(file), *OPTIONS)
    assert (again.returncode, again.stderr) == (0, "")
    assert file.read_text() == FIXED


def test_a_link_stays_a_link(file: Path) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    run("fix", str(link), *OPTIONS)
    assert link.is_symlink()
    assert file.read_text() == FIXED


def test_diff_changes_nothing(file: Path) -> None:
    done = run("fix", "--diff", str(file), *OPTIONS)
    assert "-  backend: te          # Transformer Engine\n" in done.stdout
    assert "+  backend: TE          # Transformer Engine\n" in done.stdout
    assert "would fix FP201" in done.stderr
    assert file.read_text() == BROKEN


def test_standard_input_goes_to_standard_output() -> None:
    done = run("fix", "-", *OPTIONS, stdin=BROKEN.encode())
    assert (done.returncode, done.stdout) == (0, FIXED)


def test_windows_line_breaks_and_byte_order_mark_stay(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + BROKEN.replace("\n", "\r\n").encode())
    run("fix", str(file), *OPTIONS)
    assert file.read_bytes() == b"\xef\xbb\xbf" + FIXED.replace("\n", "\r\n").encode()


def test_what_changes_the_run_is_left_alone_unless_it_is_asked_for(file: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.yaml"
    train.write_text("output_dir: out\nbf16: true  # from before\nmax_steps: 5\n")
    arguments = (str(train), str(file), *OPTIONS, "--trainer", "transformers")
    done = run("fix", *arguments)
    assert "left FP101" in done.stderr
    assert "bf16: true" in train.read_text()
    assert done.returncode == 1
    done = run("fix", "--unsafe", *arguments)
    assert "fixed FP101" in done.stderr
    assert train.read_text() == "output_dir: out\nbf16: false  # from before\nmax_steps: 5\n"


def test_a_file_that_was_not_named_is_not_written(tmp_path: Path) -> None:
    deepspeed = tmp_path / "ds.json"
    deepspeed.write_text('{"zero_optimization": {"stage": 2, "stage": 2}}\n')
    train = tmp_path / "train.yaml"
    train.write_text("output_dir: out\ndeepspeed: ds.json\n")
    done = run("fix", str(train), *OPTIONS, "--trainer", "transformers")
    assert "not fixed FP902" in done.stderr
    assert "ds.json on the command line" in done.stderr
    assert deepspeed.read_text() == '{"zero_optimization": {"stage": 2, "stage": 2}}\n'


def test_what_is_no_run_is_said_and_nothing_is_written(file: Path) -> None:
    done = run("fix", str(file), str(file.with_name("missing.yaml")), *OPTIONS)
    assert done.returncode == 2
    assert file.read_text() == BROKEN


def test_without_a_file_nothing_was_looked_at(tmp_path: Path) -> None:
    done = run("fix", cwd=tmp_path)
    assert done.returncode == 2
    assert "name the files to fix" in done.stderr


def test_what_another_fix_stood_against_is_fixed_in_the_same_run(tmp_path: Path) -> None:
    text = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend:\n  amax_history_len: 16\n  amax_history_length: 16"
    (tmp_path / "accel.yaml").write_text(text)
    (tmp_path / "facts.json").write_text('{"schema": "fp8check/facts/1", "packages": {"torchao": ""}}')
    first = run("fix", "accel.yaml", "--facts", "facts.json", cwd=tmp_path)
    assert [line.split()[:2] for line in first.stderr.splitlines()[:2]] == [["fixed", "FP202"], ["fixed", "FP218"]]
    after = (tmp_path / "accel.yaml").read_text()
    second = run("fix", "accel.yaml", "--facts", "facts.json", cwd=tmp_path)
    assert not [line for line in second.stderr.splitlines() if line.startswith("fixed")]
    assert (tmp_path / "accel.yaml").read_text() == after
