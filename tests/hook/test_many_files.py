"""Repositories that are made to take long: what the hook takes grows with the number of files, and not faster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.main import main
from tests.support.repository import ACCELERATE, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.repository import Repository

FEW, MANY = 150, 600
# Times as long for four times as many files: 16 would be the square.
MOST = 8.0


def chain(count: int) -> dict[str, str]:
    """Each file names the next one."""
    return {f"f{number}.yaml": f"bf16: true\noutput_dir: f{number + 1}.yaml\n" for number in range(count)}


def modules(count: int) -> dict[str, str]:
    """Each module imports the next one, and a script starts the first."""
    files = {f"m{number}.py": f"import m{number + 1}\n" for number in range(count)}
    return {**files, "run.sh": "python m0.py\n"}


def lonely(count: int) -> dict[str, str]:
    """Accelerate files in folders of their own, and training files in others."""
    files = {f"a/{number}/accel.yaml": ACCELERATE for number in range(count // 2)}
    return {**files, **{f"b/{number}/train.yaml": TRAIN for number in range(count // 2)}}


def deep(count: int) -> dict[str, str]:
    """Folders within folders."""
    return {"/".join(f"{number}" for number in range(n % 60)) + f"/x{n}.yaml": ACCELERATE for n in range(count)}


def scripts(count: int) -> dict[str, str]:
    """Scripts that all name the same file, by a word that stands everywhere."""
    files = {f"s{number}.sh": "# train train train\naccelerate launch train.py\n" for number in range(count)}
    return {**files, "train.py": "from accelerate import Accelerator\na = Accelerator()\na.prepare(1)\na.backward(1)\n"}


@pytest.mark.parametrize("make", [chain, modules, lonely, deep, scripts])
@pytest.mark.parametrize("all_files", [False, True])
def test_time_grows_with_the_number_of_files(
    make: Callable[[int], dict[str, str]],
    all_files: bool,
    repository: Repository,
    capfd: pytest.CaptureFixture[str],
) -> None:
    took = []
    for count in (FEW, MANY):
        files = make(count)
        repository.write(files)
        names = sorted(files)
        names = names if all_files else names[-1:]
        main(["--hook", *names])
        start = time.process_time()
        assert main(["--hook", "--fail-on=never", *names]) in (0, 2)
        took.append(time.process_time() - start)
        capfd.readouterr()
    assert took[1] < MOST * max(took[0], 0.05), took
