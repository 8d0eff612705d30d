"""Two processes on one GPU: where the run ends, and where nothing is said of it."""

from __future__ import annotations

import pytest

from tests.support.outcomes import DDP, DEEPSPEED, FSDP, outcome_of

FOUR = DDP.replace("2", "4").replace("fp8", "bf16")
STACK = {"accelerate": "1.15.0", "transformers": "5.17.0", "deepspeed": "0.19.8"}


@pytest.mark.parametrize(
    "case",
    [
        {"accelerate": FOUR, "gpus": 2},
        {"accelerate": FOUR, "gpus": 8, "variables": {"CUDA_VISIBLE_DEVICES": "0,1"}},
        {"accelerate": FOUR + "gpu_ids: 0,1\n", "gpus": 8},
        {"accelerate": FSDP.replace("fp8", "bf16"), "gpus": 1},
        {"accelerate": DEEPSPEED.replace("num_processes: 1", "num_processes: 2").replace("fp8", "bf16"), "gpus": 1},
        {"launch": "torchrun --nproc_per_node 2 train.py", "gpus": 1},
        {"launch": "accelerate launch --gpu_ids 0 train.py", "gpus": 2, "host": "unknown"},
        {"accelerate": FOUR + "gpu_ids: 0,1\n", "gpus": 8, "host": "unknown"},
    ],
)
def test_the_run_ends_where_two_processes_have_one_gpu(case: dict[str, object]) -> None:
    error = outcome_of({"stack": STACK, "host": "node-1", **case}).error_of("duplicate-gpu")
    assert error is not None
    assert (error.stage, error.type) == ("prepare", "DistBackendError")
    assert error.message.startswith("Duplicate GPU detected : rank ")


@pytest.mark.parametrize(
    "case",
    [
        {"accelerate": FOUR, "gpus": 4},
        {"accelerate": FOUR + "num_machines: 2\n", "gpus": 2},
        {"accelerate": FOUR, "gpu": "none"},
        {"accelerate": FOUR, "gpu": "unknown"},
        {"accelerate": FOUR, "gpus": 2, "variables": "unknown"},
        {"accelerate": FOUR.replace("MULTI_GPU", "MULTI_XPU"), "gpus": 2},
        {"accelerate": FOUR.replace("4", "four"), "gpus": 2},
        {"launch": "accelerate launch --multi_gpu --num_processes $N train.py", "gpus": 1},
        {"accelerate": FOUR, "gpus": 1, "host": "unknown"},
    ],
)
def test_nothing_is_said_of_gpus_that_suffice_or_are_not_known(case: dict[str, object]) -> None:
    assert outcome_of({"stack": STACK, "host": "node-1", **case}).error_of("duplicate-gpu") is None
