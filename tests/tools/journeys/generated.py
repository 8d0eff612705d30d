"""Starts by seed: what people have, a plausible run of each trainer, with a fault or two that people make."""

from __future__ import annotations

import json
from contextlib import nullcontext
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import yaml

from fp8check.rules.checking.request import RunRequest
from fp8check.rules.reading.kind import Kind
from fp8check.rules.record import Record
from fp8check.rules.trainers.detect import read
from tests.support.runs import TODAY, facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

TRAINERS = ("llamafactory", "transformers", "trl", "axolotl", "script")
STRATEGIES = ("single", "ddp", "fsdp1", "fsdp2", "zero2", "zero3")
BACKENDS = ("TE", "AO", "none")
GPUS = ("9.0", "9.0", "9.0", "10.0", "8.9", "12.0", "8.0")
MODELS = (
    *("org/model", "org/model", "Qwen/Qwen2.5-7B", "meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-0.5B"),
    *("Qwen/Qwen3-30B-A3B", "mistralai/Mistral-7B-v0.3"),
)
STACKS: dict[str, dict[str, str]] = {
    "today": {**TODAY, "deepspeed": "0.19.8"},
    "newest": {**TODAY, "transformers": "5.23.0", "torchao": "0.18.0", "torch": "2.13.0", "deepspeed": "0.19.8"},
    "earlier": {
        **TODAY,
        "torch": "2.8.0",
        "accelerate": "1.11.0",
        "transformers": "4.57.1",
        "transformer_engine": "2.8.0",
        "torchao": "0.14.1",
        "peft": "0.18.1",
        "trl": "0.21.0",
    },
    "without TE": {name: version for name, version in TODAY.items() if name != "transformer_engine"},
    "without torchao": {name: version for name, version in TODAY.items() if name != "torchao"},
}
# What each trainer's own package is beside them, and what it takes of the others.
OWN: dict[str, dict[str, str]] = {
    "llamafactory": {"llamafactory": "0.9.5", "transformers": "5.6.0", "peft": "0.20.0"},
    "axolotl": {"axolotl": "0.19.0"},
}

Files = dict[str, Any]


class Start(Record):
    """One start: its name says what it is made of."""

    name: str
    request: RunRequest


