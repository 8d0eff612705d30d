"""The keywords of Trainers: which of them a release has."""

from __future__ import annotations

import pytest

from fp8check.rules.facts import Facts
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.trainer_keywords import is_absent


@pytest.mark.parametrize(
    ("class_name", "keyword", "absent", "there"),
    [
        ("Trainer", "tokenizer", "5.0.0", "4.57.1"),
        ("Trainer", "processing_class", "4.45.2", "4.49.0"),
        ("SFTTrainer", "tokenizer", "0.16.0", "0.15.2"),
        ("SFTTrainer", "dataset_text_field", "0.13.0", "0.12.2"),
        ("SFTTrainer", "quantization_config", "1.7.1", "1.8.0"),
        ("DPOTrainer", "beta", "0.13.0", "0.12.2"),
        ("DPOTrainer", "optimizer_cls_and_kwargs", "0.29.0", "0.28.0"),
        ("RewardTrainer", "max_length", "0.14.0", "0.13.0"),
        ("GRPOTrainer", "tools", "0.25.1", "0.26.0"),
    ],
)
def test_a_keyword_is_there_for_some_releases(class_name: str, keyword: str, absent: str, there: str) -> None:
    package = "transformers" if class_name == "Trainer" else "trl"
    for release, expected in ((absent, True), (there, False)):
        assert is_absent(class_name, keyword, Stack(Facts(packages={package: release}), {})) is expected


def test_no_release_had_it_but_of_a_class_that_takes_any() -> None:
    stack = Stack(Facts(packages={"trl": "1.16.0", "transformers": "5.24.0"}), {})
    assert is_absent("SFTTrainer", "fp8", stack)
    assert is_absent("Trainer", "fp8", stack)
    assert not is_absent("KTOTrainer", "fp8", stack)
    assert not is_absent("SFTTrainer", "train_dataset", stack)
