"""A backend of torch.distributed that the training arguments name, where one process runs and where several do.

What an H200 showed of a command that chance had dealt (ninth-parser-11): it was said to start, and ended. Each of these
was executed once (docs/evidence/commands.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tools.conformance.commands.second_tries import DATA, NEW, OLD, PLAIN, Try, config
from tests.tools.conformance.commands.third_tries import FACTORY_4, FACTORY_5, HF, HF_FILE, SFT, factory

if TYPE_CHECKING:
    from collections.abc import Iterator

KIND = "tenth tries"
_TE = config(fp8_config={"backend": "TE"})
_TWO = config(
    fp8_config={"backend": "TE"},
    distributed_type="MULTI_GPU",
    num_processes=2,
    gpu_ids="all",
    enable_cpu_affinity=False,
)
_PAIR = ["9.0", "9.0"]
_SAID = {"max_steps": "1", "per_device_train_batch_size": "4", "report_to": '"none"', "save_strategy": '"no"'}
_LAUNCHED = "accelerate launch --config_file a.yaml"


def _trainer(more: str = "") -> str:
    """A script with a Trainer: its arguments are these, and what they say takes the place of what is usual here."""
    usual = [f"{name}={value}" for name, value in _SAID.items() if f"{name}=" not in more]
    return f"""import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

{DATA}
args = TrainingArguments(
    "out", {", ".join([*usual, *([more] if more else [])])}
)
Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""


def everything() -> Iterator[tuple[str, Try]]:
    """The names of the cases, and what makes them."""
    for age, stack in (("new", NEW), ("old", OLD)):
        for name, more in (
            ("gloo", 'ddp_backend="gloo"'),
            ("none", "ddp_backend=None"),
            ("empty", 'ddp_backend=""'),
            ("bf16", 'ddp_backend="gloo", bf16=True'),
            ("cpu", 'ddp_backend="gloo", use_cpu=True'),
            ("timeout", "ddp_timeout=600"),
        ):
            files = {"train.py": _trainer(more), "a.yaml": _TE}
            yield f"one-{name}-{age}", Try(f"{_LAUNCHED} train.py", files, stack)
        files = {"train.py": _trainer('ddp_backend="gloo"'), "a.yaml": _TE}
        yield f"python-{age}", Try("python train.py", files, stack, variables={"ACCELERATE_MIXED_PRECISION": "fp8"})
        yield f"torchrun-one-{age}", Try("torchrun --nproc_per_node 1 train.py", files, stack)
        yield f"torchrun-two-{age}", Try("torchrun --nproc_per_node 2 train.py", files, stack, _PAIR)
        yield f"two-{age}", Try(f"{_LAUNCHED} train.py", {**files, "a.yaml": _TWO}, stack, _PAIR)
        yield f"two-of-one-{age}", Try(f"{_LAUNCHED} --num_processes 1 train.py", {**files, "a.yaml": _TWO}, stack)
        sft = {"sft.yaml": {**SFT, "ddp_backend": "gloo"}, "a.yaml": _TE}
        yield f"trl-{age}", Try("trl sft --config sft.yaml --accelerate_config a.yaml", sft, stack)
        yield f"script-{age}", Try(f"{_LAUNCHED} -m trl.scripts.sft --config sft.yaml", sft, stack)
    for release, stack in (("4", FACTORY_4), ("5", FACTORY_5)):
        for name, command in (
            ("cli", "llamafactory-cli train lf.yaml"),
            ("forced", "FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml"),
            ("launched", f"{_LAUNCHED} -m llamafactory.launcher lf.yaml"),
        ):
            one = factory(stack, command, ddp_backend="gloo")
            yield f"lf{release}-{name}", one._replace(files={**one.files, "a.yaml": _TE})
    yield from keywords()
    yield from in_files()
    yield from derived()
    yield from optimizers()


