"""Which files a report may quote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.report.quoting import of_configuration, of_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run/inner", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "elsewhere" / "ds.json").write_text("{}")
    (tmp_path / "run" / "link.json").symlink_to(tmp_path / "elsewhere" / "ds.json")
    monkeypatch.chdir(tmp_path / "run")


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("train.yaml", True),
        ("ds.json", True),
        ("inner/ds.json", True),
        ("inner/../ds.json", True),
        ("../elsewhere/ds.json", False),
        ("link.json", False),
        ("/etc/passwd", False),
        ("../runs/ds.json", False),
    ],
)
def test_what_is_in_the_folder_of_a_file_that_is_named(path: str, may: bool) -> None:
    assert of_files(["train.yaml", "-"]).may(path) is may
    assert of_configuration("fp8check.toml").may(path) is may


def test_what_is_named_may_be_anywhere(tmp_path: Path) -> None:
    named = of_files(["train.yaml", "../elsewhere/ds.json", "link.json"])
    assert named.may("../elsewhere/ds.json")
    assert named.may("link.json")
    assert named.may("../elsewhere/other.json")  # in the folder of one
    assert of_files([str(tmp_path / "elsewhere" / "ds.json")]).may("inner/ds.json")  # here and below


def test_nothing_is_quoted_because_all_is_below_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert not of_files(["/train.yaml"]).may("/etc/passwd")
    assert not of_files(["train.yaml"]).may("etc/passwd")
