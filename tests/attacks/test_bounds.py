"""Time: each input that took far more than its size explains, and what is like it."""

from __future__ import annotations

import os
import resource
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.attacks.lines import attack
from tests.support.command import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 2.0  # of CPU time that a check of less than 1 MB may take, start-up and all
PATIENCE = 10  # seconds of CPU time after which the command is ended
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"


class Cost(NamedTuple):
    """What one run of the command took: CPU time, and the largest memory at any time."""

    code: int
    seconds: float
    mib: float
    out: str


def cost(folder: Path, *words: str) -> Cost:
    """Run the command, for at most PATIENCE seconds of CPU time."""
    with (folder / "out").open("wb+") as out:
        process = subprocess.Popen([COMMAND, *words], stdout=out, stderr=out, cwd=folder, stdin=subprocess.DEVNULL)
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 1))
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    return Cost(process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)


def unknown_keys(count: int, name: str = "unknown_") -> str:
    return ACCELERATE + "".join(f"  {name}{number}: {number}\n" for number in range(count))


@attack("Q4")
@pytest.mark.parametrize("name", ["unknown_", "amax_history_le"])
def test_six_hundred_unknown_keys_are_fixed(tmp_path: Path, name: str) -> None:
    (tmp_path / "accel.yaml").write_text(unknown_keys(600, name))
    taken = cost(tmp_path, "fix", "--unsafe", "--no-environment", "accel.yaml")
    assert taken.seconds < SECONDS, taken.out
    assert (tmp_path / "accel.yaml").read_text().count("\n") <= 5
    assert taken.code == 0
