"""Entry points of installed packages count; those of a checkout do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.installed import entry_points

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the metadata of a package, on the path of imports."""
    info = tmp_path / "here" / "site" / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fp8check.rules]\nacme = acme\nother = acme:x\n")
    monkeypatch.syspath_prepend(info.parent)
    monkeypatch.setenv("PYTHONPATH", "")
    return info.parent


def names(name: str | None = None) -> list[str]:
    return sorted(one.name for one in entry_points("fp8check.rules", name))


def test_of_an_installed_package(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names() == ["acme", "other"]
    assert names("acme") == ["acme"]
    assert names("nothing") == []
    monkeypatch.setenv("PYTHONPATH", str(folder))  # as module systems of clusters install
    assert names() == ["acme", "other"]
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", "")  # a virtual environment may stand in a checkout
    assert names() == ["acme", "other"]


def test_of_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert names() == []


def test_of_a_folder_below_that_only_pythonpath_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert names() == []


def test_of_a_relative_entry_of_the_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("sys.path", ["site"])
    assert names() == []
