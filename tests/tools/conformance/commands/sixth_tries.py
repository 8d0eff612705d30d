"""Files, commands and variables that are put together by chance, of each trainer, with keys that people do write.

Each was executed once and compared before anything was changed for it (docs/evidence/commands.md).
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tests.tools.conformance.commands.second_tries import (
    DEEPSPEED,
    FACTORY_3,
    FACTORY_4,
    FACTORY_5,
    NEW,
    OLD,
    Try,
    config,
    own,
)
from tests.tools.conformance.commands.third_tries import SFT, axolotl, factory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

KIND = "sixth tries"
COUNTS = {"own": 50, "trainer": 60, "trl": 50, "factory": 60, "axolotl": 40}

# Executed, and not recorded: what ends these is in none of their files.
LEFT_OUT = {
    **dict.fromkeys(
        ("axolotl-26", "axolotl-31", "axolotl-34"), "no row of the data set is as short as their sequences"
    ),
    **dict.fromkeys(("axolotl-25", "axolotl-37"), "kernels for adapters that there are for a GPU alone"),
    **dict.fromkeys(
        ("factory-19", "factory-20"), "badam and galore_torch, of which facts do not say whether they are there"
    ),
    **dict.fromkeys(
        ("factory-09", "factory-53"), "time, which is no word of the shell behind a variable, tells of its own"
    ),
    "trainer-23": "it evaluates, and its Trainer gets nothing to evaluate on: started is predicted",
    "trl-36": "a token that the tokenizer does not have",
    "trl-48": "a data set without a part for evaluation",
}

# Keys of an Accelerate file with what people write, right and wrong.
_OF_FILE: tuple[dict[str, Any], ...] = (
    {"mixed_precision": "FP8"},
    {"mixed_precision": "bf16"},
    {"mixed_precision": "no"},
    {"mixed_precision": None},
    {"mixed_precision": ...},
    {"use_cpu": "false"},
    {"downcast_bf16": "no"},
    {"downcast_bf16": "yes"},
    {"debug": True},
    {"enable_cpu_affinity": False},
    {"num_processes": "1"},
    {"num_processes": 0},
    {"num_machines": 0},
    {"machine_rank": 1},
    {"gpu_ids": "all"},
    {"gpu_ids": 0},
    {"distributed_type": "no"},
    {"distributed_type": "MULTI_GPU"},
    {"distributed_type": "GPU"},
    {"compute_environment": "LOCAL"},
    {"compute_environment": ...},
    {"main_training_function": "main"},
    {"rdzv_backend": "static"},
    {"same_network": True},
    {"tpu_env": []},
    {"dynamo_config": {"dynamo_backend": "INDUCTOR", "dynamo_mode": "default"}},
    {"dynamo_config": {"dynamo_backend": "EAGER"}},
    {"dynamo_backend": "no"},
    {"gradient_accumulation_steps": 2},
    {"fsdp_config": {}},
    {"deepspeed_config": {}},
    {"parallelism_config": {}},
    {"mpirun_config": {}},
    {"tp_size": 1},
    {"commands": None},
    {"command_file": None},
    {"fp8": True},
    {"te_recipe_handler": {"fp8_format": "E4M3"}},
)
_OF_RECIPE: tuple[dict[str, Any], ...] = (
    {},
    {"backend": "TE"},
    {"backend": "te", "fp8_format": "hybrid"},
    {"backend": "TE", "fp8_format": "E4M3", "amax_history_len": "16"},
    {"backend": "TE", "fp8_format": "E5M2"},
    {"backend": "TE", "margin": 0, "interval": 1, "override_linear_precision": False},
    {"backend": "TE", "override_linear_precision": [False, False, True]},
    {"backend": "TE", "override_linear_precision": "(False, False, True)"},
    {"backend": "TE", "amax_compute_algorithm": "max", "amax_compute_algo": "most_recent"},
    {"backend": "TE", "amax_history_length": 16},
    {"backend": "TE", "use_autocast_during_eval": True},
    {"backend": "TE", "use_mxfp8_block_scaling": "false"},
    {"backend": "TE", "opt_level": "O2"},
    {"backend": "MSAMP", "opt_level": "O2"},
    {"backend": "AO"},
    {"backend": "ao", "enable_fsdp_float8_all_gather": False},
    {"backend": "AO", "enable_fsdp_float8_all_gather": False, "pad_inner_dim": False},
    {"backend": "AO", "recipe_name": "rowwise"},
    {"backend": "torchao"},
    {"backend": None},
    {"backend": ""},
    {"fp8_backend": "TE"},
    {"fp8_format": "HYBRID"},
)
_FLAGS = (
    *("--mixed_precision fp8", "--mixed_precision=bf16", "--fp8_backend te", "--fp8_backend ao", "--fp8_format E4M3"),
    *("--fp8_amax_history_len 32", "--fp8_amax_compute_algo most_recent", "--fp8_override_linear_precision True"),
    *("--num_processes 1", "--num_machines 1", "--machine_rank 0", "--gpu_ids 0", "--dynamo_backend no", "--quiet"),
    *(
        "--main_process_port 0",
        "--rdzv_backend static",
        "--max_restarts 0",
        "--tee 3",
        "--mixed-precision fp8",
        "--debug",
    ),
    *(
        "--gradient_accumulation_steps 2",
        "--enable_cpu_affinity",
        "--module",
        "--no_python",
        "--use_deepspeed",
        "--use_fsdp",
    ),
)
_VARIABLES = (
    *("ACCELERATE_MIXED_PRECISION=fp8", "ACCELERATE_MIXED_PRECISION=bf16", "ACCELERATE_FP8_BACKEND=TE"),
    *(
        "ACCELERATE_FP8_BACKEND=AO",
        "ACCELERATE_FP8_FORMAT=HYBRID",
        "ACCELERATE_USE_FP8=true",
        "ACCELERATE_USE_CPU=false",
    ),
    *("ACCELERATE_GRADIENT_ACCUMULATION_STEPS=2", "ACCELERATE_DYNAMO_BACKEND=NO", "MASTER_PORT=0", "OMP_NUM_THREADS=1"),
    *("ACCELERATE_LOG_LEVEL=info", "CUDA_VISIBLE_DEVICES=0", "NVTE_FRAMEWORK=pytorch", "WANDB_DISABLED=true"),
    *("HF_HUB_OFFLINE=1", "TRANSFORMERS_VERBOSITY=info", "FORCE_TORCHRUN=1", "ACCELERATE_USE_FSDP=false"),
)
# Arguments of transformers' Trainer, as keywords and keys.
_ARGUMENTS: tuple[dict[str, Any], ...] = (
    *({"bf16": True}, {"bf16": False}, {"fp16": True}, {"fp16": False}, {"bf16": True, "fp16": True}, {"bf16": None}),
    *({"gradient_checkpointing": True}, {"gradient_checkpointing": False}, {"torch_compile": False}, {"tf32": False}),
    {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}},
    {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}},
    {"gradient_checkpointing_kwargs": {"use_reentrant": False}},
    *({"optim": "adamw_torch"}, {"optim": "adafactor"}, {"optim": "sgd"}, {"optim": "adamw_8bit"}, {"optim": "adam"}),
    *({"per_device_train_batch_size": 3}, {"per_device_train_batch_size": 0}, {"gradient_accumulation_steps": 2}),
    *({"gradient_accumulation_steps": 0}, {"max_grad_norm": 0.0}, {"dataloader_drop_last": True}, {"seed": 1}),
    *({"lr_scheduler_type": "cosine"}, {"lr_scheduler_type": "none"}, {"warmup_steps": 1}, {"warmup_ratio": 0.1}),
    *({"eval_strategy": "no"}, {"eval_strategy": "steps"}, {"save_strategy": "never"}, {"logging_strategy": "no"}),
    *({"bf16_full_eval": True}, {"fp16_full_eval": True}, {"half_precision_backend": "auto"}, {"fp16_opt_level": "O1"}),
    *(
        {"accelerator_config": {"split_batches": True}},
        {"accelerator_config": {"mixed_precision": "fp8"}},
        {"use_cpu": False},
    ),
    *(
        {"fsdp": ""},
        {"fsdp": "full_shard"},
        {"fsdp_config": {}},
        {"deepspeed": None},
        {"local_rank": -1},
        {"no_cuda": False},
    ),
    *(
        {"use_liger_kernel": False},
        {"neftune_noise_alpha": 5},
        {"torch_compile_backend": "eager"},
        {"jit_mode_eval": False},
    ),
    *(
        {"auto_find_batch_size": True},
        {"group_by_length": True},
        {"average_tokens_across_devices": False},
        {"fp8": True},
    ),
    *(
        {"mixed_precision": "fp8"},
        {"parallelism_config": None},
        {"save_safetensors": True},
        {"evaluation_strategy": "no"},
    ),
)
_OF_TRL: tuple[dict[str, Any], ...] = (
    *({"max_length": 32}, {"max_seq_length": 32}, {"packing": True}, {"packing": False}, {"padding_free": True}),
    *({"packing_strategy": "wrapped"}, {"packing": True, "packing_strategy": "bfd"}, {"pad_to_multiple_of": 16}),
    *({"use_peft": True}, {"use_peft": True, "lora_r": 8}, {"dtype": "bfloat16"}, {"torch_dtype": "bfloat16"}),
    *({"dtype": "float32"}, {"attn_implementation": "eager"}, {"assistant_only_loss": False}, {"loss_type": "nll"}),
    *({"loss_type": "chunked_nll"}, {"activation_offloading": False}, {"eos_token": "<eos>"}, {"dataset_num_proc": 1}),
    *(
        {"load_in_4bit": False},
        {"trust_remote_code": True},
        {"model_init_kwargs": {"dtype": "bfloat16"}},
        {"shuffle_dataset": True},
    ),
)
_OF_FACTORY: tuple[dict[str, Any], ...] = (
    *({"bf16": True}, {"bf16": False}, {"bf16": ...}, {"fp16": True, "bf16": ...}, {"pure_bf16": True}, {"fp8": True}),
    *(
        {"fp8": True, "bf16": ...},
        {"fp8": True, "fp8_backend": "te"},
        {"fp8": True, "fp8_backend": "torchao", "bf16": ...},
    ),
    *({"fp8": False}, {"fp8_backend": "te"}, {"fp8": True, "fp8_enable_fsdp_float8_all_gather": True}, {"fp8": "true"}),
    *({"finetuning_type": "lora"}, {"finetuning_type": "lora", "lora_rank": 8}, {"finetuning_type": "freeze"}),
    *(
        {"disable_gradient_checkpointing": True},
        {"gradient_checkpointing": False},
        {"use_reentrant_gc": False},
        {"flash_attn": "sdpa"},
    ),
    *(
        {"stage": "pt"},
        {"stage": "pt", "packing": False},
        {"packing": True},
        {"neat_packing": True},
        {"cutoff_len": 33},
    ),
    *(
        {"upcast_layernorm": True},
        {"upcast_lmhead_output": True},
        {"use_badam": True},
        {"use_galore": True},
        {"enable_liger_kernel": False},
    ),
    *(
        {"per_device_train_batch_size": 3},
        {"optim": "adamw_torch"},
        {"ddp_timeout": 180},
        {"overwrite_output_dir": True},
    ),
    *(
        {"do_train": False},
        {"template": ...},
        {"dataset": ...},
        {"quantization_bit": 4, "finetuning_type": "lora"},
        {"deepspeed": None},
    ),
    *(
        {"mixed_precision": "fp8"},
        {"plot_loss": False},
        {"resume_from_checkpoint": None},
        {"learning_rate": "1e-3"},
        {"max_samples": 8},
    ),
)
_OF_AXOLOTL: tuple[dict[str, Any], ...] = (
    *({"bf16": True}, {"bf16": False}, {"bf16": "auto"}, {"bf16": ...}, {"fp16": True, "bf16": ...}, {"fp8": True}),
    *(
        {"fp8": True, "bf16": ...},
        {"fp8": True, "fp8_enable_fsdp_float8_all_gather": True},
        {"fp8": False},
        {"tf32": False},
    ),
    *(
        {"gradient_checkpointing": True},
        {"gradient_checkpointing": False},
        {"gradient_checkpointing_kwargs": {"use_reentrant": False}},
    ),
    *(
        {"adapter": "lora", "lora_r": 16, "lora_alpha": 16, "lora_target_linear": True},
        {"sample_packing": True},
        {"flash_attention": True},
    ),
    *(
        {"torch_compile": False},
        {"accelerator_config": {}},
        {"micro_batch_size": 3},
        {"sequence_len": 33},
        {"weight_decay": 0.0},
    ),
    *(
        {"pad_to_sequence_len": True},
        {"eager_attention": True, "attn_implementation": ...},
        {"plugins": []},
        {"seed": 1},
    ),
    *(
        {"warmup_steps": 1},
        {"load_in_8bit": False},
        {"load_in_4bit": False},
        {"strict": False},
        {"bfloat16": True},
        {"float16": True},
    ),
    *(
        {"evals_per_epoch": 0},
        {"num_epochs": 1},
        {"dataset_prepared_path": "prepared"},
        {"special_tokens": {}},
        {"mixed_precision": "fp8"},
    ),
)
_SCRIPT = """import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


