"""What the source of released packages says of runs that were not executed: by backend, trainer and strategy."""

from __future__ import annotations

from typing import NamedTuple


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
# Where a trainer has nothing of its own about saving and loading.
INHERITED = (
    "trl 1.16.0 trainer/base_trainer.py:64 `class _BaseTrainer(Trainer)`, llamafactory 0.9.5 train/sft/trainer.py:47 "
    "`class CustomSeq2SeqTrainer(Seq2SeqTrainer)`, axolotl 0.19.0 core/trainers/base.py:73"
)
SAID = (
    Said(
        ("TE",),
        (*TRL, *FACTORY, *AXOLOTL),
        ("FSDP1",),
        "ValueError: the model is prepared before there is an optimizer (transformers 5.23.0 trainer.py:1717 "
        "`delay_optimizer_creation`, :1756 `self.accelerator.prepare(self.model)`; 5.2.0 :1475 and :1526).",
    ),
    Said(
        ("TE",),
        (*TRL, *FACTORY),
        ZERO,
        "the HF Trainer's row: the checkpoint is DeepSpeed's and loaded strictly (transformers 5.23.0 trainer.py:3745, "
        "integrations/deepspeed.py:692 `load_module_strict`), and GRPO ends at a rollout of 4 sequences (FP545).",
    ),
    Said(
        ("TE",),
        (*TRL, *FACTORY, *AXOLOTL),
        ("DDP", "FSDP2"),
        "the HF Trainer's row; FSDP2 with cpu_ram_efficient_loading ends before the first step (FP502).",
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
        "float8/float8_linear.py:324), which the Trainer saves as any (transformers 5.23.0 trainer.py:4077 `save_model`).",
    ),
    Said(
        ("torchao",),
        (*TRL, *FACTORY, *AXOLOTL),
        ZERO,
        "as the HF Trainer's row: what the Trainer wants of DeepSpeed's file is its own bf16 (transformers 5.23.0 "
        "integrations/deepspeed.py `trainer_config_process`), and bf16 drops torchao's recipe.",
    ),
    Said(
        ("torchao gather",),
        ("script", *TRAINERS),
        ("FSDP1",),
        "prepare() ends in RuntimeError (FP508; measured on an H200, h200-cases.jsonl fsdp1-ao).",
    ),
    Said(
        ("torchao gather",),
        ("script", *TRAINERS),
        ZERO,
        "prepare() ends as in a script under ZeRO-2: DeepSpeed casts and moves the module (deepspeed 0.19.8 "
        "runtime/engine.py:2074 `_configure_distributed_model`), and the weight is not swapped (torch 2.13.0 "
        "nn/modules/module.py:991).",
    ),
    Said(
        ("torchao gather",),
        TRAINERS,
        ("single", "DDP"),
        "nothing can be saved, as in a script: the weight is a WeightWithDynamicFloat8CastTensor (torchao 0.18.0 "
        "float8/fsdp_utils.py:139), which has no storage of its own. It does not train either (FP210).",
    ),
    Said(
        ("torchao gather",),
        (*TRL, *FACTORY, *AXOLOTL),
        ("FSDP2",),
        "the HF Trainer's row: FSDP2 holds that weight in a DTensor and gathers it (torchao 0.18.0 "
        "float8/fsdp_utils.py:139 `fsdp_pre_all_gather`).",
    ),
)


def of(backend: str, trainer: str, strategy: str) -> Said | None:
    """What is said of a run."""
    return next(
        (one for one in SAID if backend in one.backends and trainer in one.trainers and strategy in one.strategies),
        None,
    )
