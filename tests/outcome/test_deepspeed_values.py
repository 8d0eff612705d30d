"""What DeepSpeed's numbers have to agree with: executed with accelerate 1.15.0, transformers 5.23.0, deepspeed 0.19.8."""

from __future__ import annotations

import pytest

from tests.support.outcomes import outcome_of, seen

STACK = {
    "torch": "2.13.0",
    "accelerate": "1.15.0",
    "transformers": "5.23.0",
    "deepspeed": "0.19.8",
    "trl": "1.16.0",
    "torchao": "0.18.0",
}
HF = "output_dir: o\nmodel_name_or_path: m\nbf16: true\n"
FILE = "distributed_type: DEEPSPEED\nnum_processes: 1\nmixed_precision: bf16\ndeepspeed_config:\n  zero_stage: 2\n"
BESIDE = '{"zero_optimization": {"stage": 2}%s}'
GOOD = "bf16 NO none"


@pytest.mark.parametrize(
    ("section", "training", "expected"),
    [
        ("  gradient_accumulation_steps: 1\n", "", GOOD),
        ("  gradient_accumulation_steps: 1\n", "gradient_accumulation_steps: 4\n", "ValueError (step)"),
        ("  gradient_accumulation_steps: 4\n", "gradient_accumulation_steps: 4\n", GOOD),
        ("  gradient_accumulation_steps: auto\n", "gradient_accumulation_steps: 4\n", GOOD),
        ("  gradient_clipping: 1.0\n", "", GOOD),
        ("  gradient_clipping: 0.5\n", "", "ValueError (step)"),
        ("  gradient_clipping: 0.5\n", "max_grad_norm: 0.5\n", GOOD),
    ],
)
def test_the_accelerate_file_against_the_arguments(section: str, training: str, expected: str) -> None:
    case = {"accelerate": FILE + section, "training": HF + training, "stack": STACK}
    assert seen(outcome_of(case)) == expected


@pytest.mark.parametrize(
    ("more", "training", "expected"),
    [
        ("", "", GOOD),
        (', "train_micro_batch_size_per_gpu": 2', "per_device_train_batch_size: 2\n", GOOD),
        (', "train_micro_batch_size_per_gpu": 2', "per_device_train_batch_size: 4\n", "ValueError (step)"),
        (', "train_micro_batch_size_per_gpu": 2', "auto_find_batch_size: true\n", GOOD),
        (', "train_batch_size": 32', "per_device_train_batch_size: 4\n", "ValueError (step)"),
        (', "train_batch_size": 4', "per_device_train_batch_size: 4\n", GOOD),
        (', "train_batch_size": "auto"', "", GOOD),
    ],
)
def test_its_own_file_against_the_arguments(more: str, training: str, expected: str) -> None:
    file = "distributed_type: DEEPSPEED\nnum_processes: 1\ndeepspeed_config:\n  deepspeed_config_file: ds.json\n"
    flags = "accelerate launch --mixed_precision bf16 --config_file accel.yaml train.py train.yaml"
    case = {"accelerate": file, "training": HF + training, "stack": STACK, "deepspeed": BESIDE % more, "launch": flags}
    assert seen(outcome_of(case)) == expected


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("  deepspeed_config_file: ds.json\n", "ValueError (accelerator)"),
        ("  deepspeed_config_file: ds.json\n  zero3_init_flag: false\n", "ValueError (accelerator)"),
    ],
)
def test_its_own_file_bears_nothing_beside_it_in_the_section(section: str, expected: str) -> None:
    file = FILE.replace("mixed_precision: bf16\n", "") + section
    case = {"accelerate": file, "training": HF, "stack": STACK, "deepspeed": BESIDE % ""}
    outcome = outcome_of(case)
    assert seen(outcome) == expected
    assert outcome.error is not None
    assert outcome.error.code == "settings-beside-deepspeed-file"


def test_the_file_of_the_training_bears_nothing_beside_it_either() -> None:
    case = {"accelerate": FILE, "training": f"{HF}deepspeed: ds.json\n", "stack": STACK, "deepspeed": BESIDE % ""}
    outcome = outcome_of(case)
    assert seen(outcome) == "ValueError (arguments)"
    assert outcome.error is not None
    assert [setting.value for setting in outcome.error.because] == [2, "ds.json"]


@pytest.mark.parametrize(
    ("more", "expected"), [("", "AssertionError (trainer)"), ("use_peft: true\n", "ValueError (step)")]
)
def test_dpo_hands_its_reference_to_deepspeed_first(more: str, expected: str) -> None:
    training = f"model_name_or_path: m\ndataset_name: d\noutput_dir: o\ngradient_accumulation_steps: 2\n{more}"
    case = {
        "accelerate": f"{FILE}  gradient_accumulation_steps: 1\n",
        "training": training,
        "trainer": "trl",
        "stack": {name: version for name, version in STACK.items() if name != "torchao"},
        "launch": "trl dpo --config train.yaml --accelerate_config accel.yaml",
    }
    assert seen(outcome_of(case)) == expected
