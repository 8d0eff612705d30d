"""`--probe` and `fp8check probe` on the command line, with a child that fails at once: no torch is needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fp8check.cli.check import check
from fp8check.cli.main import main
from fp8check.cli.probe import probe
from tests.support.runs import facts_of

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = "model_name_or_path: Qwen/Qwen2.5-0.5B\nper_device_train_batch_size: 1\nmax_seq_length: 64\noutput_dir: x\n"
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The two files, and a torch that cannot be imported."""
    broken = tmp_path / "broken" / "torch"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise OSError('libcublas.so.12: cannot open shared object file')")
    monkeypatch.setattr("fp8check.rules.facts.collect", lambda *_: facts_of({}))  # a node where all is installed
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (tmp_path / "train.yaml").write_text(TRAIN)
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    return [str(tmp_path / "train.yaml"), str(tmp_path / "accel.yaml"), "--trainer", "transformers"]


def test_the_report_has_what_the_probe_saw(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert check([*files, "--probe", "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["probe"]["ended"] == "error"
    assert report["probe"]["stage"] == "import"
    assert "FP804" in {one["rule"] for one in report["findings"]}


def test_without_a_probe_the_rules_are_undecided(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--no-probe"], ["--probe", "--no-probe"]):
        check([*files, *words, "--format", "json"])
        report = json.loads(capsys.readouterr().out)
        assert report["probe"] is None
        undecided = {one["rule"]: one["command"] for one in report["undecided"]}
        assert undecided["FP806"] == "fp8check --probe on the GPU node"
        assert report["verdict"] != "pass"


def test_a_bare_probe_does_not_swallow_a_file(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert check(["--probe", *files, "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["probe"] is not None


def test_text_has_a_line_of_the_probe(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    check([*files, "--probe"])
    text = capsys.readouterr().out
    assert "FP804 error" in text
    assert "the library libcublas.so.12 is not there" in text
    assert "probe     no GPU reached · OSError in stage import" in text


def test_command_of_its_own(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert probe(files) == 1
    text = capsys.readouterr().out
    assert "FP804 error" in text
    assert "\nnot decided: " in text
    assert "(FP806, FP807, " in text
    assert "the probe did not see which layers were converted" in text
    assert probe([*files, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "fp8check/probe/1"
    assert said["verdict"] == "fail"
    assert said["probe"]["importing"] == "torch"


def test_facts_of_another_machine_and_a_probe_here_contradict(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, "--probe", "--facts", "facts.json"]) == 2
    assert main(["probe", *files, "--facts", "facts.json"]) == 2
    assert "the probe runs on this one" in capsys.readouterr().err


def test_what_cannot_be_probed_is_undecided(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert probe([files[1], "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["probe"]["ended"] == "not run"
    assert "layers are not known" in said["probe"]["why"]
    assert said["verdict"] == "undecided"


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe"]) == 2
    assert main(["probe", "--help"]) == 0
    assert "--probe" in capsys.readouterr().out
