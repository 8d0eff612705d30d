"""The schema of fp8check.toml takes what the command takes, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.cli import config
from fp8check.cli.main import main
from fp8check.cli.options import Options, UsageError
from fp8check.cli.schema import SCHEMAS, schema_of
from tests.support.schemas import misfits, validator

if TYPE_CHECKING:
    from pathlib import Path

RUN = '[[run]]\nfiles = ["train.yaml"]\n'
KNOWN = '[[suppress]]\nrules = ["FP402"]\nreason = "small"\n'
TAKEN = [
    "",
    'fail-on = "never"\nselect = ["FP1"]\nignore = []\nplugins = ["acme"]\nbaseline = "known.json"\n',
    'require = ["speedup>=1.1"]\n',
    f'{RUN}launch = "python train.py"\ntrainer = "trl"\nfacts = "node.json"\npython = ".venv/bin/python"\n',
    f"{RUN}{RUN}{KNOWN}",
    f'{KNOWN}files = ["small/*.yaml"]\nuntil = 2027-03-31\n',
]
REFUSED = [
    ('fail-on = "info"\n', "/fail-on"),
    ('select = "FP1"\n', "/select"),
    ("ignore = [1]\n", "/ignore/0"),
    ("baseline = 1\n", "/baseline"),
    ("colour = true\n", "/colour"),
    ('[run]\nfiles = ["train.yaml"]\n', "/run"),
    ("[[run]]\n", "/run/0"),
    ("[[run]]\nfiles = []\n", "/run/0/files"),
    (f"{RUN}lunch = ''\n", "/run/0/lunch"),
    (f"{RUN}facts = 1\n", "/run/0/facts"),
    ('[[suppress]]\nreason = "small"\n', "/suppress/0"),
    (f"{KNOWN}file = []\n", "/suppress/0/file"),
]


def data(text: str) -> object:
    """As an editor has it: a day is text."""
    return json.loads(json.dumps(config.toml(text.encode(), "fp8check.toml"), default=str))


def loaded(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> config.Config:
    (folder / "fp8check.toml").write_text(text)
    monkeypatch.chdir(folder)
    return config.load(Options(no_config=False, config=None))


@pytest.mark.parametrize("text", TAKEN)
def test_what_is_taken_fits(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(text, tmp_path, monkeypatch).path == "fp8check.toml"
    assert misfits(validator(schema_of("config")), data(text)) == {}


@pytest.mark.parametrize(("text", "place"), REFUSED)
def test_what_is_refused_does_not_fit(text: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError):
        loaded(text, tmp_path, monkeypatch)
    assert list(misfits(validator(schema_of("config")), data(text))) == [place]


def test_without_a_name_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*SCHEMAS]


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of(name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train"], "no schema is called train; there are report, plan"),
        (["report", "--release", "1.11.0"], "--release goes with the schema of an Accelerate file"),
        (["accelerate", "--release", "0.33.0"], "0.34.0 is the first"),
        (["accelerate", "--release", "new"], "'new' is not a version"),
    ],
)
def test_what_there_is_none_of_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", *words]) == 2
    assert said in capsys.readouterr().err


def test_of_a_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "accelerate", "--release", "1.11.0"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Accelerate configuration (accelerate 1.11.0)"
