"""Throughput of static POST /check against tests/tools/service/bare.py, side by side, one worker each.

python -m tests.tools.service.bench [--quick]

Three loads: the same files in every request (CI that asks again), another training file in every one, and both files
others in every one. The rounds take turns, so that a busy machine slows all of them; the medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.service import served

LOADS: tuple[tuple[str, str | None], ...] = (
    ("same files", None),
    ("another training file", "training"),
    ("both files new", "both"),
)


def load(port: int, *words: str) -> dict[str, object]:
    """One round, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.service.client", str(port), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def resident_mib(pid: int) -> float:
    """Memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def bare(port: int) -> subprocess.Popen[bytes]:
    """The endpoint that only parses."""
    words = [
        "uvicorn",
        "tests.tools.service.bare:app",
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    return subprocess.Popen([sys.executable, "-m", *words])


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> int:
    """Measure, print, and fail where the bar is missed."""
    made = argparse.ArgumentParser()
    made.add_argument("--quick", action="store_true", help="fewer requests, and no memory test")
    quick = made.parse_args().quick
    rounds, requests = (3, "1000") if quick else (7, "3000")
    port = free_port()
    other = bare(port)
    try:
        with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as service:
            print(f"cores {os.cpu_count()}, one worker each, 32 connections, database on {folder}")
            figures: dict[str, list[int]] = {"bare": [], **{name: [] for name, _ in LOADS}}
            first = 0
            for number in range(rounds + 1):
                result = {"bare": load(port, "--requests", requests)}
                for name, vary in LOADS:
                    first += int(requests)
                    words = ["--vary", vary] if vary else []
                    result[name] = load(service.port, "--requests", requests, "--first", str(first), *words)
                if number:  # the first round warms up
                    for name, one in result.items():
                        figures[name].append(int(str(one["rps"])))
            medians = {name: statistics.median(values) for name, values in figures.items()}
            for name, value in medians.items():
                print(f"{name:<24} {value:6.0f} a second   {value / medians['bare']:.2f}x   {sorted(figures[name])}")
            latencies(service.port, medians)
            if not quick:
                memory(service.port, service.process.pid)
    finally:
        other.terminate()
        other.wait()
    met = medians["same files"] >= 0.5 * medians["bare"]
    print("0.5x for the same two files:", "met" if met else "MISSED")
    return 0 if met or quick else 1


def latencies(port: int, medians: dict[str, float]) -> None:
    """How long answers take at half of the load, and at 50 a second; on an idle machine, if it gets idle in a minute."""
    until = time.monotonic() + 60
    while (idle := idle_share()) < 0.9 and time.monotonic() < until:
        pass
    print(f"the machine is {idle:.0%} idle")
    for name, vary in LOADS:
        words = ["--vary", vary] if vary else []
        rate = medians[name] / 2
        calm = load(port, "--requests", str(int(rate * 5)), "--rate", str(rate), "--first", "900000", *words)
        print(f"at half of that load, {name}: {rate:.0f} a second, ms {calm['ms']}")
    at_50 = load(port, "--requests", "500", "--rate", "50", "--vary", "both", "--first", "990000")
    print(f"at 50 a second, both files new: ms {at_50['ms']}")


def idle_share(seconds: float = 3) -> float:
    """How much of the machine did nothing over some seconds."""

    def read() -> tuple[int, int]:
        ticks = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return ticks[3] + ticks[4], sum(ticks)

    idle, total = read()
    time.sleep(seconds)
    later_idle, later_total = read()
    return (later_idle - idle) / max(1, later_total - total)


def memory(port: int, pid: int) -> None:
    """Resident memory over 20,000 requests, all with other files."""
    seen = []
    for number in range(11):
        if number:
            load(port, "--requests", "2000", "--vary", "both", "--first", str(2_000_000 + 2000 * number))
        seen.append(round(resident_mib(pid), 1))
    print("memory in MiB, each 2,000 requests:", seen)


if __name__ == "__main__":
    sys.exit(main())
