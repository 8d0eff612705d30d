"""Runs of real trainers whose peak memory is measured: what they are given is what fp8check is given to predict them.

A case has the training file, the Accelerate file and DeepSpeed's, in the words of their users. Each trains four steps
of full rows on one GPU, on two or on four, random weights.
"""

from __future__ import annotations

from typing import Any

Case = dict[str, Any]

TRAINERS = ("trainer", "llamafactory", "trl", "trl-0.24", "axolotl", "own")
_MANY = {"max_steps": 4, "learning_rate": 1.0e-5, "save_strategy": "no", "report_to": "none", "logging_steps": 1}
_MIXED = {"te": "fp8", "ao": "fp8"}


def case(
    name: str, trainer: str, model: str, rows: str, spread: str = "single", precision: str = "bf16", **more: Any
) -> Case:
    """One run.

    Args:
        rows: sequences in a micro-batch and their length, "4x2048".
        spread: "single", or how it runs on two GPUs: "ddp", "fsdp1", "fsdp2", "zero1", "zero2", "zero3"; on four with
            a 4 before it.
        precision: "bf16", or the backend that runs it in FP8: "te", "ao".
        more: keys of the training file; `accelerate_` before those of the Accelerate file's section for the strategy;
            `deepspeed` is DeepSpeed's own file.
    """
    batch, length = map(int, rows.split("x"))
    section = {key.removeprefix("accelerate_"): more.pop(key) for key in list(more) if key.startswith("accelerate_")}
    deepspeed = more.pop("deepspeed", None)
    gpus = 1 if spread == "single" else 4 if spread.startswith("4") else 2
    spread = spread.removeprefix("4")
    training = {**_TRAINING[trainer](batch, length), "bf16": precision == "bf16", **more}
    if deepspeed is not None:
        training["deepspeed"] = "ds.json"
    return {
        "name": name,
        "trainer": trainer,
        "model": model,
        "gpus": gpus,
        "training": training,
        "accelerate": _accelerate(spread, gpus, precision, section, deepspeed is not None),
        "deepspeed": deepspeed,
    }


def _plain(batch: int, length: int) -> Case:
    return {
        "model_name_or_path": "MODEL",
        "output_dir": "out",
        "per_device_train_batch_size": batch,
        "max_seq_length": length,
        **_MANY,
    }


def _llamafactory(batch: int, length: int) -> Case:
    return {
        "model_name_or_path": "MODEL",
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "dataset": "random",
        "dataset_dir": "DATA",
        "template": "alpaca",
        "cutoff_len": length,
        "packing": True,
        "output_dir": "out",
        "per_device_train_batch_size": batch,
        **_MANY,
    }


def _trl(batch: int, length: int) -> Case:
    return {
        "model_name_or_path": "MODEL",
        "dataset_name": "DATA",
        "max_length": length,
        "packing": True,
        "packing_strategy": "wrapped",
        "output_dir": "out",
        "per_device_train_batch_size": batch,
        **_MANY,
    }


def _axolotl(batch: int, length: int) -> Case:
    return {
        "base_model": "MODEL",
        "datasets": [{"path": "DATA", "ds_type": "json", "type": "alpaca"}],
        "dataset_prepared_path": "prepared",
        "sequence_len": length,
        "sample_packing": False,
        "pad_to_sequence_len": True,
        "micro_batch_size": batch,
        "gradient_accumulation_steps": 1,
        "num_epochs": 1,
        "max_steps": 4,
        "learning_rate": 1.0e-5,
        "lr_scheduler": "constant",
        "optimizer": "adamw_torch",
        "output_dir": "out",
        "save_strategy": "no",
        "val_set_size": 0,
        "logging_steps": 1,
        "attn_implementation": "sdpa",
        "special_tokens": {"pad_token": "<pad>"},
    }


OWN_LOOP = '''"""A loop of one's own: Accelerate, rows of one length."""

import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM


def main():
    accelerator = Accelerator()
    model = AutoModelForCausalLM.from_pretrained("{model}", dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    rows = torch.randint(0, 1000, (64, {length}), generator=torch.Generator().manual_seed(1))
    loader = torch.utils.data.DataLoader(rows, batch_size={batch})
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    model.train()
    for step, ids in enumerate(loader):
        loss = model(input_ids=ids, labels=ids).loss
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        if step == 3:
            break


if __name__ == "__main__":
    main()
'''


