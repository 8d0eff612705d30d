"""What changed between releases: a run for every bound, and what comes of it on both sides.

What is expected is what the released packages did (tests/conformance, docs/evidence), or what the wheels of both
releases say where no machine at hand could run it. The table is complete, and depends on every bound: two tests see
to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import pytest

from fp8check.rules.releases.behaviors import (
    Accelerate,
    Axolotl,
    LlamaFactory,
    Peft,
    Torch,
    TransformerEngine,
    Transformers,
    Trl,
)
from fp8check.rules.releases.stack import Stack
from fp8check.rules.releases.versions import at_least, between, parse
from tests.support.outcomes import AO, DDP, DEEPSPEED, FSDP, LLAMA, ONE, SHELL, TE, outcome_of, script, seen
from tests.tools.version_bounds import BEHAVIORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.behaviors import Behavior

PYTHON = {"launch": "python train.py", "variables": SHELL}
TORCHAO = {"launch": "python train.py", "variables": {**SHELL, "ACCELERATE_FP8_BACKEND": "AO"}}
FLAGS = "accelerate launch --mixed_precision fp8"
FILE = "accelerate launch --config_file accel.yaml"
BASE = {"torch": "2.13.0", "accelerate": "1.15.0", "transformers": "5.23.0", "transformer_engine": "2.8.0"}
BOTH = {**BASE, "torchao": "0.18.0"}
HEADER = {"training": "output_dir: out\n"}
DEFAULT = "HYBRID 1024 max"
# Brackets make it a string in YAML, which 1.4 to 1.7 can launch with.
TEXT = '  override_linear_precision: "(false, false, false)"\n'
LLAMAFACTORY = {
    "trainer": "llamafactory",
    "training": "stage: sft\nfinetuning_type: full\nbf16: true\nfp8: true\nfp8_backend: te\n"
    "disable_gradient_checkpointing: true\n",
    "launch": "python train.py",
}
TRL = {**PYTHON, "trainer": "trl"}


class Row(NamedTuple):
    """One run; `happens` says what comes of it with each release of the behavior's package.

    `shows` names what is looked at instead of the outcome: a variable of the training process, "fp8_enabled", or what the
    "weights" are kept in.
    """

    behavior: Behavior
    run: Mapping[str, object]
    happens: Mapping[str, str]
    shows: str = ""


def row(behavior: Behavior, run: Mapping[str, object], shows: str = "", /, **happens: str) -> Row:
    """A row; the releases are written v1_8_1."""
    return Row(behavior, run, {name.removeprefix("v").replace("_", "."): text for name, text in happens.items()}, shows)


_WHOLE = "output_dir: out\nbf16: false\ngradient_checkpointing: false\npacking: true\n"
_ROWS_OF = "model_name_or_path: org/model\ndataset_name: org/rows\n"
_GIVEN = "--model_name_or_path org/model --dataset_name org/rows"
_LACKS = {**TRL, "training": "output_dir: out\nbf16: false\n"}
_NOT_EXECUTED = (
    "undecided: one process sees 2 GPUs: Trainer may wrap the model in nn.DataParallel and leave it out of prepare(), "
    "where layers are converted; what comes of that here was not executed"
)
_ONE_OF_TWO = {
    "training": "output_dir: out\nbf16: false\n",
    "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE}\n",
    "launch": "accelerate launch --config_file accel.yaml train.py train.yaml",
    "gpus": 2,
    "host": "node",
}
EVALUATES = """from transformers import Trainer, TrainingArguments

trainer = Trainer(model="m", args=TrainingArguments("out", eval_strategy="steps"), train_dataset=rows)
trainer.train()
"""


def _with(keyword: str, **more: object) -> Mapping[str, object]:
    """A script whose TrainingArguments are given this."""
    text = f"""from transformers import Trainer, TrainingArguments

