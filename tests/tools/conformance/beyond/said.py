"""What the source of released packages says of runs that were not executed: by backend, trainer and strategy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# package release file:line `text`; of what follows a comma the file, or both, are those before.
_CITED = re.compile(r"(?:([a-z]+) (\d+\.\d+\.\d+) )?([\w/]+\.py)?:(\d+)(?: `([^`]+)`)?")


class Said(NamedTuple):
    """What is known of some runs.

    Attributes:
        backends, trainers, strategies: which runs those are.
        text: what happens, with the file, the release and the line that say so.
    """

    backends: tuple[str, ...]
    trainers: tuple[str, ...]
    strategies: tuple[str, ...]
    text: str


ZERO = ("ZeRO-2", "ZeRO-3")
TRL, FACTORY, AXOLOTL = ("sft", "grpo"), ("llamafactory",), ("axolotl",)
TRAINERS = ("trainer", *TRL, *FACTORY, *AXOLOTL)
# Where a trainer has nothing of its own about saving and loading: transformers 5.23.0 has these methods.
INHERITED = (
    "trl 1.16.0 trainer/base_trainer.py:64 `class _BaseTrainer(Trainer)`, llamafactory 0.9.5 train/sft/trainer.py:47 "
    "`class CustomSeq2SeqTrainer(Seq2SeqTrainer)`, axolotl 0.19.0 core/trainers/base.py:73 `class AxolotlTrainer(`; "
    "transformers 5.23.0 trainer.py:4077 `def save_model(`, :3745 `deepspeed_load_checkpoint(`"
)
SAID = (
    Said(
        ("TE",),
        (*TRL, *FACTORY, *AXOLOTL),
        ("FSDP1",),
        "ValueError: the model is prepared before there is an optimizer (transformers 5.23.0 trainer.py:1717 "
        "`delay_optimizer_creation`, :1756 `self.accelerator.prepare(self.model)`; transformers 5.2.0 trainer.py:1475 "
        "`delay_optimizer_creation`, :1526 `self.accelerator.prepare(self.model)`).",
    ),
    Said(
        ("TE",),
        (*TRL, *FACTORY),
        ZERO,
        "the HF Trainer's row: the checkpoint is DeepSpeed's and loaded strictly (transformers 5.23.0 trainer.py:3745 "
        "`deepspeed_load_checkpoint(`, integrations/deepspeed.py:692 `deepspeed_engine.load_checkpoint(`).",
    ),
    Said(
        ("TE",),
        (*TRL, *FACTORY, *AXOLOTL),
        ("DDP", "FSDP2"),
        "the HF Trainer's row (axolotl 0.19.0 core/trainers/base.py:73 `class AxolotlTrainer(`); FSDP2 with "
        "cpu_ram_efficient_loading ends before the first step (FP502).",
    ),
    Said(
        ("TE",),
        AXOLOTL,
        ("single", "DDP", *ZERO),
        "the HF Trainer's row, where an Accelerate file names TE: axolotl's own `fp8: true` is torchao's (axolotl 0.19.0 "
        "core/trainers/base.py:692 `AORecipeKwargs`). That it trains was executed (tests/conformance/advised.jsonl).",
    ),
    Said(
        ("torchao",),
        (*TRL, *FACTORY, *AXOLOTL),
        ("DDP", "FSDP1", "FSDP2"),
        "the HF Trainer's row: with the all-gather off a Float8Linear holds the plain weight (torchao 0.18.0 "
        "float8/float8_linear.py:324 "
        "`if config.enable_fsdp_float8_all_gather:`), which the Trainer saves as any (transformers 5.23.0 trainer.py:4077 `save_model`).",
    ),
    Said(
        ("torchao",),
        (*TRL, *FACTORY, *AXOLOTL),
        ZERO,
        "as the HF Trainer's row: what the Trainer wants of DeepSpeed's file is its own bf16 (transformers 5.23.0 "
        'integrations/deepspeed.py:184 `fill_match("bf16.enabled"`), and bf16 drops torchao\'s recipe.',
    ),
    Said(
        ("torchao gather",),
        AXOLOTL,
        ("single", "DDP", "FSDP1", *ZERO),
        "ValidationError: axolotl takes it with FSDP2 alone (FP230; axolotl 0.19.0 utils/schemas/validation.py:466 "
        "`requires FSDP2`), executed on one GPU.",
    ),
    Said(
        ("torchao gather",),
        TRAINERS,
        ZERO,
        "as the HF Trainer's row: what the Trainer wants of DeepSpeed's file is its own bf16 (transformers 5.23.0 "
        'integrations/deepspeed.py:184 `fill_match("bf16.enabled"`), and bf16 drops torchao\'s recipe.',
    ),
    Said(
        ("torchao gather",),
        ("script", *TRAINERS),
        ("FSDP1",),
        "prepare() ends in RuntimeError (FP508; measured on an H200, h200-cases.jsonl fsdp1-ao).",
    ),
    Said(
        ("torchao gather",),
        ("script",),
        ZERO,
        "prepare() ends as in a script under ZeRO-2: DeepSpeed casts and moves the module (deepspeed 0.19.8 "
        "runtime/engine.py:2074 `_configure_distributed_model`), and the weight is not swapped (torch 2.13.0 "
        "nn/modules/module.py:991 `Couldn't swap`).",
    ),
    Said(
        ("torchao gather",),
        TRAINERS,
        ("single", "DDP"),
        "nothing can be saved, as in a script: the weight is a WeightWithDynamicFloat8CastTensor (torchao 0.18.0 "
        "float8/fsdp_utils.py:139 "
        "`class WeightWithDynamicFloat8CastTensor(`), which has no storage of its own. It does not train either (FP210).",
    ),
    Said(
        ("torchao gather",),
        (*TRL, *FACTORY, *AXOLOTL),
        ("FSDP2",),
        "the HF Trainer's row: FSDP2 holds that weight in a DTensor and gathers it (torchao 0.18.0 "
        "float8/fsdp_utils.py:228 `def fsdp_pre_all_gather(`).",
    ),
)


class Cited(NamedTuple):
    """A line of a released file, and what stands in it; "" where a citation does not say so."""

    package: str
    release: str
    file: str
    line: int
    text: str


def cited(text: str) -> Iterator[Cited]:
    """What a text cites, in its order."""
    package = release = file = ""
    for one in _CITED.finditer(text):
        package, release = (one[1], one[2]) if one[1] else (package, release)
        file = one[3] or file
        yield Cited(package, release, file, int(one[4]), one[5] or "")


def of(backend: str, trainer: str, strategy: str) -> Said | None:
    """What is said of a run."""
    return next(
        (one for one in SAID if backend in one.backends and trainer in one.trainers and strategy in one.strategies),
        None,
    )