def _own(batch: int, length: int) -> Case:
    """What its script has as literals; it reads no file."""
    return {"model_name_or_path": "MODEL", "batch": batch, "length": length}


_TRAINING = {
    "trainer": _plain,
    "llamafactory": _llamafactory,
    "trl": _trl,
    "trl-0.24": _trl,
    "axolotl": _axolotl,
    "own": _own,
}


def _accelerate(spread: str, gpus: int, precision: str, section: Case, own_file: bool) -> Case:
    found: Case = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "NO",
        "num_processes": 1,
        "mixed_precision": _MIXED.get(precision, "bf16"),
    }
    if precision in _MIXED:
        found["fp8_config"] = {"backend": precision.upper()}
        if precision == "ao" and spread != "fsdp2":
            found["fp8_config"]["enable_fsdp_float8_all_gather"] = False
    if spread == "single":
        return found
    found |= {"num_processes": gpus, "num_machines": 1, "machine_rank": 0}
    if spread == "ddp" or own_file:
        return found | {"distributed_type": "MULTI_GPU"}
    if spread.startswith("zero"):
        return found | {"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": int(spread[-1]), **section}}
    fsdp: Case = {
        "fsdp_version": int(spread[-1]),
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",
        "fsdp_cpu_ram_efficient_loading": False,
        **({"fsdp_reshard_after_forward": True} if spread == "fsdp2" else {"fsdp_sharding_strategy": "FULL_SHARD"}),
        **({"fsdp_use_orig_params": True} if spread == "fsdp1" else {}),
        **{f"fsdp_{key}": value for key, value in section.items()},
    }
    return found | {"distributed_type": "FSDP", "fsdp_config": fsdp}


# What transformers' own pages write for DeepSpeed, and LLaMA-Factory's examples/deepspeed/ds_z2_config.json and z3.
_AUTO = {
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "zero_allow_untested_optimizer": True,
    "bf16": {"enabled": "auto"},
}
_ZERO2 = {
    "stage": 2,
    "allgather_partitions": True,
    "allgather_bucket_size": 500000000,
    "overlap_comm": True,
    "reduce_scatter": True,
    "reduce_bucket_size": 500000000,
    "contiguous_gradients": True,
}
_ZERO3 = {
    "stage": 3,
    "overlap_comm": True,
    "contiguous_gradients": True,
    "sub_group_size": 1000000000,
    "reduce_bucket_size": "auto",
    "stage3_prefetch_bucket_size": "auto",
    "stage3_param_persistence_threshold": "auto",
    "stage3_max_live_parameters": 1000000000,
    "stage3_max_reuse_distance": 1000000000,
    "stage3_gather_16bit_weights_on_model_save": True,
}
ZERO2: Case = {**_AUTO, "zero_optimization": _ZERO2}
ZERO3: Case = {**_AUTO, "zero_optimization": _ZERO3}
OFFLOADED: Case = {
    **_AUTO,
    "zero_force_ds_cpu_optimizer": False,
    "zero_optimization": {**_ZERO2, "offload_optimizer": {"device": "cpu", "pin_memory": True}},
}
_ON: Case = {"gradient_checkpointing": True}
_AGAIN: Case = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}}
_OFF: Case = {"disable_gradient_checkpointing": True}
_LORA: Case = {"use_peft": True, "lora_r": 16, "lora_target_modules": "all-linear"}
_LORA_LF: Case = {"finetuning_type": "lora", "lora_rank": 16, "lora_target": "all"}
_F32: Case = {"torch_dtype": "float32"}
_B16: Case = {"torch_dtype": "bfloat16"}

