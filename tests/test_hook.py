"""The pre-commit hook, run by the real pre-commit on a real repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

PRE_COMMIT = Path(shutil.which("pre-commit") or Path(sys.executable).with_name("pre-commit"))
WRONG = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: te\n'
RIGHT = 'distributed_type: "NO"\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n  fp8_format: HYBRID\n'
# The hook as .pre-commit-hooks.yaml declares it, with the installed command instead of an environment of its own.
CONFIG = """\
repos:
  - repo: local
    hooks:
      - id: fp8check
        name: fp8check
        entry: {command} --hook
        language: system
        always_run: true
        require_serial: true
"""


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A repository with the hook installed; call it with git's arguments."""
    if not PRE_COMMIT.exists() or shutil.which("git") is None:
        pytest.skip("pre-commit or git is not installed")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "GIT_CONFIG_GLOBAL": os.devnull}
    repository = tmp_path / "repository"
    repository.mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(
            ["git", *names, *arguments], cwd=repository, env=environment, capture_output=True, text=True, check=False
        )

    assert run("init", "-q").returncode == 0
    command = Path(sys.executable).with_name("fp8check")
    (repository / ".pre-commit-config.yaml").write_text(CONFIG.format(command=command))
    installed = subprocess.run(
        [str(PRE_COMMIT), "install"], cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    return run


def _commit(
    git: Callable[..., subprocess.CompletedProcess[str]], root: Path, text: str
) -> subprocess.CompletedProcess[str]:
    (root / "accelerate.yaml").write_text(text)
    git("add", "-A")
    return git("commit", "-m", "a run")


def test_blocks_a_commit_with_an_error(git: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    done = _commit(git, tmp_path / "repository", WRONG)
    assert done.returncode == 1
    assert "FP201 error" in done.stdout + done.stderr
    assert "accelerate.yaml:4:3" in done.stdout + done.stderr


def test_lets_a_right_one_through(git: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    done = _commit(git, tmp_path / "repository", RIGHT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout + done.stderr


def test_passes_over_other_yaml_without_a_word(
    git: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    root = tmp_path / "repository"
    (root / "docker-compose.yml").write_text("services:\n  web:\n    image: nginx\n")
    (root / "broken.yaml").write_text("a: [1, 2\n")
    git("add", "-A")
    done = git("commit", "-m", "other files")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FP" not in done.stdout


def test_checks_the_lines_of_a_shell_script_and_passes_over_others(
    git: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    root = tmp_path / "repository"
    (root / "setup.sh").write_text("#!/bin/sh\npip install accelerate\n")
    (root / "accel.yaml").write_text(WRONG)
    assert git("add", "setup.sh").returncode == 0
    committed = git("commit", "-m", "scripts")
    assert committed.returncode == 0, committed.stderr
    (root / "run.sh").write_text("accelerate launch --config_file accel.yaml train.py\n")
    assert git("add", "run.sh").returncode == 0
    refused = git("commit", "-m", "a run")
    assert refused.returncode == 1
    assert "FP2" in refused.stderr + refused.stdout


def test_the_declared_hooks_are_the_tested_ones() -> None:
    check, fix = yaml.safe_load((Path(__file__).parent.parent / ".pre-commit-hooks.yaml").read_text())
    assert (check["id"], check["entry"]) == ("fp8check", "fp8check --hook")
    assert (fix["id"], fix["entry"]) == ("fp8check-fix", "fp8check fix --hook")
    for hook in (check, fix):
        assert hook["always_run"] is True, "a commit that only deletes files hands a hook none"
        assert "pass_filenames" not in hook, "pre-commit run --all-files says what to check by the names alone"
        passed = [name for name in NAMES if re.search(hook["files"], name)]
        assert passed == [name for name in NAMES if not name.endswith((".md", ".png", ".lock", ".gitignore"))]


NAMES = (
    *("a.yaml", "b/c.yml", "ds.json", "train.py", "run.sh", "job.sbatch", "job.slurm", "fp8check.toml", "hostfile"),
    *("a.d/launch", "-q.yaml", "--fail-on=never", "a\n.yaml", "README.md", "a/b.png", "poetry.lock", ".gitignore"),
)
