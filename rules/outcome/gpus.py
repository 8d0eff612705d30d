"""GPUs and their datasheet figures (gpus.json)."""

from __future__ import annotations

import os
from typing import Any

from fp8check.rules.record import Record


class Datasheet(Record):
    """One GPU.

    Attributes:
        name: as people call it; `match`: what stands in the names that the driver gives it.
        compute_capability: "9.0" for Hopper.
        memory_gb, bandwidth_tb_s: of its memory, in GB and TB/s.
        bf16_tflops, fp8_tflops: dense rates in TFLOP/s; None for FP8 where it has none.
        measured: whether the speed model was fitted to measurements on it.
        source: where the figures are from.
    """

    name: str
    match: list[str]
    compute_capability: str
    multiprocessors: int
    memory_gb: float
    bandwidth_tb_s: float
    bf16_tflops: float
    fp8_tflops: float | None
    measured: bool
    source: str


_LOADED: list[Datasheet] = []


def gpus() -> list[Datasheet]:
    """All GPUs of the table."""
    if not _LOADED:
        import json

        with open(os.path.join(os.path.dirname(__file__), "gpus.json"), encoding="utf-8") as file:
            content: dict[str, Any] = json.load(file)
        _LOADED.extend(Datasheet(**entry) for entry in content["gpus"])
    return _LOADED


def find(name: str) -> Datasheet | None:
    """The GPU that a driver's or a person's name means: "NVIDIA H200", "h200"; None where it is not in the table."""
    wanted = name.upper().replace("_", " ")
    return next((gpu for gpu in gpus() if any(part.upper() in wanted for part in gpu.match)), None)
