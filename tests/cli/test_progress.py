"""What is going on is told on a terminal alone, and goes away again."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.support.command import COMMAND

FILES = 2000  # half a second, after which progress is shown, is enough for 700 of them on a fast machine
ACCEL = "distributed_type: 'NO'\nmixed_precision: bf16\n"


def on_a_terminal(*words: str, cwd: Path, **variables: str) -> tuple[int, str, bytes]:
    """Exit code, standard output, and what came on the terminal behind standard error."""
    leader, follower = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    with subprocess.Popen(
        [COMMAND, *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**environment, "TERM": "xterm", **variables},
    ) as process:
        os.close(follower)
        shown = b""
        while chunk := _some(leader):
            shown += chunk
        assert process.stdout is not None
        out = process.stdout.read().decode()
    os.close(leader)
    return process.returncode, out, shown


def _some(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.fixture
def many(tmp_path: Path) -> list[str]:
    names = []
    for number in range(FILES):
        names.append(f"{number}.yaml")
        (tmp_path / names[-1]).write_text(f"output_dir: out{number}\nbf16: true\nper_device_train_batch_size: 1\n")
    return names


def test_files_are_counted_and_the_line_goes_away(many: list[str], tmp_path: Path) -> None:
    code, out, shown = on_a_terminal(*many, "--no-environment", "--format=concise", cwd=tmp_path)
    assert code == 0
    assert b"\rfp8check: checked " in shown
    assert f" of {FILES:,} files\x1b[K".encode() in shown
    assert shown.endswith(b"\r\x1b[K")
    assert b"\n" not in shown
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("words", "variables"), [(["--quiet"], {}), ([], {"CI": "true"}), ([], {"TERM": "dumb"}), (["--hook"], {})]
)
def test_nobody_is_told_who_does_not_watch(
    words: list[str], variables: dict[str, str], many: list[str], tmp_path: Path
) -> None:
    _, _, shown = on_a_terminal(*words, "--no-environment", *many[:400], cwd=tmp_path, **variables)
    assert b" of " not in shown
    assert b"\x1b" not in shown


def test_what_is_quick_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(ACCEL)
    assert on_a_terminal("accel.yaml", "--no-environment", cwd=tmp_path)[2] == b""