CASES: list[Case] = [
    # the Hugging Face Trainer, one GPU
    case("t1", "trainer", "1B8", "4x2048", **_B16),
    case("t2", "trainer", "1B8", "4x2048", precision="te", **_B16),
    case("t3", "trainer", "7B3", "2x4096", precision="te", **_F32, **_AGAIN),
    case("t4", "trainer", "7B3", "2x2048", precision="ao", torch_compile=True, **_B16),
    case("t5", "trainer", "0.5B12", "8x1024", use_liger_kernel=True, **_B16),
    case("t6", "trainer", "7B3", "2x2048", use_liger_kernel=True, **_F32),
    case("t7", "trainer", "8B2", "1x4096", optim="adafactor", **_B16, **_ON),
    case("t8", "trainer", "7B3", "4x1024", gradient_accumulation_steps=2, **_F32),
    # on two GPUs
    case("d1", "trainer", "7B3", "2x2048", "ddp", **_F32),
    case("d2", "trainer", "1B8", "2x2048", "ddp", "te", **_B16),
    case("d3", "trainer", "1B8", "2x2048", "ddp", "ao", torch_compile=True, **_F32),
    case("d4", "trainer", "7B3", "4x2048", "ddp", **_B16, **_LORA),
    case("f1", "trainer", "7B4", "2x2048", "fsdp2", **_B16),
    case("f2", "trainer", "1B8", "4x2048", "fsdp2", **_F32, **_ON),
    case("f3", "trainer", "7B4", "2x2048", "fsdp2", "ao", torch_compile=True, **_F32),
    case("f4", "trainer", "7B4", "2x2048", "fsdp2", **_B16, accelerate_reshard_after_forward=False),
    case("f5", "trainer", "7B4", "2x2048", "fsdp2", **_B16, accelerate_offload_params=True),
    case("f6", "trainer", "7B4", "2x2048", "fsdp1", **_F32),
    case("f7", "trainer", "8B2", "1x2048", "fsdp1", **_B16, **_ON),
    case("z1", "trainer", "7B3", "2x2048", "zero1", **_B16),
    case("z2", "trainer", "7B4", "2x2048", "zero2", **_B16),
    case("z3", "trainer", "1B8", "4x2048", "zero2", deepspeed=ZERO2, **_B16, **_ON),
    case("z4", "trainer", "7B4", "2x2048", "zero3", **_B16),
    case("z5", "trainer", "1B8", "4x2048", "zero3", deepspeed=ZERO3, **_B16, **_ON),
    case("z6", "trainer", "7B4", "2x2048", "zero2", "te", bf16=True, **_B16),
    case("z7", "trainer", "7B3", "2x2048", "zero2", deepspeed=OFFLOADED, **_B16),
    # LLaMA-Factory
    case("l1", "llamafactory", "7B3", "4x2048"),
    case("l2", "llamafactory", "1B8", "2x2048", **_OFF),
    case("l3", "llamafactory", "7B3", "4x2048", pure_bf16=True),
    case("l4", "llamafactory", "7B4", "4x2048", **_LORA_LF),
    case("l5", "llamafactory", "1B8", "4x2048", enable_liger_kernel=True),
    case("l6", "llamafactory", "7B3", "2x4096", precision="te", **_OFF),
    case("l7", "llamafactory", "1B8", "2x2048", "ddp", **_OFF),
    case("l8", "llamafactory", "7B4", "2x2048", "ddp", **_LORA_LF, **_OFF),
    case("l9", "llamafactory", "7B4", "2x2048", "fsdp2"),
    case("l10", "llamafactory", "7B4", "4x2048", "zero2", deepspeed=ZERO2),
    case("l11", "llamafactory", "7B4", "4x2048", "zero3", deepspeed=ZERO3),
    case("l12", "llamafactory", "7B4", "4x2048", "zero3", deepspeed=ZERO3, **_LORA_LF, **_OFF),
    # TRL
    case("s1", "trl", "1B8", "4x2048", dtype="bfloat16"),
    case("s2", "trl", "7B3", "2x2048", gradient_checkpointing=False),
    case("s3", "trl", "7B4", "2x2048", "ddp", dtype="bfloat16", **_LORA),
    case("s4", "trl", "7B4", "2x2048", "fsdp2", dtype="float32"),
    case("s5", "trl-0.24", "1B8", "2x2048", dtype="bfloat16", gradient_checkpointing=False),
    case("s6", "trl-0.24", "7B3", "4x1024", "zero2", dtype="bfloat16"),
]

