"""Runs of real trainers whose steps are timed once the model of a whole step was settled: nothing is fitted to them.

Each group is one run in BF16 and in FP8, with all else the same. Two groups that differ only in torch_compile, named X and
Xc, or in their strategy, are plans for one training: which of them is faster is what `fp8check plan` has to rank.
"""

from __future__ import annotations

from typing import Any

from tests.tools.gpu.trainer_cases import ZERO2, Case, case
from tests.tools.gpu.worth_cases import B16, COMPILED, F32, LORA, LORA_LF, OFF, ON, TRL

SGD: Case = {"optim": "sgd"}
ADAFACTOR: Case = {"optim": "adafactor"}
TWICE: Case = {"gradient_accumulation_steps": 2}
FOUR: Case = {"gradient_accumulation_steps": 4}
TRL32: Case = {**TRL, "dtype": "float32"}
TRL16: Case = {**TRL, "dtype": "bfloat16"}
AX_LORA: Case = {"adapter": "lora", "lora_r": 16, "lora_alpha": 32, "lora_target_linear": True}
AX_ON: Case = {"gradient_checkpointing": True}

Group = tuple[str, str, str, str, str, str, Case]


def _both(name: str, trainer: str, model: str, rows: str, backends: str, more: Case) -> list[Group]:
    """Two plans for a training: eager, and torchao under torch.compile."""
    return [
        (name, trainer, model, rows, "single", backends, more),
        (f"{name}c", trainer, model, rows, "single", "ao", {**more, **COMPILED}),
    ]


