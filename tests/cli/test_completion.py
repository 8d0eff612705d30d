"""Completion of the command line: by a real bash, of the script that the command prints."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
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


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("upg", "upgrade"),
        ("trai", "train.yaml"),
        ("plan trai", "plan train.yaml"),
        ("train.yaml acc", "train.yaml accel.yaml"),
        ("--output-format sar", "--output-format sarif"),
        ("init --strategy zero3 --trai", "init --strategy zero3 --trainer"),
    ],
)
def test_zsh(typed: str, becomes: str, folder: Path) -> None:
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    # ZSH_SETUP: where a zsh that is not installed, but unpacked somewhere, has its modules and functions.
    (folder / ".zshrc").write_text(
        f"{os.environ.get('ZSH_SETUP', '')}\nPS1='> '; autoload -Uz compinit; compinit -u -D; eval \"$(<fp8check.zsh)\"\n"
    )
    (folder / "fp8check.zsh").write_text(script_of("zsh"))
    leader, follower = pty.openpty()
    environment = {**os.environ, "ZDOTDIR": str(folder), "TERM": "dumb"}
    with subprocess.Popen(
        [zsh, "-i"],
        cwd=folder,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        _until(leader, "> ")
        os.write(leader, f"fp8check {typed}\t".encode())
        shown = _until(leader, f"fp8check {becomes}")
        process.kill()
    os.close(leader)
    assert f"fp8check {becomes}" in shown


def _until(leader: int, text: str) -> str:
    """What comes on a terminal until a text has come, or for some seconds."""
    shown, end = "", time.monotonic() + 20
    while text not in shown and time.monotonic() < end:
        if select.select([leader], [], [], 0.2)[0]:
            shown += os.read(leader, 4096).decode(errors="replace").replace("\x08", "")
    return shown


def test_without_shtab_it_says_how_to_get_it(tmp_path: Path) -> None:
    program = "import sys; sys.modules['shtab'] = None; from fp8check.cli.main import main; sys.exit(main(['--print-completion', 'bash']))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == 'fp8check: completion needs shtab: pip install "fp8check[completion]"\n'
    assert done.stdout == ""
