"""What the commands print on terminals of several widths: help, rules, explanations, fixes, first files, other stacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fp8check.cli.commands import COMMANDS
from tests.support.command import run
from tests.support.paths import ROOT
from tests.support.widths import MARKS, WIDTHS, said, too_wide

EXAMPLE = ROOT / "examples" / "llamafactory-qwen2.5-7b"
FILES = ("train.yaml", "accelerate.yaml", "--facts", "facts.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train.yaml", "accelerate.yaml", "facts.json"):
        shutil.copy(EXAMPLE / name, tmp_path / name)
    return tmp_path


def holds(words: tuple[str, ...], folder: Path) -> None:
    whole = run(*words, cwd=folder)
    for width in WIDTHS:
        done = run(*words, cwd=folder, COLUMNS=str(width))
        assert done.returncode == whole.returncode
        for text, expected in ((done.stdout, whole.stdout), (done.stderr, whole.stderr)):
            assert not too_wide(text, width), text
            assert not {*text} & {*MARKS}, text
            assert said(text) == said(expected), text


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, folder: Path) -> None:
    holds((command, "--help"), folder)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("rules",),
        ("rule", "FP101"),
        ("rule", "FP414"),
        FILES,
        (*FILES, "-v", "--plan"),
        ("explain", "train.yaml:31", *FILES[1:]),
        ("outcome", *FILES),
        ("plan", *FILES),
        ("fix", *FILES, "--diff", "--goal=fp8"),
        ("fix", "train.yaml", "accelerate.yaml", "--no-environment", "--diff"),
        ("upgrade", *FILES, "--to", "accelerate==1.11.0, torch==2.8.0"),
        ("env", "--python", "/nowhere/python"),
        ("--formt",),
        ("init", "--trainer=trl"),
        ("trian.yaml",),
    ],
    ids=" ".join,
)
def test_texts(words: tuple[str, ...], folder: Path) -> None:
    holds(words, folder)


def test_first_files(folder: Path) -> None:
    made = ("init", "--trainer=trl", "--model=Qwen/Qwen2.5-7B", "--facts=facts.json", "--explain")
    whole = said(run(*made, "--out=new", cwd=folder).stdout)
    for width in WIDTHS:
        shutil.rmtree(folder / "new")
        text = run(*made, "--out=new", cwd=folder, COLUMNS=str(width)).stdout
        assert not too_wide(text, width), text
        assert said(text) == whole
