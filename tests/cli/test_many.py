"""More runs than are kept in memory: every report is what it is where they are few."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.cli import check, requests
from fp8check.cli.main import main
from fp8check.rules.checking.later import Changed, Later
from fp8check.rules.report.formats import FORMATS
from fp8check.rules.trainers.detect import read
from tests.support.reports import without_plan

if TYPE_CHECKING:
    from pathlib import Path

ACCELERATE = (
    "distributed_type: 'NO'\nmixed_precision: fp8  # fp8check: ignore[FP101] an experiment\n"
    "fp8_config: {backend: te}\n# fp8check: ignore-file[FP402] small\n"
)
FIRST = "output_dir: out\nstage: sft\nmodel_name_or_path: m\nbf16: true\n"
SECOND = "output_dir: out\nstage: sft\nmodel_name_or_path: m\nbf16: false  # fp8check: ignore[FP102] known\n"
NAMES = ["a.yaml", "b.yaml", "accel.yaml"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in zip(NAMES, (FIRST, SECOND, ACCELERATE), strict=True):
        (tmp_path / name).write_text(text)
    return tmp_path


def said(words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, few: int) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(requests, "FEW", few)
        patch.setattr(check, "FEW", few)
        code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def both(words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    return said(words, capsys, monkeypatch, 0), said(words, capsys, monkeypatch, 1000)


@pytest.mark.parametrize("name", [one.name for one in FORMATS if one.name != "html"])
@pytest.mark.parametrize(
    "words",
    [
        ["--no-environment", *NAMES],
        ["--no-environment", "--select", "FP9", *NAMES],
        ["--no-environment", "--fail-on=warning", "accel.yaml", "b.yaml"],
        ["--no-environment", "a.yaml"],
        ["--hook", *NAMES],
        ["--no-environment", "--require-evidence", "--ignore", "FP1,FP2,FP3,FP4,FP9", *NAMES],
        ["--no-environment", "a.yaml", "a.yaml", "accel.yaml", "accel2.yaml"],
        ["--no-environment", "a.yaml", "other.yaml"],
        ["--no-environment", "a.yaml", "missing.yaml"],
    ],
    ids=" ".join,
)
def test_reports_are_the_same(
    folder: Path, words: list[str], name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "accel2.yaml").write_text(ACCELERATE)
    (folder / "other.yaml").write_text("a: 1\n")
    (code, many, said), few = both([*words, "--format", name], capsys, monkeypatch)
    assert (code, many, said) == (few[0], without_plan(few[1]), few[2])


def test_a_page_has_the_same_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--no-environment", "--format", f"html={folder / 'page.html'}", *NAMES]
    pages = []
    for few in (0, 1000):
        said(words, capsys, monkeypatch, few)
        pages.append((folder / "page.html").read_text().partition("<body>")[2])
    assert pages[0] == pages[1]
    assert pages[0].count('<section class="run"') == 2


def test_baselines_are_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--no-environment", "--write-baseline", "known.json", *NAMES]
    written = []
    for few in (0, 1000):
        assert said(words, capsys, monkeypatch, few)[0] == 0  # type: ignore[index]
        written.append(json.loads((folder / "known.json").read_text()))
    assert written[0] == written[1]
    many, few = both(["--no-environment", "--baseline", "known.json", *NAMES], capsys, monkeypatch)
    assert many == few


def test_runs_of_the_configuration_are_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = "".join(f'[[run]]\nfiles = ["{name}", "accel.yaml"]\n' for name in NAMES[:2])
    (folder / "fp8check.toml").write_text(runs)
    many, few = both(["--no-environment"], capsys, monkeypatch)
    assert many == few
    (folder / "fp8check.toml").write_text(runs + '[[suppress]]\nrules = ["FP101"]\nreason = "later"\n')
    many, few = both(["--no-environment"], capsys, monkeypatch)
    assert many == few


def test_several_formats_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--no-environment", "--format", "json=report.json", "--format", "text", *NAMES]
    said(words, capsys, monkeypatch, 0)
    many = json.loads((folder / "report.json").read_text())
    said(words, capsys, monkeypatch, 1000)
    assert many == json.loads((folder / "report.json").read_text())


def test_a_file_that_changes_meanwhile_is_an_error(folder: Path) -> None:
    one = Later(read("a.yaml"), None)
    assert one.loaded().text == FIRST
    (folder / "a.yaml").write_text(ACCELERATE)
    with pytest.raises(Changed, match="it was changed while it was checked"):
        one.loaded()
    with pytest.raises(AttributeError):
        one.root  # noqa: B018  it is not there, and not empty


def test_a_note_on_the_environment_is_told_once_a_command(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    names = [f"accel{number}.yaml" for number in range(4)]
    for name in names:
        (folder / name).write_text(text)
    for words, count in ((["--hook"], 0), (["--hook", "--no-environment", "--format", "json"], 1)):
        many, few = both([*words, *names], capsys, monkeypatch)
        assert many == few
        assert many[1].count("no-training-environment") + many[1].count("FP606 info ") == count, words


def test_the_hook_says_nothing_of_clean_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"clean{number}.yaml" for number in range(4)]
    for name in names:
        (folder / name).write_text("distributed_type: 'NO'\nmixed_precision: bf16\n")
    assert main(["--hook", *names]) == 0
    assert capsys.readouterr() == ("", "")
