"""What has been released since, told by an index and wheels that are made here."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from fp8check.rules.releases.versions import NEWEST, parse
from tests.support.paths import EVIDENCE
from tests.tools.catalog import drift

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {
    "accelerate 1.9.0 utils/launch.py old": False,
    "accelerate 1.9.0 utils/launch.py of releases before": True,
    "accelerate 1.15.0 utils/launch.py old": True,
    "accelerate 1.15.0 utils/launch.py kept": True,
    "accelerate 1.15.0 utils/launch.py never": False,
    "accelerate 1.15.0 moved.py text with spaces": True,
    "trl 1.16.0 cli.py --config_file": True,
}


def made(files: dict[str, str]) -> zipfile.ZipFile:
    """A wheel with these files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return zipfile.ZipFile(held)


def index_with(**newer: str) -> drift.Index:
    """An index that has what is known, and of some packages something else."""
    return lambda package: ["0.1", newer.get(package, NEWEST[package])]


def offline(_package: str) -> list[str] | None:
    return None


def no_wheel(package: str, release: str) -> zipfile.ZipFile:
    raise AssertionError(f"{package} {release} was downloaded")


def ran(tmp_path: Path, index: drift.Index, wheel_of: drift.Wheel = no_wheel, *options: str) -> int:
    sources = tmp_path / "sources.json"
    sources.write_text(json.dumps(SOURCES))
    return drift.main([str(tmp_path), str(sources), str(tmp_path / "releases.json"), *options], index, wheel_of)


def test_where_nothing_is_newer_no_wheel_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(tmp_path, index_with()) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + len(NEWEST)
    assert all(line.endswith("nothing newer") for line in printed[1:])


def test_offline_all_of_it_is_undecided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(tmp_path, offline) == 2
    printed = capsys.readouterr().out
    assert printed.count("undecided: the package index could not be asked") == len(NEWEST)


def test_an_older_release_than_the_known_one_is_none(tmp_path: Path) -> None:
    assert ran(tmp_path, index_with(trl="0.2")) == 0


def test_the_texts_of_a_newer_wheel_are_compared_with_the_newest_that_was_looked_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def wheel_of(package: str, release: str) -> zipfile.ZipFile:
        assert (package, release) == ("accelerate", "1.16.0")
        return made({"accelerate/utils/launch.py": "kept never", "accelerate/other/moved_.py": "text with spaces"})

    assert ran(tmp_path, index_with(accelerate="1.16.0"), wheel_of) == 1
    printed = capsys.readouterr().out
    assert "newer; 3 of 4 texts differ" in printed
    assert '    utils/launch.py "old": stood in 1.15.0, is gone\n' in printed
    assert '    utils/launch.py "never": was absent in 1.15.0, is there\n' in printed
    assert '    moved.py "text with spaces": stood in 1.15.0, is gone\n' in printed
    assert '"kept"' not in printed


def test_a_newer_release_with_the_same_texts_is_drift_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(tmp_path, index_with(trl="1.17.0"), lambda *_of: made({"trl/cli.py": "x --config_file y"})) == 1
    assert "1.17.0      newer; 0 of 1 texts differ" in capsys.readouterr().out


def test_torch_is_never_downloaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(tmp_path, index_with(torch="9.0.0")) == 1
    assert "newer; its texts are undecided: the wheels of torch are not downloaded" in capsys.readouterr().out


@pytest.mark.parametrize("error", [OSError("cut off"), subprocess.CalledProcessError(1, "pip")])
def test_a_wheel_that_cannot_be_had_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fails(_package: str, _release: str) -> zipfile.ZipFile:
        raise error

    assert ran(tmp_path, index_with(peft="9.0"), fails) == 1
    assert "newer; its texts are undecided: its wheel could not be had" in capsys.readouterr().out


def test_something_newer_outweighs_what_is_undecided() -> None:
    found = [drift.Drift("trl", None), drift.Drift("peft", "99.0")]
    assert drift.status(found) == 1
    assert drift.status(found[:1]) == 2
    assert drift.status([*found[:1], drift.Drift("peft", "0.1", ("0.0.9",))]) == 1


def test_a_patch_of_an_older_line_is_named_until_it_is_taken_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patched = {"transformer_engine": ["2.16.0", "2.16.1", "2.20.2"], "torch": ["2.13.0+cpu", "2.13.0", "2.15.0"]}

    def index(package: str) -> list[str] | None:
        return None if package == "trl" else patched.get(package, [NEWEST[package]])

    before = {"transformer_engine": ["2.16.0", "2.20.2"], "torch": ["2.13.0", "2.15.0"], "trl": ["1.16.0"]}
    (tmp_path / "releases.json").write_text(json.dumps(before))
    assert ran(tmp_path, index) == 1
    printed = capsys.readouterr().out
    assert printed.count("and of older lines, since: ") == 1
    assert "    and of older lines, since: 2.16.1\n" in printed
    assert ran(tmp_path, index, no_wheel, "--write") == 1
    written = json.loads((tmp_path / "releases.json").read_text())
    assert written["transformer_engine"] == ["2.16.0", "2.16.1", "2.20.2"]
    assert written["torch"] == ["2.13.0", "2.15.0"]
    assert written["trl"] == ["1.16.0"], "what could not be asked stays"
    assert ran(tmp_path, index) == 2, "trl could not be asked"


@pytest.mark.parametrize(
    ("printed", "releases"),
    [
        ("trl (1.2)\nAvailable versions: 1.2, 1.10.0, 0.9\n", ["1.2", "1.10.0", "0.9"]),
        ("Available versions: 2.13.0+cpu, 2.13.0\n", ["2.13.0+cpu", "2.13.0"]),
        ("", None),
        ("Available versions:\n", None),
    ],
)
def test_what_pip_prints_is_read(monkeypatch: pytest.MonkeyPatch, printed: str, releases: list[str] | None) -> None:
    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        assert command[-1] == "trl"
        return subprocess.CompletedProcess(command, 0 if printed else 1, printed, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert drift.ask_pip("trl") == releases


def test_an_index_that_does_not_answer_in_time_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], timeout: float, **_options: object) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert drift.ask_pip("trl") is None


def test_every_key_of_the_record_is_understood() -> None:
    sources = json.loads((EVIDENCE / "sources.json").read_text())
    for package in NEWEST:
        for one in drift.texts(sources, package):
            assert parse(one.release) <= parse(NEWEST[package])
            assert "." in one.file or one.file == "METADATA"


def test_every_release_that_is_known_is_listed() -> None:
    listed = json.loads((EVIDENCE / "releases.json").read_text())
    assert [name for name, release in NEWEST.items() if release not in listed[name]] == []
