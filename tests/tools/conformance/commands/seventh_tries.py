"""Strategies, loops, parsers and shell scripts that are put together by chance, on one GPU and on two.

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
    IMPORTS,
    NEW,
    OLD,
    ONE,
    SHARDS,
    TWO,
    Try,
    config,
)
from tests.tools.conformance.commands.sixth_tries import by_chance
from tests.tools.conformance.commands.strategies import AXOLOTL_DEEPSPEED, FACTORY_DEEPSPEED
from tests.tools.conformance.commands.third_tries import HF, HF_FILE, SFT, axolotl, factory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KIND = "seventh tries"
COUNTS = {"loop": 60, "parser": 45, "sft": 40, "stage": 45, "method": 35, "axolotl": 35, "shell": 50}
AGAIN = {"loop": 50, "parser": 40, "sft": 40, "stage": 40, "method": 30, "axolotl": 30, "shell": 30}  # dealt once more

# Executed, and not recorded: what ends these is in none of their files.
_KERNELS = "kernels for adapters, or an offload, that there are for a GPU alone"
_MERGES = "mergekit, which that release of TRL imports beside transformers 5, and of which facts do not say whether it is there"
_TWO_IN_ONE = "two GPUs in one process, which GPUs alone show: docs/evidence/tries-h200.jsonl"
_OFFLOADS = "an offload, for which torch asks the GPU itself"
LEFT_OUT: Mapping[str, str] = {
    **dict.fromkeys(("axolotl-01", "axolotl-11", "axolotl-13"), _KERNELS),
    **dict.fromkeys(("again-axolotl-05", "again-axolotl-16", "again-axolotl-23"), _KERNELS),
    **dict.fromkeys(("again-axolotl-13", "again-axolotl-19"), "no row of the data set is as short as their sequences"),
    "again-axolotl-21": "checkpointing around kernels: what a layer saves of both is another number on a GPU alone",
    **dict.fromkeys(("parser-02", "parser-15"), "tf32, for which transformers asks the GPU itself"),
    **dict.fromkeys(("parser-36", "parser-44"), _OFFLOADS),
    **dict.fromkeys(("stage-02", "stage-04", "stage-35"), _MERGES),
    **dict.fromkeys(("again-stage-10", "again-stage-34", "again-stage-37"), _MERGES),
    **dict.fromkeys(("again-loop-06", "again-loop-24", "again-method-14", "again-parser-14"), _OFFLOADS),
    **dict.fromkeys(("again-parser-21", "again-parser-29"), _OFFLOADS),
    "again-loop-29": "one of two machines, which the harness does not tell from one",
    "again-loop-40": "a model that no prepare() gets, of which the script makes its loss itself",
    "method-34": "rows of the data set that are as long as they are",
    "shell-10": "a variable that the shell does not have, at which it ends by set -u",
    **dict.fromkeys(("shell-22", "shell-23", "again-shell-24", "again-shell-26"), "sh, which is no bash here"),
    **dict.fromkeys(
        ("shell-07", "shell-15", "shell-24", "shell-26", "again-shell-03", "again-shell-16"),
        "a login shell, which finds no programs in the harness",
    ),
    **dict.fromkeys(("shell-40", "again-shell-07", "again-shell-22"), "make: nothing is known to start a training"),
    **dict.fromkeys(("sft-00", "method-02", "method-22", "method-29"), _TWO_IN_ONE),
    **dict.fromkeys(("again-sft-03", "again-sft-06", "again-sft-20"), _TWO_IN_ONE),
    **dict.fromkeys(("again-parser-37", "again-sft-33"), "a second machine that never comes"),
}
_PRINTED = "what a command prints becomes words of the command"
_FILLED = "a value that the shell fills in, or a name"
_OPEN: Mapping[str, str] = {
    **dict.fromkeys(("loop-19", "loop-24", "loop-43", "loop-51"), "what the shell has in MP"),
    **dict.fromkeys(("again-loop-05", "again-loop-36"), "what the shell has in MP"),
    "sft-20": "adapters whose layers are left to PEFT",
    **dict.fromkeys(("shell-34", "shell-38", "again-shell-10"), "a file that the script itself writes"),
    **dict.fromkeys(("shell-13", "shell-27", "shell-41", "shell-43", "shell-47"), _PRINTED),
    **dict.fromkeys(("shell-06", "shell-29", "shell-35", "shell-36"), _FILLED),
    **dict.fromkeys(("again-shell-14", "again-shell-15", "again-shell-18", "again-shell-21"), _FILLED),
}

_RECIPES: tuple[dict[str, Any] | None, ...] = (
    {"backend": "TE", "fp8_format": "HYBRID", "amax_history_len": 16, "amax_compute_algo": "max"},
    {"backend": "TE"},
    {"backend": "TE", "use_autocast_during_eval": True, "margin": 2},
    {"backend": "AO", "enable_fsdp_float8_all_gather": False},
    {"backend": "AO"},
    None,
)
_PRECISIONS = ("fp8", "fp8", "fp8", "bf16", "no", ...)
_ZERO_KEYS: tuple[dict[str, Any], ...] = (
    {},
    {"zero3_init_flag": True},
    {"offload_optimizer_device": "none", "offload_param_device": "none"},
    {"gradient_clipping": 1.0},
    {"zero3_save_16bit_model": True},
    {"deepspeed_multinode_launcher": "standard"},
    {"gradient_accumulation_steps": 2},
)
_SHARD_KEYS: tuple[dict[str, Any], ...] = (
    {},
    {"fsdp_activation_checkpointing": True},
    {"fsdp_state_dict_type": "FULL_STATE_DICT"},
    {"fsdp_auto_wrap_policy": "NO_WRAP", "fsdp_transformer_layer_cls_to_wrap": ...},
    {"fsdp_auto_wrap_policy": "SIZE_BASED_WRAP", "fsdp_min_num_params": 1000},
    {"fsdp_transformer_layer_cls_to_wrap": ...},
    {"fsdp_transformer_layer_cls_to_wrap": "Qwen2DecoderLayer"},
    {"fsdp_reshard_after_forward": False},
    {"fsdp_sharding_strategy": "FULL_SHARD"},
    {"fsdp_use_orig_params": False},
    {"fsdp_cpu_ram_efficient_loading": False},
    {"fsdp_cpu_ram_efficient_loading": False, "fsdp_sync_module_states": False},
    {"fsdp_offload_params": True},
    {"fsdp_backward_prefetch": "BACKWARD_PRE"},
    {"fsdp_backward_prefetch_policy": "BACKWARD_PRE"},
    {"fsdp_version": ...},
    {"fsdp_version": "2"},
)
_OTHER_KEYS: tuple[dict[str, Any], ...] = (
    {"use_cpu": True},
    {"num_processes": ...},
    {"num_processes": 4},
    {"gpu_ids": "0"},
    {"gpu_ids": "0,1"},
    {"main_process_port": 0},
    {"distributed_type": ...},
    {"dynamo_config": {"dynamo_backend": "NO"}},
    {"mixed_precision": "fp16"},
    {"main_process_ip": None},
    {"num_machines": 2},
    {"downcast_bf16": "no"},
)


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them, but those that are not recorded."""
    return ((name, one) for name, one in dealt() if name not in LEFT_OUT)