_REPORTERS = (
    *("mlflow", "comet_ml", "clearml", "swanlab", "trackio", "neptune", "azure_ml", "codecarbon", "dvclive", "dagshub"),
    "flyte",
)
# One keyword of TrainingArguments, or some that go together, as people write them: of each it is asked whether the run
# starts. Not here is what hangs on the machine beside the run: tf32 (a GPU), push_to_hub (a network), kubeflow.
_KEYWORDS = {
    "workers": "dataloader_num_workers=2",
    "persistent": "dataloader_persistent_workers=True",
    "prefetch": "dataloader_prefetch_factor=2",
    "prefetch-workers": "dataloader_num_workers=1, dataloader_prefetch_factor=2",
    "no-pin": "dataloader_pin_memory=False",
    "eval-on-start": "eval_on_start=True",
    "best": "load_best_model_at_end=True",
    "best-save": 'save_strategy="best"',
    "best-metric": 'metric_for_best_model="loss"',
    "min-lr": 'lr_scheduler_type="cosine_with_min_lr"',
    "min-lr-told": 'lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr": 1e-6}',
    "lr-kwargs-other": 'lr_scheduler_kwargs={"min_lr": 1e-6}',
    "wsd": 'lr_scheduler_type="warmup_stable_decay"',
    "plateau": 'lr_scheduler_type="reduce_lr_on_plateau"',
    "unknown-scheduler": 'lr_scheduler_type="cosin"',
    "warmup-share": "warmup_ratio=0.1",
    "warmup-over": "warmup_ratio=1.5",
    "warmup-negative": "warmup_steps=-1",
    "rate-negative": "learning_rate=-1e-4",
    "rate-text": 'learning_rate="1e-4"',
    "decay-negative": "weight_decay=-0.1",
    "beta": "adam_beta2=1.5",
    "epsilon": "adam_epsilon=-1.0",
    "epsilon-text": 'adam_epsilon="1e-8"',
    "clip-none": "max_grad_norm=0.0",
    "clip-null": "max_grad_norm=None",
    "neftune": "neftune_noise_alpha=5",
    "smoothing": "label_smoothing_factor=0.1",
    "galore": 'optim="galore_adamw"',
    "lomo": 'optim="lomo"',
    "ademamix": 'optim="ademamix"',
    "schedule-free": 'optim="schedule_free_adamw"',
    "paged": 'optim="paged_adamw_8bit"',
    "adafactor": 'optim="adafactor"',
    "sgd": 'optim="sgd"',
    "muon": 'optim="muon"',
    "fused": 'optim="adamw_torch_fused"',
    "apex": 'optim="adamw_apex_fused"',
    "stable": 'optim="stable_adamw"',
    "targets": 'optim_target_modules=["attn"]',
    "optim-args": 'optim_args="foo=1"',
    "wandb": 'report_to="wandb"',
    "tensorboard": 'report_to="tensorboard"',
    "reported-nowhere": "report_to=[]",
    "reported-unknown": 'report_to="foo"',
    "fsdp": 'fsdp="full_shard"',
    "fsdp-wrap": 'fsdp="full_shard auto_wrap"',
    "fsdp-off": 'fsdp=""',
    "fsdp-unknown": 'fsdp="shard"',
    "split": 'accelerator_config={"split_batches": True}',
    "dispatch": 'accelerator_config={"dispatch_batches": True}',
    "non-blocking": 'accelerator_config={"non_blocking": True}',
    "config-unknown": 'accelerator_config={"foo": 1}',
    "sync-each": 'accelerator_config={"gradient_accumulation_kwargs": {"sync_each_batch": True}}',
    "accumulates-twice": 'accelerator_config={"gradient_accumulation_kwargs": {"num_steps": 2}}, gradient_accumulation_steps=2',
    "accumulates-there": 'accelerator_config={"gradient_accumulation_kwargs": {"num_steps": 2}}',
    "determinism": "full_determinism=True",
    "finds-batch": "auto_find_batch_size=True",
    "tokens": "average_tokens_across_devices=True",
    "tokens-seen": "include_num_input_tokens_seen=True",
    "memory-told": "skip_memory_metrics=False",
    "log-level": 'log_level="verbose"',
    "log-level-known": 'log_level="warning"',
    "log-zero": "logging_steps=0",
    "log-share": "logging_steps=0.5",
    "log-epoch": 'logging_strategy="epoch"',
    "save-share": 'save_strategy="steps", save_steps=0.5',
    "save-zero": 'save_strategy="steps", save_steps=0',
    "eval-zero": 'eval_strategy="steps", eval_steps=0',
    "epochs-zero": "num_train_epochs=0",
    "seed-negative": "seed=-1",
    "seed-text": 'seed="42"',
    "batch-text": 'per_device_eval_batch_size="4"',
    "compile-mode": 'torch_compile=True, torch_compile_mode="max-autotune"',
    "compile-backend": 'torch_compile_backend="eager"',
    "cache-steps": "torch_empty_cache_steps=1",
    "cache-zero": "torch_empty_cache_steps=0",
    "liger": "use_liger_kernel=True",
    "liger-off": "use_liger_kernel=False, liger_kernel_config={}",
    "cache": "use_cache=True",
    "hub-kernels": "enable_jit_checkpoint=True",
    "unused": "ddp_find_unused_parameters=True",
    "bucket": "ddp_bucket_cap_mb=25",
    "broadcast": "ddp_broadcast_buffers=False",
    "static": "ddp_static_graph=True",
    "timeout-text": 'ddp_timeout="600"',
    "parallel": "parallelism_config=None",
    "restart": 'resume_from_checkpoint="checkpoint-1"',
    "bf16-eval": "bf16_full_eval=True",
    "fp16-eval": "fp16_full_eval=True",
    "do-eval": "do_eval=True",
    "predict": "do_predict=True",
    "eval-steps-none": 'eval_strategy="epoch"',
    "labels": 'label_names=["labels"]',
    "columns": "remove_unused_columns=False",
    "length-column": 'length_column_name="n"',
    "args-name": "run_name='x'",
    "kwargs-checkpointing": 'gradient_checkpointing_kwargs={"use_reentrant": False}',
    "checkpointing-kwargs-unknown": 'gradient_checkpointing=True, gradient_checkpointing_kwargs={"reentrant": False}',
    "checkpointing-text": 'gradient_checkpointing="true"',
    "bf16-text": 'bf16="true"',
    "bf16-null": "bf16=None",
    "steps-negative": "max_steps=-5, num_train_epochs=1",
    "steps-share": "num_train_epochs=0.5",
    "accumulates-text": 'gradient_accumulation_steps="2"',
    "accumulates-share": "gradient_accumulation_steps=0.5",
    "decay-text": 'weight_decay="0.1"',
    "epochs-text": 'num_train_epochs="1"',
    "steps-text": 'max_steps="1"',
    "clip-text": 'max_grad_norm="1.0"',
    "beta-text": 'adam_beta1="0.9"',
    "beta-one": "adam_beta1=1.0",
    "train-batch-text": 'per_device_train_batch_size="4"',
    "warmup-text": 'warmup_ratio="0.1"',
    "warmup-steps-text": 'warmup_steps="10"',
    "warmup-steps-share": "warmup_steps=0.1",
    "warmup-ratio-negative": "warmup_ratio=-0.1",
    "log-text": 'logging_steps="10"',
    "log-fraction": "logging_steps=1.5",
    "log-zero-never": 'logging_steps=0, logging_strategy="no"',
    "log-negative": "logging_steps=-1",
    "save-text": 'save_strategy="steps", save_steps="10"',
    "save-fraction": 'save_strategy="steps", save_steps=1.5',
    "save-limit": 'save_strategy="steps", save_steps=1, save_total_limit=0',
    "workers-negative": "dataloader_num_workers=-1",
    "workers-text": 'dataloader_num_workers="2"',
    "best-other": 'load_best_model_at_end=True, save_strategy="steps"',
    "best-told": 'save_strategy="best", metric_for_best_model="loss"',
    "wsd-told": 'lr_scheduler_type="warmup_stable_decay", lr_scheduler_kwargs={"num_decay_steps": 1}',
    "wsd-stable": 'lr_scheduler_type="warmup_stable_decay", lr_scheduler_kwargs={"num_stable_steps": 1}',
    "min-lr-rate": 'lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr_rate": 0.1}',
    "min-lr-both": 'lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"min_lr_rate": 0.1, "min_lr": 1e-6}',
    "min-lr-warmup": 'lr_scheduler_type="cosine_warmup_with_min_lr"',
    "restarts": 'lr_scheduler_type="cosine_with_restarts", lr_scheduler_kwargs={"num_cycles": 2}',
    "restarts-other": 'lr_scheduler_type="cosine_with_restarts", lr_scheduler_kwargs={"cycles": 2}',
    "cosine-other": 'lr_scheduler_type="cosine", lr_scheduler_kwargs={"min_lr": 1e-6}',
    "cosine-cycles": 'lr_scheduler_type="cosine", lr_scheduler_kwargs={"num_cycles": 0.5}',
    "polynomial": 'lr_scheduler_type="polynomial", lr_scheduler_kwargs={"power": 2.0, "lr_end": 1e-7}',
    "polynomial-over": 'lr_scheduler_type="polynomial", lr_scheduler_kwargs={"lr_end": 1.0}',
    "polynomial-small": 'lr_scheduler_type="polynomial", learning_rate=1e-8',
    "inverse": 'lr_scheduler_type="inverse_sqrt", lr_scheduler_kwargs={"timescale": 10}',
    "inverse-other": 'lr_scheduler_type="inverse_sqrt", lr_scheduler_kwargs={"scale": 10}',
    "constant-other": 'lr_scheduler_type="constant", lr_scheduler_kwargs={"min_lr": 1e-6}',
    "constant-warmup-other": 'lr_scheduler_type="constant_with_warmup", lr_scheduler_kwargs={"min_lr": 1e-6}',
    "linear-null": 'lr_scheduler_type="linear", lr_scheduler_kwargs=None',
    "greedy": 'lr_scheduler_type="greedy"',
    "rate-zero": "learning_rate=0.0",
    "rate-none": "learning_rate=None",
    "sgd-negative": 'optim="sgd", learning_rate=-1e-4',
    "sgd-beta": 'optim="sgd", adam_beta2=1.5',
    "adafactor-negative": 'optim="adafactor", learning_rate=-1e-4',
    "adagrad-negative": 'optim="adagrad", learning_rate=-1e-4',
    "rmsprop-negative": 'optim="rmsprop", learning_rate=-1e-4',
    "fused-beta": 'optim="adamw_torch_fused", adam_beta2=1.5',
    "seed-large": "seed=4294967296",
    "seed-share": "seed=1.5",
    "seed-none": "seed=None",
    "data-seed": "data_seed=-1",
    "both-eval": "fp16_full_eval=True, bf16_full_eval=True",
    "fp16-eval-bf16": "fp16_full_eval=True, bf16=True",
    "reported-list": 'report_to=["tensorboard", "wandb"]',
    "reported-all": 'report_to="all"',
    "reported-none": 'report_to=["none"]',
    "reported-two": 'report_to="wandb,tensorboard"',
    **{f"reported-{one}": f'report_to="{one}"' for one in _REPORTERS},
    "debug": 'debug="foo"',
    "debug-known": 'debug="underflow_overflow"',
    "log-level-upper": 'log_level="WARNING"',
    "log-level-replica": 'log_level_replica="verbose"',
    "checkpointing-kwargs-two": 'gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False, "foo": 1}',
    "reported-null": "report_to=None",
    "reported-false": "report_to=False",
    "reported-empty": 'report_to=""',
    "reported-some": 'report_to=["none", "wandb"]',
    "best-steps": 'load_best_model_at_end=True, save_strategy="steps", eval_strategy="steps", save_steps=10, eval_steps=4',
    "greedy-evaluates": 'lr_scheduler_type="greedy", eval_strategy="epoch"',
    "plateau-evaluates": 'lr_scheduler_type="reduce_lr_on_plateau", eval_strategy="epoch"',
    "eval-strategy-false": "eval_strategy=False",
    "logs-false": "logging_steps=False",
    "log-none": "logging_steps=None",
    "save-none": 'save_strategy="steps", save_steps=None',
    "epochs-none": "num_train_epochs=None",
    "steps-none": "max_steps=None",
    "steps-float": "max_steps=1.0",
    "batch-none": "per_device_train_batch_size=None",
    "accumulates-none": "gradient_accumulation_steps=None",
    "decay-none": "weight_decay=None",
    "beta-none": "adam_beta1=None",
    "warmup-steps-none": "warmup_steps=None",
    "warmup-ratio-none": "warmup_ratio=None",
    "workers-none": "dataloader_num_workers=None",
    "scheduler-none": "lr_scheduler_type=None",
    "optim-none": "optim=None",
    "save-strategy-none": "save_strategy=None",
    "timeout-none": "ddp_timeout=None",
    "smoothing-none": "label_smoothing_factor=None",
    "log-level-none": "log_level=None",
    "drop-last-text": 'dataloader_drop_last="false"',
    "full-eval-text": 'bf16_full_eval="false"',
    "eval-strategy-none": "eval_strategy=None",
    "logging-strategy-none": "logging_strategy=None",
    "hub-strategy-none": "hub_strategy=None",
    "epsilon-none": "adam_epsilon=None",
    "eval-steps-text": 'eval_strategy="steps", eval_steps="10"',
    "eval-batch-none": "per_device_eval_batch_size=None",
    "drop-last-number": "dataloader_drop_last=1",
    "drop-last": "dataloader_drop_last=True",
    "smoothing-text": 'label_smoothing_factor="0.1"',
    "persistent-text": 'dataloader_persistent_workers="false"',
    "best-text": 'load_best_model_at_end="true", save_strategy="steps"',
    "log-bool": "logging_steps=True",
    "epochs-bool": "num_train_epochs=True",
    "full-determinism-text": 'full_determinism="false"',
    "smoothing-negative": "label_smoothing_factor=-0.1",
    "prefetch-zero": "dataloader_num_workers=1, dataloader_prefetch_factor=0",
    "prefetch-persistent": "dataloader_num_workers=1, dataloader_persistent_workers=True",
    "batch-share": "per_device_train_batch_size=0.5",
    "clip-negative": "max_grad_norm=-1.0",
    "checkpointing-kwargs-known": 'gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False, "preserve_rng_state": True}',
    "checkpointing-kwargs-off": 'gradient_checkpointing_kwargs={"reentrant": False}',
    "timeout-share": "ddp_timeout=0.5",
    "cache-none": "torch_empty_cache_steps=None",
    "cache-text": 'torch_empty_cache_steps="4"',
    "save-on-each-node": "save_on_each_node=True",
    "save-only": "save_only_model=True",
    "eval-share": 'eval_strategy="steps", eval_steps=0.5',
    "eval-delay": "eval_delay=-1",
    "eval-accumulation": "eval_accumulation_steps=0",
    "sampling": 'train_sampling_strategy="sorted"',
    "dataloader-context": 'dataloader_multiprocessing_context="fork"',
    "precision-backend": 'half_precision_backend="apex"',
    "opt-level": 'fp16_opt_level="O1"',
    "no-cuda": "no_cuda=False",
    "logging-dir": 'logging_dir="logs"',
    "overwrite": "overwrite_output_dir=True",
    "safetensors": "save_safetensors=False",
    "jit": "jit_mode_eval=True",
}