# Looked at only once the count was settled, and predicted before they ran: other shapes, and what none of the above has.
OFFLOADED3: Case = {
    **_AUTO,
    "zero_force_ds_cpu_optimizer": False,
    "zero_optimization": {
        **_ZERO3,
        "offload_optimizer": {"device": "cpu", "pin_memory": True},
        "offload_param": {"device": "cpu", "pin_memory": True},
    },
}
_TWICE: Case = {"gradient_accumulation_steps": 2}
HELD_OUT: list[Case] = [
    case("h1", "trainer", "3B8", "4x1024", "ddp", optim="adamw_torch", **_F32, **_TWICE),
    case("h2", "trainer", "3B8", "2x2048", "zero2", **_B16, **_LORA),
    case("h3", "trainer", "7B4", "2x2048", "zero3", **_B16, **_LORA, **_ON),
    case("h4", "trainer", "14B3", "2x2048", "fsdp2", **_B16, **_LORA),
    case("h5", "trainer", "7B4", "4x1024", "fsdp1", **_B16, **_LORA),
    case("h6", "trainer", "3B8", "2x2048", "zero3", deepspeed=OFFLOADED3, **_B16),
    case("h7", "llamafactory", "8B2", "2x2048", enable_liger_kernel=True, **_LORA_LF),
    case("h8", "trl", "3B8", "4x1024", "fsdp2", dtype="bfloat16", **_LORA),
    case("h9", "trl", "7B3", "2x2048", "zero3", dtype="bfloat16"),
    case("h10", "llamafactory", "3B8", "2x2048", "zero2", deepspeed=ZERO2, **_TWICE),
    case("h11", "trainer", "3B8", "2x2048", torch_compile=True, **_F32),
    case("h12", "trainer", "1B8", "2x2048", "ddp", torch_compile=True, **_B16),
    case("h13", "trainer", "7B4", "1x4096", "fsdp2", gradient_accumulation_steps=4, **_B16),
    case("h14", "trainer", "3B8", "4x1024", "zero1", **_B16, **_TWICE),
    case("h15", "trainer", "3B8", "2x2048", "ddp", "te", **_F32, **_AGAIN),
    case("h16", "trl-0.24", "3B8", "2x2048", dtype="bfloat16", **_LORA),
    case("h17", "llamafactory", "7B3", "4x2048", "fsdp1", **_OFF),
    case("h18", "trainer", "3B8", "4x1024", "ddp", use_liger_kernel=True, **_B16),
    case("h19", "trainer", "M4", "2x2048", **_B16),
    case(
        "h20",
        "trainer",
        "M6",
        "2x2048",
        "fsdp2",
        accelerate_transformer_layer_cls_to_wrap="Qwen3MoeDecoderLayer",
        **_B16,
    ),
    case("h21", "trainer", "8B2", "2x2048", optim="sgd", **_F32, **_ON),
    case("h22", "trainer", "7B4", "2x2048", "ddp", "te", **_B16, **_LORA),
]

