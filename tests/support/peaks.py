"""What fp8check predicts of the runs of tests/tools/gpu/trainer_cases.py: their files go in as their users write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from fp8check.rules.outcome.memory import predict_memory
from tests.support.outcomes import outcome_of
from tests.tools.gpu.llamas import config_of

if TYPE_CHECKING:
    from fp8check.rules.outcome import Outcome
    from tests.tools.gpu.trainer_cases import Case

# The machine's packages, and what each trainer brought along.
STACK = {"python": "3.12.3", "torch": "2.11.0", "accelerate": "1.15.0", "transformers": "5.17.0", "peft": "0.21.0"}
STACK |= {"deepspeed": "0.19.8", "transformer_engine": "2.20.2", "torchao": "0.17.0", "liger_kernel": "0.8.5"}
OF_TRAINER = {
    "trainer": {},
    "llamafactory": {"llamafactory": "0.9.5", "trl": "0.24.0", "peft": "0.18.1"},
    "trl": {"trl": "1.16.0"},
    "trl-0.24": {"trl": "0.24.0", "peft": "0.18.1"},
    # beside accelerate and transformers newer than it pins
    "axolotl": {"axolotl": "0.19.0", "trl": "1.9.0"},
}
NAMES = {
    "trainer": "transformers",
    "llamafactory": "llamafactory",
    "trl": "trl",
    "trl-0.24": "trl",
    "axolotl": "axolotl",
}
H100: dict[str, object] = {"compute_capability": "9.0", "name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559}
H200: dict[str, object] = {"compute_capability": "9.0", "name": "NVIDIA H200", "memory_mib": 143771}


def outcome_of_case(case: Case, gpu: dict[str, object] = H100) -> Outcome:
    """The predicted outcome of a run on GPUs of one kind."""
    trainer = case["trainer"]
    given: dict[str, object] = {
        "training": yaml.safe_dump(case["training"]),
        "accelerate": yaml.safe_dump(case["accelerate"]),
        "model": config_of(case["model"]),
        "trainer": NAMES[trainer],
        "stack": {**STACK, **OF_TRAINER[trainer]},
        "variables": {"DISABLE_VERSION_CHECK": "1"},
        "gpu": case["gpus"] * [gpu],
    }
    if case["deepspeed"] is not None:
        given["deepspeed"] = json.dumps(case["deepspeed"])
    return outcome_of(given)


def predicted_gib(case: Case) -> float | None:
    """The peak in GiB of the run as it is; None where it is not said, as of a loop of one's own."""
    if case["trainer"] == "own":
        return None
    outcome = outcome_of_case(case)
    found = predict_memory(outcome.run, outcome)
    return None if found is None else found.peak_gib
