"""Time: each input that took far more than its size explains, and what is like it."""

from __future__ import annotations

import subprocess
import sys
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


# A process begins with the largest memory of the one that it is forked from: a small one stands between.
MEASURE = """
import os, resource, subprocess, sys
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
resource.prlimit(process.pid, resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1]) + 1))
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
with open("cost", "w") as file:
    print(process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=file)
"""


def cost(folder: Path, *words: str) -> Cost:
    """Run the command, for at most PATIENCE seconds of CPU time."""
    measure = [sys.executable, "-I", "-S", "-c", MEASURE, str(PATIENCE), COMMAND, *words]
    with (folder / "out").open("wb+") as out:
        subprocess.run(measure, stdout=out, stderr=out, cwd=folder, check=True)
        out.seek(0)
        text = out.read().decode()
    code, seconds, mib = (folder / "cost").read_text().split()
    return Cost(int(code), float(seconds), float(mib), text)


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


@attack("Q1")
@pytest.mark.parametrize(
    "line",
    [
        "x{}: 1 # fp8check: ignore[FP101] why\n",
        "# fp8check: ignore[FP101] why\n",
        "# fp8check: ignore-file[FP101] why\n",
        "x{}: 1 # fp8check: ignroe[FP101] why\n",
    ],
    ids=["at line ends", "in a block", "for the file", "misspelt"],
)
def test_suppression_comments(tmp_path: Path, line: str) -> None:
    head = "model_name_or_path: m\nstage: sft\noutput_dir: out\n"
    body = "".join(line.replace("{}", str(number)) for number in range(220_000 // len(line)))
    (tmp_path / "train.yaml").write_text(head + body + "z: 1\n")
    taken = cost(tmp_path, "--no-environment", "train.yaml")
    assert taken.seconds < SECONDS, taken.out[:1000]
    assert taken.code in (0, 1), taken.out[:1000]


@attack("Q2")
@pytest.mark.parametrize("name", ["unknown_", "amax_history_le"])
def test_unknown_keys_of_the_recipe(tmp_path: Path, name: str) -> None:
    (tmp_path / "accel.yaml").write_text(unknown_keys(320_000 // (len(name) + 15), name))
    taken = cost(tmp_path, "--no-environment", "accel.yaml")
    assert taken.seconds < SECONDS, taken.out[:1000]


@attack("Q3")
def test_a_number_in_base_sixty(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(f"{ACCELERATE}num_processes: 1{300_000 * ':59'}\n")
    taken = cost(tmp_path, "--no-environment", "accel.yaml")
    assert taken.seconds < SECONDS
    assert "accel.yaml:5:16: a number of 900,001 characters; 1,000 are read" in taken.out
    assert taken.code == 2


@attack("Q5")
def test_many_training_files(tmp_path: Path) -> None:
    count = 1500
    for number in range(count):
        (tmp_path / f"t{number}.yaml").write_text(
            f"model_name_or_path: m\nstage: sft\noutput_dir: out{number}\nbf16: true\ncutoff_len: 2048\n"
        )
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    taken = cost(tmp_path, "--no-environment", *(f"t{number}.yaml" for number in range(count)), "accel.yaml")
    assert taken.code == 1, taken.out[:1000]
    assert taken.out.count("FP101 error") == count
    # Beside other tests, on cores that are shared. That it is 4 ms is measured alone, by make scaling and its sample.
    assert taken.seconds < 0.5 + 0.007 * count
    assert taken.mib < 100