# Predicted before any of them ran, on H100s: other shapes, tokens, optimizers and combinations than all of the above, four
# GPUs, and axolotl. Nothing is fitted to them.
_LORA_AX: Case = {"adapter": "lora", "lora_r": 16, "lora_alpha": 32, "lora_target_linear": True}
SECOND: list[Case] = [
    # the Hugging Face Trainer, one GPU
    case("a1", "trainer", "3B12", "2x4096", **_B16, **_ON),
    case("a2", "trainer", "14B2", "1x4096", **_F32),
    case("a3", "trainer", "8B3", "4x1024", precision="te", **_F32),
    case("a4", "trainer", "3B8", "4x2048", precision="te", **_B16, **_AGAIN),
    case("a5", "trainer", "1B16", "2x2048", precision="ao", torch_compile=True, **_F32),
    case("a6", "trainer", "32B2", "1x2048", optim="adafactor", **_B16),
    case("a7", "trainer", "7B6", "2x2048", **_B16, **_LORA, **_ON),
    case("a8", "trainer", "8B3", "2x2048", precision="ao", **_B16, **_LORA),
    case("a9", "trainer", "7B4", "4x1024", torch_compile=True, **_B16, **_ON),
    case("a10", "trainer", "14B2", "2x1024", precision="te", **_B16, **_LORA),
    # two GPUs and four
    case("b1", "trainer", "14B2", "2x1024", "ddp", "te", **_F32),
    case("b2", "trainer", "8B2", "1x2048", "ddp", "ao", torch_compile=True, **_B16),
    case("b3", "trainer", "14B2", "2x2048", "ddp", **_B16, **_LORA, **_ON),
    case("b4", "trainer", "1B16", "2x2048", "4ddp", **_B16, **_ON),
    case("b5", "trainer", "8B2", "2x1024", "4ddp", optim="sgd", **_F32),
    case("c1", "trainer", "14B4", "1x2048", "4fsdp2", **_F32, **_ON),
    case("c2", "trainer", "3B12", "2x1024", "fsdp2", "ao", **_F32),
    case("c3", "trainer", "8B4", "2x2048", "fsdp2", torch_compile=True, **_B16),
    case("c4", "trainer", "7B6", "4x1024", "4fsdp2", **_B16, **_LORA, **_ON),
    case("e1", "trainer", "8B2", "1x4096", "zero2", "te", bf16=True, **_B16),
    case("e2", "trainer", "14B3", "1x2048", "4zero2", deepspeed=ZERO2, **_B16),
    case("e3", "trainer", "3B12", "4x1024", "zero2", deepspeed=ZERO2, **_B16, **_LORA, **_ON),
    case("g1", "trainer", "8B4", "2x1024", "4zero3", deepspeed=ZERO3, **_B16),
    case("g2", "trainer", "14B3", "2x2048", "zero3", deepspeed=ZERO3, **_B16, **_LORA),
    # LLaMA-Factory
    case("k1", "llamafactory", "8B3", "2x4096", optim="adafactor"),
    case("k2", "llamafactory", "3B8", "4x1024", precision="te", **_OFF),
    case("k3", "llamafactory", "14B3", "2x2048", **_LORA_LF, **_OFF),
    case("k4", "llamafactory", "8B2", "2x2048", "ddp", "te", **_OFF),
    case("k5", "llamafactory", "3B12", "4x1024", "fsdp2", **_LORA_LF),
    case("k6", "llamafactory", "8B4", "2x2048", "zero2", deepspeed=ZERO2, **_LORA_LF),
    case("k7", "llamafactory", "14B3", "2x1024", "4zero3", deepspeed=ZERO3),
    case("k8", "llamafactory", "3B8", "2x2048", torch_compile=True, **_OFF),
    case("k9", "llamafactory", "7B4", "1x4096", precision="ao", **_OFF),
    case("k10", "llamafactory", "32B2", "1x2048", pure_bf16=True),
    case("k11", "llamafactory", "14B3", "2x2048", "4ddp", **_LORA_LF),
    case("k12", "llamafactory", "1B16", "2x2048", "fsdp2", "ao"),
    case("k13", "llamafactory", "8B2", "2x2048", "zero2", "te", bf16=True, **_OFF),
    # TRL
    case("m1", "trl", "8B3", "2x1024", "zero2", dtype="bfloat16"),
    case("m2", "trl", "3B12", "2x2048", "fsdp2", "ao", dtype="float32"),
    case("m3", "trl", "8B4", "4x1024", dtype="bfloat16", **_LORA),
    # axolotl
    case("x1", "axolotl", "7B3", "4x1024"),
    case("x2", "axolotl", "8B3", "2x2048", **_LORA_AX),
    case("x3", "axolotl", "3B8", "2x2048", "ddp", gradient_checkpointing=True),
    case("x4", "axolotl", "1B8", "4x2048", precision="ao", bf16=True, fp8=True),
    # loops of one's own
    case("o1", "own", "7B3", "2x2048"),
    case("o2", "own", "8B2", "2x1024", precision="te"),
    case("o3", "own", "3B8", "1x2048", "ddp"),
]
