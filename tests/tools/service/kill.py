"""kill -9 during writes and during a probe, again and again: every answered check is there, no job is stuck.

python -m tests.tools.service.kill [--times N] [--database URL]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx2 as httpx

from tests.support.example import BODY, TRAINING
from tests.support.paths import ROOT
from tests.support.service import Served, served

ENDED = ("done", "failed", "cancelled", "interrupted")


def body(number: int) -> dict[str, object]:
    """A check that differs from every other."""
    return {**BODY, "training": TRAINING.replace("saves/qwen2.5-7b-fp8", f"saves/run-{number}")}


class Round:
    """Writes until the service is killed; knows what was answered."""

    def __init__(self, service: Served, first: int) -> None:
        self.url = service.url.rstrip("/")
        self.first = first
        self.answered: dict[str, str] = {}
        self.jobs: list[str] = []

    async def run(self, pid: int, after_s: float) -> None:
        """Send checks and probes over 16 connections, and kill the service in the midst of them."""
        async with httpx.AsyncClient(timeout=10) as client:
            writers = [asyncio.create_task(self.write(client, number)) for number in range(16)]
            await self.probes(client)
            await asyncio.sleep(after_s)
            os.kill(pid, signal.SIGKILL)
            await asyncio.gather(*writers)

    async def probes(self, client: httpx.AsyncClient) -> None:
        for script in ("endless.py", "train.py", "train.py"):
            asked = {**BODY, "options": {"probe": True, "launch": f"python {script}"}}
            while (answer := await client.post(f"{self.url}/check", json=asked)).status_code == 503:
                await asyncio.sleep(0.1)  # the writers ask for all that it can do
            assert answer.status_code == 202, answer.text
            self.jobs.append(answer.headers["location"])

    async def write(self, client: httpx.AsyncClient, writer: int) -> None:
        number = self.first + writer
        with contextlib.suppress(httpx.TransportError):
            while True:
                name = f"saves/run-{number}"
                answer = await client.post(f"{self.url}/check", json=body(number))
                if answer.status_code == 200:
                    self.answered[answer.headers["content-location"]] = name
                number += 16


def looked_after(service: Served, one: Round) -> dict[str, int]:
    """What is there after the next start: every answered check, and every job with an end."""
    with httpx.Client(timeout=30) as client:
        for place, name in one.answered.items():
            answer = client.get(one_url(service, place))
            assert answer.status_code == 200, f"lost: {place}"
            page = client.get(one_url(service, place), headers={"Accept": "text/html"})
            assert page.status_code == 200, page.text
            assert name in page.text, f"another check's files: {place} is not {name}: {page.text[:5000]}"
        states: dict[str, int] = {}
        for job in one.jobs:
            until = time.monotonic() + 30
            while (state := client.get(one_url(service, job)).json()["state"]) not in ENDED:
                assert time.monotonic() < until, f"stuck: {job} is {state}"
                time.sleep(0.05)
            states[state] = states.get(state, 0) + 1
    return states


def one_url(service: Served, path: str) -> str:
    return service.url.rstrip("/") + path


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if _state(pid) not in ("", "Z")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def main() -> int:
    """Kill, start, look; print what was found."""
    made = argparse.ArgumentParser()
    made.add_argument("--times", type=int, default=20)
    made.add_argument("--database")
    options = made.parse_args()
    chance = random.Random(8)  # noqa: S311
    total, ends = 0, {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pids = root / "pids"
        variables = {
            "FP8CHECK_PROBE_RUNNER": "tests.support.fake_probe:run",
            "FP8CHECK_PROBE_SLOTS": "1",
            "FP8CHECK_KEEP_CHECKS": "1000000",
            "FP8CHECK_DATABASE": options.database or f"sqlite:///{root}/checks.db",
            "NVTE_TEST_PIDS": str(pids),
            "PYTHONPATH": str(ROOT),
        }
        one: Round | None = None
        for number in range(options.times + 1):
            with served(root, **variables) as service:
                if one is not None:
                    states = looked_after(service, one)
                    total += len(one.answered)
                    for state, count in states.items():
                        ends[state] = ends.get(state, 0) + count
                    print(f"{number:3}: {len(one.answered):5} answered checks are there; jobs {states}", flush=True)
                if number == options.times:
                    break
                one = Round(service, number * 1_000_000)
                asyncio.run(one.run(service.process.pid, 0.5 + chance.random()))
                service.process.wait()
                started = [int(pid) for pid in pids.read_text().split()] if pids.exists() else []
                until = time.monotonic() + 10
                while alive(started):
                    assert time.monotonic() < until, "a probe outlived the service"
                    time.sleep(0.02)
    print(json.dumps({"kills": options.times, "answered and there": total, "lost": 0, "jobs": ends, "stuck": 0}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
