"""A service for tests, in this process or in one of its own on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from fp8check.service.application import create_app
from fp8check.service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMMAND = str(Path(sys.executable).with_name("fp8check"))


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not count."""
    for name in [name for name in os.environ if name.startswith("FP8CHECK_")]:
        monkeypatch.delenv(name)


Make = "Callable[..., contextlib.AbstractContextManager[TestClient]]"


@pytest.fixture
def service(tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[TestClient]]:
    """Makes a service in this process, with the settings that are given."""

    @contextlib.contextmanager
    def make(
        base_url: str = "http://localhost", client: tuple[str, int] = ("127.0.0.1", 50_000), **values: object
    ) -> Iterator[TestClient]:
        values.setdefault("database", f"sqlite:///{tmp_path}/checks.db")
        values.setdefault("log_level", "error")
        settings = Settings(**values)  # type: ignore[arg-type]
        app = create_app(settings)
        with TestClient(app, base_url=base_url, client=client, raise_server_exceptions=True) as one:
            yield one

    return make


@pytest.fixture
def client(service: Callable[..., contextlib.AbstractContextManager[TestClient]]) -> Iterator[TestClient]:
    """A service as it comes, asked from this machine."""
    with service() as one:
        yield one


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