args = TrainingArguments({keywords})
Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""
_IN_FRONT = ("", "", "", "", "", "nohup", "env", "time", "timeout 300", "nice")


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them: the same for the same number."""
    return ((name, one) for name, one in by_chance("sixth", {"": COUNTS}, MAKERS) if name not in LEFT_OUT)


def by_chance(
    which: str, deals: Mapping[str, Mapping[str, int]], makers: Mapping[str, Callable[[Random], Try]]
) -> Iterator[tuple[str, Try]]:
    """So many of each kind, deal by deal, by names that begin as the deal is called: the same for the same name."""
    for deal, counts in deals.items():
        for kind, count in counts.items():
            for number in range(count):
                name = f"{deal}{kind}-{number:02}"
                yield name, makers[kind](Random(f"{which}/{name}"))  # noqa: S311


def _merged(
    chance: Random, parts: Sequence[Mapping[str, Any]], most: int, base: Mapping[str, Any] = {}
) -> dict[str, Any]:
    """Some of these over what is there."""
    found = dict(base)
    for part in chance.sample(parts, chance.randint(1, most)):
        found.update(part)
    return {key: value for key, value in found.items() if value is not ...}


def _file(chance: Random) -> dict[str, Any]:
    recipe = chance.choice(_OF_RECIPE)
    made = config(fp8_config=recipe) if recipe else config()
    return _merged(chance, _OF_FILE, 2, made)


def _front(chance: Random) -> str:
    some = chance.sample(_VARIABLES, chance.choice((0, 0, 1, 1, 2)))
    return " ".join([*some, chance.choice(_IN_FRONT)]).strip()


def _launch(chance: Random) -> str:
    named = chance.choice(("--config_file a.yaml",) * 4 + ("--config-file a.yaml", "--config_file=a.yaml", ""))
    flags = chance.sample(_FLAGS, chance.choice((0, 0, 1, 1, 2)))
    return " ".join(one for one in ("accelerate launch", named, *flags) if one)


def _joined(*words: str) -> str:
    return " ".join(" ".join(words).split())


def _own(chance: Random) -> Try:
    keywords = chance.choice(("", "", "", "mixed_precision='fp8'", "mixed_precision='bf16'", "mixed_precision=None"))
    files = {"a.yaml": _file(chance), "train.py": own("", f"accelerator = Accelerator({keywords})")}
    how = chance.choice((_launch(chance),) * 5 + ("python", "torchrun --nproc_per_node 1"))
    return Try(
        _joined(_front(chance), how, "train.py"),
        files,
        chance.choice((NEW, NEW, OLD)),
        chance.choice((["9.0"], ["9.0"], ["8.9"], ["10.0"])),
    )


def _trainer(chance: Random) -> Try:
    base = {
        "output_dir": "out",
        "max_steps": 1,
        "per_device_train_batch_size": 4,
        "report_to": "none",
        "save_strategy": "no",
    }
    keywords = _merged(chance, _ARGUMENTS, 3, base)
    text = ", ".join(f"{name}={value!r}" for name, value in keywords.items())
    files = {"a.yaml": _file(chance), "train.py": _SCRIPT.format(keywords=text)}
    how = chance.choice((_launch(chance),) * 6 + ("python", "torchrun --nproc_per_node 1"))
    return Try(_joined(_front(chance), how, "train.py"), files, chance.choice((NEW, NEW, OLD, DEEPSPEED)))


def _trl(chance: Random) -> Try:
    file = _merged(chance, (*_ARGUMENTS, *_OF_TRL, *_OF_TRL), 3, SFT)
    named = chance.choice(
        ("--accelerate_config a.yaml",) * 4 + ("--accelerate_config=a.yaml", "--config_file a.yaml", "")
    )
    flags = chance.sample(_FLAGS[:14], chance.choice((0, 0, 0, 1)))
    files = {"a.yaml": _file(chance), "r.yaml": file}
    return Try(_joined(_front(chance), "trl sft --config r.yaml", named, *flags), files, chance.choice((NEW, NEW, OLD)))


def _factory(chance: Random) -> Try:
    release = chance.choice((FACTORY_3, FACTORY_4, FACTORY_5, FACTORY_5))
    how = chance.choice(
        (
            *("llamafactory-cli train lf.yaml",) * 3,
            *(f"{_launch(chance)} -m llamafactory.launcher lf.yaml",) * 3,
            *("FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml", "llamafactory-cli train lf.yaml bf16=false"),
            *("lmf train lf.yaml fp8=true", "torchrun --nproc_per_node 1 -m llamafactory.launcher lf.yaml"),
        )
    )
    made = factory(
        release,
        _joined(_front(chance), how),
        **{k: v for part in chance.sample(_OF_FACTORY, chance.randint(1, 3)) for k, v in part.items()},
    )
    return made._replace(
        files={**made.files, "a.yaml": _file(chance)}, gpus=chance.choice((["9.0"], ["9.0"], ["9.0"], ["8.0"]))
    )


def _axolotl(chance: Random) -> Try:
    how = chance.choice(
        (
            *("axolotl train ax.yaml",) * 4,
            *(
                "axolotl train ax.yaml --launcher python",
                "axolotl train ax.yaml --launcher torchrun -- --nproc_per_node 1",
            ),
            *(
                "axolotl train ax.yaml --bf16 false",
                f"{_launch(chance)} -m axolotl.cli.train ax.yaml",
                "python -m axolotl.cli.train ax.yaml",
            ),
            *("axolotl train ax.yaml --launcher accelerate -- --config_file a.yaml", "axolotl train ax.yaml --fp8"),
        )
    )
    made = axolotl(
        _joined(_front(chance), how),
        **{k: v for part in chance.sample(_OF_AXOLOTL, chance.randint(1, 3)) for k, v in part.items()},
    )
    return made._replace(files={**made.files, "a.yaml": _file(chance)})


MAKERS = {"own": _own, "trainer": _trainer, "trl": _trl, "factory": _factory, "axolotl": _axolotl}


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    return _OPEN.get(name)


_OPEN = {
    **dict.fromkeys(
        ("own-00", "trainer-02", "trainer-07"),
        "a file behind -m: Python runs it while it looks for a module of that name",
    ),
}