def keywords() -> Iterator[tuple[str, Try]]:
    """Scripts with a Trainer, of which one says one thing more; with the newest packages and earlier ones."""
    for age, stack in (("new", NEW), ("old", OLD)):
        for name, more in _KEYWORDS.items():
            yield (
                f"keyword-{name}-{age}",
                Try(f"{_LAUNCHED} train.py", {"train.py": _trainer(more), "a.yaml": _TE}, stack),
            )


# The same in a file, of which each trainer makes values in its own way: entries as YAML has them.
_ENTRIES: dict[str, dict[str, Any]] = {
    "optim-null": {"optim": None},
    "save-null": {"save_strategy": None},
    "eval-null": {"eval_strategy": None},
    "epochs-null": {"num_train_epochs": None},
    "clip-null": {"max_grad_norm": None},
    "rate-text": {"learning_rate": "1e-4"},
    "rate-negative": {"learning_rate": -1.0e-4},
    "beta": {"adam_beta2": 1.5},
    "epsilon-text": {"adam_epsilon": "1e-8"},
    "decay-text": {"weight_decay": "0.1"},
    "log-zero": {"logging_steps": 0},
    "log-text": {"logging_steps": "1"},
    "log-fraction": {"logging_steps": 1.5},
    "wandb": {"report_to": "wandb"},
    "wandb-list": {"report_to": ["wandb"]},
    "reported-null": {"report_to": None},
    "reported-two": {"report_to": "wandb,tensorboard"},
    "best": {"load_best_model_at_end": True, "save_strategy": "steps"},
    "best-text": {"load_best_model_at_end": "true", "save_strategy": "steps"},
    "persistent": {"dataloader_persistent_workers": True},
    "prefetch": {"dataloader_prefetch_factor": 2},
    "warmup-negative": {"warmup_steps": -1},
    "warmup-text": {"warmup_steps": "10"},
    "seed": {"seed": -1},
    "seed-text": {"seed": "42"},
    "log-level": {"log_level": "verbose"},
    "min-lr": {"lr_scheduler_type": "cosine_with_min_lr"},
    "min-lr-told": {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1}},
    "wsd": {"lr_scheduler_type": "warmup_stable_decay"},
    "kwargs-other": {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"min_lr": 1.0e-6}},
    "cache-zero": {"torch_empty_cache_steps": 0},
    "accumulates-share": {"gradient_accumulation_steps": 2.0},
    "accumulates-text": {"gradient_accumulation_steps": "2"},
    "batch-text": {"per_device_train_batch_size": "4"},
    "steps-text": {"max_steps": "1"},
    "workers-text": {"dataloader_num_workers": "0"},
    "drop-last-text": {"dataloader_drop_last": "false"},
    "timeout-text": {"ddp_timeout": "1800"},
    "checkpointing-kwargs": {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"reentrant": False}},
}


