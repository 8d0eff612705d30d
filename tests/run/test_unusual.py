"""`fp8check run` on programs that train in ways of their own: they are as without, and no verdict is wrong.

Two of them are the sample that runs with all tests; TEST_RUN=all (make run-test) runs the others, too.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.support.watching import PROGRAMS, start, torch_python, watched

UNUSUAL = str(PROGRAMS / "unusual.py")
TURNS = "Second has gradients as well, and was not looked at"
# How it trains: how many weights move, and what has to be undecided, in words; "" where all that a CPU shows was seen.
HOW = {
    "in-turns": (4, TURNS),
    "late-model": (4, TURNS),
    "partly-compiled": (4, TURNS),
    "two-models": (8, ""),
    "late-optimizer": (4, ""),
    "another-first": (4, ""),
    "masters": (4, ""),
    "closure": (4, ""),
    "step-raises": (4, ""),
    "pass-raises": (4, ""),
    "leaves": (4, ""),
    "launcher": (4, ""),
    "scheduler-only": (None, "the program ended when 0 of 8 steps had been seen"),
}
SAMPLE = ("in-turns",)
WHOLE = os.environ.get("TEST_RUN") == "all"


@pytest.mark.parametrize("how", HOW if WHOLE else SAMPLE)
def test_the_run_is_as_without_and_no_verdict_is_wrong(how: str, tmp_path: Path) -> None:
    words = [torch_python(), "-W", "ignore", UNUSUAL, how]
    without = start(words, tmp_path)
    ran = watched(words, tmp_path)
    assert (ran.code, ran.output) == (without.returncode, without.stdout), ran.errors
    moved, undecided = HOW[how]
    assert ran.seen["agrees"] is None, "a CPU shows no kernels, and nothing asks for FP8"
    assert ran.seen["differences"] == []
    assert undecided in ran.undecided, ran.seen
    assert ("has gradients as well" in ran.undecided) == (undecided == TURNS)
    if moved is not None:
        assert ran.seen["steps"] == [1, 8]
        assert ran.seen["moved"] == {"expected": moved, "moved": moved, "still": [], "why": ""}
        assert len(ran.seen["loss"]) == 8
        assert 0 not in ran.seen["loss"]


@pytest.mark.skipif(not WHOLE, reason="make run-test")
@pytest.mark.parametrize("how", ["torchrun", "spawned"])
def test_two_ranks_that_accumulate_gradients(how: str, tmp_path: Path) -> None:
    package = tmp_path / "ours"
    package.mkdir()
    (package / "__init__.py").write_text("")
    code = f"import runpy, sys\nsys.argv = ['unusual.py', 'ranks']\nrunpy.run_path({UNUSUAL!r}, run_name='__main__')\n"
    (package / "__main__.py").write_text(code)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [torch_python(), "-W", "ignore"]
    if how == "torchrun":
        words += ["-m", "torch.distributed.run", "--nnodes", "1", "--nproc-per-node", "2", "--master-port", port]
        words += ["-m", "ours"]
    else:
        words += [UNUSUAL, how]
    environ = {"PYTHONPATH": str(tmp_path), "MASTER_PORT": port}
    without = start(words, tmp_path, environ=environ)
    ran = watched(words, tmp_path, environ=environ)
    assert sorted(ran.output.splitlines()) == sorted(without.stdout.splitlines()), ran.errors
    assert (ran.code, ran.seen["ranks"], ran.seen["steps"]) == (0, 2, [1, 8])
    assert ran.seen["moved"] == {"expected": 4, "moved": 4, "still": [], "why": ""}
    assert ran.seen["differences"] == []