def dealt() -> Iterator[tuple[str, Try]]:
    """All of them: the same for the same number."""
    yield from by_chance("seventh", {"": COUNTS, "again-": AGAIN}, MAKERS)
    yield from _asked()


def undecided(name: str) -> str | None:
    """Why a case has to be left open; None where it is decided."""
    return _OPEN.get(name)


def _over(base: Mapping[str, Any], *parts: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for part in parts:
        found.update(part)
    return {key: value for key, value in found.items() if value is not ...}


def _some(chance: Random, parts: Sequence[Any], *weights: int) -> list[Any]:
    """As many of these as one of the weights says."""
    return chance.sample(parts, chance.choice(weights))


def _strategy(chance: Random, kinds: Sequence[str]) -> tuple[dict[str, Any], str, list[str]]:
    """An Accelerate file of one of these strategies, its name, and the GPUs that it takes."""
    kind = chance.choice(kinds)
    recipe = chance.choice(_RECIPES)
    file = config(mixed_precision=chance.choice(_PRECISIONS), **({} if recipe is None else {"fp8_config": recipe}))
    gpus = ONE
    if kind == "ddp":
        file |= {"distributed_type": "MULTI_GPU", "num_processes": 2}
        gpus = TWO
    elif kind in ("fsdp1", "fsdp2"):
        shards = _over(SHARDS, {"fsdp_version": int(kind[-1])}, *_some(chance, _SHARD_KEYS, 0, 1, 1, 2))
        if kind == "fsdp1":
            shards.pop("fsdp_reshard_after_forward", None)
        file |= {"distributed_type": "FSDP", "num_processes": 2, "fsdp_config": shards}
        gpus = TWO
    elif kind.startswith("zero"):
        zero = {"zero_stage": int(kind[-1]), "gradient_accumulation_steps": 1, "zero3_init_flag": False}
        file |= {"distributed_type": "DEEPSPEED", "deepspeed_config": _over(zero, *_some(chance, _ZERO_KEYS, 0, 1, 1))}
    return _over(file, *_some(chance, _OTHER_KEYS, 0, 0, 0, 1)), kind, gpus


def _zero_file(chance: Random) -> dict[str, Any]:
    """A DeepSpeed file as people keep it."""
    stage: dict[str, Any] = {"stage": chance.choice((0, 1, 2, 2, 3, 3))}
    stage |= chance.choice(({}, {"overlap_comm": True, "contiguous_gradients": True}, {"allgather_bucket_size": 5e8}))
    return _over(
        {
            "train_batch_size": "auto",
            "train_micro_batch_size_per_gpu": "auto",
            "gradient_accumulation_steps": "auto",
            "gradient_clipping": "auto",
            "zero_allow_untested_optimizer": True,
            "bf16": {"enabled": "auto"},
            "zero_optimization": stage,
        },
        *_some(
            chance,
            (
                {"bf16": {"enabled": True}},
                {"bf16": {"enabled": False}},
                {"bf16": ...},
                {"fp16": {"enabled": "auto", "loss_scale": 0, "initial_scale_power": 16}},
                {"fp16": {"enabled": False}},
                {"train_micro_batch_size_per_gpu": 4},
                {"train_micro_batch_size_per_gpu": 2, "train_batch_size": 8},
                {"gradient_accumulation_steps": 1},
                {"fp8": {"enabled": True}},
                {"zero_allow_untested_optimizer": ...},
                {"optimizer": {"type": "AdamW", "params": {"lr": "auto"}}},
            ),
            *(0, 1, 1, 2),
        ),
    )


# --- loops of people's own -----------------------------------------------------------------------------------------

_HANDLERS = (
    "TERecipeKwargs()",
    "TERecipeKwargs(fp8_format='E4M3', amax_history_len=16)",
    "AORecipeKwargs()",
    "FP8RecipeKwargs(backend='TE')",
    "FP8RecipeKwargs(backend='AO')",
    "DistributedDataParallelKwargs(find_unused_parameters=True)",
    "GradScalerKwargs()",
    "InitProcessGroupKwargs(timeout=timedelta(minutes=5))",
    "ProfileKwargs()",
    "AutocastKwargs(cache_enabled=False)",
    "AutocastKwargs(enabled=False)",
)
_KEYWORDS = (
    *("mixed_precision='fp8'", "mixed_precision='fp8'", "mixed_precision='bf16'", "mixed_precision='no'"),
    *("mixed_precision=args.precision", "mixed_precision=args.precision", "mixed_precision=os.environ.get('MP')"),
    *("cpu=False", "split_batches=True", "gradient_accumulation_steps=2", "step_scheduler_with_optimizer=False"),
    *("project_dir='out'", "device_placement=True", "even_batches=False", "log_with=None", "dynamo_backend='no'"),
    "fsdp_plugin=FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy='transformer_based_wrap')",
    "deepspeed_plugin=DeepSpeedPlugin(zero_stage=2)",
    "dataloader_config=DataLoaderConfiguration(split_batches=False)",
    "gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=2)",
    "rng_types=['torch']",
)
_LOADED = (
    *("AutoModelForCausalLM.from_pretrained('model')",) * 5,
    "AutoModelForCausalLM.from_pretrained('model', dtype=torch.bfloat16)",
    "AutoModelForCausalLM.from_pretrained('model', torch_dtype=torch.bfloat16)",
    "AutoModelForCausalLM.from_pretrained('model').to(torch.bfloat16)",
    "AutoModelForCausalLM.from_pretrained('model').train()",
    "AutoModelForCausalLM.from_config(AutoConfig.from_pretrained('model'))",
    "torch.compile(AutoModelForCausalLM.from_pretrained('model'), backend='eager')",
)
_ADDED = (
    "model.gradient_checkpointing_enable()",
    "model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={'use_reentrant': False})",
    "model.config.use_cache = False",
    "model = get_peft_model(model, LoraConfig(r=16, target_modules='all-linear'))",
    "model = get_peft_model(model, LoraConfig(r=16, target_modules=['q_proj', 'v_proj']))",
    "model.lm_head.requires_grad_(False)",
    "for parameter in model.model.embed_tokens.parameters():\n    parameter.requires_grad = False",
    "model.resize_token_embeddings(96)",
    "model.enable_input_require_grads()",
    "model.tie_weights()",
)
_PREPARED = (
    *("model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)",) * 5,
    "model, optimizer = accelerator.prepare(model, optimizer)\nloader, scheduler = accelerator.prepare(loader, scheduler)",
    "model = accelerator.prepare(model)\noptimizer, loader = accelerator.prepare(optimizer, loader)",
    "optimizer, model, loader = accelerator.prepare(optimizer, model, loader)",
    "model = accelerator.prepare_model(model)\noptimizer = accelerator.prepare_optimizer(optimizer)\nloader = accelerator.prepare_data_loader(loader)",
    "optimizer, loader = accelerator.prepare(optimizer, loader)\nmodel = model.to(accelerator.device)",
    "model, optimizer, loader, scheduler = map(accelerator.prepare, (model, optimizer, loader, scheduler))",
)
_MODE = ("model.train()",) * 6 + ("", "model.eval()", "model.train(True)", "model.eval()\nmodel.train()")
_FORWARD = (
    *("loss = model(**batch).loss",) * 5,
    "with accelerator.autocast():\n    loss = model(**batch).loss",
    "with torch.autocast('cuda', dtype=torch.bfloat16):\n    loss = model(**batch).loss",
    "outputs = model(input_ids=batch['input_ids'], labels=batch['labels'])\nloss = outputs.loss / 2",
    "logits = model(batch['input_ids']).logits\nloss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), batch['labels'].flatten())",
)
_OPTIMIZERS = (
    *("torch.optim.AdamW(model.parameters(), lr=1e-3)",) * 5,
    "torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)",
    "torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, fused=False)",
    "torch.optim.AdamW(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-3)",
)
_LOOP = """import argparse
import os
from datetime import timedelta

import torch
from accelerate import Accelerator, DataLoaderConfiguration, DeepSpeedPlugin, FullyShardedDataParallelPlugin
from accelerate.utils import (
    AutocastKwargs,
    DistributedDataParallelKwargs,
    FP8RecipeKwargs,
    GradientAccumulationPlugin,
    GradScalerKwargs,
    InitProcessGroupKwargs,
    ProfileKwargs,{classes}
    set_seed,
)
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", default={default}, choices=["no", "bf16", "fp8"])
    parser.add_argument("--batch_size", type=int, default=4)
    parser.add_argument("--seed", type=int, default=None)
    return parser.parse_args()


def main():
    args = parse_args()
    accelerator = Accelerator({keywords})
    if args.seed is not None:
        set_seed(args.seed)
    model = {loaded}
{added}    optimizer = {optimizer}
    loader = torch.utils.data.DataLoader(Rows(), batch_size=args.batch_size)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
{prepared}{mode}    for batch in loader:
{forward}        accelerator.backward(loss)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    accelerator.print("done")


if __name__ == "__main__":
    main()
"""


def _indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.split("\n")) if text else ""


