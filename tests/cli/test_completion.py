"""Completion of the command line: by a real bash, of the script that the command prints."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fp8check.cli.commands import COMMANDS
from fp8check.cli.options import SHELLS
from tests.support.command import run


def script_of(shell: str) -> str:
    pytest.importorskip("shtab")
    done = run("--print-completion", shell)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train.yaml", "trial.yaml", "accel.yaml"):
        (tmp_path / name).write_text("")
    (tmp_path / "runs").mkdir()
    return tmp_path


def completed(folder: Path, *words: str) -> set[str]:
    """What bash offers for the last word."""
    (folder / "completion.bash").write_text(script_of("bash"))
    program = 'source ./completion.bash; COMP_WORDS=(fp8check "$@"); COMP_CWORD=$#; _shtab_fp8check; printf \'%s\\n\' "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", program, "bash", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return {*done.stdout.split()}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["up"], {"upgrade"}),
        (["tr"], {"train.yaml", "trial.yaml"}),
        (["plan", "tra"], {"train.yaml"}),
        (["plan", "train.yaml", "acc"], {"accel.yaml"}),
        (["plan", "--go"], {"--goal"}),
        (["plan", "--goal", ""], {"fp8", "bf16"}),
        (["--format", "sa"], {"sarif"}),
        (["--facts", "acc"], {"accel.yaml"}),
        (["rule", "FP10"], {"FP101", "FP102", "FP103", "FP104", "FP105", "FP106", "FP107", "FP108", "FP109"}),
        (["init", "--out", "ru"], {"runs"}),
        (["init", "--strategy", "z"], {"zero2", "zero3"}),
        (["--trainer", "ax"], {"axolotl"}),
        (["--nothing-such"], set()),
    ],
)
def test_bash(words: list[str], offered: set[str], folder: Path) -> None:
    assert completed(folder, *words) == offered


def test_bash_knows_every_command_and_the_files(folder: Path) -> None:
    offered = completed(folder, "")
    assert {*COMMANDS} <= offered
    assert {"train.yaml", "runs"} <= offered


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(shell: str, tmp_path: Path) -> None:
    script = script_of(shell)
    assert "upgrade" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script)
    assert subprocess.run([program, "-n", str(tmp_path / "script")], check=False).returncode == 0


def test_zsh_completes(folder: Path) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    (folder / "_fp8check").write_text(script_of("zsh"))
    program = "autoload -U compinit; compinit -u; source ./_fp8check; (( $+functions[_shtab_fp8check] ))"
    assert subprocess.run([zsh, "-fc", program], cwd=folder, check=False).returncode == 0


def test_without_shtab_it_says_how_to_get_it(tmp_path: Path) -> None:
    program = "import sys; sys.modules['shtab'] = None; from fp8check.cli.main import main; sys.exit(main(['--print-completion', 'bash']))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == 'fp8check: completion needs shtab: pip install "fp8check[completion]"\n'
    assert done.stdout == ""
