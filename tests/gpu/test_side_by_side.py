"""How runs share the GPUs of a machine: as many at a time as there is room for, and none beyond its time."""

from __future__ import annotations

import subprocess
import sys
import time
from argparse import Namespace
from typing import Any

import pytest

from tests.tools.gpu.trainers import side_by_side

Case = dict[str, Any]


def ran(cases: list[Case], **given: Any) -> tuple[dict[str, int | None], int]:
    """The exit codes, and how many ran at a time."""
    codes: dict[str, int | None] = {}
    there: list[subprocess.Popen[bytes]] = []
    ports: set[int] = set()
    most = 0

    def begin(one: Case, gpus: list[int], port: int) -> subprocess.Popen[bytes]:
        nonlocal most
        assert len(gpus) == one["gpus"]
        ports.add(port)
        text = f"import time; time.sleep({one.get('sleeps', 0.5)}); raise SystemExit({one.get('code', 0)})"
        there.append(subprocess.Popen([sys.executable, "-S", "-c", text], start_new_session=True))
        most = max(most, sum(other.poll() is None for other in there))
        return there[-1]

    def end(one: Case, code: int | None, wall: float) -> None:
        assert wall >= 0
        codes[one["name"]] = code

    options = {"gpus": 2, "size": 76.0, "jobs": 9, "seconds": 30.0, "limit": 20.0, **given}
    side_by_side(cases, Namespace(**options), lambda one: one.get("gib", 10.0), begin, end)
    assert all(one.poll() is not None for one in there)
    assert len(ports) == len(there)
    return codes, most


def test_each_runs_once_with_its_exit_code() -> None:
    codes, most = ran([{"name": f"r{at}", "gpus": 1 + at % 2, "code": at} for at in range(4)])
    assert codes == {"r0": 0, "r1": 1, "r2": 2, "r3": 3}
    assert most > 1


def test_what_fills_a_gpu_runs_alone() -> None:
    codes, most = ran([{"name": f"r{at}", "gpus": 2, "gib": 40.0} for at in range(2)])
    assert (len(codes), most) == (2, 1)


def test_one_that_takes_too_long_is_ended() -> None:
    codes, _ = ran([{"name": "long", "gpus": 1, "sleeps": 60}], limit=0.5)
    assert codes == {"long": -9}


def test_the_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    cases = [{"name": name, "gpus": 2, "gib": 60.0, "sleeps": 60} for name in ("first", "second")]
    codes, _ = ran(cases, seconds=1.0)
    assert codes == {}
    assert capsys.readouterr().out == "first was still running\nnot started: second\n"
    assert time.monotonic() - began < 10
