"""Runs of real trainers whose steps are timed in BF16 and in FP8: each with all that is the same in both."""

from __future__ import annotations

from typing import Any

from tests.tools.gpu.trainer_cases import ZERO2, Case, case

F32: Case = {"torch_dtype": "float32"}
B16: Case = {"torch_dtype": "bfloat16"}
LORA: Case = {"use_peft": True, "lora_r": 16, "lora_target_modules": "all-linear"}
LORA_LF: Case = {
    "finetuning_type": "lora",
    "lora_rank": 16,
    "lora_target": "all",
    "disable_gradient_checkpointing": True,
}
OFF: Case = {"disable_gradient_checkpointing": True}
TRL: Case = {"gradient_checkpointing": False, "loss_type": "nll"}
COMPILED: Case = {"torch_compile": True}
ON: Case = {"gradient_checkpointing": True}

# name, trainer, model, rows, strategy, backends, and what else its training file says
_RUNS: list[tuple[str, str, str, str, str, str, Case]] = [
    # LLaMA-Factory
    ("lf-1", "llamafactory", "7B3", "4x2048", "single", "te ao", OFF),
    ("lf-2", "llamafactory", "7B3", "1x2048", "single", "te", OFF),
    ("lf-3", "llamafactory", "7B4", "4x2048", "single", "te ao", LORA_LF),
    ("lf-4", "llamafactory", "7B3", "4x2048", "single", "ao", {**OFF, **COMPILED}),
    ("lf-5", "llamafactory", "3B8", "2x2048", "single", "te", OFF),
    ("lf-6", "llamafactory", "7B3", "4x2048", "single", "ao", {}),
    ("lf-ddp", "llamafactory", "7B3", "2x2048", "ddp", "te ao", OFF),
    ("lf-fsdp2", "llamafactory", "7B4", "4x2048", "fsdp2", "ao", OFF),
    ("lf-zero2", "llamafactory", "7B3", "2x2048", "zero2", "te", OFF),
    ("lf-lora-ddp", "llamafactory", "7B4", "2x2048", "ddp", "te", LORA_LF),
    # the Hugging Face Trainer
    ("t-1", "trainer", "7B3", "1x1024", "single", "te ao", F32),
    ("t-2", "trainer", "7B3", "2x2048", "single", "te ao", F32),
    ("t-3", "trainer", "7B3", "4x2048", "single", "te ao", B16),
    ("t-4", "trainer", "7B3", "8x2048", "single", "te", B16),
    ("t-5", "trainer", "8B3", "1x2048", "single", "te", B16),
    ("t-6", "trainer", "8B3", "4x2048", "single", "ao", {**B16, **COMPILED}),
    ("t-7", "trainer", "7B3", "2x2048", "single", "ao", {**B16, **COMPILED}),
    ("t-8", "trainer", "7B3", "8x2048", "single", "ao", {**F32, **COMPILED}),
    ("t-9", "trainer", "1B8", "4x2048", "single", "te ao", B16),
    ("t-10", "trainer", "7B4", "4x2048", "single", "te ao", {**B16, **LORA}),
    ("t-11", "trainer", "8B3", "2x4096", "single", "ao", {**B16, **ON}),
    ("t-12", "trainer", "3B8", "1x1024", "single", "ao", {**B16, **COMPILED}),
    ("t-ddp", "trainer", "7B3", "2x2048", "ddp", "te ao", F32),
    ("t-ddp-2", "trainer", "8B3", "4x2048", "ddp", "te", B16),
    ("t-ddp-3", "trainer", "7B3", "4x2048", "ddp", "ao", {**B16, **COMPILED}),
    ("t-fsdp2", "trainer", "7B4", "2x2048", "fsdp2", "ao", F32),
    ("t-fsdp2-2", "trainer", "7B4", "4x2048", "fsdp2", "ao", {**F32, **COMPILED}),
    ("t-zero2", "trainer", "7B4", "2x2048", "zero2", "te", B16),
    ("t-zero3", "trainer", "7B4", "2x2048", "zero3", "te", B16),
    ("t-lora-ddp", "trainer", "7B4", "2x2048", "ddp", "te", {**B16, **LORA}),
    # TRL
    ("trl-1", "trl", "7B3", "2x2048", "single", "ao", {**TRL, "dtype": "float32"}),
    ("trl-2", "trl", "8B3", "4x2048", "single", "ao", {**TRL, **COMPILED, "dtype": "bfloat16"}),
    ("trl-3", "trl", "7B4", "4x2048", "single", "ao", {**TRL, **LORA, "dtype": "bfloat16"}),
    ("trl-ddp", "trl", "7B3", "2x2048", "ddp", "ao", {**TRL, "dtype": "float32"}),
    ("trl-fsdp2", "trl", "7B4", "2x2048", "fsdp2", "ao", {**TRL, "dtype": "float32"}),
    # loops of one's own, and axolotl
    ("own-1", "own", "7B3", "2x2048", "single", "te ao", {}),
    ("own-2", "own", "8B2", "4x2048", "single", "te", {}),
    ("own-ddp", "own", "7B3", "2x2048", "ddp", "te", {}),
    ("ax-1", "axolotl", "7B3", "2x2048", "single", "ao", {}),
    ("ax-2", "axolotl", "8B2", "4x2048", "single", "ao", COMPILED),
]


def runs() -> list[tuple[str, Case]]:
    """Each run by the name of what it is compared within, BF16 first."""
    return [
        (name, _one(name, trainer, model, rows, spread, precision, more))
        for name, trainer, model, rows, spread, backends, more in _RUNS
        for precision in ("bf16", *backends.split())
    ]


def _one(name: str, trainer: str, model: str, rows: str, spread: str, precision: str, more: Case) -> Case:
    given: dict[str, Any] = dict(more)
    if trainer == "llamafactory" and spread.startswith("zero"):
        given["deepspeed"] = ZERO2
    if precision != "bf16" and (spread.startswith("zero") or trainer == "axolotl"):
        given["bf16"] = True
    if precision != "bf16" and trainer == "axolotl":
        given |= {"fp8": True, "fp8_enable_fsdp_float8_all_gather": False}
    if trainer != "own":
        given |= {"max_steps": 200, "logging_steps": 10}
    return case(f"{name}-{precision}", trainer, model, rows, spread, precision, **given)
