"""facts.json with words in the place of versions, or with anything else: undecided or refused, never an internal error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.attacks.lines import attack
from tests.support.command import run
from tests.support.paths import EXAMPLE
from tests.support.service import served

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: o\nbf16: false\n"
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"
FACTS = json.loads((EXAMPLE / "facts.json").read_text(encoding="utf-8"))
ADA = [{"index": 0, "name": "NVIDIA L40S", "compute_capability": "8.9", "memory_mib": 46068}]
RTX = [{"index": 0, "name": "NVIDIA GeForce RTX 5090", "compute_capability": "12.0", "memory_mib": 32607}]
WITH_WORDS = {
    "cuDNN": {"libraries": {"cudnn": "{}"}},
    "cuDNN beside another": {"libraries": {"cudnn": "{}", "cudnn_system": "9.14.0"}, "gpus": ADA},
    "torch's CUDA": {"cuda": {"torch": "{}", "driver": "12.4"}},
    "torch's CUDA on Ada": {"cuda": {"torch": "{}"}, "gpus": ADA},
    "torch's CUDA on Blackwell": {"cuda": {"torch": "{}"}, "gpus": RTX},
    "the driver's CUDA": {"cuda": {"torch": "12.8", "driver": "{}"}},
    "cuBLAS": {"libraries": {"cublas": "{}"}, "gpus": ADA},
    "the driver": {"cuda": {"torch": "12.8"}, "driver": "{}"},
}


def facts_with(changes: object, word: str) -> dict[str, object]:
    """The example's facts with these in their place, and the word where they have braces."""
    text = json.dumps(changes).replace('"{}"', json.dumps(word))
    return {**FACTS, **json.loads(text)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.yaml").write_text(TRAINING)
    (tmp_path / "accel.yaml").write_text(ACCELERATE)
    return tmp_path


def checked(folder: Path, facts: object) -> tuple[int, str, str]:
    """What the command says with these facts."""
    (folder / "facts.json").write_text(json.dumps(facts))
    done = run("train.yaml", "accel.yaml", "--facts", "facts.json", "--no-config", "--format", "json", cwd=folder)
    return done.returncode, done.stdout, done.stderr


@attack("E6")
@pytest.mark.parametrize(
    "word", ["unknown", "N/A", "\N{SUPERSCRIPT TWO}", "9" * 5000], ids=["word", "N/A", "digit", "long"]
)
@pytest.mark.parametrize("name", WITH_WORDS)
def test_a_word_in_the_place_of_a_version_is_undecided(folder: Path, name: str, word: str) -> None:
    code, out, err = checked(folder, facts_with(WITH_WORDS[name], word))
    assert (code in (0, 1), err) == (True, "")
    needs = [one["needs"] for one in json.loads(out)["undecided"]]
    assert [one for one in needs if "the version of" in one and word[:40] in one], needs


@attack("E6")
def test_the_service_says_so_too(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        for changes in WITH_WORDS.values():
            body = {"training": TRAINING, "accelerate": ACCELERATE, "facts": facts_with(changes, "unknown")}
            answer = service.post("/check", json=body)
            assert answer.status_code == 200
            assert answer.headers["fp8check-exit-code"] in ("0", "1")
            assert answer.json()["internal_errors"] == []
