"""What stands behind the training file on the command line wins over it."""

from __future__ import annotations

import pytest

from fp8check.rules.outcome import predict
from fp8check.rules.settings.values import Origin, Section, Setting
from fp8check.rules.trainers.registry import find
from tests.support.runs import assembled_of

TRAINING = "model_name_or_path: x\noutput_dir: out\n"
ACCELERATE = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n"


@pytest.mark.parametrize(
    ("trainer", "words", "expected"),
    [
        ("llamafactory", "train train.yaml fp8=true learning_rate=1e-5", {"fp8": True, "learning_rate": 1e-5}),
        ("llamafactory", "train.yaml fp8_backend=te nonsense=1 --bf16", {"fp8_backend": "te", "--bf16": None}),
        ("llamafactory", "train.yaml --fp8 true $MORE", {"--fp8": None, "true": None}),
        (
            "axolotl",
            "train ax.yaml --fp8 --no-load-in-8bit -- --mixed_precision bf16",
            {"fp8": True, "load_in_8bit": False},
        ),
        ("transformers", "train.yaml --bf16 False --fp16", {"bf16": False, "fp16": True}),
        (
            "transformers",
            "--bf16=yes --gradient_accumulation_steps 1",
            {"bf16": True, "gradient_accumulation_steps": 1},
        ),
        ("transformers", "--my_own 3 --bf16 none bf16=true", {"bf16": None}),
        ("trl", "sft --config train.yaml --bf16 0 --output_dir out", {"bf16": False, "output_dir": "out"}),
        ("axolotl", "train x.yaml --micro-batch-size 4", {"micro_batch_size": 4}),
        ("script", "--bf16 true", {}),
    ],
)
def test_by_trainer(trainer: str, words: str, expected: dict[str, object]) -> None:
    found = find(trainer).over_the_file(words.split())
    assert {name: setting.value for name, setting in found.items()} == expected


def test_it_is_told_as_it_was_written() -> None:
    found = find("trl").over_the_file(["--bf16", "False", "--fp16=no", "--tf32"])
    assert [one.origin.flag for one in found.values()] == ["--bf16 False", "--fp16=no", "--tf32"]


def test_a_section_under_settings_from_elsewhere() -> None:
    above = {"a": Setting(2, Origin(flag="--a 2")), "c": Setting(3, Origin(flag="--c 3"))}
    section = Section(data={"a": 1, "b": 0}, over=above)
    assert list(section) == ["a", "b", "c"]
    assert [(name, setting.value) for name, setting in section.settings()] == [("a", 2), ("b", 0), ("c", 3)]
    assert [name for name, _ in section.settings(["d", "c", "b"])] == ["c", "b"]
    assert section.get("a") == Setting(2, Origin(flag="--a 2"), (Setting(1),))
    assert ("c" in section, "d" in section, bool(Section(over=above)), section.value("d", 4)) == (True, False, True, 4)


@pytest.mark.parametrize(
    ("launch", "training", "trainer", "precision"),
    [
        ("accelerate launch --config_file accel.yaml t.py train.yaml --bf16 True", TRAINING, "transformers", "bf16"),
        ("accelerate launch --config_file accel.yaml t.py train.yaml", TRAINING, "transformers", "fp8"),
        (
            "accelerate launch --config_file accel.yaml sft.py --config train.yaml --bf16 False",
            TRAINING + "bf16: true\n",
            "trl",
            "fp8",
        ),
    ],
)
def test_the_outcome_follows(launch: str, training: str, trainer: str, precision: str) -> None:
    case = {"training": training, "accelerate": ACCELERATE, "trainer": trainer, "launch": launch}
    outcome = predict(assembled_of(case).run)
    assert outcome.mixed_precision is not None
    assert outcome.mixed_precision.value == precision
