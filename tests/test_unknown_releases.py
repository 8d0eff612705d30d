"""Releases that nobody knows: what is assumed is a stack that can be, and what depends on it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.releases.versions import EARLIER, NEWEST, parse
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.llamafactory import VERSION_RANGES
from tests.support.command import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LF = "model_name_or_path: Qwen/Qwen2.5-7B\nstage: sft\nfinetuning_type: full\noutput_dir: out\nbf16: true\nfp8: true\n"


@pytest.mark.parametrize("own", [None, "0.9.3", "0.9.4", "0.9.5"])
@pytest.mark.parametrize("assumed", [NEWEST, EARLIER])
def test_what_is_assumed_beside_llamafactory_is_what_it_takes(own: str | None, assumed: Mapping[str, str]) -> None:
    facts = Facts() if own is None else Facts(packages={"llamafactory": own})
    (made,) = assemble((read("train.yaml", LF.encode()),), facts)
    stack = predict(made.run, assumed).stack
    for package, (_, newest) in VERSION_RANGES[own or "0.9.5"].items():
        assert parse(stack.name(package).split()[-1]) <= newest


def test_an_error_with_some_releases_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.yaml").write_text(LF)
    said = run("train.yaml", "--no-environment")
    assert said.returncode == 0
    assert "nothing found for sure; " in said.stdout
    assert (
        "\ndepends on releases: FP108 with transformers 5.6.0: fp8: true has no effect with transformers 5.6.0 "
        "(train.yaml:6)\n" in said.stdout
    )
    assert run("train.yaml", "--no-environment", "--require-evidence").returncode == 3


def test_what_no_release_finds_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.yaml").write_text(LF.replace("fp8: true\n", ""))
    said = run("train.yaml", "--no-environment").stdout
    assert "depends on" not in said
    assert "for sure" not in said


@pytest.mark.parametrize(
    ("absent", "words"),
    [(("torch",), "torch is"), (("transformers",), "transformers is"), (("torch", "transformers"), "torch and transf")],
)
def test_what_is_not_there_is_not_assumed(absent: tuple[str, ...], words: str) -> None:
    """A run whose environment has no torch was predicted to train: with the newest torch, which was assumed."""
    packages = {"accelerate": "1.15.0", "torch": "2.13.0", "transformers": "5.24.0", "transformer_engine": "2.20.2"}
    facts = Facts(packages={**packages, **dict.fromkeys(absent)}, variables={}, gpus=[])
    training = "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: out\nper_device_train_batch_size: 4\nbf16: false\n"
    accelerate = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
    files = (read("train.yaml", training.encode()), read("accel.yaml", accelerate.encode()))
    (made,) = assemble(files, facts)
    undecided = predict(made.run).undecided
    assert undecided is not None
    assert undecided.what.startswith(f"the environment that trains: {words}")
    assert undecided.needs == "packages"
