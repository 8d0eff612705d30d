"""A repository, and the hook as pre-commit would call it there, without its environments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from fp8check.cli.main import main
from tests.support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "repository")
    monkeypatch.chdir(made.folder)
    for name in [*os.environ]:
        if name.startswith(("GIT_", "PRE_COMMIT")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return made


@pytest.fixture
def hook(repository: Repository, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """What the hook says of what is staged."""

    def said(*options: str, names: list[str] | None = None, command: tuple[str, ...] = ()) -> Said:
        code = main([*command, "--hook", *options, *(repository.handed() if names is None else names)])
        return Said(code, *capfd.readouterr())

    return said
