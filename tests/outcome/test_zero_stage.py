"""The ZeRO stage of a flag beside that of the Accelerate file.

Executed: what `_validate_launch_command` makes of `--zero_stage 3` beside `zero_stage: 2`; accelerate 1.3.0 and 1.4.0 hand
on 2, 1.5.2, 1.12.0 and 1.15.0 hand on 3.
"""

from __future__ import annotations

import pytest

from fp8check.rules.outcome.least import spread_of
from tests.support.outcomes import LLAMA, outcome_of

FILE = "distributed_type: DEEPSPEED\nnum_processes: 2\nmixed_precision: bf16\ndeepspeed_config: {zero_stage: 2}\n"
LAUNCH = "accelerate launch --config_file accel.yaml"
TRAINING = "output_dir: out\nbf16: true\n"
STACK = {"torch": "2.13.0", "accelerate": "1.15.0", "transformers": "5.23.0", "deepspeed": "0.19.8"}


def strategy(launch: str, accelerate: str = "1.15.0", file: str = FILE) -> str | None:
    """What the memory of a run is counted for."""
    case = {
        "launch": launch,
        "training": TRAINING,
        "accelerate": file,
        "model": LLAMA,
        "stack": {**STACK, "accelerate": accelerate},
    }
    outcome = outcome_of(case)
    step = spread_of(outcome.run, outcome.distributed_type, outcome.effective)
    return None if step is None else step.strategy


@pytest.mark.parametrize(
    ("release", "counts"), [("1.3.0", "zero2"), ("1.4.0", "zero2"), ("1.5.2", "zero3"), ("1.15.0", "zero3")]
)
def test_the_flag_counts_from_1_5_on(release: str, counts: str) -> None:
    assert strategy(f"{LAUNCH} --zero_stage 3 train.py train.yaml", release) == counts


@pytest.mark.parametrize("release", ["1.4.0", "1.15.0"])
def test_one_of_both_counts_in_every_release(release: str) -> None:
    without = FILE.replace("{zero_stage: 2}", "{gradient_accumulation_steps: 1}")
    assert strategy(f"{LAUNCH} train.py train.yaml", release) == "zero2"
    assert strategy(f"{LAUNCH} --zero_stage 3 train.py train.yaml", release, without) == "zero3"
    assert strategy(f"{LAUNCH} train.py train.yaml", release, without) == "zero2"  # DeepSpeedPlugin's own


def test_what_the_flag_overrides_is_told() -> None:
    case = {"launch": f"{LAUNCH} --zero_stage 3 train.py", "training": TRAINING, "accelerate": FILE, "stack": STACK}
    stage = outcome_of(case).effective.zero_stage
    assert stage is not None
    assert stage.value == "3"
    assert [one.value for one in stage.overrode] == [2]


def test_axolotl_ends_under_zero3_of_flags_alone() -> None:
    """It asks for the stage that Accelerate was given, however that came."""
    case = {
        "trainer": "axolotl",
        "launch": "accelerate launch --use_deepspeed --zero_stage 3 --num_processes 2 -m axolotl.cli.train train.yaml",
        "training": "base_model: org/model\nmicro_batch_size: 1\nsequence_len: 2048\nbf16: true\n",
        "stack": {**STACK, "axolotl": "0.19.0", "accelerate": "1.13.0"},
    }
    error = outcome_of(case).error
    assert error is not None
    assert error.code == "axolotl-zero3-without-its-file"
