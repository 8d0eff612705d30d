"""What processes of a node exchange after their probes, over gloo: who does not come, hangs or changes bytes is told."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.probe.process import CHILD
from tests.nodes.test_ranks import ALL
from tests.support.probing import FAULT_SITE, torch_python

if TYPE_CHECKING:
    from pathlib import Path

ONE = """
import json, os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from child import collective
class Channel:
    def saw(self, collective):
        print(json.dumps(collective), flush=True)
collective.SECONDS = float(sys.argv[3])
ended = collective.run(json.loads(sys.argv[2]), Channel())
print(ended, flush=True)
os._exit(0)
"""


def exchange(folder: Path, ranks: dict[int, str], world: int, seconds: float = 60) -> dict[int, tuple[Any, bool]]:
    """What each of these ranks told, by number, with its fault or ""; and whether it came to an end."""
    started = {}
    for rank, fault in ranks.items():
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        if fault:
            environ |= {"NVTE_TEST_FAULT": fault, "PYTHONPATH": str(FAULT_SITE)}
        together = json.dumps({"rank": rank, "world": world, "store": str(folder / "store")})
        words = [torch_python(), "-c", ONE, CHILD, together, str(seconds)]
        started[rank] = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environ, cwd=folder)
    told = {rank: one.communicate(timeout=200)[0].splitlines() for rank, one in started.items()}
    return {rank: (json.loads(lines[0]), lines[1] == "True") for rank, lines in told.items()}


def test_all_comes_as_it_was_sent(tmp_path: Path) -> None:
    assert exchange(tmp_path, {0: "", 1: ""}, 2) == dict.fromkeys(
        (0, 1), ({"ranks": 2, "missing": [], "why": ""}, True)
    )


@pytest.mark.skipif(not ALL, reason="make run-test")
def test_who_does_not_come_is_named_and_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    told = exchange(tmp_path, {0: "", 2: ""}, 4, seconds=20)
    assert time.monotonic() - began < 90
    assert told == {
        0: ({"ranks": 4, "missing": [1, 3], "why": ""}, True),
        2: ({"ranks": 4, "missing": [1, 3], "why": ""}, True),
    }


@pytest.mark.skipif(not ALL, reason="make run-test")
def test_bytes_that_come_otherwise_are_told_by_who_saw_them(tmp_path: Path) -> None:
    told = exchange(tmp_path, {0: "", 1: "lost-in-collective"}, 2)
    assert told[0] == ({"ranks": 2, "missing": [], "why": ""}, True)
    assert told[1][0]["why"] == "the bytes of rank 1 came otherwise than they were sent"


@pytest.mark.skipif(not ALL, reason="make run-test")
def test_one_that_hangs_in_it_lets_the_others_end(tmp_path: Path) -> None:
    began = time.monotonic()
    told = exchange(tmp_path, {0: "", 1: "hang-in-collective"}, 2, seconds=25)
    assert time.monotonic() - began < 120
    assert all(why["why"] for why, _ in told.values()), told
    assert told[1][1] is False