class _Draft:
    """A run while it is made up."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.trainer = chance.choice(TRAINERS)
        self.strategy = chance.choice(STRATEGIES)
        self.backend = chance.choice(BACKENDS)
        self.lora = chance.random() < 0.35
        self.gpu = chance.choice(GPUS)
        self.stack = chance.choice([*STACKS])
        self.processes = 1 if self.strategy == "single" else chance.choice([2, 8])
        self.model = chance.choice(MODELS)
        self.training: Files = _TRAINING[self.trainer](self)
        self.accelerate: Files | None = _accelerate(self)
        self.deepspeed: Files | None = None
        self.launch: str | None = None
        self.variables: dict[str, str] = {}
        self.packages = {**STACKS[self.stack], **OWN.get(self.trainer, {})}
        self.faults: list[str] = []

    @property
    def name(self) -> str:
        kind = "lora" if self.lora else "full"
        parts = (self.trainer, self.strategy, self.backend, kind, self.gpu, self.stack, self.model.rpartition("/")[2])
        return " ".join((*parts, *self.faults))


def _llamafactory(draft: _Draft) -> Files:
    chance = draft.chance
    return {
        "model_name_or_path": draft.model,
        "stage": chance.choice(["sft", "sft", "pt"]),
        "finetuning_type": "lora" if draft.lora else "full",
        "template": "qwen",
        "dataset": "identity",
        "cutoff_len": chance.choice([1024, 2048, 4096]),
        "output_dir": "out",
        "per_device_train_batch_size": chance.choice([1, 2, 4]),
        "gradient_accumulation_steps": 8,
        "learning_rate": 1e-5,
        **({"disable_gradient_checkpointing": True} if chance.random() < 0.5 else {}),
    }


def _transformers(draft: _Draft) -> Files:
    chance = draft.chance
    return {
        "model_name_or_path": draft.model,
        "output_dir": "out",
        "per_device_train_batch_size": chance.choice([1, 2, 4, 8]),
        "max_seq_length": chance.choice([1024, 2048]),
        "learning_rate": 1e-5,
        **({"use_peft": True, "lora_r": 16} if draft.lora else {}),
    }


def _trl(draft: _Draft) -> Files:
    chance = draft.chance
    return {
        "model_name_or_path": draft.model,
        "dataset_name": "trl-lib/Capybara",
        "output_dir": "out",
        "per_device_train_batch_size": chance.choice([1, 2, 4]),
        "max_length": chance.choice([1024, 2048]),
        "packing": chance.random() < 0.5,
        **({"gradient_checkpointing": False} if chance.random() < 0.5 else {}),
        **({"use_peft": True, "lora_r": 16} if draft.lora else {}),
    }


def _axolotl(draft: _Draft) -> Files:
    chance = draft.chance
    return {
        "base_model": draft.model,
        "datasets": [{"path": "tatsu-lab/alpaca", "type": "alpaca"}],
        "sequence_len": chance.choice([1024, 2048]),
        "micro_batch_size": chance.choice([1, 2, 4]),
        "gradient_accumulation_steps": 4,
        "optimizer": "adamw_torch",
        "output_dir": "out",
        "bf16": chance.choice(["auto", True]),
        "fp8": True,
        **({"adapter": "lora", "lora_r": 16} if draft.lora else {}),
        **({"sample_packing": True} if chance.random() < 0.5 else {}),
    }


def _script(draft: _Draft) -> Files:
    return {"learning_rate": 1e-5, "epochs": 3, "model": draft.model, "batch": 8}


_TRAINING: dict[str, Callable[[_Draft], Files]] = {
    "llamafactory": _llamafactory,
    "transformers": _transformers,
    "trl": _trl,
    "axolotl": _axolotl,
    "script": _script,
}


def _accelerate(draft: _Draft) -> Files | None:
    if draft.trainer in ("llamafactory", "axolotl") and draft.strategy == "single" and draft.chance.random() < 0.4:
        return None
    config: Files = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": {"single": "NO", "ddp": "MULTI_GPU", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}.get(
            draft.strategy, "FSDP"
        ),
        "num_machines": 1,
        "num_processes": draft.processes,
        "mixed_precision": "bf16" if draft.trainer == "axolotl" else "fp8",
    }
    if draft.strategy.startswith("fsdp"):
        config["fsdp_config"] = {
            "fsdp_version": int(draft.strategy[-1]),
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_cpu_ram_efficient_loading": draft.chance.choice([True, False]),
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",
        }
    if draft.strategy.startswith("zero"):
        config["deepspeed_config"] = {"zero_stage": int(draft.strategy[-1]), "gradient_accumulation_steps": 8}
    if draft.backend != "none" and draft.trainer != "axolotl":
        config["fp8_config"] = {"backend": draft.backend}
    return config


# The faults, by a word for them: each changes a draft, where it fits.


def _bf16(draft: _Draft) -> None:
    draft.training["bf16"] = True


def _fp16(draft: _Draft) -> None:
    draft.training["fp16"] = True


def _checkpointing(draft: _Draft) -> None:
    draft.training.pop("disable_gradient_checkpointing", None)
    draft.training["gradient_checkpointing"] = True


def _own_fp8(draft: _Draft) -> None:
    if draft.trainer == "llamafactory":
        draft.training |= {"fp8": True, "fp8_backend": draft.chance.choice(["te", "torchao", "auto"])}


def _no_file(draft: _Draft) -> None:
    if draft.trainer == "llamafactory":
        draft.accelerate = None
        draft.training |= {"fp8": True, "fp8_backend": draft.chance.choice(["te", "torchao"]), "bf16": True}


def _lower_case(draft: _Draft) -> None:
    fp8 = (draft.accelerate or {}).get("fp8_config")
    if fp8:
        fp8["backend"] = fp8["backend"].lower()


def _wizard(draft: _Draft) -> None:
    fp8 = (draft.accelerate or {}).get("fp8_config")
    if fp8:
        fp8 |= {"amax_history_length": 16, "amax_compute_algorithm": "max"}


def _recipe(draft: _Draft) -> None:
    fp8 = (draft.accelerate or {}).get("fp8_config")
    if fp8:
        fp8 |= {"fp8_format": draft.chance.choice(["E4M3", "HYBRID", "E5M2"]), "amax_history_len": 16}


def _typing(draft: _Draft) -> None:
    if draft.accelerate is not None and "num_processes" in draft.accelerate:
        draft.accelerate["num_procceses"] = draft.accelerate.pop("num_processes")


def _wrong_section(draft: _Draft) -> None:
    if draft.accelerate is not None:
        draft.accelerate["fp8_backend"] = "TE"


def _bf16_file(draft: _Draft) -> None:
    if draft.accelerate is not None:
        draft.accelerate["mixed_precision"] = "bf16"


def _quoted(draft: _Draft) -> None:
    if draft.accelerate is not None and "num_processes" in draft.accelerate:
        draft.accelerate["num_processes"] = str(draft.accelerate["num_processes"])


def _gather(draft: _Draft) -> None:
    fp8 = (draft.accelerate or {}).get("fp8_config")
    if fp8 and fp8["backend"] == "AO":
        fp8["enable_fsdp_float8_all_gather"] = True


def _compile(draft: _Draft) -> None:
    draft.training["torch_compile"] = True


def _odd_batch(draft: _Draft) -> None:
    for key, value in (("per_device_train_batch_size", 3), ("cutoff_len", 1000), ("max_length", 1001)):
        if key in draft.training:
            draft.training[key] = value


def _fp8_key(draft: _Draft) -> None:
    if draft.trainer in ("transformers", "trl"):
        draft.training["fp8"] = True


def _launched(draft: _Draft) -> None:
    draft.launch = {
        "llamafactory": "llamafactory-cli train train.yaml",
        "transformers": f"torchrun --nproc_per_node {draft.processes} train.py train.yaml",
        "trl": "trl sft --config train.yaml",
        "axolotl": "axolotl train train.yaml",
        "script": "python train.py",
    }[draft.trainer]


def _other_file(draft: _Draft) -> None:
    if draft.trainer in ("transformers", "script"):
        draft.launch = "accelerate launch --config_file other.yaml train.py train.yaml"


def _flag(draft: _Draft) -> None:
    if draft.trainer == "transformers" and draft.accelerate is not None:
        draft.launch = "accelerate launch --config_file accel.yaml --mixed_precision bf16 train.py train.yaml"


def _variable(draft: _Draft) -> None:
    name = draft.chance.choice(["ACCELERATE_MIXED_PRECISION", "ACCELERATE_FP8_BACKEND", "NVTE_BACKWARD_OVERRIDE"])
    draft.variables[name] = {"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_FP8_BACKEND": "AO"}.get(
        name, "dequantize"
    )


def _deepspeed_file(draft: _Draft) -> None:
    if draft.strategy.startswith("zero") and draft.trainer in ("llamafactory", "transformers"):
        draft.training["deepspeed"] = "ds.json"
        stage = {"stage": int(draft.strategy[-1])}
        draft.deepspeed = {"zero_optimization": stage, "bf16": {"enabled": "auto"}, "train_batch_size": "auto"}
        if draft.accelerate is not None:
            draft.accelerate.pop("deepspeed_config", None)
            draft.accelerate["distributed_type"] = "MULTI_GPU"


FAULTS: dict[str, Callable[[_Draft], None]] = {
    "bf16": _bf16,
    "bf16 ": _bf16,
    "fp16": _fp16,
    "checkpointing": _checkpointing,
    "own fp8": _own_fp8,
    "no file": _no_file,
    "lower case": _lower_case,
    "wizard": _wizard,
    "recipe": _recipe,
    "typing": _typing,
    "wrong section": _wrong_section,
    "bf16 in the file": _bf16_file,
    "quoted": _quoted,
    "gather": _gather,
    "compile": _compile,
    "odd batch": _odd_batch,
    "fp8 key": _fp8_key,
    "launched": _launched,
    "other file": _other_file,
    "flag": _flag,
    "variable": _variable,
    "deepspeed file": _deepspeed_file,
}

SCRIPT = (
    b"from accelerate import Accelerator\n\naccelerator = Accelerator()\nmodel, optimizer = accelerator.prepare(m, o)\n"
)


def starts(seed: int, count: int) -> Iterator[Start]:
    """So many starts; the same for the same seed."""
    for number in range(count):
        draft = _Draft(Random(f"{seed}/{number}"))  # noqa: S311
        for name in draft.chance.sample([*FAULTS], draft.chance.choice([0, 1, 1, 2, 2, 3])):
            before = repr(vars(draft))
            FAULTS[name](draft)
            if repr(vars(draft)) != before:
                draft.faults.append(name.strip())
        yield Start(f"{number:04} {draft.name}", _request(draft))


def opened(seed: int, count: int) -> Iterator[tuple[str, Callable[[], AbstractContextManager[RunRequest]]]]:
    """The same, each with how it is opened."""
    for start in starts(seed, count):
        yield start.name, partial(nullcontext, start.request)


def _request(draft: _Draft) -> RunRequest:
    documents = []
    if draft.trainer != "script":
        text = "# How it is trained.\n" + yaml.safe_dump(draft.training, sort_keys=False) + "# The end.\n"
        documents.append(read("train.yaml", text.encode()).as_kind(_kind(draft.trainer)))
    if draft.accelerate is not None:
        text = "# The launcher's.\n" + yaml.safe_dump(draft.accelerate, sort_keys=False)
        documents.append(read("accel.yaml", text.encode()))
    if draft.deepspeed is not None:
        documents.append(read("ds.json", json.dumps(draft.deepspeed, indent=2).encode()))
    own = draft.trainer == "script" or (draft.launch is not None and "train.py" in draft.launch)
    script = ("train.py", SCRIPT if draft.trainer == "script" else b"") if own else None
    case = {"stack": draft.packages, "variables": draft.variables, "gpu": draft.gpu, "gpus": max(1, draft.processes)}
    trainer = None if draft.trainer == "script" else draft.trainer
    return RunRequest(tuple(documents), facts_of(case), draft.launch, trainer, follow=False, script=script)


def _kind(trainer: str) -> Kind:
    return Kind("training", trainer, "omegaconf" if trainer == "llamafactory" else "pyyaml")
