"""A service for tests, in this process."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from fp8check.service.application import create_app
from fp8check.service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


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
