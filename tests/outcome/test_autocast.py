"""Transformer Engine's autocast asks the GPU when it is entered, whether or not any layer was converted."""

from __future__ import annotations

import pytest

from tests.support.outcomes import LLAMA, ONE, TE, outcome_of, seen

# 16 divides none of its sizes: no layer is converted.
ODD = {**LLAMA, "hidden_size": 520, "intermediate_size": 1000, "vocab_size": 1001}
FILE = {"model_name_or_path": "a/b", "output_dir": "o", "bf16": False}


@pytest.mark.parametrize(
    ("capability", "happens"),
    [("8.0", "RuntimeError (step)"), ("9.0", "fp8 TE none HYBRID 1024 max")],
)
def test_a_gpu_without_fp8_ends_the_step_of_a_model_without_fp8_layers(capability: str, happens: str) -> None:
    case = {"accelerate": ONE + TE, "launch": "accelerate launch --config_file accel.yaml train.py", "gpu": capability}
    outcome = outcome_of({**case, "training": FILE, "model": ODD})
    assert seen(outcome) == happens
    assert (outcome.error_of("capability-too-low") is not None) is (capability == "8.0")
