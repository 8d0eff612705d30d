"""Runs as people write them, each with a mistake that people make, and runs that `fp8check init` writes.

A start has the files and the command of its user. Its model is a folder with random weights, its data random words;
eight steps. FACTS are those of the machines that the finals run on.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

Start = dict[str, Any]

HOME = "/tmp/fp8-advised"
PACKAGES: dict[str, str | None] = {
    "torch": "2.11.0+cu130",
    "accelerate": "1.15.0",
    "transformers": "5.17.0",
    "peft": "0.21.0",
    "transformer_engine": "2.20.2",
    "transformer_engine_cu13": "2.20.2",
    "transformer_engine_torch": "2.20.2",
    "torchao": "0.17.0",
    "trl": "1.16.0",
    "deepspeed": "0.19.8",
    "datasets": "4.8.0",
    "llamafactory": None,
    "axolotl": None,
    "msamp": None,
    "liger_kernel": None,
}
STACKS: dict[str, dict[str, str | None]] = {
    "transformers": {},
    "trl": {},
    "llamafactory": {"llamafactory": "0.9.5", "peft": "0.18.1", "trl": "0.24.0", "datasets": "4.0.0"},
    # beside accelerate and transformers newer than axolotl 0.19.0 pins
    "axolotl": {"axolotl": "0.19.0", "trl": "1.9.0"},
}


def facts(trainer: str, gpus: int, memory_mib: int = 81559) -> str:
    """facts.json of H100s with the stack of a trainer."""
    return json.dumps(
        {
            "schema": "fp8check/facts/1",
            "python": "3.12.3",
            "packages": {**PACKAGES, **STACKS[trainer]},
            "variables": {"DISABLE_VERSION_CHECK": "1"} if trainer == "llamafactory" else {},
            "gpus": [
                {
                    "index": index,
                    "name": "NVIDIA H100 80GB HBM3",
                    "compute_capability": "9.0",
                    "memory_mib": memory_mib,
                    "mig": False,
                }
                for index in range(gpus)
            ],
            "driver": "580.159.04",
            "cuda": {"torch": "13.0", "driver": "13.0"},
            "libraries": {"cudnn": "9.19.0"},
            "transformer_engine": {
                "metapackage": None,
                "core": {"cu13": "2.20.2"},
                "torch_extension": "2.20.2",
                "imports": True,
                "error": None,
            },
        }
    )


_MANY = {
    "max_steps": 8,
    "learning_rate": 1.0e-3,
    "lr_scheduler_type": "constant",
    "save_strategy": "no",
    "report_to": "none",
    "logging_steps": 1,
}


def _model(name: str) -> str:
    return f"{HOME}/models/{name}"


def _llamafactory(model: str, batch: int, length: int) -> Start:
    return {
        "model_name_or_path": _model(model),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "dataset": "random",
        "dataset_dir": f"{HOME}/data/lf",
        "template": "alpaca",
        "cutoff_len": length,
        "packing": True,
        "output_dir": "out",
        "per_device_train_batch_size": batch,
        **_MANY,
    }


def _trl(model: str, batch: int, length: int) -> Start:
    return {
        "model_name_or_path": _model(model),
        "dataset_name": f"{HOME}/data/trl",
        "max_length": length,
        "packing": True,
        "packing_strategy": "wrapped",
        "output_dir": "out",
        "per_device_train_batch_size": batch,
        **_MANY,
    }


def _axolotl(model: str, batch: int, length: int) -> Start:
    return {
        "base_model": _model(model),
        "datasets": [{"path": f"{HOME}/data/lf/random.json", "ds_type": "json", "type": "alpaca"}],
        "dataset_prepared_path": "prepared",
        "sequence_len": length,
        "sample_packing": False,
        "pad_to_sequence_len": True,
        "micro_batch_size": batch,
        "gradient_accumulation_steps": 1,
        "num_epochs": 1,
        "max_steps": 8,
        "learning_rate": 1.0e-3,
        "lr_scheduler": "constant",
        "optimizer": "adamw_torch",
        "output_dir": "out",
        "save_strategy": "no",
        "val_set_size": 0,
        "logging_steps": 1,
        "attn_implementation": "sdpa",
        "special_tokens": {"pad_token": "<pad>"},
    }


SCRIPT = '''"""A training script: a model from a folder, the Hugging Face Trainer, rows of one length."""

import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

MODEL = "{model}"


class Rows(torch.utils.data.Dataset):
    """Random tokens, of a thousand that there are."""

    def __len__(self):
        return 512

    def __getitem__(self, index):
        ids = torch.randint(4, 1004, ({length},), generator=torch.Generator().manual_seed(index))
        return {{"input_ids": ids, "labels": ids.clone(), "attention_mask": torch.ones_like(ids)}}


def main():
    model = AutoModelForCausalLM.from_pretrained(MODEL{dtype})
{adapter}    arguments = TrainingArguments(
        output_dir="out",
        per_device_train_batch_size={batch},
        max_steps=8,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        save_strategy="no",
        report_to="none",
        logging_steps=1,
{arguments}    )
    Trainer(model=model, args=arguments, train_dataset=Rows()).train()


if __name__ == "__main__":
    main()
'''
ADAPTER = """    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
"""


def _script(model: str, batch: int, length: int, *arguments: str, dtype: str = "", adapter: bool = False) -> str:
    lines = "".join(f"        {one},\n" for one in arguments)
    kind = f", dtype={dtype}" if dtype else ""
    return SCRIPT.format(
        model=_model(model),
        batch=batch,
        length=length,
        arguments=lines,
        dtype=kind,
        adapter=ADAPTER if adapter else "",
    )


def _accelerate(spread: str = "single", **more: Any) -> Start:
    found: Start = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "NO",
        "num_processes": 1,
        "num_machines": 1,
        "machine_rank": 0,
        "mixed_precision": "fp8",
    }
    if spread != "single":
        found["num_processes"] = 2
    if spread == "ddp":
        found["distributed_type"] = "MULTI_GPU"
    if spread in ("fsdp1", "fsdp2"):
        found["distributed_type"] = "FSDP"
        found["fsdp_config"] = {
            "fsdp_version": int(spread[-1]),
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",
            "fsdp_cpu_ram_efficient_loading": False,
            **({"fsdp_reshard_after_forward": True} if spread == "fsdp2" else {"fsdp_sharding_strategy": "FULL_SHARD"}),
        }
    if spread == "zero2":
        found["distributed_type"] = "DEEPSPEED"
        found["deepspeed_config"] = {"zero_stage": 2, "gradient_accumulation_steps": 1}
    return {**found, **more}


def _start(name: str, trainer: str, gpus: int, command: str, accelerate: Start | None, **files: Any) -> Start:
    """One run; files by name without their ending: YAML where they are tables, Python where they are text."""
    written = {}
    for file, content in files.items():
        is_text = isinstance(content, str)
        written[f"{file}.py" if is_text else f"{file}.yaml"] = (
            content if is_text else yaml.safe_dump(content, sort_keys=False)
        )
    if accelerate is not None:
        written["accelerate.yaml"] = yaml.safe_dump(accelerate, sort_keys=False)
    return {"name": name, "trainer": trainer, "gpus": gpus, "command": command, "files": written}


_LF = "accelerate launch --config_file accelerate.yaml -m llamafactory.launcher train.yaml"
_PY = "accelerate launch --config_file accelerate.yaml train.py"
_SFT = "trl sft --config train.yaml --accelerate_config accelerate.yaml"
_AX = "axolotl train train.yaml -- --config_file accelerate.yaml"
_LORA_LF = {"finetuning_type": "lora", "lora_rank": 16, "lora_target": "all"}
_LORA = {"use_peft": True, "lora_r": 16, "lora_target_modules": "all-linear"}
_TE, _AO = {"fp8_config": {"backend": "TE"}}, {"fp8_config": {"backend": "AO"}}
_NO_GATHER = {"fp8_config": {"backend": "AO", "enable_fsdp_float8_all_gather": False}}

STARTS: list[Start] = [
    # LLaMA-Factory
    _start(
        "lf-full-bf16-too",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_TE),
        train={**_llamafactory("7B3", 4, 2048), "bf16": True},
    ),
    _start(
        "lf-lora-torchao",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_AO),
        train={**_llamafactory("7B4", 4, 2048), **_LORA_LF, "bf16": True},
    ),
    _start(
        "lf-ddp-own-keys",
        "llamafactory",
        2,
        "llamafactory-cli train train.yaml",
        None,
        train={**_llamafactory("7B3", 2, 2048), "bf16": True, "fp8": True, "fp8_backend": "te"},
    ),
    _start(
        "lf-fsdp2-checkpointing",
        "llamafactory",
        2,
        _LF,
        _accelerate("fsdp2", **_AO),
        train={**_llamafactory("7B4", 4, 2048), "bf16": True},
    ),
    _start(
        "lf-lora-zero2",
        "llamafactory",
        2,
        _LF,
        _accelerate("zero2", **_TE),
        train={**_llamafactory("7B4", 4, 2048), **_LORA_LF, "bf16": False},
    ),
    # the Hugging Face Trainer, in a script
    _start(
        "trainer-checkpointing",
        "transformers",
        1,
        _PY,
        _accelerate(**_TE),
        train=_script("7B3", 4, 2048, "gradient_checkpointing=True"),
    ),
    _start(
        "trainer-gather",
        "transformers",
        1,
        _PY,
        _accelerate(**_AO),
        train=_script("7B3", 4, 2048, "bf16=True", dtype="torch.float32"),
    ),
    _start(
        "trainer-ddp-history",
        "transformers",
        2,
        _PY,
        _accelerate(
            "ddp", fp8_config={"backend": "TE", "fp8_format": "E4M3", "amax_history_len": 1, "amax_compute_algo": "max"}
        ),
        train=_script("7B3", 4, 2048, "bf16=True"),
    ),
    _start(
        "trainer-fsdp1",
        "transformers",
        2,
        _PY,
        _accelerate("fsdp1", **_AO),
        train=_script("7B4", 4, 2048, dtype="torch.float32"),
    ),
    _start(
        "trainer-zero2",
        "transformers",
        2,
        _PY,
        _accelerate("zero2", **_AO),
        train=_script("7B4", 4, 2048, "bf16=True"),
    ),
    _start(
        "trainer-lora-fsdp2",
        "transformers",
        2,
        _PY,
        _accelerate("fsdp2", **_TE),
        train=_script("7B4", 4, 2048, "bf16=True", adapter=True),
    ),
    _start(
        "trainer-wizard",
        "transformers",
        1,
        _PY,
        _accelerate(fp8_config={"fp8_backend": "TE", "fp8_format": "HYBRID"}),
        train=_script("8B2", 4, 2048, "fp16=True"),
    ),
    # TRL's own command
    _start("trl-default", "trl", 1, _SFT, _accelerate(**_TE), train=_trl("7B3", 4, 2048)),
    _start(
        "trl-fsdp2", "trl", 2, _SFT, _accelerate("fsdp2", **_AO), train={**_trl("7B4", 4, 2048), "dtype": "bfloat16"}
    ),
    _start(
        "trl-lora-ddp", "trl", 2, _SFT, _accelerate("ddp", **_AO), train={**_trl("7B4", 4, 2048), **_LORA, "bf16": True}
    ),
    _start(
        "trl-zero2", "trl", 2, _SFT, _accelerate("zero2", **_TE), train={**_trl("7B3", 4, 2048), "dtype": "bfloat16"}
    ),
    # axolotl
    _start(
        "axolotl-fp8-alone",
        "axolotl",
        1,
        "axolotl train train.yaml",
        None,
        train={**_axolotl("7B3", 4, 2048), "bf16": True, "fp8": True, "gradient_checkpointing": True},
    ),
    _start(
        "axolotl-ddp",
        "axolotl",
        2,
        _AX,
        _accelerate("ddp", **_AO),
        train={**_axolotl("7B3", 4, 2048), "bf16": True},
    ),
]
# For H100s: adapters, ZeRO-2 and four GPUs, with other mistakes.
_FOUR = {"num_processes": 4}
STARTS += [
    _start(
        "lf-full-zero2",
        "llamafactory",
        2,
        _LF,
        _accelerate("zero2", **_AO),
        train={**_llamafactory("3B8", 2, 2048), "bf16": True},
    ),
    _start(
        "lf-fsdp2-four",
        "llamafactory",
        4,
        _LF,
        _accelerate("fsdp2", **_TE, **_FOUR),
        train={**_llamafactory("8B2", 2, 2048), "bf16": True},
    ),
    _start(
        "trainer-four",
        "transformers",
        4,
        _PY,
        _accelerate("ddp", **_FOUR, fp8_config={"backend": "TE", "fp8_format": "E4M3"}),
        train=_script("8B2", 2, 2048, "gradient_checkpointing=True", "bf16=True"),
    ),
    _start(
        "trainer-lora-zero2",
        "transformers",
        2,
        _PY,
        _accelerate("zero2", **_TE),
        train=_script("7B4", 4, 2048, "gradient_checkpointing=True", "bf16=True", adapter=True),
    ),
    _start("trl-lora", "trl", 1, _SFT, _accelerate(**_TE), train={**_trl("8B2", 4, 2048), **_LORA, "bf16": True}),
    _start("trl-ddp", "trl", 2, _SFT, _accelerate("ddp", **_AO), train={**_trl("3B8", 4, 2048), "bf16": True}),
    _start(
        "axolotl-lora",
        "axolotl",
        1,
        _AX,
        _accelerate(**_TE),
        train={
            **_axolotl("7B4", 4, 2048),
            "adapter": "lora",
            "lora_r": 16,
            "lora_alpha": 32,
            "lora_target_linear": True,
            "bf16": True,
            "gradient_checkpointing": True,
        },
    ),
    _start(
        "axolotl-fsdp2",
        "axolotl",
        2,
        _AX,
        _accelerate("fsdp2", **_AO),
        train={**_axolotl("7B4", 4, 2048), "bf16": True},
    ),
]

# What `fp8check init` is asked for, without a file before: trainer, GPUs, options.
INITS: list[tuple[str, str, int, tuple[str, ...]]] = [
    ("init-lf-full", "llamafactory", 2, ("--tokens", "8192")),
    ("init-lf-lora", "llamafactory", 1, ("--finetuning", "lora", "--tokens", "8192")),
    ("init-trl", "trl", 2, ("--tokens", "8192")),
    ("init-axolotl", "axolotl", 1, ("--tokens", "8192")),
    ("init-trainer", "transformers", 2, ("--tokens", "8192")),
    ("init-trainer-four", "transformers", 4, ("--tokens", "8192")),
    ("init-axolotl-two", "axolotl", 2, ("--tokens", "8192")),
]

# No plan: runs whose prediction is to be seen. A crash and its counterpart; adapters under FSDP2; and, of shapes and ways
# that nothing was fitted to, how much memory they take.
AS_WRITTEN: list[Start] = [
    _start(
        f"te-fsdp2-loading-{on}".lower(),
        "transformers",
        2,
        _PY,
        {
            **_accelerate("fsdp2", **_TE),
            "fsdp_config": {**_accelerate("fsdp2")["fsdp_config"], "fsdp_cpu_ram_efficient_loading": on},
        },
        train=_script("7B3", 4, 2048, dtype="torch.float32"),
    )
    for on in (True, False)
]
AS_WRITTEN += [
    _start(
        "lora-fsdp2-float32",
        "transformers",
        2,
        _PY,
        _accelerate("fsdp2", **_AO),
        train=_script("7B4", 4, 2048, dtype="torch.float32", adapter=True),
    ),
    _start(
        "lora-fsdp2-trl",
        "trl",
        2,
        _SFT,
        _accelerate("fsdp2", **_AO),
        train={**_trl("7B4", 4, 2048), **_LORA, "dtype": "bfloat16", "bf16": False},
    ),
    _start(
        "lora-fsdp2-trl-float32",
        "trl",
        2,
        _SFT,
        _accelerate("fsdp2", **_AO),
        train={**_trl("7B4", 4, 2048), **_LORA, "bf16": False},
    ),
    _start(
        "lora-fsdp2-lf",
        "llamafactory",
        2,
        _LF,
        _accelerate("fsdp2", **_AO),
        train={**_llamafactory("7B4", 4, 2048), **_LORA_LF, "bf16": False},
    ),
    _start(
        "lora-fsdp2-gather-off",
        "transformers",
        2,
        _PY,
        _accelerate("fsdp2", fp8_config={"backend": "AO", "enable_fsdp_float8_all_gather": False}),
        train=_script("7B4", 4, 2048, adapter=True),
    ),
    _start(
        "held-lf-lora",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_NO_GATHER),
        train={**_llamafactory("8B2", 2, 2048), **_LORA_LF, "bf16": False},
    ),
    _start(
        "held-lf-lora-off",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_NO_GATHER),
        train={**_llamafactory("3B8", 2, 2048), **_LORA_LF, "bf16": False, "disable_gradient_checkpointing": True},
    ),
    _start(
        "held-lf-full-compiled",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_NO_GATHER),
        train={**_llamafactory("1B8", 4, 2048), "bf16": False, "torch_compile": True},
    ),
    _start(
        "held-lf-full-ddp",
        "llamafactory",
        2,
        _LF,
        _accelerate("ddp", **_NO_GATHER),
        train={**_llamafactory("3B8", 4, 1024), "bf16": False},
    ),
    _start(
        "held-trl-full",
        "trl",
        1,
        _SFT,
        _accelerate(**_NO_GATHER),
        train={**_trl("8B2", 4, 1024), "bf16": False},
    ),
    _start(
        "held-trl-lora-compiled",
        "trl",
        1,
        _SFT,
        _accelerate(**_NO_GATHER),
        train={**_trl("3B8", 4, 2048), **_LORA, "dtype": "bfloat16", "bf16": False, "torch_compile": True},
    ),
]
# Predicted once the count was settled after those above.
AS_WRITTEN += [
    _start(
        "third-lf-full-compiled",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_NO_GATHER),
        train={**_llamafactory("7B3", 2, 2048), "bf16": False, "torch_compile": True},
    ),
    _start(
        "third-lf-lora-compiled",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_NO_GATHER),
        train={**_llamafactory("8B2", 4, 2048), **_LORA_LF, "bf16": False, "torch_compile": True},
    ),
    _start(
        "third-trl-full-compiled",
        "trl",
        1,
        _SFT,
        _accelerate(**_NO_GATHER),
        train={**_trl("8B2", 2, 2048), "bf16": False, "torch_compile": True},
    ),
    _start(
        "third-trl-lora",
        "trl",
        1,
        _SFT,
        _accelerate(**_NO_GATHER),
        train={**_trl("1B8", 4, 2048), **_LORA, "dtype": "bfloat16", "bf16": False},
    ),
    _start(
        "third-lf-lora-fsdp2",
        "llamafactory",
        2,
        _LF,
        _accelerate("fsdp2", **_AO),
        train={**_llamafactory("8B2", 2, 2048), **_LORA_LF, "bf16": False},
    ),
    _start(
        "third-lf-full-fsdp2",
        "llamafactory",
        2,
        _LF,
        _accelerate("fsdp2", **_AO),
        train={**_llamafactory("3B8", 2, 2048), "bf16": False},
    ),
    _start(
        "third-lf-lora-te",
        "llamafactory",
        1,
        _LF,
        _accelerate(**_TE),
        train={**_llamafactory("7B4", 2, 2048), **_LORA_LF, "bf16": False, "disable_gradient_checkpointing": True},
    ),
]