# name, trainer, model, rows, strategy, backends, and what else its training file says; the most telling first
GROUPS: list[Group] = [
    # the Hugging Face Trainer, one GPU
    *_both("n-1", "trainer", "8B3", "1x1024", "te ao", B16),
    *_both("n-2", "trainer", "8B3", "2x2048", "te ao", F32),
    *_both("n-3", "trainer", "14B2", "1x2048", "te", B16),
    *_both("n-4", "trainer", "3B6", "4x2048", "te ao", F32),
    *_both("n-5", "trainer", "32B2", "2x2048", "te", B16),
    *_both("n-6", "trainer", "7B3", "1x4096", "te", F32),
    *_both("n-7", "trainer", "1B8", "4x4096", "te", F32),
    *_both("n-8", "trainer", "14B2", "4x1024", "te ao", F32),
    *_both("n-9", "trainer", "8B2", "4x4096", "te", B16),
    *_both("n-10", "trainer", "3B4", "1x2048", "te", B16),
    *_both("n-11", "trainer", "8B3", "4x2048", "te ao", {**B16, **LORA}),
    *_both("n-12", "trainer", "14B2", "2x1024", "te", {**B16, **LORA}),
    *_both("n-13", "trainer", "7B3", "4x2048", "ao", {**B16, **ON}),
    *_both("n-14", "trainer", "32B2", "1x1024", "te", B16),
    *_both("n-15", "trainer", "7B2", "8x1024", "te", {**B16, **SGD}),
    ("n-16", "trainer", "8B2", "2x2048", "single", "te", {**F32, **FOUR}),
    ("n-17", "trainer", "14B2", "2x2048", "single", "te", {**B16, **ADAFACTOR}),
    ("n-18", "trainer", "1B16", "2x2048", "single", "te ao", B16),
    ("n-19", "trainer", "0.5B12", "8x1024", "single", "te", B16),
    ("n-20", "trainer", "3B6", "2x1024", "single", "te ao", {**B16, **LORA}),
    ("n-21", "trainer", "32B2", "4x2048", "single", "te ao", F32),
    # LLaMA-Factory
    *_both("m-1", "llamafactory", "8B3", "2x2048", "te ao", OFF),
    *_both("m-2", "llamafactory", "14B2", "4x2048", "te", OFF),
    ("m-3", "llamafactory", "8B3", "2x2048", "single", "te ao", LORA_LF),
    *_both("m-4", "llamafactory", "8B3", "4x1024", "te", {**OFF, "pure_bf16": True}),
    ("m-5", "llamafactory", "3B6", "8x1024", "single", "te ao", OFF),
    ("m-6", "llamafactory", "7B2", "1x1024", "single", "te ao", OFF),
    ("m-7", "llamafactory", "8B3", "2x2048", "single", "te ao", {}),
    ("m-8", "llamafactory", "14B2", "4x1024", "single", "te", LORA_LF),
    # TRL
    ("r-1", "trl", "8B3", "2x2048", "single", "ao", TRL16),
    ("r-1c", "trl", "8B3", "2x2048", "single", "ao", {**TRL16, **COMPILED}),
    ("r-2", "trl", "3B6", "4x1024", "single", "ao", TRL32),
    ("r-3", "trl", "14B2", "4x2048", "single", "ao", TRL32),
    ("r-3c", "trl", "14B2", "4x2048", "single", "ao", {**TRL32, **COMPILED}),
    ("r-4", "trl", "8B2", "2x4096", "single", "ao", {**TRL16, **LORA}),
    # axolotl
    ("x-1", "axolotl", "8B2", "2x2048", "single", "ao", {}),
    ("x-1c", "axolotl", "8B2", "2x2048", "single", "ao", COMPILED),
    ("x-2", "axolotl", "7B3", "4x2048", "single", "ao", AX_LORA),
    ("x-3", "axolotl", "3B6", "2x2048", "single", "ao", AX_ON),
    # loops of one's own
    ("y-1", "own", "8B2", "2x2048", "single", "te ao", {}),
    ("y-2", "own", "14B2", "1x2048", "single", "te ao", {}),
    # two GPUs: every strategy that trains at all with each trainer
    ("d-1", "trainer", "8B3", "2x2048", "ddp", "te ao", B16),
    ("d-1c", "trainer", "8B3", "2x2048", "ddp", "ao", {**B16, **COMPILED}),
    ("d-2", "trainer", "8B3", "2x2048", "fsdp2", "ao", F32),
    ("d-2c", "trainer", "8B3", "2x2048", "fsdp2", "ao", {**F32, **COMPILED}),
    ("d-3", "trainer", "14B2", "4x2048", "ddp", "te", F32),
    ("d-4", "trainer", "8B3", "4x2048", "ddp", "te", {**B16, **LORA}),
    ("d-5", "trainer", "8B3", "4x1024", "fsdp1", "ao", F32),
    ("d-6", "trainer", "3B6", "2x2048", "ddp", "te ao", {**F32, **TWICE}),
    ("d-7", "trainer", "14B2", "2x2048", "fsdp2", "ao", {**B16, **ON}),
    ("e-1", "llamafactory", "8B2", "4x2048", "ddp", "te ao", OFF),
    ("e-2", "llamafactory", "8B3", "2x2048", "fsdp2", "ao", OFF),
    ("e-3", "llamafactory", "7B3", "2x2048", "fsdp1", "ao", OFF),
    ("f-1", "trl", "8B3", "2x2048", "ddp", "ao", TRL16),
    ("f-2", "trl", "3B6", "2x2048", "fsdp2", "ao", TRL32),
    ("f-3", "trl", "7B3", "2x2048", "fsdp1", "ao", TRL32),
    ("h-1", "own", "8B2", "2x2048", "ddp", "te ao", {}),
    ("h-2", "own", "8B2", "2x2048", "fsdp2", "ao", {}),
    ("h-3", "own", "8B2", "2x2048", "fsdp1", "te ao", {}),
    ("i-1", "axolotl", "8B2", "2x2048", "ddp", "ao", {}),
    # with DeepSpeed
    ("z-1", "trainer", "8B3", "2x2048", "zero2", "te", B16),
    ("z-2", "trainer", "8B3", "2x2048", "zero3", "te", B16),
    ("z-3", "trainer", "8B3", "2x2048", "zero1", "te", B16),
    ("z-4", "trainer", "14B2", "4x2048", "zero2", "te", B16),
    ("z-5", "own", "8B2", "2x2048", "zero2", "te ao", {}),
    ("z-6", "own", "8B2", "2x2048", "zero3", "te ao", {}),
    ("z-7", "own", "8B2", "2x2048", "zero1", "te ao", {}),
    ("z-8", "llamafactory", "8B2", "4x2048", "zero2", "te", OFF),
    ("z-9", "llamafactory", "8B2", "2x2048", "zero3", "te", OFF),
]
# Held out: the model of a whole step was settled before they ran, and nothing is fitted to them. As many tokens in a
# micro-batch as people give a GPU of 80 GB and more, wide layers, and on two GPUs more than elsewhere.
HELD: list[Group] = [
    *_both("q-1", "trainer", "8B3", "4x2048", "te", B16),
    *_both("q-2", "trainer", "14B2", "8x2048", "te", F32),
    *_both("q-3", "trainer", "32B2", "4x2048", "te", B16),
    *_both("q-4", "trainer", "7B3", "8x2048", "te", B16),
    *_both("q-5", "trainer", "8B3", "2x4096", "te ao", F32),
    *_both("q-6", "trainer", "32B2", "8x2048", "te", F32),
    *_both("q-7", "trainer", "14B2", "1x8192", "te", B16),
    ("q-8", "trainer", "8B3", "8x2048", "single", "te", {**B16, **LORA}),
    ("q-9", "trainer", "14B2", "4x2048", "single", "te ao", {**F32, **ADAFACTOR}),
    *_both("q-10", "llamafactory", "8B3", "4x2048", "te", OFF),
    *_both("q-11", "llamafactory", "14B2", "8x2048", "te", {**OFF, "pure_bf16": True}),
    ("q-12", "llamafactory", "7B3", "8x2048", "single", "te ao", OFF),
    ("q-13", "llamafactory", "32B2", "4x2048", "single", "te", {**OFF, "pure_bf16": True}),
    ("q-14c", "trl", "14B2", "4x2048", "single", "ao", {**TRL16, **COMPILED}),
    ("q-15c", "trl", "8B3", "4x2048", "single", "ao", {**TRL32, **COMPILED}),
    ("q-16c", "axolotl", "8B2", "4x2048", "single", "ao", COMPILED),
    ("q-20", "trainer", "8B3", "4x2048", "ddp", "te", F32),
    ("q-20c", "trainer", "8B3", "4x2048", "ddp", "ao", {**F32, **COMPILED}),
    ("q-21", "trainer", "14B2", "4x2048", "ddp", "te ao", B16),
    ("q-22", "trainer", "14B2", "4x2048", "fsdp2", "ao", F32),
    ("q-22c", "trainer", "14B2", "4x2048", "fsdp2", "ao", {**F32, **COMPILED}),
    ("q-23", "llamafactory", "8B3", "4x2048", "ddp", "te", OFF),
    ("q-24", "llamafactory", "14B2", "4x2048", "ddp", "te", {**OFF, "pure_bf16": True}),
    ("q-25", "trainer", "32B2", "4x2048", "ddp", "te", B16),
    ("q-26c", "trainer", "8B3", "8x2048", "fsdp2", "ao", {**B16, **COMPILED}),
    ("q-27", "trainer", "7B3", "8x2048", "ddp", "te", B16),
    ("q-28c", "trl", "14B2", "4x2048", "ddp", "ao", {**TRL16, **COMPILED}),
]
# Held out as well: few tokens, adapters, other optimizers, where launching takes as long as the GPU.
FEW: list[Group] = [
    *_both("s-1", "trainer", "8B3", "2x1024", "te ao", B16),
    ("s-2", "trainer", "14B2", "1x1024", "single", "te", F32),
    ("s-3", "trainer", "7B3", "2x1024", "single", "te", {**F32, **SGD}),
    ("s-4", "trainer", "32B2", "1x4096", "single", "te", {**B16, **ADAFACTOR}),
    ("s-5c", "trainer", "8B3", "4x2048", "single", "ao", {**B16, **LORA, **COMPILED}),
    ("s-6c", "trainer", "14B2", "4x2048", "single", "ao", {**B16, **ON, **COMPILED}),
    ("s-7", "trainer", "1B16", "4x2048", "single", "te", B16),
    ("s-8", "llamafactory", "14B2", "2x2048", "single", "te ao", LORA_LF),
    ("s-9", "llamafactory", "8B3", "1x4096", "single", "te", OFF),
    ("s-10c", "trl", "14B2", "1x2048", "single", "ao", {**TRL16, **COMPILED}),
    ("s-20", "trainer", "8B3", "1x2048", "ddp", "te ao", B16),
    ("s-21", "trainer", "7B3", "2x2048", "fsdp1", "ao", B16),
    ("s-22", "trainer", "14B2", "2x2048", "ddp", "te", {**B16, **SGD, **FOUR}),
    ("s-23", "trl", "8B3", "2x2048", "ddp", "ao", {**TRL16, **LORA}),
]
# A whole model of 7B, 28 layers with weights in BF16, and a whole smaller one.
WHOLE: list[Group] = [
    ("w-1", "trainer", "7B28", "1x2048", "single", "te ao", {**B16, **SGD}),
    ("w-2", "trainer", "7B28", "1x2048", "single", "te ao", {**B16, **LORA}),
    ("w-3", "trainer", "3B30", "2x2048", "single", "te ao", {**B16, **SGD}),
    ("w-4", "trainer", "7B28", "2x2048", "single", "ao", {**B16, **LORA, **ON}),
    ("w-5", "trainer", "7B28", "4x2048", "single", "te", {**B16, **SGD}),
    ("w-6c", "trainer", "7B28", "4x2048", "single", "ao", {**B16, **SGD, **ON, **COMPILED}),
    ("w-7", "trainer", "3B30", "8x1024", "single", "te", B16),
    ("w-20", "trainer", "7B28", "2x2048", "ddp", "te", {**B16, **SGD}),
]


