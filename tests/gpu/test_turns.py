"""Runs that share GPUs take turns: one trains, the others wait."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.tools.gpu.turns import Job, Turns

if TYPE_CHECKING:
    from pathlib import Path

RANKS = """
import sys, time
from pathlib import Path
turn, log, name, ranks = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
for rank in range(ranks):
    (turn / f"ready.{rank}").touch()
while not (turn / "go").exists():
    time.sleep(0.01)
for when in ("in", "out"):
    with open(log, "a") as file:
        print(name, when, file=file)
    time.sleep(0.15)
for rank in range(ranks):
    (turn / f"over.{rank}").touch()
if name == "stuck":
    time.sleep(60)
"""


def test_whoever_needs_the_same_gpu_waits(tmp_path: Path) -> None:
    log, ended, asked = tmp_path / "log", [], {}

    def job(name: str, gpus: int) -> Job:
        def begin(taken: list[int], _port: int, turn: Path) -> subprocess.Popen[bytes]:
            asked[name] = taken
            return subprocess.Popen([sys.executable, "-c", RANKS, str(turn), str(log), name, str(gpus)])

        return Job(name, name, gpus, 1.0, begin, lambda code, _seconds: ended.append((name, code)))

    names = [("one", 1), ("both", 2), ("two", 1), ("stuck", 1)]
    jobs = [job(name, gpus) for name, gpus in names]
    never = jobs[0]._replace(name="never", after=tmp_path / "not there")
    left = Turns(tmp_path / "turns", 2, 80.0, 4).run([*jobs, never], time.monotonic() + 4, 3.0)
    assert left == ["never"]
    assert dict(ended) == {"one": 0, "both": 0, "two": 0, "stuck": -9}
    lines = [line.split() for line in log.read_text().splitlines()]
    assert asked["both"] == [0, 1]
    inside: set[str] = set()
    for name, when in lines:
        if when == "out":
            inside.remove(name)
            continue
        assert not {gpu for one in inside for gpu in asked[one]} & set(asked[name])
        inside.add(name)