args = TrainingArguments("out", {keyword})
Trainer(model="m", args=args, train_dataset=rows, eval_dataset=rows).train()
"""
    return {"launch": "python train.py", "script": text, "gpus": 1, "host": "node", **more}


ONE_OF_E5M2 = "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config: {backend: TE, fp8_format: E5M2}\n"
_WSD = 'lr_scheduler_type="warmup_stable_decay"'
_TIMESCALE = 'lr_scheduler_type="inverse_sqrt", lr_scheduler_kwargs={"scale": 2}'
ROWS = [
    row(
        Transformers.WARMS_UP_BY_WHOLE_STEPS,
        _with("warmup_steps=0.1"),
        v4_57_1="ValueError (arguments)",
        v5_0_0="no NO none",
    ),
    row(
        Transformers.COUNTS_WORKERS,
        _with('dataloader_num_workers="2"'),
        v5_13_0="TypeError (step)",
        v5_16_1="TypeError (arguments)",
    ),
    row(
        Transformers.CLIPS_WITHOUT_LOOKING,
        _with("max_grad_norm=None"),
        v5_2_0="no NO none",
        v5_3_0="TypeError (step)",
    ),
    row(Transformers.TELLS_TIMESCALE, _with(_TIMESCALE), v5_3_0="no NO none", v5_6_0="TypeError (step)"),
    row(
        Transformers.KNOWS_GREEDY,
        _with('lr_scheduler_type="greedy", eval_strategy="epoch"'),
        v5_3_0="ValueError (arguments)",
        v5_6_0="no NO none",
    ),
    row(Transformers.KNOWS_SWANLAB, _with('report_to="swanlab"'), v4_49_0="ValueError (trainer)", v4_52_4="no NO none"),
    row(Transformers.KNOWS_TRACKIO, _with('report_to="trackio"'), v4_53_3="ValueError (trainer)", v4_55_0="no NO none"),
    row(Transformers.KNOWS_KUBEFLOW, _with('report_to="kubeflow"'), v5_3_0="ValueError (trainer)", v5_6_0="no NO none"),
    row(Transformers.REPORTS_TO_ALL, _with("report_to=None"), v4_57_1="no NO none", v5_0_0="ValueError (trainer)"),
    row(
        Transformers.SMOOTHS_ABOVE_ZERO,
        _with("label_smoothing_factor=None"),
        v4_55_0="TypeError (step)",
        v4_57_1="TypeError (trainer)",
        v5_2_0="TypeError (step)",
    ),
    row(
        Transformers.SCHEDULES_LAST,
        {**_with(_WSD), "launch": FILE + " train.py", "accelerate": ONE_OF_E5M2},
        v5_0_0="TypeError (step)",
        v5_2_0="ValidationError (prepare)",
    ),
    row(
        LlamaFactory.PACKS_BEFORE_4_53,
        {
            "trainer": "llamafactory",
            "training": "stage: sft\nfinetuning_type: full\nbf16: true\nneat_packing: true\n",
            "launch": "python train.py",
            "stack": {**BASE, "transformers": "4.57.1"},
        },
        v0_9_3="bf16 NO none",
        v0_9_4="ValueError (arguments)",
        v0_9_5="bf16 NO none",
    ),
    row(
        Peft.NAMES_NO_MATCH,
        {**TRL, "training": "output_dir: out\nuse_peft: true\nlora_target_modules: [q_proj]\n", "stack": BASE},
        v0_20_0="ValueError (trainer)",
        v0_21_0="NoMatchingPeftModuleError (trainer)",
    ),
    Row(
        Trl.PARSES_FOR_ALL,
        {**TRL, "launch": "trl sft --config train.yaml", "training": f"{_WHOLE}{_ROWS_OF}num_generations: 4\n"},
        {"0.28.0": f"no TE all {DEFAULT}", "0.29.0": "SystemExit (launch)"},
    ),
    Row(
        Trl.REFUSES_ADAPTED_HEAD,
        {
            **TRL,
            "launch": "trl sft --config train.yaml",
            "training": f"{_WHOLE}{_ROWS_OF}use_peft: true\nlora_target_modules: [q_proj, lm_head]\n",
            "variables": {},
        },
        {"1.14.0": "no NO none", "1.15.0": "ValueError (trainer)"},
    ),
    row(
        LlamaFactory.DEQUANTIZES,
        {
            "trainer": "llamafactory",
            "training": "stage: sft\nfinetuning_type: full\nbf16: true\ndisable_gradient_checkpointing: true\n",
            "model": {"model_type": "llama", "quantization_config": {"quant_method": "fp8"}},
            "launch": "python train.py",
            "stack": BASE,
        },
        v0_9_3="ValueError (trainer)",
        v0_9_4="bf16 NO none",
    ),
    row(
        Transformers.ARGUMENTS_WANT_ACCELERATE_1_1,
        {"training": "output_dir: out\n", "stack": {**BASE, "accelerate": "1.0.1"}},
        v4_57_1="no None none",
        v5_0_0="ImportError (arguments)",
    ),
    row(
        Accelerate.LAUNCHER_COPIES_FP8_CONFIG,
        {
            "accelerate": f"{DDP}{TE}  fp8_format: HYBRID\n  amax_history_len: 16\n  amax_compute_algo: max\n{TEXT}",
            "script": script("fp8", 'FP8RecipeKwargs(backend="TE")'),
        },
        v1_3_0="fp8 TE all E4M3 1024 max",
        v1_4_0="fp8 TE all HYBRID 16 max",
    ),
    row(
        Accelerate.FP8_CONFIG_BEATS_FLAGS,
        {"accelerate": f"{ONE}{TE}  fp8_format: E4M3\n{TEXT}", "launch": f"{FILE} --fp8_format HYBRID train.py"},
        "ACCELERATE_FP8_FORMAT",
        v1_3_0="HYBRID",
        v1_4_0="E4M3",
        v1_5_2="HYBRID",
    ),
    row(
        Accelerate.CONFIG_BEATS_FLAGS,
        {
            "accelerate": f"{DEEPSPEED}fp8_config:\n  backend: MSAMP\n{TEXT}",
            "launch": f"{FILE} --zero_stage 3 train.py",
            "stack": {**BASE, "deepspeed": "0.19.8", "msamp": "0.4.0"},
        },
        v1_4_0="bf16 None none",
        v1_5_2="NotImplementedError (accelerator)",
    ),
    row(
        Accelerate.LAUNCHER_DEFAULTS_TO_E4M3,
        {"accelerate": f"{DDP}{TE}", "script": script("fp8", "TERecipeKwargs()")},
        v1_8_0="fp8 TE all E4M3 1024 max",
        v1_8_1=f"fp8 TE all {DEFAULT}",
    ),
    row(
        Accelerate.LAUNCHER_OFFERS_E5M2,
        {
            "launch": f"{FLAGS} --multi_gpu --fp8_format E5M2 train.py",
            "script": script("fp8", "TERecipeKwargs()"),
            "gpus": 2,
        },
        v1_8_0="SystemExit (launch)",
        v1_8_1="ValidationError (prepare)",
    ),
    row(
        Accelerate.LAUNCHER_OFFERS_AO,
        {"launch": f"{FLAGS} --fp8_backend ao train.py"},
        v1_12_0="SystemExit (launch)",
        v1_13_0="ValueError (accelerator)",
    ),
    row(
        Accelerate.LAUNCHER_EXPORTS_OVERRIDE_WHOLE,
        {
            "launch": f"{FLAGS} --fp8_override_linear_precision false,false,true train.py",
            "stack": {**BASE, "transformer_engine": "1.11.0"},
        },
        v1_3_0="fp8 TE all E4M3 1024 max",
        v1_4_0="AttributeError (launch)",
    ),
    row(
        Accelerate.LAUNCHER_STRIPS_OVERRIDE,
        {"accelerate": f"{DDP}{TE}"},
        v1_3_0="fp8 TE all E4M3 1024 max",
        v1_4_0="AttributeError (launch)",
        v1_5_2="fp8 None none",
    ),
    row(
        Accelerate.LAUNCHER_EXPORTS_OVERRIDE_RAW,
        {"accelerate": f"{ONE}{TE}"},
        v1_4_0="AttributeError (launch)",
        v1_5_2="TypeError (launch)",
        v1_8_1="TypeError (launch)",
        v1_9_0=f"fp8 TE all {DEFAULT}",
    ),
    row(
        Accelerate.HAS_FSDP2,
        {
            "accelerate": FSDP.replace("fp8", "bf16") + "fsdp_config: {fsdp_version: 2}\n",
            "script": script(prepared="model"),
        },
        v1_5_2="bf16 None none",
        v1_6_0="ValueError (prepare)",
    ),
    row(
        Accelerate.FSDP2_EMPTIES_OPTIMIZER_BEFORE_TE,
        {
            "accelerate": FSDP + "fsdp_config: {fsdp_version: 2, fsdp_cpu_ram_efficient_loading: false}\n",
            "script": script("fp8", "TERecipeKwargs()"),
        },
        v1_5_2="fp8 TE all E4M3 1024 max",
        v1_6_0="KeyError (prepare)",
        v1_7_0="KeyError (prepare)",
        v1_8_1="fp8 TE none",
    ),
    row(
        Accelerate.FSDP2_READS_TORCHAO_CONFIG,
        {
            "accelerate": FSDP + "fsdp_config: {fsdp_version: 2, fsdp_cpu_ram_efficient_loading: false}\n",
            "script": script("fp8", "AORecipeKwargs()"),
            "stack": BOTH,
        },
        v1_7_0="fp8 AO some",
        v1_8_1="AttributeError (prepare)",
        v1_12_0="AttributeError (prepare)",
        v1_13_0="fp8 AO some gathered",
    ),
    row(
        Accelerate.TORCHAO_COUNTS_AS_FP8_LIBRARY,
        {"launch": f"{FLAGS} train.py", "stack": {"transformers": "4.57.1", "torchao": "0.18.0"}},
        v1_3_0="RuntimeError (launch)",
        v1_4_0="AttributeError (launch)",
    ),
    row(
        Accelerate.CAPABILITY_NEEDS_GPU,
        {**PYTHON, "gpu": "none"},
        v1_4_0="RuntimeError (accelerator)",
        v1_5_0="fp8 None none",
    ),
    row(
        Accelerate.DEEPSPEED_KEEPS_FP8,
        {
            "accelerate": f"{DEEPSPEED}{TE}  fp8_format: E4M3\n  amax_history_len: 16\n",
            "stack": {**BASE, "deepspeed": "0.19.8"},
        },
        v1_10_1=f"bf16 TE all {DEFAULT}",
        v1_11_0=f"fp8 TE all {DEFAULT}",
    ),
    row(
        Accelerate.ONE_RECIPE_CLASS,
        {**PYTHON, "script": script("fp8", "TERecipeKwargs(amax_history_len=16)")},
        v1_3_0="ImportError (accelerator)",
        v1_4_0="fp8 TE all HYBRID 16 max",
    ),
    row(
        Accelerate.AUTOMATIC_HANDLER_NOT_COUNTED,
        {**PYTHON, "script": script("fp8")},
        v1_3_0=f"fp8 TE all {DEFAULT}",
        v1_4_0="fp8 None none",
        v1_7_0="fp8 None none",
        v1_8_1=f"fp8 TE all {DEFAULT}",
    ),
    row(
        Accelerate.HAS_FP8_ENABLED,
        {"launch": "python train.py", "script": script("fp8"), "gpu": "8.0"},
        "fp8_enabled",
        v1_7_0="None",
        v1_8_1="True",
    ),
    row(
        Accelerate.TAKES_PARALLELISM_CONFIG,
        {"launch": "python train.py", "script": "Accelerator(mixed_precision='bf16', parallelism_config=None)\n"},
        v1_9_0="TypeError (accelerator)",
        v1_10_1="bf16 NO none",
    ),
    row(
        Accelerate.TAKES_LOADER_KEYWORDS,
        {"launch": "python train.py", "script": "Accelerator(mixed_precision='bf16', even_batches=False)\n"},
        v0_34_2="bf16 None none",
        v1_0_1="TypeError (accelerator)",
    ),
    row(
        Accelerate.HANDLER_NEEDS_ARGUMENT,
        {**PYTHON, "script": script(handler='FP8RecipeKwargs(backend="TE")')},
        v1_3_0=f"fp8 TE all {DEFAULT}",
        v1_4_0="ValueError (accelerator)",
        v1_8_1="ValueError (accelerator)",
        v1_9_0=f"fp8 TE all {DEFAULT}",
    ),
    row(
        Accelerate.TORCHAO_NEEDS_FSDP,
        {**TORCHAO, "script": script("fp8"), "stack": BOTH},
        v1_7_0="fp8 None none",
        v1_8_1="AttributeError (accelerator)",
        v1_9_0="fp8 AO some",
    ),
    row(
        Accelerate.TORCHAO_REFUSES_RAM_EFFICIENT_LOADING,
        {
            "accelerate": f"{FSDP}{AO}fsdp_config: {{fsdp_version: 1}}\n",
            "script": script("fp8", "AORecipeKwargs()"),
            "stack": BOTH,
        },
        v1_7_0="fp8 AO some",
        v1_8_1="ValueError (accelerator)",
    ),
    row(
        Accelerate.BACKEND_FROM_ENVIRONMENT,
        {"launch": "python train.py", "variables": {**SHELL, "ACCELERATE_MIXED_PRECISION": "bf16"}},
        v1_8_1="bf16 None none",
        v1_9_0=f"bf16 TE all {DEFAULT}",
    ),
    row(
        Accelerate.MEGATRON_SKIPS_CONVERSION,
        {
            "accelerate": "distributed_type: MEGATRON_LM\nnum_processes: 2\nmixed_precision: fp8\n"
            "fp8_config: {backend: MSAMP}\n",
            "stack": {**BASE, "torchao": "0.17.0"},
        },
        v1_12_0="ImportError (prepare)",
        v1_13_0="fp8 MSAMP None",
    ),
    row(
        Accelerate.RECIPE_ACCEPTS_E5M2,
        {
            "launch": "python train.py",
            "variables": {**SHELL, "ACCELERATE_FP8_FORMAT": "E5M2"},
            "script": script("fp8", "TERecipeKwargs()"),
        },
        v1_8_0="ValueError (accelerator)",
        v1_8_1="ValidationError (prepare)",
    ),
    row(
        Accelerate.RECIPE_READS_MXFP8,
        {
            "launch": "python train.py",
            "variables": {**SHELL, "ACCELERATE_FP8_USE_MXFP8_BLOCK_SCALING": "true"},
            "gpu": "10.0",
        },
        v1_10_1=f"fp8 TE all {DEFAULT}",
        v1_11_0="fp8 TE all E4M3",
    ),
    row(
        Accelerate.TORCHAO_RECIPE_HAS_CONFIG,
        {**TORCHAO, "stack": BOTH},
        v1_12_0="fp8 AO some",
        v1_13_0="fp8 AO some gathered",
    ),
    row(
        Accelerate.MXFP8_CHECK_BY_ATTRIBUTE,
        {**PYTHON, "stack": {**BASE, "transformer_engine": "2.9.0"}},
        v1_10_1=f"fp8 TE all {DEFAULT}",
        v1_11_0="AttributeError (prepare)",
        v1_12_0="AttributeError (prepare)",
        v1_13_0=f"fp8 TE all {DEFAULT}",
    ),
    row(
        Accelerate.MXFP8_CHECK_BY_IMPORT,
        {**PYTHON, "stack": {**BASE, "transformer_engine": "1.11.0"}},
        v1_10_1=f"fp8 TE all {DEFAULT}",
        v1_12_0="AttributeError (prepare)",
        v1_13_0="ImportError (prepare)",
    ),
    row(
        Accelerate.IMPORTS_TORCHAO,
        {
            "launch": "python train.py",
            "stack": {"torch": "2.8.0", "torchao": "0.18.0", "transformers": "4.57.1"},
        },
        v1_3_0="no None none",
        v1_4_0="ImportError (accelerator)",
        v1_6_0="ImportError (accelerator)",
        v1_7_0="no None none",
    ),
    row(
        Accelerate.TORCHAO_FILTER_BROKEN,
        {**TORCHAO, "script": script("fp8", "AORecipeKwargs()"), "stack": BOTH},
        v1_3_0="ImportError (accelerator)",
        v1_4_0="TypeError (prepare)",
        v1_5_2="TypeError (prepare)",
        v1_6_0="fp8 AO some",
    ),
    row(
        Transformers.ARGUMENTS_REWRITE_ENVIRONMENT,
        {**PYTHON, "training": "output_dir: out\nbf16: true\n"},
        "ACCELERATE_MIXED_PRECISION",
        v4_57_1="bf16",
        v5_0_0="fp8",
    ),
    row(
        Transformers.PREPARES_OPTIMIZER_ALONE,
        _ONE_OF_TWO,
        v4_56_0=_NOT_EXECUTED,
        v4_57_1="ValueError (prepare)",
    ),
    row(
        Transformers.WANTS_EVALUATED,
        {"launch": "python train.py", "script": EVALUATES, "gpus": 1, "host": "node"},
        v4_45_2="no NO none",
        v4_46_0="ValueError (trainer)",
    ),
    row(Transformers.FUSED_BY_DEFAULT, HEADER, "optimizer", v4_53_3="adamw_torch", v4_54_1="adamw_torch_fused"),
    row(
        Transformers.LOADS_CHECKPOINT_DTYPE,
        {**HEADER, "model": {**LLAMA, "dtype": "bfloat16"}},
        "weights",
        v4_57_1="float32",
        v5_0_0="bfloat16",
    ),
    row(
        Transformers.TRAINER_PASSES_HANDLERS,
        {**LLAMAFACTORY, "stack": {**BASE, "accelerate": "1.11.0", "llamafactory": "0.9.5"}},
        v5_2_0="fp8 TE all HYBRID 16 max",
        v5_3_0="bf16 NO none",
    ),
    row(
        Transformers.FSDP_PREPARES_FP8_TOGETHER,
        {"accelerate": f"{FSDP}{TE}fsdp_config: {{fsdp_version: 1}}\n", **HEADER},
        v4_46_3="ValueError (prepare)",
        v4_47_1=f"fp8 TE all {DEFAULT}",
        v5_2_0=f"fp8 TE all {DEFAULT}",
        v5_3_0="ValueError (prepare)",
    ),
    row(
        Transformers.FSDP_PREPARES_ONE_ALONE,
        {"accelerate": f"{FSDP}{TE}fsdp_config: {{fsdp_version: 1}}\n", **HEADER},
        v4_52_4=f"fp8 TE all {DEFAULT}",
        v4_53_0="ValueError (prepare)",
        v4_53_3="ValueError (prepare)",
        v4_54_0=f"fp8 TE all {DEFAULT}",
    ),
    row(
        Transformers.FSDP2_BY_DEFAULT,
        {"accelerate": f"{DDP}{TE}", "training": "output_dir: out\nfsdp: full_shard\n"},
        v5_9_0="ValueError (prepare)",
        v5_10_0="fp8 TE none",
    ),
    row(
        Transformers.FSDP_CONFIG_OVER_LAUNCHER,
        {
            "accelerate": "distributed_type: FSDP\nnum_processes: 2\nmixed_precision: bf16\n",
            "training": "output_dir: out\nbf16: true\ngradient_checkpointing: true\n"
            "fsdp_config: {activation_checkpointing: true}\n",
        },
        v5_9_0="ValueError (trainer)",
        v5_10_0="bf16 NO none",
    ),
    row(
        Accelerate.PREFIXES_DYNAMO,
        {"accelerate": f"{ONE}{TE}dynamo_config:\n  backend: foo\n"},
        v1_13_0=f"fp8 TE all {DEFAULT}",
        v1_14_0="ValueError (launch)",
    ),
    row(
        Transformers.WANTS_BITSANDBYTES,
        {**PYTHON, "training": "output_dir: out\noptim: adamw_8bit\n", "stack": BASE},
        v4_57_1="ValueError (step)",
        v5_0_0="ImportError (step)",
    ),
    Row(
        Trl.SCRIPTS_REFUSE_WORDS,
        {**TRL, "launch": f"python -m trl.scripts.sft {_GIVEN} --max_seq_length 32", "training": f"{_WHOLE}"},
        {"0.29.0": f"fp8 TE all {DEFAULT}", "1.0.0": "ValueError (arguments)"},
    ),
    row(
        Transformers.HAS_ACTIVATION_CHECKPOINTING,
        {**PYTHON, "training": "output_dir: out\nactivation_checkpointing: true\n"},
        v5_22_0=f"fp8 TE all {DEFAULT}",
        v5_23_0="CheckpointError (step)",
    ),
    row(
        Transformers.CHECKPOINTS_PLAIN_FUNCTION,
        {
            **LLAMAFACTORY,
            "training": "stage: sft\nfinetuning_type: full\nbf16: true\n",
            "stack": {**BASE, "llamafactory": "0.9.5"},
        },
        v5_22_0="bf16 NO none",
        v5_23_0="AttributeError (step)",
    ),
    row(
        Transformers.CHECKPOINTING_NOT_REENTRANT,
        {**PYTHON, "training": "output_dir: out\ngradient_checkpointing: true\n"},
        v4_57_1=f"fp8 TE all {DEFAULT}, recomputed without FP8",
        v5_0_0="CheckpointError (step)",
    ),
    Row(
        LlamaFactory.KNOWS_FP8,
        {**LLAMAFACTORY, "stack": {**BASE, "accelerate": "1.7.0", "transformers": "4.53.3"}},
        {"0.9.3": "ValueError (arguments)", "0.9.4": "bf16 None none"},
    ),
    Row(
        LlamaFactory.LOADS_CHECKPOINT_DTYPE,
        {
            "trainer": "llamafactory",
            "training": "stage: sft\nfinetuning_type: lora\nbf16: true\n",
            "model": {**LLAMA, "dtype": "float32"},
            "stack": {**BASE, "accelerate": "1.10.1", "transformers": "4.57.1"},
        },
        {"0.9.3": "bfloat16", "0.9.4": "float32"},
        "weights",
    ),
    Row(
        LlamaFactory.FAILS_ON_JSON,
        {
            "trainer": "llamafactory",
            "training": '{"stage": "sft", "finetuning_type": "full", "bf16": true}',
            "training path": "train.json",
            "launch": "python train.py",
            "stack": {**BASE, "accelerate": "1.10.1", "transformers": "4.57.1"},
        },
        {"0.9.4": "bf16 NO none", "0.9.5": "AttributeError (arguments)"},
    ),
    Row(
        LlamaFactory.CONFIGURES_FP8,
        {**LLAMAFACTORY, "stack": {**BASE, "accelerate": "1.10.1", "transformers": "4.57.1"}},
        {"0.9.4": "bf16 NO none", "0.9.5": "fp8 TE all HYBRID 16 max"},
    ),
    row(
        TransformerEngine.READS_NVTE_BACKWARD_OVERRIDE,
        {**PYTHON, "variables": {**SHELL, "NVTE_BACKWARD_OVERRIDE": "dequantized"}},
        v2_14_0=f"fp8 TE all {DEFAULT}",
        v2_15_0="ValidationError (prepare)",
    ),
    row(
        TransformerEngine.LOOKS_AT_GPU_WHEN_TRACED,
        {**PYTHON, "training": "output_dir: o\ntorch_compile: true\n", "stack": {**BASE, "torch": "2.11.0"}},
        v2_14_0=f"fp8 TE all {DEFAULT}",
        v2_15_0="InternalTorchDynamoError (step)",
    ),
    row(
        TransformerEngine.HAS_CHECK_MXFP8_SUPPORT,
        PYTHON,
        v1_13_0="ImportError (prepare)",
        v2_1_0=f"fp8 TE all {DEFAULT}",
    ),
    row(
        TransformerEngine.IMPORTS_FP8_MODULE,
        {**PYTHON, "stack": {**BASE, "accelerate": "1.12.0"}},
        v2_8_0=f"fp8 TE all {DEFAULT}",
        v2_9_0="AttributeError (prepare)",
    ),
    row(
        TransformerEngine.HAS_OVERRIDE_LINEAR_PRECISION,
        {
            "accelerate": f"{ONE}{TE}  override_linear_precision: [false, false, true]\n",
            "stack": {**BASE, "accelerate": "1.10.1"},
        },
        v1_13_0=f"fp8 TE all {DEFAULT} without wgrad",
        v2_1_0=f"fp8 TE all {DEFAULT}",
    ),
    row(
        TransformerEngine.MXFP8_BELOW_SM120_ONLY,
        {"accelerate": f"{ONE}{TE}  use_mxfp8_block_scaling: true\n", "gpu": "12.0"},
        v2_5_0="fp8 TE all E4M3",
        v2_6_0="ValueError (prepare)",
    ),
    row(
        TransformerEngine.CHECKS_RAISE_RUNTIME_ERROR,
        {**PYTHON, "gpu": "8.0"},
        v2_13_0="AssertionError (step)",
        v2_14_0="RuntimeError (step)",
    ),
    row(
        TransformerEngine.METAPACKAGE_WITHOUT_DEPENDENCIES,
        {**PYTHON, "transformer_engine": {"metapackage": "2", "core": {}, "torch_extension": None}},
        v2_8_0="FileNotFoundError (prepare)",
        v2_9_0="RuntimeError (prepare)",
    ),
    # Before 2.9 nothing checks it: what cuBLASLt makes of it was never seen.
    row(
        TransformerEngine.CHECKS_LEADING_DIMENSION,
        {**PYTHON, "tokens": 24},
        v2_8_0=f"fp8 TE all {DEFAULT}",
        v2_9_0="RuntimeError (step)",
    ),
    Row(
        Trl.CHECKPOINTS_BY_DEFAULT,
        {**TRL, "training": "output_dir: out\nbf16: false\n", "stack": {**BASE, "transformers": "4.57.1"}},
        {"0.21.0": f"fp8 TE all {DEFAULT}", "0.22.0": f"fp8 TE all {DEFAULT}, recomputed without FP8"},
    ),
    Row(
        Trl.CHECKPOINTING_NOT_REENTRANT,
        {**TRL, "training": "output_dir: out\nbf16: false\n", "stack": {**BASE, "transformers": "4.57.1"}},
        {"0.27.0": f"fp8 TE all {DEFAULT}, recomputed without FP8", "0.28.0": "CheckpointError (step)"},
    ),
    Row(
        Trl.BF16_BY_DEFAULT,
        {**TRL, "training": "output_dir: out\ngradient_checkpointing: false\n"},
        {"0.18.2": f"fp8 TE all {DEFAULT}", "0.19.0": f"bf16 TE all {DEFAULT}"},
    ),
    Row(
        Trl.SPLITS_OVER_GPUS,
        {
            **_ONE_OF_TWO,
            "trainer": "trl",
            "accelerate": str(_ONE_OF_TWO["accelerate"]).replace("TE", "AO"),
            "training": "output_dir: out\nbf16: false\nloaded by: trl\n",
            "stack": BOTH,
        },
        {"0.25.0": _NOT_EXECUTED, "0.26.0": "fp8 AO some gathered"},
    ),
    Row(
        Trl.REFUSES_DATA_PARALLEL,
        {
            **_ONE_OF_TWO,
            "trainer": "trl",
            "launch": "trl dpo --config train.yaml --accelerate_config accel.yaml",
            "accelerate": str(_ONE_OF_TWO["accelerate"]).replace("TE", "AO"),
            "training": "output_dir: out\nbf16: false\nmodel_name_or_path: m\ndataset_name: d\n",
            "stack": BOTH,
        },
        {"1.14.2": _NOT_EXECUTED, "1.15.0": "ValueError (trainer)"},
    ),
    Row(
        Trl.LOADS_FLOAT32,
        {**TRL, "training": "output_dir: out\n", "model": {**LLAMA, "dtype": "bfloat16"}},
        {"0.26.0": "bfloat16", "0.27.0": "float32"},
        "weights",
    ),
    Row(
        Trl.TAKES_LAUNCHER_FLAGS,
        {**TRL, "launch": f"trl sft {_GIVEN} --mixed_precision fp8", "training": "output_dir: out\nbf16: false\n"},
        {"0.17.0": "SystemExit (launch)", "0.18.0": f"fp8 TE all {DEFAULT}"},
    ),
    Row(
        Trl.HAS_CHUNKED_LOSS,
        {**TRL, "training": f"{_WHOLE}loss_type: chunked_nll\n"},
        {
            "1.3.0": f"fp8 TE all {DEFAULT}",
            "1.4.0": "RuntimeError (step)",
            "1.14.0": "RuntimeError (step)",
            "1.15.0": "RuntimeError (step)",
        },
    ),
    Row(
        Trl.CHUNKS_BY_DEFAULT,
        {**TRL, "training": _WHOLE},
        {"1.6.0": f"fp8 TE all {DEFAULT}", "1.7.0": "RuntimeError (step)", "1.15.0": "RuntimeError (step)"},
    ),
    Row(
        Trl.FUSES_HEAD,
        {**TRL, "training": f"{_WHOLE}loss_type: nll\n"},
        {"1.14.0": f"fp8 TE all {DEFAULT}", "1.15.0": "RuntimeError (step)", "1.16.0": "RuntimeError (step)"},
    ),
    Row(
        Trl.ASKS_FOR_DATA,
        {**_LACKS, "launch": "trl sft --model_name_or_path org/model"},
        {"0.21.0": "TypeError (trainer)", "0.22.0": "ValueError (trainer)"},
    ),
    Row(
        Trl.SFT_LEAVES_LOADING,
        {**_LACKS, "launch": "trl sft --dataset_name org/rows"},
        {"1.4.0": "OSError (trainer)", "1.5.0": "AttributeError (trainer)"},
    ),
    Row(
        Trl.KTO_LEAVES_LOADING,
        {**_LACKS, "launch": "trl kto --dataset_name org/rows"},
        {"1.7.0": "OSError (trainer)", "1.9.0": "ValueError (trainer)"},
    ),
    Row(
        Trl.GRPO_LEAVES_LOADING,
        {**_LACKS, "launch": "trl grpo --dataset_name org/rows"},
        {"0.21.0": "OSError (trainer)", "0.22.0": "AttributeError (trainer)"},
    ),
    Row(
        Trl.COMMAND_IS_A_FOLDER,
        {**TRL, "launch": f"python -m trl.cli sft {_GIVEN}", "training": f"{_WHOLE}"},
        {"0.28.0": f"no TE all {DEFAULT}", "0.29.0": "ImportError (arguments)"},
    ),
    row(
        Accelerate.COUNTS_BY_SIZE_ALONE,
        {**PYTHON, "variables": {**SHELL, "WORLD_SIZE": "2"}, "training": "output_dir: out\n"},
        v1_12_0="ValueError (arguments)",
        v1_13_0=f"fp8 TE all {DEFAULT}",
    ),
    Row(
        Trl.HAS_GRPO,
        {**TRL, "launch": f"trl grpo {_GIVEN}", "training": "output_dir: out\nbf16: false\n"},
        {"0.13.0": "undecided: trl 0.13.0 may have no command grpo", "0.14.0": f"no TE all {DEFAULT}"},
    ),
    Row(
        Trl.HAS_RLOO,
        {**TRL, "launch": f"trl rloo {_GIVEN}", "training": "output_dir: out\nbf16: false\n"},
        {"0.21.0": "undecided: trl 0.21.0 may have no command rloo", "0.22.0": "CheckpointError (step)"},
    ),
    Row(
        Trl.HAS_REWARD,
        {**TRL, "launch": f"trl reward {_GIVEN}", "training": "output_dir: out\nbf16: false\n"},
        {"0.23.1": "undecided: trl 0.23.1 may have no command reward", "0.24.0": "CheckpointError (step)"},
    ),
    Row(
        Trl.HAS_DISTILLATION,
        {**TRL, "launch": f"trl distillation {_GIVEN}", "training": "output_dir: out\nbf16: false\n"},
        {"1.9.0": "undecided: trl 1.9.0 may have no command distillation", "1.16.0": "CheckpointError (step)"},
    ),
    Row(
        Axolotl.READS_FP8_CONFIG,
        {
            "launch": "python t.py",
            "trainer": "axolotl",
            "training": "base_model: x\nfp8_config: {recipe: rowwise}\n",
            "stack": {**BASE, "torchao": "0.17.0"},
        },
        {"0.18.0": "bf16 NO none", "0.19.0": "ValidationError (arguments)"},
    ),
    Row(
        Axolotl.REFUSES_TWO_ATTENTIONS,
        {
            "launch": "python t.py",
            "trainer": "axolotl",
            "training": "base_model: x\nattn_implementation: sdpa\neager_attention: true\n",
            "stack": {**BASE, "torchao": "0.17.0"},
        },
        {"0.16.1": "bf16 NO none", "0.17.0": "ValidationError (arguments)"},
    ),
]
# What no prediction asks for: a rule words its finding by it (tests/catalog/cases/FP108.yaml, FP411.yaml).
OF_RULES = (
    Trl.LOADS_AUTO,  # tests/test_script_files.py: it counts where a script names the model to a Trainer
    Torch.DDP_CUTS_TORCHAO,
    Transformers.TRAINER_PASSES_MIXED_PRECISION,
    Transformers.ADAPTERS_ON_FP8_CHECKPOINTS,
    TransformerEngine.REFUSES_COMPILED_DELAYED_SCALING,
    TransformerEngine.WANTS_CUDNN_9_12,
    Accelerate.FSDP2_LEAVES_WEIGHTS,
    Axolotl.LEAVES_ROUTERS,
    Axolotl.HAS_FP8_ATTENTION,
    Trl.SFT_PADS,
    Trl.REWARD_PADS,
    Trl.DPO_PADS,
    Trl.GRPO_PADS,
    Trl.KTO_PADS,
    TransformerEngine.STATE_IS_A_FILE,
    TransformerEngine.EMPTY_STATE_WITHOUT_FP8,
    TransformerEngine.REFUSES_PICKLED_STATE,
    TransformerEngine.REFUSED_PICKLED_STATE,
)


def result(row: Row, release: str) -> str:
    """What comes of the row's run with that release."""
    stack = row.run.get("stack", BASE)
    assert isinstance(stack, dict)
    outcome = outcome_of({**row.run, "stack": {**stack, row.behavior.package: release}})
    if row.shows == "weights":
        kept = outcome.run.training.weights(outcome.stack, outcome.run.model)
        return "not known" if kept is None else str(kept.value)
    if row.shows == "optimizer":
        return str(outcome.run.training.optimizer(outcome.stack))
    if row.shows == "fp8_enabled":
        return str(outcome.fp8_enabled)
    return str(outcome.environment[row.shows].value) if row.shows else seen(outcome)


NAMES = [next(name for name, behavior in BEHAVIORS.items() if behavior is one.behavior) for one in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_both_sides_of_a_bound(row: Row) -> None:
    assert {release: result(row, release) for release in row.happens} == row.happens


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
@pytest.mark.parametrize("always", [False, True])
def test_a_row_depends_on_its_bound(row: Row, always: bool) -> None:
    real = Stack.does

    def does(self: Stack, behavior: Behavior) -> bool:
        return always if behavior is row.behavior else real(self, behavior)

    with mock.patch.object(Stack, "does", does):
        assert {release: result(row, release) for release in row.happens} != row.happens


@pytest.mark.parametrize("name", BEHAVIORS)
def test_every_behavior_has_its_row(name: str) -> None:
    behavior = BEHAVIORS[name]
    if any(behavior is one for one in OF_RULES):
        return
    (row,) = [one for one in ROWS if one.behavior is behavior]
    releases = [parse(release) for release in row.happens]
    assert any(between(release, behavior.since, behavior.until) for release in releases)
    assert behavior.since == (0,) or any(not at_least(release, *behavior.since) for release in releases)
    assert behavior.until == (9999,) or any(at_least(release, *behavior.until) for release in releases)