def _loop(chance: Random) -> Try:
    file, kind, gpus = _strategy(chance, ("none", "none", "ddp", "fsdp2", "fsdp2", "fsdp1", "zero2", "zero3"))
    handlers = _some(chance, _HANDLERS, 0, 0, 1, 1, 2)
    keywords = {one.partition("=")[0]: one for one in _some(chance, _KEYWORDS, 0, 1, 1, 2)}
    words = list(keywords.values())
    if handlers:
        words.append(f"kwargs_handlers=[{', '.join(handlers)}]")
    text = _LOOP.format(
        classes="".join(f"\n    {name}," for name in ("AORecipeKwargs", "TERecipeKwargs") if name in " ".join(words)),
        default=chance.choice(("None", "'bf16'", "'fp8'", "'no'")),
        keywords=", ".join(words),
        loaded=chance.choice(_LOADED),
        added="".join(_indented(one, 4) for one in _some(chance, _ADDED, 0, 0, 1, 1, 2)),
        optimizer=chance.choice(_OPTIMIZERS),
        prepared=_indented(chance.choice(_PREPARED), 4),
        mode=_indented(chance.choice(_MODE), 4),
        forward=_indented(chance.choice(_FORWARD), 8),
    )
    given = chance.choice(("", "", "", " --precision fp8", " --precision=bf16", " --seed 3", " --batch_size 3"))
    stack = DEEPSPEED if kind.startswith("zero") else chance.choice((NEW, NEW, OLD))
    return Try(
        f"accelerate launch --config_file a.yaml train.py{given}", {"a.yaml": file, "train.py": text}, stack, gpus
    )