def in_files() -> Iterator[tuple[str, Try]]:
    """Values that may be refused, in the files of the trainers, and in one that a script parses."""
    for name, entries in _ENTRIES.items():
        for age, stack in (("new", NEW), ("old", OLD)):
            sft = {"sft.yaml": {**SFT, **entries}, "a.yaml": _TE}
            command = f"{_LAUNCHED} -m trl.scripts.sft --config sft.yaml"
            yield f"file-{name}-trl-{age}", Try(command, sft, stack)
            script = HF_FILE.format(how="parse_yaml_file(sys.argv[1])")
            parsed = {"train.py": script, "hf.yaml": {**HF, **entries}, "a.yaml": _TE}
            yield f"file-{name}-hf-{age}", Try(f"{_LAUNCHED} train.py hf.yaml", parsed, stack)
        for release, stack in (("4", FACTORY_4), ("5", FACTORY_5)):
            one = factory(stack, f"{_LAUNCHED} -m llamafactory.launcher lf.yaml", **entries)
            yield f"file-{name}-lf{release}", one._replace(files={**one.files, "a.yaml": _TE})


# A class of one's own that has other defaults: what a field is made of where nobody says.
_FIELDS = {
    "factory": 'field(default_factory=lambda: {"min_lr_rate": 0.1})',
    "factory-other": 'field(default_factory=lambda: {"cycles": 2})',
    "factory-dict": "field(default_factory=dict)",
    "default": "field(default=None)",
    "none": "None",
    "called": "field(default_factory=told)",
}
_DERIVED = """import sys
from dataclasses import dataclass, field

import torch
from transformers import AutoModelForCausalLM, HfArgumentParser, Trainer, TrainingArguments


def told():
    return {{"min_lr": 1e-6}}


@dataclass
class OwnArguments(TrainingArguments):
    lr_scheduler_type: str = "cosine_with_min_lr"
    lr_scheduler_kwargs: dict | None = {field}


{data}
(args,) = HfArgumentParser(OwnArguments).parse_args_into_dataclasses()
Trainer(model=AutoModelForCausalLM.from_pretrained("model"), args=args, train_dataset=Rows()).train()
"""


