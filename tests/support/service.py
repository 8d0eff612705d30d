"""The service in a process of its own, on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import httpx2 as httpx

from tests.support.command import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Served:
    """A service in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log
        self.port = int(url.rstrip("/").rpartition(":")[2])

    def get(self, path: str, **named: object) -> httpx.Response:
        return httpx.get(self.url.rstrip("/") + path, timeout=30, **named)  # type: ignore[arg-type]

    def post(self, path: str, **named: object) -> httpx.Response:
        return httpx.post(self.url.rstrip("/") + path, timeout=90, **named)  # type: ignore[arg-type]


@contextlib.contextmanager
def served(folder: Path, *arguments: str, **variables: str) -> Iterator[Served]:
    """Run `fp8check serve` on a free port of this machine; it is ended afterward."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FP8CHECK_")}
    environment.setdefault("FP8CHECK_DATABASE", f"sqlite:///{folder}/checks.db")
    environment |= variables
    log = folder / "log.jsonl"
    with log.open("a") as errors:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            cwd=folder,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("fp8check serves "), log.read_text()
            one = Served(process, line.split()[2], log)
            _wait_until_ready(one)
            yield one
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


def _wait_until_ready(one: Served) -> None:
    transport = httpx.HTTPTransport(retries=5)
    with httpx.Client(transport=transport, timeout=30) as asking:
        assert asking.get(one.url + "readyz").status_code == 200