# --- scripts that parse arguments of transformers ------------------------------------------------------------------

_ARGUMENTS: tuple[dict[str, Any], ...] = (
    *({"bf16": True}, {"bf16": True}, {"bf16": False}, {"fp16": True}, {"gradient_checkpointing": True}),
    *({"deepspeed": "ds.json"}, {"deepspeed": "ds.json"}, {"torch_compile": True, "torch_compile_backend": "eager"}),
    {"fsdp": "full_shard auto_wrap", "fsdp_config": "fsdp.json"},
    {"fsdp": "full_shard", "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer"},
    {"fsdp": "shard_grad_op auto_wrap offload"},
    {"fsdp": True, "fsdp_config": "fsdp.json"},
    *({"ddp_find_unused_parameters": False}, {"ddp_backend": "nccl"}, {"ddp_backend": "gloo"}, {"use_cpu": True}),
    *({"per_device_train_batch_size": 3}, {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}),
    *({"gradient_checkpointing": True, "gradient_checkpointing_kwargs": '{"use_reentrant": false}'},),
    *({"optim": "adamw_torch_fused"}, {"optim": "paged_adamw_8bit"}, {"lr_scheduler_type": "cosine_with_min_lr"}),
    *({"tf32": True}, {"tf32": False}, {"full_determinism": False}, {"logging_steps": 1}, {"num_train_epochs": 1}),
    *({"remove_unused_columns": False}, {"dataloader_num_workers": 1}, {"push_to_hub": False}, {"do_eval": False}),
    {"accelerator_config": '{"split_batches": true}'},
    {"mixed_precision": "fp8"},
    {"overwrite_output_dir": True},
    {"logging_dir": "logs"},
    {"local_rank": 0},
    {"no_bf16": ...},
)


def _word(value: Any) -> str:
    text = str(value)
    return f"'{text}'" if any(one in text for one in ' "{') else text


def _parser(chance: Random) -> Try:
    file, kind, gpus = _strategy(chance, ("none", "none", "ddp", "fsdp2", "fsdp1", "zero2", "zero3"))
    keys = _over(HF, *_some(chance, _ARGUMENTS, 0, 1, 1, 2, 2))
    how = chance.choice(("flags", "flags", "flags", "json", "yaml"))
    files: dict[str, Any] = {
        "a.yaml": file,
        "ds.json": _zero_file(chance),
        "fsdp.json": _fsdp_file(chance),
        "run.py": HF_FILE.format(how=f"parse_{'yaml' if how == 'yaml' else 'json'}_file(sys.argv[1])"),
    }
    if how == "flags":
        bare = chance.random() < 0.4
        given = " ".join(
            f"--{name}" if value is True and bare else f"--{name} {_word(value)}" for name, value in keys.items()
        )
    else:
        files[f"args.{how}"] = keys
        given = f"args.{how}"
    needs = kind.startswith("zero") or "deepspeed" in keys
    start = chance.choice(
        (
            *("accelerate launch --config_file a.yaml",) * 5,
            *("python", f"torchrun --nproc_per_node={len(gpus)}", "deepspeed --num_gpus 1"),
        )
    )
    needs = needs or start.startswith("deepspeed")
    return Try(f"{start} run.py {given}", files, DEEPSPEED if needs else chance.choice((NEW, NEW, OLD)), gpus)