def derived() -> Iterator[tuple[str, Try]]:
    """Arguments of a class that is derived from TrainingArguments."""
    said = "--output_dir out --max_steps 1 --report_to none --save_strategy no --per_device_train_batch_size 4"
    for age, stack in (("new", NEW), ("old", OLD)):
        for name, field in _FIELDS.items():
            files = {"train.py": _DERIVED.format(field=field, data=DATA), "a.yaml": _TE}
            yield f"derived-{name}-{age}", Try(f"{_LAUNCHED} train.py {said}", files, stack)


def optimizers() -> Iterator[tuple[str, Try]]:
    """Optimizers that keep something of a weight from the moment on that they are made, and of layers that change."""
    ao = config(fp8_config={"backend": "AO", "enable_fsdp_float8_all_gather": False})
    bf16 = {**_TE, "mixed_precision": "bf16"}
    for age, stack in (("new", NEW), ("old", OLD)):
        for optimizer in ("adagrad", "rmsprop", "sgd", "adafactor", "adamw_torch"):
            for name, file in (("te", _TE), ("ao", ao), ("bf16", bf16)):
                if name == "ao" and stack == OLD:
                    continue
                files = {"train.py": _trainer(f'optim="{optimizer}"'), "a.yaml": file}
                yield f"optimizer-{optimizer}-{name}-{age}", Try(f"{_LAUNCHED} train.py", files, stack)
    words = "--lr fast --steps 1.0"
    for name, said in (
        ("int", "--steps 1.0"),
        ("float", "--lr fast"),
        ("right", "--lr 1e-3 --steps 2"),
        ("both", words),
    ):
        options = 'parser.add_argument("--lr", type=float)\nparser.add_argument("--steps", type=int)'
        head = f"import argparse\n\nparser = argparse.ArgumentParser()\n{options}\nparser.parse_args()\n"
        files = {"train.py": head + PLAIN, "a.yaml": _TE}
        yield f"argparse-{name}", Try(f"{_LAUNCHED} train.py {said}", files)