def kind(one: Case) -> str:
    """What can share a process: a trainer, with DeepSpeed or without."""
    zero = one["deepspeed"] is not None or one["accelerate"]["distributed_type"] == "DEEPSPEED"
    trainer = "trainer" if one["trainer"] == "own" else one["trainer"]
    return f"{trainer}{'-zero' * zero}-{one['gpus']}"


def groups() -> list[tuple[str, list[Case]]]:
    """The runs of each group, BF16 first."""
    return [
        (row[0], [_one(row, precision) for precision in ("bf16", *row[5].split())])
        for row in HELD + GROUPS + FEW + WHOLE
    ]


def _one(row: Group, precision: str) -> Case:
    name, trainer, model, rows, spread, _, more = row
    given: dict[str, Any] = dict(more)
    if trainer == "llamafactory" and spread.startswith("zero"):
        given["deepspeed"] = {**ZERO2, "zero_optimization": {**ZERO2["zero_optimization"], "stage": int(spread[-1])}}
    if precision != "bf16" and trainer != "own" and (spread.startswith("zero") or trainer == "axolotl"):
        given["bf16"] = True
    if precision != "bf16" and trainer == "axolotl":
        given |= {"fp8": True, "fp8_enable_fsdp_float8_all_gather": False}
    if trainer != "own":
        given |= {"max_steps": 200, "logging_steps": 10}
    return case(f"{name}-{precision}", trainer, model, rows, spread, precision, **given)
