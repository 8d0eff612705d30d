"""A run that trains in FP8 on one H200: its files, the machine, and the words that check it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = {"torch": "2.11.0", "accelerate": "1.15.0", "transformers": "5.17.0", "trl": "0.24.0"} | {
    "transformer_engine": "2.20.2",
    "transformer_engine_torch": "2.20.2",
    "torchao": None,
    "peft": "0.21.0",
}
FACTS = {
    "schema": "fp8check/facts/1",
    "packages": PACKAGES,
    "variables": {},
    "gpus": [{"index": 0, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, "mig": False}],
}
TRAIN = (
    "model_name_or_path: Qwen/Qwen2.5-7B\nmax_length: 2048\npacking: true\npad_to_multiple_of: 16\nbf16: false\n"
    "dtype: bfloat16\nper_device_train_batch_size: 4\ngradient_checkpointing: false\noutput_dir: out\n"
)
ACCEL = "distributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\nfp8_config:\n  backend: TE\n"
FILES = ("train.yaml", "accel.yaml")
KNOWN = (*FILES, "--facts", "facts.json")


def placed(folder: Path) -> Path:
    """The folder with the files of the run, and the facts."""
    (folder / "train.yaml").write_text(TRAIN)
    (folder / "accel.yaml").write_text(ACCEL)
    (folder / "facts.json").write_text(json.dumps(FACTS))
    return folder