def _fsdp_file(chance: Random) -> dict[str, Any]:
    return _over(
        {"transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]},
        *_some(
            chance,
            (
                {"version": 2},
                {"fsdp_version": 2},
                {"activation_checkpointing": True},
                {"cpu_ram_efficient_loading": False},
                {"reshard_after_forward": True},
                {"xla": False},
                {"transformer_layer_cls_to_wrap": ..., "min_num_params": 100},
                {"use_orig_params": True},
                {"state_dict_type": "FULL_STATE_DICT"},
            ),
            *(0, 1, 2),
        ),
    )


# --- TRL's trainers in a script ------------------------------------------------------------------------------------

_ROWS = "load_dataset('data/{data}', split='train')"
_SFT_SCRIPT = """import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

model = {model}
args = {config}(output_dir="out", max_steps=1, report_to="none", save_strategy="no", {keywords})
trainer = {trainer}(
    model=model,
    args=args,
    train_dataset=load_dataset("data/{data}", split="train"),{more}
)
trainer.train()
"""
_SFT_KEYWORDS = (
    *("bf16=True", "bf16=False", "bf16=False", "fp16=True", "gradient_checkpointing=True", "packing=True"),
    *("gradient_checkpointing=False", "max_length=32", "max_length=30", "per_device_train_batch_size=4"),
    *("per_device_train_batch_size=3", "per_device_train_batch_size=4", "gradient_accumulation_steps=2", "seed=7"),
    *("torch_compile=False", "use_liger_kernel=False", "padding_free=False", "dataset_num_proc=1", "optim='sgd'"),
    "model_init_kwargs={'dtype': torch.bfloat16}",
    "model_init_kwargs={'torch_dtype': 'bfloat16'}",
    "gradient_checkpointing_kwargs={'use_reentrant': True}",
    "gradient_checkpointing_kwargs={'use_reentrant': False}",
    "deepspeed='ds.json'",
    "activation_offloading=False",
    "learning_rate=1e-4",
    "eval_strategy='no'",
)
_MORE = (
    *("",) * 5,
    "\n    peft_config=LoraConfig(r=16, target_modules='all-linear', task_type='CAUSAL_LM'),",
    "\n    peft_config=LoraConfig(task_type='CAUSAL_LM'),",
    "\n    peft_config=LoraConfig(r=12, target_modules=['q_proj', 'o_proj']),",
    "\n    processing_class=AutoTokenizer.from_pretrained('model'),",
    "\n    tokenizer=AutoTokenizer.from_pretrained('model'),",
)


def _sft(chance: Random) -> Try:
    file, kind, gpus = _strategy(chance, ("none", "none", "ddp", "fsdp2", "fsdp2", "fsdp1", "zero2", "zero3"))
    words = {one.partition("=")[0]: one for one in _some(chance, _SFT_KEYWORDS, 1, 2, 3)}
    method = chance.choice(("SFT", "SFT", "SFT", "DPO"))
    text = _SFT_SCRIPT.format(
        model=chance.choice(
            (
                *("'model'", "'model'"),
                "AutoModelForCausalLM.from_pretrained('model')",
                "AutoModelForCausalLM.from_pretrained('model', dtype='bfloat16')",
                "AutoModelForCausalLM.from_pretrained('model', torch_dtype=torch.bfloat16)",
            )
        ),
        config=f"{method}Config",
        trainer=f"{method}Trainer",
        data=method.lower(),
        keywords=", ".join(words.values()),
        more=chance.choice(_MORE),
    )
    start = chance.choice(("accelerate launch --config_file a.yaml",) * 6 + ("python", "torchrun --nproc_per_node 1"))
    needs = kind.startswith("zero") or "deepspeed" in words
    files = {"a.yaml": file, "ds.json": _zero_file(chance), "train.py": text}
    return Try(f"{start} train.py", files, DEEPSPEED if needs else chance.choice((NEW, NEW, OLD)), gpus)


# --- LLaMA-Factory's stages under strategies -----------------------------------------------------------------------

_STAGES: tuple[dict[str, Any], ...] = (
    *({}, {}, {}),
    {"stage": "pt", "dataset": "pt"},
    {"stage": "dpo", "dataset": "dpo", "pref_beta": 0.1},
    {"stage": "dpo", "dataset": "dpo", "pref_loss": "orpo"},
    {"stage": "kto", "dataset": "kto"},
    {"stage": "rm", "dataset": "rm"},
)
_TUNED: tuple[dict[str, Any], ...] = (
    *(
        {},
        {},
        {"fp8": True},
        {"fp8": True},
        {"fp8": True, "fp8_backend": "te"},
        {"fp8": True, "fp8_backend": "torchao"},
    ),
    *({"bf16": False}, {"bf16": ...}, {"pure_bf16": True, "bf16": ...}, {"fp16": True, "bf16": ...}),
    {"finetuning_type": "lora", "lora_rank": 16, "lora_target": "all"},
    {"finetuning_type": "lora", "lora_target": "q_proj,v_proj"},
    {"finetuning_type": "freeze", "freeze_trainable_layers": 1},
    *({"disable_gradient_checkpointing": True}, {"disable_gradient_checkpointing": True}, {"flash_attn": "fa2"}),
    *({"per_device_train_batch_size": 1}, {"cutoff_len": 31}, {"packing": True}, {"enable_liger_kernel": True}),
    *({"deepspeed": "ds.json"}, {"deepspeed": "ds.json"}, {"ddp_timeout": 180000000}, {"val_size": 0.5}),
    *({"fsdp": "full_shard auto_wrap"}, {"use_unsloth": False}, {"optim": "adamw_8bit"}, {"additional_target": "norm"}),
)


def _stage(chance: Random) -> Try:
    changes = _over({}, chance.choice(_STAGES))
    for part in _some(chance, _TUNED, 1, 2, 3):
        changes.update(part)
    file, kind, gpus = _strategy(chance, ("none", "none", "ddp", "fsdp2", "fsdp1", "zero3"))
    start = chance.choice(
        (
            *("llamafactory-cli train lf.yaml",) * 3,
            *("accelerate launch --config_file a.yaml -m llamafactory.launcher lf.yaml",) * 4,
            "FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml",
            f"FORCE_TORCHRUN=1 NPROC_PER_NODE={len(gpus)} llamafactory-cli train lf.yaml",
        )
    )
    needs = "deepspeed" in changes or kind.startswith("zero")
    release = FACTORY_DEEPSPEED if needs else chance.choice((FACTORY_3, FACTORY_4, FACTORY_5, "1.15-lf"))
    made = factory(release, start, **changes)
    pinned = {"DISABLE_VERSION_CHECK": "1"} if release in (FACTORY_DEEPSPEED, "1.15-lf") else {}
    return made._replace(
        files={"lf.yaml": made.files["lf.yaml"], "a.yaml": file, "ds.json": _zero_file(chance)},
        gpus=gpus,
        variables=pinned,
    )


# --- TRL's other commands ------------------------------------------------------------------------------------------

_METHODS = {"sft": "data/sft", "dpo": "data/dpo", "reward": "data/reward", "kto": "data/dpo"}
_OF_METHODS: tuple[dict[str, Any], ...] = (
    *(
        {"bf16": False},
        {"bf16": False},
        {"bf16": True},
        {"fp16": True},
        {"bf16": ...},
        {"gradient_checkpointing": False},
    ),
    *(
        {"use_peft": True},
        {"use_peft": True, "lora_target_modules": ["q_proj"]},
        {"max_length": 33},
        {"dtype": "bfloat16"},
    ),
    *({"per_device_train_batch_size": 3}, {"dtype": "float32"}, {"gradient_accumulation_steps": 2}, {"max_length": 32}),
    *(
        {"deepspeed": "ds.json"},
        {"torch_compile": False},
        {"env": {"ACCELERATE_FP8_BACKEND": "TE"}},
        {"num_processes": 1},
    ),
    *(
        {"mixed_precision": "fp8"},
        {"fp8_backend": "te"},
        {"env": {"CUDA_VISIBLE_DEVICES": "0"}},
        {"use_liger_kernel": False},
    ),
    *(
        {"accelerate_config": "a.yaml"},
        {"config_file": "a.yaml"},
        {"gradient_checkpointing_kwargs": {"use_reentrant": False}},
    ),
)


def _method(chance: Random) -> Try:
    method = chance.choice(("sft", "sft", "dpo", "dpo", "reward", "kto"))
    file, kind, gpus = _strategy(chance, ("none", "none", "ddp", "fsdp2", "fsdp2", "fsdp1", "zero2"))
    keys = _over({**SFT, "dataset_name": _METHODS[method]}, *_some(chance, _OF_METHODS, 1, 2, 3))
    named = chance.choice(
        (
            *("--accelerate_config a.yaml",) * 5,
            *("--accelerate_config fsdp2", "--accelerate_config multi_gpu", "--accelerate_config single_gpu", ""),
        )
    )
    more = chance.choice(
        ("", "", "", "--bf16 false", "--mixed_precision fp8", "--num_processes 1", "--fp8_format E4M3", "--bf16=False")
    )
    needs = kind.startswith("zero") or "deepspeed" in keys
    return Try(
        " ".join(f"trl {method} --config r.yaml {named} {more}".split()),
        {"r.yaml": keys, "a.yaml": file, "ds.json": _zero_file(chance)},
        DEEPSPEED if needs else chance.choice((NEW, NEW, OLD)),
        gpus,
    )


# --- axolotl under strategies --------------------------------------------------------------------------------------

_OF_AXOLOTL: tuple[dict[str, Any], ...] = (
    *({"fp8": True}, {"fp8": True}, {"bf16": "auto"}, {"bf16": False}, {"bf16": False, "fp16": True}, {"bf16": "full"}),
    *({"torch_compile": False}, {"gradient_checkpointing": True}, {"gradient_checkpointing": "offload"}, {"seed": 3}),
    {"adapter": "lora", "lora_r": 16, "lora_alpha": 32, "lora_target_linear": True},
    {"adapter": "lora", "lora_r": 8, "lora_alpha": 16, "lora_target_modules": ["q_proj", "v_proj"]},
    *({"micro_batch_size": 3}, {"sequence_len": 32}, {"sample_packing": False}, {"pad_to_sequence_len": False}),
    *({"deepspeed": "ds.json"}, {"deepspeed": "ds.json"}, {"fsdp": ["full_shard", "auto_wrap"]}),
    *({"flash_attention": False}, {"optimizer": "adamw_torch_fused"}, {"optimizer": "adamw_bnb_8bit"}),
    {"torch_dtype": "bfloat16"},
    {"lora_dropout": 0.05},
    {"group_by_length": True},
    {"gradient_accumulation_steps": 2},
)
_OF_SHARDS: tuple[dict[str, Any], ...] = (
    *({}, {"auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "transformer_layer_cls_to_wrap": "LlamaDecoderLayer"}),
    *({"reshard_after_forward": True}, {"activation_checkpointing": True}, {"cpu_ram_efficient_loading": False}),
    *({"offload_params": False}, {"state_dict_type": "FULL_STATE_DICT"}, {"use_orig_params": True}),
    {"fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer"},
)


def _axolotl(chance: Random) -> Try:
    changes = _over({}, *_some(chance, _OF_AXOLOTL, 0, 1, 2))
    file, _, gpus = _strategy(chance, ("none", "none", "ddp", "fsdp2", "fsdp1"))
    if chance.random() < 0.3:
        changes |= {
            "fsdp_version": chance.choice((1, 2, 2, 2)),
            "fsdp_config": _over({}, *_some(chance, _OF_SHARDS, 1, 2, 3)),
        }
        gpus = TWO
    start = chance.choice(
        (
            *("axolotl train ax.yaml",) * 3,
            *("axolotl train ax.yaml --launcher accelerate -- --config_file a.yaml",) * 2,
            *(
                "axolotl train ax.yaml -- --config_file a.yaml",
                "accelerate launch --config_file a.yaml -m axolotl.cli.train ax.yaml",
            ),
            f"axolotl train ax.yaml --launcher torchrun -- --nproc_per_node={len(gpus)}",
            "axolotl train ax.yaml --launcher python",
        )
    )
    made = axolotl(start, **changes)
    return made._replace(
        files={"ax.yaml": made.files["ax.yaml"], "a.yaml": file, "ds.json": _zero_file(chance)},
        gpus=gpus,
        stack=AXOLOTL_DEEPSPEED if "deepspeed" in changes else made.stack,
    )


_EVALUATES = """import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


args = TrainingArguments(output_dir="out", max_steps=1, report_to="none", save_strategy="no", {asks})
model = AutoModelForCausalLM.from_pretrained("model")
trainer = Trainer(model=model, args=args, train_dataset=Rows(){gives})
trainer.train()
"""
_ASKS: Mapping[str, tuple[str, str]] = {
    "nothing": ("eval_strategy='steps', eval_steps=5", ""),
    "none": ("eval_strategy='epoch'", "eval_dataset=None"),
    "never": ("eval_strategy='no'", ""),
    "given": ("eval_strategy='steps', eval_steps=5", "eval_dataset={rows}"),
}


def _evaluated(stack: str) -> Iterator[tuple[str, Try]]:
    """A Trainer that is to evaluate, with and without something to evaluate."""
    command = "accelerate launch --config_file a.yaml train.py"
    file = {"a.yaml": config(fp8_config={"backend": "TE"})}
    for name, (asks, gives) in _ASKS.items():
        keywords = f"per_device_train_batch_size=4, {asks}"
        given = gives and f", {gives.format(rows='Rows()')}"
        yield name, Try(command, {**file, "train.py": _EVALUATES.format(asks=keywords, gives=given)}, stack)
        for kind in ("SFT", "DPO") if stack in (NEW, OLD) else ():
            given = gives and f"\n    {gives.format(rows=_ROWS.format(data=kind.lower()))},"
            text = _SFT_SCRIPT.format(
                model="AutoModelForCausalLM.from_pretrained('model')",
                config=f"{kind}Config",
                trainer=f"{kind}Trainer",
                data=kind.lower(),
                keywords=f"gradient_checkpointing=False, {keywords}",
                more=given,
            )
            yield f"{name}-{kind.lower()}", Try(command, {**file, "train.py": text}, stack)
    words = " ".join(f"--{name} {value}" for name, value in HF.items())
    parser = {**file, "run.py": HF_FILE.format(how="parse_json_file(sys.argv[1])")}
    for flags in ("--eval_strategy steps", "--eval_strategy no", "--do_eval"):
        line = f"accelerate launch --config_file a.yaml run.py {words} {flags}"
        yield f"flags-{flags.split()[-1].strip('-')}", Try(line, parser, stack)


def _asked() -> Iterator[tuple[str, Try]]:
    """Transformer Engine under ZeRO-3, where the model is loaded in shards or whole; rewards on two GPUs; evaluation."""
    for stack, at in ((NEW, "new"), (OLD, "old"), (FACTORY_5, "5.2")):
        yield from ((f"asked-evaluates-{name}-{at}", one) for name, one in _evaluated(stack))
    for release, at in ((FACTORY_3, "0.9.3"), (FACTORY_4, "0.9.4"), (FACTORY_5, "0.9.5")):
        for what, more in (
            ("full", {}),
            ("kept", {"disable_gradient_checkpointing": True}),
            ("lora", {"finetuning_type": "lora"}),
            ("other", {"use_reentrant_gc": False}),
        ):
            made = factory(release, stage="rm", dataset="rm", **more)
            yield f"asked-rm-{what}-{at}", made._replace(gpus=TWO)
    for flag in (True, False):
        zero = {"zero_stage": 3, "gradient_accumulation_steps": 1, "zero3_init_flag": flag}
        file = config(distributed_type="DEEPSPEED", fp8_config={"backend": "TE"}, deepspeed_config=zero)
        at = "shards" if flag else "whole"
        parsed = {
            "a.yaml": file,
            "run.py": HF_FILE.format(how="parse_json_file(sys.argv[1])"),
            "args.json": {**HF, "bf16": True},
        }
        yield (
            f"asked-zero3-parser-{at}",
            Try("accelerate launch --config_file a.yaml run.py args.json", parsed, DEEPSPEED),
        )
        keys = {**SFT, "gradient_checkpointing": False, "accelerate_config": "a.yaml"}
        yield f"asked-zero3-trl-{at}", Try("trl sft --config r.yaml", {"a.yaml": file, "r.yaml": keys}, DEEPSPEED)
        text = _SFT_SCRIPT.format(
            model="AutoModelForCausalLM.from_pretrained('model')",
            config="SFTConfig",
            trainer="SFTTrainer",
            data="sft",
            keywords="bf16=True, gradient_checkpointing=False, per_device_train_batch_size=4",
            more="",
        )
        files = {"a.yaml": file, "train.py": text}
        yield f"asked-zero3-sft-{at}", Try("accelerate launch --config_file a.yaml train.py", files, DEEPSPEED)


# --- shell scripts -------------------------------------------------------------------------------------------------

_PLAIN = f"""{IMPORTS}
accelerator = Accelerator()
model = AutoModelForCausalLM.from_pretrained("model")
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
model, optimizer = accelerator.prepare(model, optimizer)
ids = torch.arange(4, 20, device=accelerator.device).repeat(4, 1)
accelerator.backward(model(input_ids=ids, labels=ids).loss)
optimizer.step()
"""
_HEADS = (
    "set -euo pipefail",
    'cd "$(dirname "$0")"',
    "export ACCELERATE_MIXED_PRECISION=fp8",
    "export ACCELERATE_FP8_BACKEND=TE",
    "export CUDA_VISIBLE_DEVICES=0",
    "unset ACCELERATE_FP8_BACKEND",
    "MP=${MP:-fp8}",
    "PRECISION=bf16",
    "source env.sh",
    ". ./env.sh",
    "if [ -f env.sh ]; then source env.sh; fi",
    "if command -v nvidia-smi >/dev/null; then echo gpu; fi",
    'echo "starting with $CONFIG"',
    "mkdir -p out logs",
    "NUM=$(nvidia-smi --query-gpu=count --format=csv,noheader | head -1)",
    "NUM=1",
    "trap 'echo bye' EXIT",
    "ulimit -n 1024",
    'export PYTHONPATH="$PWD:${PYTHONPATH:-}"',
    "export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false",
    "export ACCELERATE_LOG_LEVEL=INFO",
)
_CALLS = (
    'accelerate launch --config_file "$CONFIG" train.py',
    "accelerate launch --config_file $CONFIG --mixed_precision $PRECISION train.py",
    "accelerate launch --config_file ${CONFIG} \\\n  --num_processes ${NUM:-1} \\\n  train.py",
    'CMD="accelerate launch --config_file $CONFIG train.py"\neval $CMD',
    'CMD="accelerate launch --config_file $CONFIG train.py"\n$CMD',
    'ARGS=(--config_file "$CONFIG")\nARGS+=(--mixed_precision "${MP:-fp8}")\naccelerate launch "${ARGS[@]}" train.py',
    'ARGS="--config_file $CONFIG"\nif [ "${FP8:-1}" = "1" ]; then ARGS="$ARGS --mixed_precision fp8"; fi\naccelerate launch $ARGS train.py',
    "accelerate launch --config_file $CONFIG train.py 2>&1 | tee out.log",
    "accelerate launch --config_file $CONFIG train.py > out.log 2>&1 || cat out.log",
    "accelerate launch --config_file $CONFIG train.py && echo done",
    "(accelerate launch --config_file $CONFIG train.py)",
    "accelerate launch --config_file $CONFIG train.py &\nwait",
    'case "$CONFIG" in\n  te*) accelerate launch --config_file "$CONFIG" train.py ;;\n  *) accelerate launch --mixed_precision bf16 train.py ;;\nesac',
    'LAUNCHER="accelerate launch"\n$LAUNCHER --config_file $CONFIG train.py',
    'run() { accelerate launch --config_file "$1" train.py; }\nrun $CONFIG',
    "for c in $CONFIG; do accelerate launch --config_file $c train.py; done",
    "python -m accelerate.commands.launch --config_file $CONFIG train.py",
    "torchrun --standalone --nproc_per_node 1 train.py",
    "exec accelerate launch --config_file $CONFIG train.py",
    "if ! accelerate launch --config_file $CONFIG train.py; then exit 1; fi",
    'TRAIN=train.py\nCFG="./$CONFIG"\naccelerate launch --config_file="$CFG" "$TRAIN"',
    "cat > made.yaml <<EOF\nmixed_precision: fp8\nfp8_config:\n  backend: TE\nEOF\naccelerate launch --config_file made.yaml train.py",
    'MIXED=$( [ -n "${BF16:-}" ] && echo bf16 || echo fp8 )\naccelerate launch --config_file $CONFIG --mixed_precision $MIXED train.py',
    "env ACCELERATE_MIXED_PRECISION=bf16 accelerate launch --config_file $CONFIG train.py",
    "ACCELERATE_FP8_FORMAT=E4M3 accelerate launch --config_file $CONFIG train.py",
    "timeout 200 nice -n 5 accelerate launch --config_file $CONFIG train.py",
    "[ -f $CONFIG ] && accelerate launch --config_file $CONFIG train.py",
    "accelerate launch $(cat flags.txt) train.py",
    "accelerate launch --config_file ${CONFIG%.yaml}.yaml train.py",
    "accelerate launch --config_file ${CONFIG/te/ao} train.py",
    "accelerate launch --config_file ${1:-$CONFIG} ${2:+--mixed_precision $2} train.py",
    "make -s train CONFIG=$CONFIG",
    "bash inner.sh $CONFIG",
    "CONFIG=$CONFIG ./inner.sh",
    "while read -r c; do accelerate launch --config_file $c train.py; done <<< $CONFIG",
    "xargs -I{} accelerate launch --config_file {} train.py <<< $CONFIG",
)
_STARTS = (
    *("bash run.sh",) * 4,
    *(
        "sh run.sh",
        "./run.sh",
        "bash run.sh te.yaml",
        "bash run.sh ao.yaml bf16",
        "MP=bf16 bash run.sh",
        "bash ./run.sh",
    ),
    *("CONFIG=bf16.yaml bash run.sh", "env PRECISION=fp8 bash -e run.sh", "nohup bash run.sh", "bash -lc './run.sh'"),
    *("source run.sh", "time bash run.sh", "BF16=1 bash run.sh", "FP8=0 bash run.sh"),
)


def _shell(chance: Random) -> Try:
    name = chance.choice(("te.yaml", "te.yaml", "ao.yaml", "bf16.yaml"))
    first = chance.choice(
        (f"CONFIG={name}", f"CONFIG=${{CONFIG:-{name}}}", f'CONFIG="{name}"', f"export CONFIG={name}")
    )
    heads = [first, *_some(chance, _HEADS, 1, 2, 3)]
    chance.shuffle(heads)
    text = "\n".join(("#!/bin/bash", *heads, chance.choice(_CALLS), ""))
    files = {
        "te.yaml": config(fp8_config={"backend": "TE", "fp8_format": "HYBRID"}),
        "ao.yaml": config(fp8_config={"backend": "AO"}),
        "bf16.yaml": config(mixed_precision="bf16"),
        "env.sh": chance.choice(
            ("export ACCELERATE_FP8_FORMAT=E4M3\n", "PRECISION=fp8\n", "export ACCELERATE_FP8_BACKEND=AO\n")
        ),
        "flags.txt": "--config_file te.yaml\n",
        "inner.sh": '#!/bin/bash\naccelerate launch --config_file "${1:-$CONFIG}" train.py\n',
        "Makefile": "train:\n\taccelerate launch --config_file $(CONFIG) train.py\n",
        "train.py": _PLAIN,
        "run.sh": text,
    }
    return Try(chance.choice(_STARTS), files, chance.choice((NEW, NEW, OLD)))


MAKERS = {
    "loop": _loop,
    "parser": _parser,
    "sft": _sft,
    "stage": _stage,
    "method": _method,
    "axolotl": _axolotl,
    "shell": _shell,
}