def compiled() -> Iterator[tuple[str, Try]]:
    """Transformer Engine's layers and torch.compile, which only a GPU shows: its own look at the GPU is traced there."""
    bf16 = {**_TE, "mixed_precision": "bf16"}
    inductor = {"dynamo_backend": "INDUCTOR"}
    trainers = {
        "plain": ("torch_compile=True", _TE),
        "eager": ('torch_compile_backend="eager"', _TE),
        "bf16": ("torch_compile=True, bf16=True", _TE),
        "e4m3": ("torch_compile=True", config(fp8_config={"backend": "TE", "fp8_format": "E4M3"})),
        "eval": ("torch_compile=True", config(fp8_config={"backend": "TE", "use_autocast_during_eval": True})),
        "no-fp8": ("torch_compile=True", bf16),
        "dynamo": ("", {**_TE, "dynamo_config": inductor}),
    }
    for name, (more, file) in trainers.items():
        files = {"train.py": _trainer(more), "a.yaml": file}
        yield f"compiled-{name}", Try(f"{_LAUNCHED} train.py", files)
    files = {"train.py": _trainer("torch_compile=True"), "a.yaml": _TE}
    yield "compiled-off", Try(f"TORCH_COMPILE_DISABLE=1 {_LAUNCHED} train.py", files)
    yield "compiled-ddp", Try(f"{_LAUNCHED} --num_processes 1 train.py", {**files, "a.yaml": _TWO})
    after = PLAIN.replace("model.train()", "model = torch.compile(model)\nmodel.train()", 1)
    yield (
        "compiled-own",
        Try(f"{_LAUNCHED} train.py", {"train.py": PLAIN, "a.yaml": {**_TE, "dynamo_config": inductor}}),
    )
    yield "compiled-own-eager", Try(f"{_LAUNCHED} --dynamo_backend eager train.py", {"train.py": PLAIN, "a.yaml": _TE})
    yield "compiled-own-after", Try(f"{_LAUNCHED} train.py", {"train.py": after, "a.yaml": _TE})
    yield (
        "compiled-own-variable",
        Try("ACCELERATE_DYNAMO_BACKEND=INDUCTOR ACCELERATE_MIXED_PRECISION=fp8 python train.py", {"train.py": PLAIN}),
    )
    sft = {"sft.yaml": {**SFT, "bf16": False, "torch_compile": True}, "a.yaml": _TE}
    yield "compiled-sft", Try(f"{_LAUNCHED} -m trl.scripts.sft --config sft.yaml", sft)
    yield (
        "compiled-sft-bf16",
        Try(f"{_LAUNCHED} -m trl.scripts.sft --config sft.yaml", {**sft, "sft.yaml": {**SFT, "torch_compile": True}}),
    )


def dealt() -> Iterator[tuple[str, Try]]:
    """All of them, and those that a GPU alone shows."""
    yield from everything()
    yield from compiled()


def undecided(name: str) -> str | None:  # noqa: ARG001  as those of the tries
    """Why nobody can tell: of none."""
    return None
