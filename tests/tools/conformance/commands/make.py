"""The cases: what people type, class by class."""

from __future__ import annotations

import shlex
from random import Random
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import stacks
from tests.tools.conformance.commands import (
    eighth_tries,
    fifth_tries,
    first_tries,
    fourth_tries,
    ninth_tries,
    programs,
    scripted,
    second_tries,
    seventh_tries,
    sixth_tries,
    strategies,
    tenth_tries,
    third_tries,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

    from tests.tools.conformance.cases import Case
    from tests.tools.conformance.commands.second_tries import Try

NEW, OLD, DEEPSPEED, AXOLOTL = "1.15-commands", "1.10-commands", "1.15-commands-deepspeed", "1.13-axolotl"
FACTORIES = {"0.9.5": "1.11-lf5.2", "0.9.4": "1.10-lf0.9.4", "0.9.3": "1.7-commands-lf0.9.3"}
TWO = ["9.0", "9.0"]


# What nobody can tell from the files at hand: fp8check has to say so, and never that the run starts.
UNDECIDED = {
    "no-file": "the file that the command names is not there: it may be where the run is started",
    "no-such-file": "the file that the command names is not there: it may be where the run is started",
    "no-such-profile": "neither a file that is there nor a profile of TRL: it may be a file where the run is started",
    "accelerate-in-accelerate": "a launcher that is started by another launcher's module",
    **dict.fromkeys(
        (
            *("machine-both-first-old", "machine-reversed", "mixed-009", "mixed-049", "mixed-067", "mixed-143"),
            *("mixed-149", "mixed-151", "single_gpu-1-fp8-0.24"),
        ),
        "two GPUs in one process: Trainer makes nn.DataParallel of them, which the harness does not show",
    ),
    "env-getenv": "what the shell has in PRECISION",
}

# One process that sees two GPUs, where the stand-in shows what one does: docs/evidence/data-parallel.jsonl has what
# GPUs show, and tests/gpu/test_data_parallel.py holds predictions to it.
ON_GPUS = ("machine-both-second-old", "mixed-038", "mixed-115")


def everything() -> list[Case]:
    """All of them, each with an id of its own."""
    made = [*_trl(), *_scripts(), *_factory(), *_nested(), *_wrapped(), *_flags(), *_axolotl(), *_machines(), *_mixed()]
    made += [
        *_scripted(),
        *_checkpointed(),
        *_first_tries(),
        *_tries("second", second_tries),
        *_tries("third", third_tries),
        *_tries("fourth", fourth_tries),
        *_tries("fifth", fifth_tries),
        *_tries("sixth", sixth_tries),
        *_tries("seventh", seventh_tries),
        *_tries("eighth", eighth_tries),
        *_tries("ninth", ninth_tries),
        *_tries("tenth", tenth_tries),
        *_tries("strategy", strategies),
    ]

    assert len({case["id"] for case in made}) == len(made)
    return [case for case in made if case["id"] not in ON_GPUS]


def new(identity: str, kind: str, stack: str, command: str, **parts: Any) -> Case:
    """One case, with everything unsaid at its plainest.

    `replaced` says what is not the user's: "gpu", as machine.py has it; "interpreter", as interpreter.py has it; and
    "transformer_engine", which is te_standin.
    """
    undecided = next((why for part, why in UNDECIDED.items() if part in identity), None)
    return {
        "id": identity,
        "class": kind,
        "undecided": undecided,
        "stack": stacks.known()[stack],
        "command": command,
        "files": parts.get("files") or {},
        "default_file": parts.get("default_file"),
        "variables": parts.get("variables") or {},
        "gpus": parts.get("gpus") or ["9.0"],
        "replaced": [
            "gpu",
            "interpreter",
            *(["transformer_engine"] if "transformer_engine" in stacks.known()[stack] else []),
        ],
    }


def _config(**changes: Any) -> dict[str, Any]:
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "NO",
        "mixed_precision": "fp8",
        "num_machines": 1,
        "num_processes": 1,
        "machine_rank": 0,
        "use_cpu": False,
        "fp8_config": {"backend": "TE", "fp8_format": "E4M3", "amax_history_len": 16, "amax_compute_algo": "max"},
    }
    config.update(changes)
    return {key: value for key, value in config.items() if value is not ...}


TE = _config()
AO = _config(fp8_config={"backend": "AO"})
BF16 = _config(mixed_precision="bf16", fp8_config=...)
_SHARDS: dict[str, Any] = {
    "fsdp_version": 2,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    "fsdp_reshard_after_forward": True,
    "fsdp_cpu_ram_efficient_loading": False,
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
}
FSDP2_TE = _config(distributed_type="FSDP", num_processes=2, fsdp_config=_SHARDS)
FSDP2_AO = _config(
    distributed_type="FSDP",
    num_processes=2,
    fsdp_config=_SHARDS,
    fp8_config={"backend": "AO", "enable_fsdp_float8_all_gather": False},
)
DDP_TE = _config(distributed_type="MULTI_GPU", num_processes=2)

# --- trl ---------------------------------------------------------------------------------------------------------

_PLAIN: dict[str, Any] = {
    "model_name_or_path": "model",
    "max_steps": 1,
    "output_dir": "out",
    "report_to": "none",
    "save_strategy": "no",
    "per_device_train_batch_size": 4,
    "learning_rate": 0.01,
}
_METHODS: dict[str, dict[str, Any]] = {
    "sft": {"dataset_name": "data/sft"},
    "dpo": {"dataset_name": "data/dpo"},
    "reward": {"dataset_name": "data/reward"},
    "grpo": {
        "dataset_name": "data/prompts",
        "reward_funcs": "get_soft_overlong_punishment",
        # Eight rows: a prompt of five tokens and each token that is generated are multiples of 8 then, as TE wants.
        "num_generations": 8,
        "per_device_train_batch_size": 8,
        "max_completion_length": 11,
        "generation_kwargs": '{"min_new_tokens":11}',
    },
}
PROFILES = ("single_gpu", "multi_gpu", "fsdp1", "fsdp2")
ZEROS = ("zero1", "zero2", "zero3")


def flags(arguments: Mapping[str, Any]) -> str:
    """Arguments as flags."""
    return " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in arguments.items())


def trl(method: str, more: str = "", **changes: Any) -> str:
    """A whole `trl METHOD` command without a file."""
    return f"trl {method} {flags({**_PLAIN, **_METHODS[method], **changes})} {more}".strip()


def trl_file(method: str, **changes: Any) -> dict[str, Any]:
    """The same arguments as its file."""
    arguments = {**_PLAIN, **_METHODS[method], **changes}
    if method == "grpo":
        arguments |= {"reward_funcs": [arguments["reward_funcs"]], "generation_kwargs": {"min_new_tokens": 11}}
    return {name: value for name, value in arguments.items() if value is not ...}


_PRECISIONS: dict[str, str] = {
    "plain": "",
    "bf16": "--bf16 true",
    "bf16-bare": "--bf16",
    "bf16-off": "--bf16 false",
    "fp16": "--fp16",
    "both": "--bf16 true --fp16 true",
    "launcher-fp8": "--mixed_precision fp8",
    "launcher-fp8-bf16-off": "--bf16 false --mixed_precision fp8",
    "launcher-fp8-te": "--bf16 false --mixed_precision fp8 --fp8_backend te --fp8_format E4M3",
    "launcher-fp8-ao": "--bf16=false --mixed_precision=fp8 --fp8_backend=ao",
    "launcher-bf16-bf16-off": "--bf16 False --mixed_precision bf16",
    "launcher-fp16": "--mixed_precision fp16 --bf16 no",
    "checkpointing-off": "--gradient_checkpointing false",
    "lora": "--use_peft --lora_r 16",
    "lora-fp8": "--use_peft --lora_r 16 --bf16 false --mixed_precision fp8 --fp8_backend te",
    "te-file": "--accelerate_config te.yaml --bf16 false",
    "te-file-bf16": "--accelerate_config te.yaml",
    "ao-file": "--accelerate_config ao.yaml --bf16 false",
    "te-file-flag": "--config_file te.yaml --bf16 false",
    "te-file-recipe-flag": "--accelerate_config te.yaml --bf16 false --fp8_format HYBRID",
    "no-such-profile": "--accelerate_config fsdp3",
    "config-by-equals": "--accelerate_config=te.yaml --bf16 false",
    "config-flag-twice": "--accelerate_config te.yaml --accelerate_config ao.yaml --bf16 false",
    "unknown-flag": "--fp8 true",
    "precision-typo": "--mixed_precision fp4",
}
_FILES: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({}, ""),
    "bf16-off": ({"bf16": False}, ""),
    "flag-over-file": ({"bf16": True}, "--bf16 false"),
    "flag-over-file-on": ({"bf16": False}, "--bf16 true"),
    "precision-key": ({"mixed_precision": "fp8", "bf16": False}, ""),
    "precision-key-te": ({"mixed_precision": "fp8", "fp8_backend": "te", "bf16": False}, ""),
    "precision-key-and-flag": ({"mixed_precision": "fp8", "bf16": False}, "--mixed_precision bf16"),
    "env-precision": ({"env": {"ACCELERATE_MIXED_PRECISION": "fp8"}, "bf16": False}, ""),
    "env-backend": ({"env": {"ACCELERATE_FP8_BACKEND": "AO"}, "mixed_precision": "fp8", "bf16": False}, ""),
    "env-format": (
        {"env": {"ACCELERATE_FP8_FORMAT": "E4M3", "ACCELERATE_FP8_BACKEND": "TE"}, "bf16": False},
        "--mixed_precision fp8",
    ),
    "env-visible": ({"env": {"CUDA_VISIBLE_DEVICES": "0"}, "mixed_precision": "fp8", "bf16": False}, ""),
    "config-key": ({"accelerate_config": "te.yaml", "bf16": False}, ""),
    "config-key-bf16": ({"accelerate_config": "te.yaml", "bf16": True}, ""),
    "config-key-profile": ({"accelerate_config": "single_gpu", "bf16": False}, "--num_processes 1"),
    "config-key-and-precision": ({"accelerate_config": "single_gpu", "bf16": False, "mixed_precision": "fp8"}, ""),
    "fp16": ({"fp16": True}, ""),
    "config-twice": ({"accelerate_config": "te.yaml", "bf16": False}, "--accelerate_config ao.yaml"),
    "config-null": ({"accelerate_config": None, "bf16": False}, "--accelerate_config ao.yaml"),
    "config-and-config-file": ({"accelerate_config": "te.yaml", "bf16": False}, "--config_file ao.yaml"),
    "unknown-key": ({"fp8": True}, ""),
    "checkpointing-off": ({"gradient_checkpointing": False, "bf16": True}, ""),
    "lora": ({"use_peft": True, "lora_r": 16}, "--mixed_precision fp8"),
    "quoted": ({"bf16": "false", "mixed_precision": "fp8"}, ""),
}


def _trl() -> Iterator[Case]:
    files = {"te.yaml": TE, "ao.yaml": AO}
    for stack, tag in ((NEW, "1.16"), (OLD, "0.24")):
        for key, more in _PRECISIONS.items():
            yield new(f"trl-sft-{key}-{tag}", "trl command", stack, trl("sft", more), files=files)
        for key, (changes, more) in _FILES.items():
            content = {**files, "sft.yaml": trl_file("sft", **changes)}
            command = f"trl sft --config sft.yaml {more}".strip()
            yield new(f"trl-file-{key}-{tag}", "trl command", stack, command, files=content)
        for profile in PROFILES:
            for key, more in _PROFILED.items():
                command = trl("sft", f"--accelerate_config {profile} {more}")
                yield new(f"trl-{profile}-{key}-{tag}", "trl profiles", stack, command, gpus=TWO)
        for method in ("dpo", "reward", "grpo"):
            for key in ("plain", "bf16-off", "launcher-fp8-bf16-off", "launcher-fp8-ao", "te-file", "fp16"):
                command = trl(method, _PRECISIONS[key])
                if stack == OLD:  # its command line takes no dictionary
                    command = command.replace(" --generation_kwargs '{\"min_new_tokens\":11}'", "")
                yield new(f"trl-{method}-{key}-{tag}", "trl command", stack, command, files=files)
            content = {**files, f"{method}.yaml": trl_file(method, bf16=False, accelerate_config="te.yaml")}
            yield new(
                f"trl-{method}-file-{tag}", "trl command", stack, f"trl {method} --config {method}.yaml", files=content
            )
        yield new(
            f"trl-dpo-fsdp2-{tag}",
            "trl profiles",
            stack,
            trl("dpo", "--accelerate_config fsdp2 --num_processes 2"),
            gpus=TWO,
        )
    for profile in ZEROS:
        for key, more in _PROFILED.items():
            if "2" in key:
                continue
            command = trl("sft", f"--accelerate_config {profile} {more}")
            yield new(f"trl-{profile}-{key}-1.16", "trl profiles", DEEPSPEED, command)
        yield new(
            f"trl-{profile}-without-1.16",
            "trl profiles",
            NEW,
            trl("sft", f"--accelerate_config {profile} --num_processes 1"),
        )
        yield new(
            f"trl-{profile}-file-1.16",
            "trl profiles",
            DEEPSPEED,
            "trl sft --config sft.yaml",
            files={"sft.yaml": trl_file("sft", accelerate_config=profile, num_processes=1)},
        )


_PROFILED = {
    "1": "--num_processes 1",
    "2": "--num_processes 2",
    "1-bf16-off": "--num_processes 1 --bf16 false",
    "2-fp8": "--num_processes 2 --bf16 false --mixed_precision fp8 --fp8_backend te",
    "1-fp8": "--num_processes 1 --bf16 false --mixed_precision fp8",
    "1-fp16": "--num_processes 1 --fp16 true",
}

# --- scripts -----------------------------------------------------------------------------------------------------

_STARTS: dict[str, tuple[str, list[str] | None]] = {
    "python": ("python train.py", None),
    "te": ("accelerate launch --config_file accel.yaml train.py", None),
    "flags": ("accelerate launch --mixed_precision fp8 --fp8_backend te train.py", None),
    "torchrun": ("torchrun --nproc_per_node 1 train.py", None),
    "variables": ("ACCELERATE_MIXED_PRECISION=fp8 ACCELERATE_FP8_BACKEND=AO python train.py", None),
    "fsdp2": ("accelerate launch --config_file fsdp2.yaml train.py", TWO),
}
_KEYWORDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"bf16": True},
    "bf16-off": {"bf16": False},
    "fp16": {"fp16": True},
}


def _scripts() -> Iterator[Case]:
    accelerate = {"accel.yaml": TE, "fsdp2.yaml": FSDP2_AO}
    for program, text in {"sft": programs.sft, "dpo": programs.dpo, "trainer": programs.trainer}.items():
        for key, keywords in _KEYWORDS.items():
            for how, (command, gpus) in _STARTS.items():
                for stack, tag in ((NEW, "new"), (OLD, "old")):
                    if tag == "old" and (how in ("torchrun", "flags") or key == "fp16"):
                        continue
                    files = {**accelerate, "train.py": text(**keywords)}
                    yield new(
                        f"{program}-{key}-{how}-{tag}", f"script {program}", stack, command, files=files, gpus=gpus
                    )


# --- LLaMA-Factory -----------------------------------------------------------------------------------------------

_STAGES: dict[str, dict[str, Any]] = {
    "pt": {"dataset": "pt"},
    "sft": {"dataset": "sft"},
    "rm": {"dataset": "rm"},
    "ppo": {"dataset": "ppo", "reward_model": "model", "reward_model_type": "full"},
    "dpo": {"dataset": "dpo"},
    "kto": {"dataset": "kto"},
}


def lf(stage: str, **changes: Any) -> dict[str, Any]:
    """A training file for LLaMA-Factory."""
    arguments = {
        "model_name_or_path": "model",
        "stage": stage,
        "do_train": True,
        "finetuning_type": "full",
        **_STAGES[stage],
        "dataset_dir": "data",
        "template": "default",
        "cutoff_len": 32,
        "output_dir": "out",
        "per_device_train_batch_size": 4,
        "max_steps": 1,
        "learning_rate": 0.01,
        "report_to": "none",
        "save_strategy": "no",
        **changes,
    }
    return {name: value for name, value in arguments.items() if value is not ...}


_LF_FILES: dict[str, dict[str, Any]] = {
    "bf16": {"bf16": True},
    "fp8": {"fp8": True, "bf16": True},
    "fp8-te": {"fp8": True, "fp8_backend": "te", "bf16": True},
    "plain": {},
    "lora": {"bf16": True, "finetuning_type": "lora", "lora_rank": 16},
}
_LF_STARTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "key-value": ("llamafactory-cli train lf.yaml fp8=true bf16=true", {}, {}),
    "key-value-off": ("llamafactory-cli train lf.yaml fp8=false", {"fp8": True, "bf16": True}, {}),
    "lmf": ("lmf train lf.yaml", {"fp8": True, "bf16": True}, {}),
    "module-cli": ("python -m llamafactory.cli train lf.yaml", {"bf16": True}, {}),
    "module-launcher": ("accelerate launch --config_file accel.yaml -m llamafactory.launcher lf.yaml", {}, {}),
    "module-launcher-bf16": (
        "accelerate launch --config_file accel.yaml -m llamafactory.launcher lf.yaml",
        {"bf16": True},
        {},
    ),
    "module-launcher-fp8": (
        "accelerate launch --config_file ao.yaml -m llamafactory.launcher lf.yaml",
        {"bf16": True, "fp8": True},
        {},
    ),
    "module-cli-launched": ("accelerate launch --config_file accel.yaml -m llamafactory.cli train lf.yaml", {}, {}),
    "no-python": (
        "accelerate launch --config_file accel.yaml --no_python llamafactory-cli train lf.yaml",
        {"bf16": True},
        {},
    ),
    "torchrun-module": (
        "torchrun --nproc_per_node 1 -m llamafactory.launcher lf.yaml",
        {"fp8": True, "bf16": True},
        {},
    ),
    "two": ("llamafactory-cli train lf.yaml", {"fp8": True, "bf16": True}, {"gpus": TWO}),
    "two-fp8-te": ("llamafactory-cli train lf.yaml", {"fp8": True, "fp8_backend": "te"}, {"gpus": TWO}),
    "two-visible": ("CUDA_VISIBLE_DEVICES=1 llamafactory-cli train lf.yaml", {"bf16": True}, {"gpus": TWO}),
    "force": ("FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml", {"bf16": True}, {}),
    "force-fp8": ("FORCE_TORCHRUN=1 llamafactory-cli train lf.yaml", {"fp8": True}, {}),
    "nproc": (
        "FORCE_TORCHRUN=1 NPROC_PER_NODE=1 llamafactory-cli train lf.yaml",
        {"fp8": True, "bf16": True},
        {"gpus": TWO},
    ),
    "pure": ("llamafactory-cli train lf.yaml", {"pure_bf16": True}, {}),
    "pure-and-bf16": ("llamafactory-cli train lf.yaml", {"pure_bf16": True, "bf16": True}, {}),
    "fp16": ("llamafactory-cli train lf.yaml", {"fp16": True}, {}),
    "both": ("llamafactory-cli train lf.yaml", {"fp16": True, "bf16": True}, {}),
    "checkpointing-off": ("llamafactory-cli train lf.yaml", {"bf16": True, "disable_gradient_checkpointing": True}, {}),
    "fp8-checkpointing-off": (
        "llamafactory-cli train lf.yaml",
        {"fp8": True, "bf16": True, "disable_gradient_checkpointing": True},
        {},
    ),
    "msamp": ("llamafactory-cli train lf.yaml", {"fp8": True, "fp8_backend": "msamp", "bf16": True}, {}),
    "unknown-key": ("llamafactory-cli train lf.yaml", {"fp8_recipe": "delayed"}, {}),
    "json": ("llamafactory-cli train lf.json", {"bf16": True}, {"json": True}),
    "variable": ("ACCELERATE_MIXED_PRECISION=fp8 llamafactory-cli train lf.yaml", {}, {}),
    "variable-bf16": ("env ACCELERATE_MIXED_PRECISION=fp8 llamafactory-cli train lf.yaml", {"bf16": True}, {}),
    "no-such-file": ("llamafactory-cli train nothing.yaml", {}, {}),
    "ampere": ("llamafactory-cli train lf.yaml", {"fp8": True, "bf16": True}, {"gpus": ["8.0"]}),
    "packing": ("llamafactory-cli train lf.yaml", {"fp8": True, "bf16": True, "packing": True}, {}),
}


def _factory() -> Iterator[Case]:
    accelerate = {"accel.yaml": TE, "ao.yaml": AO}
    for release, stack in FACTORIES.items():
        for stage in _STAGES:
            for key, changes in _LF_FILES.items():
                if key == "lora" and stage in ("rm", "ppo"):
                    continue
                files = {"lf.yaml": lf(stage, **changes)}
                command = "llamafactory-cli train lf.yaml"
                yield new(f"lf-{stage}-{key}-{release}", "LLaMA-Factory", stack, command, files=files)
        for key, (command, changes, parts) in _LF_STARTS.items():
            name = "lf.json" if parts.get("json") else "lf.yaml"
            files = {**accelerate, name: lf("sft", **changes)}
            yield new(f"lf-{key}-{release}", "LLaMA-Factory", stack, command, files=files, gpus=parts.get("gpus"))


# --- nested launchers and other names of them --------------------------------------------------------------------

_RUN = "--output_dir out --max_steps 1 --per_device_train_batch_size 4 --report_to none --save_strategy no"
_NESTED: dict[str, tuple[str, list[str] | None]] = {
    "cli-module": ("python -m accelerate.commands.accelerate_cli launch --config_file te.yaml {0}", None),
    "cli-module-3": ("python3 -m accelerate.commands.accelerate_cli launch --mixed_precision fp8 {0}", None),
    "launch-module": ("python -m accelerate.commands.launch --config_file te.yaml {0}", None),
    "accelerate-launch": ("accelerate-launch --config_file te.yaml {0}", None),
    "accelerate-launch-flags": ("accelerate-launch --mixed_precision=fp8 --fp8_backend=te {0}", None),
    "torchrun-no-python": ("torchrun --nproc_per_node 1 --no_python accelerate launch --config_file te.yaml {0}", None),
    "torchrun-no-python-dashes": (
        "torchrun --nproc-per-node=1 --no-python accelerate launch --mixed_precision fp8 {0}",
        None,
    ),
    "torchrun-two-each-one": (
        "torchrun --nproc_per_node 2 --no_python accelerate launch --config_file te.yaml --num_processes 1 {0}",
        TWO,
    ),
    "accelerate-in-accelerate": (
        "accelerate launch --mixed_precision bf16 -m accelerate.commands.launch --config_file te.yaml {0}",
        None,
    ),
    "no-python-python": ("accelerate launch --config_file te.yaml --no_python python {0}", None),
    "run-module": ("python -m torch.distributed.run --nproc_per_node 1 {0}", None),
    "run-module-two": ("python -m torch.distributed.run --nproc_per_node=2 {0}", TWO),
    "torchrun-standalone": ("torchrun --standalone --nnodes=1 --nproc-per-node=2 {0}", TWO),
    "torchrun-gpu": ("torchrun --standalone --nproc_per_node gpu {0}", TWO),
    "python-u": ("python -u {0}", None),
    "python-options": ("python3 -W ignore -X faulthandler {0}", None),
    "two": ("accelerate launch --config_file ddp.yaml {0}", TWO),
    "multi-gpu-flag": ("accelerate launch --multi_gpu --num_processes 2 --mixed_precision fp8 {0}", TWO),
    "found-two": ("accelerate launch --mixed_precision fp8 {0}", TWO),
    "file-and-flag": ("accelerate launch --config_file te.yaml --mixed_precision bf16 {0}", None),
    "flag-fp8-over-bf16": ("accelerate launch --config_file bf16.yaml --mixed_precision fp8 {0}", None),
    "processes-over-file": ("accelerate launch --config_file ddp.yaml --num_processes 1 {0}", None),
    "cpu": ("accelerate launch --cpu --mixed_precision fp8 {0}", None),
    "no-file": ("accelerate launch --config_file nothing.yaml {0}", None),
}
_PAYLOADS = {
    "own": ("own.py", {"own.py": programs.own()}),
    "flags": (f"train.py {_RUN}", {"train.py": programs.FLAGS}),
}


def _nested() -> Iterator[Case]:
    accelerate = {"te.yaml": TE, "ddp.yaml": DDP_TE, "bf16.yaml": BF16}
    for key, (command, gpus) in _NESTED.items():
        for payload, (words, files) in _PAYLOADS.items():
            yield new(
                f"nested-{key}-{payload}",
                "launchers",
                NEW,
                command.format(words),
                files={**accelerate, **files},
                gpus=gpus,
            )
    for key in ("cli-module", "torchrun-no-python", "two", "flag-fp8-over-bf16"):
        command, gpus = _NESTED[key]
        words, files = _PAYLOADS["flags"]
        yield new(
            f"nested-{key}-old", "launchers", OLD, command.format(words), files={**accelerate, **files}, gpus=gpus
        )


_WRAPPERS: dict[str, str] = {
    "env": "env ACCELERATE_MIXED_PRECISION=fp8 {python}",
    "env-u": "env -u ACCELERATE_MIXED_PRECISION A=B {launch}",
    "env-i": 'env -i PATH="$PATH" HF_HOME="$HF_HOME" PYTHONPATH="$PYTHONPATH" {launch}',
    "nohup": "nohup {launch}",
    "nohup-output": "nohup {launch} > out.log 2>&1",
    "nice": "nice {launch}",
    "nice-n": "nice -n 10 {launch}",
    "nice-short": "nice -10 {launch}",
    "timeout": "timeout 100 {launch}",
    "timeout-options": "timeout --signal=TERM -k 5 2m {launch}",
    "time": "time {launch}",
    "time-p": "time -p {launch}",
    "stdbuf": "stdbuf -oL -eL {launch}",
    "setsid": "setsid --wait {launch}",
    "taskset": "taskset -c 0,1 {launch}",
    "ionice": "ionice -c 3 {launch}",
    "bash-c": "bash -c '{launch}'",
    "sh-c": "sh -c '{launch}'",
    "bash-c-variable": "bash -c 'ACCELERATE_MIXED_PRECISION=fp8 {python}'",
    "bash-c-export": "bash -c 'export ACCELERATE_MIXED_PRECISION=fp8; {python}'",
    "bash-lc": "bash -ec '{launch}'",
    "exec": "exec {launch}",
    "command": "command {launch}",
    "and": "cd . && {launch}",
    "variables": "ACCELERATE_MIXED_PRECISION=fp8 ACCELERATE_FP8_BACKEND=TE ACCELERATE_FP8_FORMAT=E4M3 {python}",
    "visible": "CUDA_VISIBLE_DEVICES=0 {launch}",
    "stacked": "nohup env A=B nice -n 5 timeout 100 {launch}",
    "env-nohup-variables": "env ACCELERATE_MIXED_PRECISION=fp8 nohup nice {python}",
    "tee": "{launch} 2>&1 | tee out.log",
    "background": "{launch} & wait $!",
    "xargs": "echo train | xargs -I % {launch}",
}


def _wrapped() -> Iterator[Case]:
    launch = f"accelerate launch --config_file te.yaml train.py {_RUN}"
    python = f"python train.py {_RUN}"
    files = {"te.yaml": TE, "train.py": programs.FLAGS}
    for key, text in _WRAPPERS.items():
        command = text.format(launch=launch, python=python)
        yield new(f"wrapped-{key}", "wrappers", NEW, command, files=files)
    for key, text in _WRAPPERS.items():
        if "{launch}" in text and key not in ("xargs", "env-i"):
            command = text.format(launch="trl sft --config sft.yaml --mixed_precision fp8 --fp8_backend te")
            content = {"sft.yaml": trl_file("sft", bf16=False)}
            yield new(f"wrapped-{key}-trl", "wrappers", NEW, command, files=content)


# --- flags only --------------------------------------------------------------------------------------------------

_FLAGS: dict[str, str] = {
    "plain": "",
    "bf16": "--bf16 True",
    "bf16-bare": "--bf16",
    "bf16-equals": "--bf16=true",
    "bf16-off": "--bf16 False",
    "fp16": "--fp16",
    "both": "--bf16 --fp16",
    "checkpointing": "--bf16 True --gradient_checkpointing True",
    "unknown": "--fp8 True",
    "no-flag": "--no_bf16",
    "dashes": "--gradient-checkpointing true --bf16 true",
    "twice": "--bf16 True --bf16 False",
}
_FLAG_STARTS = {
    "python": "python {0}",
    "te": "accelerate launch --config_file te.yaml {0}",
    "fp8": "accelerate launch --mixed_precision fp8 {0}",
    "torchrun": "torchrun --nproc_per_node 1 {0}",
    "variable": "ACCELERATE_MIXED_PRECISION=fp8 python {0}",
}


def _flags() -> Iterator[Case]:
    files = {"te.yaml": TE, "train.py": programs.FLAGS}
    for key, more in _FLAGS.items():
        for how, command in _FLAG_STARTS.items():
            words = f"train.py {_RUN} {more}".strip()
            yield new(f"flags-{key}-{how}", "flags only", NEW, command.format(words), files=files)
    for key in ("plain", "bf16", "bf16-off", "unknown"):
        words = f"train.py {_RUN} {_FLAGS[key]}".strip()
        for how in ("te", "variable"):
            yield new(f"flags-{key}-{how}-old", "flags only", OLD, _FLAG_STARTS[how].format(words), files=files)


# --- axolotl -----------------------------------------------------------------------------------------------------


def ax(**changes: Any) -> dict[str, Any]:
    """A training file for axolotl."""
    arguments = {
        "base_model": "model",
        "datasets": [{"path": "data/axolotl", "type": "alpaca"}],
        "sequence_len": 64,
        "micro_batch_size": 4,
        "gradient_accumulation_steps": 1,
        "max_steps": 1,
        "num_epochs": 1,
        "optimizer": "adamw_torch",
        "lr_scheduler": "constant",
        "learning_rate": 0.01,
        "output_dir": "out",
        "save_strategy": "no",
        "val_set_size": 0,
        "attn_implementation": "sdpa",
        **changes,
    }
    return {name: value for name, value in arguments.items() if value is not ...}


_AX_FSDP: dict[str, Any] = {
    "fsdp_version": 2,
    "fsdp_config": {
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
        "reshard_after_forward": True,
        "state_dict_type": "FULL_STATE_DICT",
    },
}


def _ax_fsdp(**changes: Any) -> dict[str, Any]:
    return {**_AX_FSDP, "fsdp_config": {**_AX_FSDP["fsdp_config"], **changes}}


# They are Triton's, which wants a GPU, and on by themselves.
_NO_KERNELS = {"lora_mlp_kernel": False, "lora_qkv_kernel": False, "lora_o_kernel": False}
_AX: dict[str, tuple[str, dict[str, Any], list[str] | None]] = {
    "plain": ("axolotl train ax.yaml", {}, None),
    "bf16": ("axolotl train ax.yaml", {"bf16": True}, None),
    "bf16-auto": ("axolotl train ax.yaml", {"bf16": "auto"}, None),
    "bf16-off": ("axolotl train ax.yaml", {"bf16": False}, None),
    "fp16": ("axolotl train ax.yaml", {"fp16": True}, None),
    "fp8": ("axolotl train ax.yaml", {"fp8": True, "bf16": True}, None),
    "fp8-alone": ("axolotl train ax.yaml", {"fp8": True}, None),
    "fp8-off": ("axolotl train ax.yaml", {"fp8": False, "bf16": True}, None),
    "fp8-rowwise": ("axolotl train ax.yaml", {"fp8": True, "fp8_config": {"recipe": "rowwise"}}, None),
    "fp8-tensorwise": ("axolotl train ax.yaml", {"fp8": True, "fp8_config": {"recipe": "tensorwise"}}, None),
    "fp8-recipe-typo": ("axolotl train ax.yaml", {"fp8": True, "fp8_config": {"recipe": "blockwise"}}, None),
    "config-without-fp8": ("axolotl train ax.yaml", {"bf16": True, "fp8_config": {"recipe": "rowwise"}}, None),
    "gather-without-fsdp": (
        "axolotl train ax.yaml",
        {"fp8": True, "bf16": True, "fp8_enable_fsdp_float8_all_gather": True},
        None,
    ),
    "gather-rowwise": (
        "axolotl train ax.yaml",
        {"fp8": True, "fp8_config": {"recipe": "rowwise"}, "fp8_enable_fsdp_float8_all_gather": True, **_AX_FSDP},
        TWO,
    ),
    "fsdp2": ("axolotl train ax.yaml", {"bf16": True, **_AX_FSDP}, TWO),
    "fsdp2-fp8": ("axolotl train ax.yaml", {"fp8": True, "bf16": True, **_AX_FSDP}, TWO),
    "fsdp2-fp8-efficient": (
        "axolotl train ax.yaml",
        {"fp8": True, "bf16": True, **_ax_fsdp(cpu_ram_efficient_loading=True)},
        TWO,
    ),
    "fsdp2-fp8-checkpointing": (
        "axolotl train ax.yaml",
        {"fp8": True, "bf16": True, **_ax_fsdp(activation_checkpointing=True)},
        TWO,
    ),
    "fp8-over-file": ("axolotl train ax.yaml -- --config_file accel.yaml", {"fp8": True, "bf16": True}, None),
    "two": ("axolotl train ax.yaml", {"bf16": True}, TWO),
    "two-fp8": ("axolotl train ax.yaml", {"fp8": True, "bf16": True}, TWO),
    "launcher-torchrun": ("axolotl train ax.yaml --launcher torchrun -- --nproc_per_node=1", {"bf16": True}, None),
    "launcher-torchrun-two": (
        "axolotl train ax.yaml --launcher torchrun -- --nproc_per_node=2",
        {"fp8": True, "bf16": True},
        TWO,
    ),
    "launcher-python": ("axolotl train ax.yaml --launcher python", {"fp8": True, "bf16": True}, None),
    "launcher-accelerate": (
        "axolotl train ax.yaml --launcher accelerate -- --config_file accel.yaml",
        {"bf16": True},
        None,
    ),
    "launcher-accelerate-off": ("axolotl train ax.yaml -- --config_file accel.yaml", {"bf16": False}, None),
    "launcher-flags": ("axolotl train ax.yaml -- --mixed_precision fp8", {"bf16": False}, None),
    "flag-bf16": ("axolotl train ax.yaml --bf16 true", {}, None),
    "flag-over-file": ("axolotl train ax.yaml --micro-batch-size 2", {"bf16": True}, None),
    "module": ("accelerate launch -m axolotl.cli.train ax.yaml", {"fp8": True, "bf16": True}, None),
    "module-file": (
        "accelerate launch --config_file accel.yaml -m axolotl.cli.train ax.yaml",
        {"bf16": True},
        None,
    ),
    "module-file-off": (
        "accelerate launch --config_file accel.yaml -m axolotl.cli.train ax.yaml",
        {"bf16": False},
        None,
    ),
    "module-python": ("python -m axolotl.cli.train ax.yaml", {"bf16": True}, None),
    "module-cli": ("python -m axolotl.cli.main train ax.yaml", {"bf16": True}, None),
    "ampere": ("axolotl train ax.yaml", {"fp8": True, "bf16": True}, ["8.0"]),
    "ada": ("axolotl train ax.yaml", {"fp8": True, "bf16": True}, ["8.9"]),
    "ampere-bf16": ("axolotl train ax.yaml", {"bf16": True}, ["8.0"]),
    "unknown-key": ("axolotl train ax.yaml", {"bf16": True, "fp8_recipe": "rowwise"}, None),
    "checkpointing": ("axolotl train ax.yaml", {"bf16": True, "gradient_checkpointing": True}, None),
    "fp8-checkpointing": ("axolotl train ax.yaml", {"bf16": True, "fp8": True, "gradient_checkpointing": True}, None),
    "lora": (
        "axolotl train ax.yaml",
        {"bf16": True, "adapter": "lora", "lora_r": 16, "lora_alpha": 16, "lora_target_linear": True, **_NO_KERNELS},
        None,
    ),
    "padded": ("axolotl train ax.yaml", {"bf16": True, "fp8": True, "pad_to_sequence_len": True}, None),
    "both": ("axolotl train ax.yaml", {"bf16": True, "fp16": True}, None),
    "wrapped": ("nohup env A=B axolotl train ax.yaml", {"fp8": True, "bf16": True}, None),
    "no-file": ("axolotl train nothing.yaml", {}, None),
    "nested": ("torchrun --nproc_per_node 1 -m axolotl.cli.train ax.yaml", {"fp8": True, "bf16": True}, None),
}


def _axolotl() -> Iterator[Case]:
    for key, (command, changes, gpus) in _AX.items():
        files = {"ax.yaml": ax(**changes), "accel.yaml": TE}
        yield new(f"axolotl-{key}", "axolotl", AXOLOTL, command, files=files, gpus=gpus)
    zero = _config(
        distributed_type="DEEPSPEED",
        mixed_precision="bf16",
        fp8_config=...,
        deepspeed_config={"zero_stage": 2, "gradient_accumulation_steps": 1},
    )
    for key, changes in {"on": {"bf16": True}, "off": {"bf16": False}, "plain": {}}.items():
        files = {"ax.yaml": ax(**changes), "zero.yaml": zero}
        command = "axolotl train ax.yaml -- --config_file zero.yaml"
        yield new(f"axolotl-zero2-{key}", "axolotl", f"{AXOLOTL}-deepspeed", command, files=files)


# --- machines ----------------------------------------------------------------------------------------------------

_TRAIN = f"train.py {_RUN}"
_MACHINES: dict[str, tuple[str, list[str]]] = {
    "ampere": (f"accelerate launch --config_file te.yaml {_TRAIN}", ["8.0"]),
    "ada": (f"accelerate launch --config_file te.yaml {_TRAIN}", ["8.9"]),
    "blackwell": (f"accelerate launch --config_file te.yaml {_TRAIN}", ["10.0"]),
    "first-of-two": (f"CUDA_VISIBLE_DEVICES=0 accelerate launch --config_file te.yaml {_TRAIN}", ["8.0", "9.0"]),
    "second-of-two": (f"CUDA_VISIBLE_DEVICES=1 accelerate launch --config_file te.yaml {_TRAIN}", ["8.0", "9.0"]),
    "second-is-old": (f"CUDA_VISIBLE_DEVICES=1 accelerate launch --config_file te.yaml {_TRAIN}", ["9.0", "8.0"]),
    "both-first-old": (f"accelerate launch --config_file te.yaml {_TRAIN}", ["8.0", "9.0"]),
    "both-second-old": (f"accelerate launch --config_file te.yaml {_TRAIN}", ["9.0", "8.0"]),
    "reversed": (f"CUDA_VISIBLE_DEVICES=1,0 accelerate launch --config_file te.yaml {_TRAIN}", ["9.0", "8.0"]),
    "ddp-second-old": (f"accelerate launch --config_file ddp.yaml {_TRAIN}", ["9.0", "8.0"]),
    "ddp-first-old": (f"accelerate launch --config_file ddp.yaml {_TRAIN}", ["8.0", "9.0"]),
    "ddp-two-kinds": (f"accelerate launch --config_file ddp.yaml {_TRAIN}", ["9.0", "8.9"]),
    "ddp-one-gpu": (f"accelerate launch --config_file ddp.yaml {_TRAIN}", ["9.0"]),
    "ddp-one-visible": (f"CUDA_VISIBLE_DEVICES=0 accelerate launch --config_file ddp.yaml {_TRAIN}", TWO),
    "gpu-ids-one": (f"accelerate launch --config_file ddp.yaml --gpu_ids 0 {_TRAIN}", TWO),
    "gpu-ids-two": (f"accelerate launch --config_file ddp.yaml --gpu_ids 0,1 {_TRAIN}", TWO),
    "gpu-ids-single": (f"accelerate launch --config_file te.yaml --gpu_ids 1 {_TRAIN}", ["8.0", "9.0"]),
    "gpu-ids-single-old": (f"accelerate launch --config_file te.yaml --gpu_ids 1 {_TRAIN}", ["9.0", "8.0"]),
    "gpu-ids-in-file": (f"accelerate launch --config_file ids.yaml {_TRAIN}", ["8.0", "9.0"]),
    "fsdp-one-visible": (f"CUDA_VISIBLE_DEVICES=0 accelerate launch --config_file fsdp.yaml {_TRAIN}", TWO),
    "python-ampere": (f"ACCELERATE_MIXED_PRECISION=fp8 python {_TRAIN}", ["8.0"]),
    "torchrun-duplicate": (f"CUDA_VISIBLE_DEVICES=0 torchrun --nproc_per_node 2 {_TRAIN}", TWO),
    "trl-ampere": (trl("sft", "--bf16 false --mixed_precision fp8"), ["8.0"]),
    "default-file": (f"accelerate launch {_TRAIN}", ["9.0"]),
    "default-file-python": (f"python {_TRAIN}", ["9.0"]),
    "default-file-flag": (f"accelerate launch --mixed_precision bf16 {_TRAIN}", ["9.0"]),
    "default-file-cpu": (f"accelerate launch --cpu {_TRAIN}", ["9.0"]),
    "default-file-trl": (trl("sft", "--bf16 false"), ["9.0"]),
}


def _machines() -> Iterator[Case]:
    files = {
        "te.yaml": TE,
        "ddp.yaml": DDP_TE,
        "ids.yaml": {**TE, "gpu_ids": "1"},
        "fsdp.yaml": FSDP2_TE,
        "train.py": programs.FLAGS,
    }
    for key, (command, gpus) in _MACHINES.items():
        default = TE if key.startswith("default-file") else None
        # Else CUDA counts the fastest GPU first.
        order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if len(set(gpus)) > 1 else {}
        yield new(
            f"machine-{key}", "machines", NEW, command, files=files, gpus=gpus, default_file=default, variables=order
        )


# --- dealt by chance ---------------------------------------------------------------------------------------------

MIXED = 160
_ACCELERATE_FILES: dict[str, dict[str, Any]] = {
    "te.yaml": TE,
    "ao.yaml": AO,
    "bf16.yaml": BF16,
    "ddp.yaml": DDP_TE,
    "fsdp_te.yaml": FSDP2_TE,
    "fsdp_ao.yaml": FSDP2_AO,
    "plain.yaml": _config(fp8_config=...),
    "fp16.yaml": _config(mixed_precision="fp16", fp8_config={"backend": "TE"}),
    "mxfp8.yaml": _config(fp8_config={"backend": "TE", "use_mxfp8_block_scaling": True}),
    "one_of_two.yaml": _config(distributed_type="MULTI_GPU", num_processes=1),
}
_LAUNCHER_FLAGS = (
    "--mixed_precision fp8",
    "--mixed_precision bf16",
    "--mixed_precision=no",
    "--fp8_format HYBRID",
    "--fp8_amax_history_len 32",
    "--fp8_backend te",
    "--num_processes 1",
    "--num_processes=2",
    "--multi_gpu",
    "--gpu_ids 0",
    "--gpu_ids all",
    "--num_machines 1",
    "--dynamo_backend no",
    "--main_process_port 0",
)
_TRAINING_FLAGS = (
    "--bf16 True",
    "--bf16 False",
    "--fp16 True",
    "--gradient_checkpointing True",
    "--gradient_checkpointing=false",
    "--bf16_full_eval True",
    "--learning_rate 1e-4",
    "--tf32 False",
)
_SHELL_VARIABLES = (
    "ACCELERATE_MIXED_PRECISION=fp8",
    "ACCELERATE_MIXED_PRECISION=bf16",
    "ACCELERATE_FP8_BACKEND=TE",
    "ACCELERATE_FP8_BACKEND=AO",
    "ACCELERATE_FP8_FORMAT=E4M3",
    "ACCELERATE_FP8_AMAX_HISTORY_LEN=64",
    "CUDA_VISIBLE_DEVICES=0",
    "TOKENIZERS_PARALLELISM=false",
)
_IN_FRONT = (
    "",
    "",
    "",
    "",
    "nohup",
    "env",
    "nice -n 5",
    "timeout 100",
    "stdbuf -oL",
    "env -u NCCL_DEBUG",
    "nohup nice",
)
_CARDS = (["9.0"], ["9.0"], ["9.0"], TWO, TWO, ["8.9"], ["10.0"], ["8.0"])


def _some(chance: Random, words: Sequence[str], most: int) -> list[str]:
    return chance.sample(words, chance.randint(0, most))


def _program(chance: Random) -> tuple[str, dict[str, Any]]:
    """What is trained, with its arguments: the words behind a launcher, and the files."""
    kind = chance.choice(("own", "own", "flags", "flags", "flags", "sft", "dpo", "trainer"))
    if kind == "own":
        keywords = chance.choice(({}, {}, {"mixed_precision": "fp8"}, {"mixed_precision": "bf16"}))
        return "train.py", {"train.py": programs.own(**keywords)}
    if kind == "flags":
        return " ".join([_TRAIN, *_some(chance, _TRAINING_FLAGS, 2)]), {"train.py": programs.FLAGS}
    choices: tuple[dict[str, Any], ...] = ({}, {"bf16": True}, {"bf16": False}, {"fp16": True})
    keywords = {**chance.choice(choices), **chance.choice(({}, {"gradient_checkpointing": chance.random() < 0.5}))}
    return "train.py", {"train.py": getattr(programs, kind)(**keywords)}


def _launched(chance: Random, words: str) -> str:
    """A program behind a launcher."""
    config = chance.choice(["", "", *(f"--config_file {name}" for name in _ACCELERATE_FILES)])
    own = " ".join(one for one in (config, *_some(chance, _LAUNCHER_FLAGS, 3)) if one)
    how = chance.choice(
        ("accelerate", "accelerate", "accelerate", "accelerate", "module", "dashed", "torchrun", "python")
    )
    if how == "torchrun":
        return f"torchrun --standalone --nproc_per_node {chance.choice((1, 2, 'gpu'))} {words}"
    if how == "python":
        return f"python {chance.choice(('', '-u '))}{words}"
    name = {"module": "python -m accelerate.commands.accelerate_cli launch", "dashed": "accelerate-launch"}
    return f"{name.get(how, 'accelerate launch')} {own} {words}".replace("  ", " ")


def _mixed() -> Iterator[Case]:
    """Parts of all that stands above, put together by chance: the same for the same seed."""
    for number in range(MIXED):
        chance = Random(f"mixed/{number}")  # noqa: S311
        stack = chance.choice((NEW, NEW, OLD))
        if chance.random() < 0.3:
            changes = chance.choice(
                ({}, {"bf16": True}, {"bf16": False}, {"fp16": True}, {"gradient_checkpointing": False})
            )
            config = chance.choice(["", *(f"--accelerate_config {name}" for name in (*_ACCELERATE_FILES, *PROFILES))])
            words = [config, *_some(chance, _LAUNCHER_FLAGS[:7], 2)]
            files: dict[str, Any] = {"sft.yaml": trl_file("sft", **changes)}
            command = " ".join(["trl sft --config sft.yaml", *words])
        else:
            words_behind, files = _program(chance)
            command = _launched(chance, words_behind)
        front = [*_some(chance, _SHELL_VARIABLES, 2), chance.choice(_IN_FRONT)]
        command = " ".join(" ".join([*front, command]).split())
        used = {name: content for name, content in _ACCELERATE_FILES.items() if name in command}
        yield new(
            f"mixed-{number:03}", "by chance", stack, command, files={**used, **files}, gpus=chance.choice(_CARDS)
        )


CHECKPOINTED = """import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


model = AutoModelForCausalLM.from_pretrained("model")
model.gradient_checkpointing_enable({way})
args = TrainingArguments(
    output_dir="out", max_steps=1, per_device_train_batch_size=4, report_to="none", save_strategy="no"{more}
)
Trainer(model=model, args=args, train_dataset=Rows()).train()
"""


def _checkpointed() -> Iterator[Case]:
    """A script that checkpoints its model by itself, and has a Trainer."""
    ways = {
        "default": ("", ""),
        "not": ('gradient_checkpointing_kwargs={"use_reentrant": False}', ""),
        "off": ("", ", gradient_checkpointing=False"),
        "reentrant": ('gradient_checkpointing_kwargs={"use_reentrant": True}', ""),
    }
    for age, stack, backends in (("new", NEW, ("TE", "AO")), ("old", OLD, ("TE",))):
        for name, (way, more) in ways.items():
            for backend in backends:
                gather = {"enable_fsdp_float8_all_gather": False} if backend == "AO" else {}
                config = _config(mixed_precision="fp8", fp8_config={"backend": backend, **gather})
                yield new(
                    f"script-own-checkpointing-{name}-{backend}-{age}",
                    "scripts: ways",
                    stack,
                    "accelerate launch --config_file accel.yaml train.py",
                    files={"train.py": CHECKPOINTED.format(way=way, more=more), "accel.yaml": config},
                )


def _scripted() -> Iterator[Case]:
    """Scripts of the user's own: objects, command lines, modes, and all of these by chance."""
    for identity, kind, one in scripted.everything():
        files = {"train.py": one.script, **one.files}
        case = new(
            identity, kind, one.stack, one.command, files=files, gpus=list(one.gpus), variables=dict(one.variables)
        )
        yield {**case, "undecided": case["undecided"] or one.undecided}


def _first_tries() -> Iterator[Case]:
    for identity, stack, command, files in first_tries.commands(lf("sft"), NEW, OLD, FACTORIES, AXOLOTL):
        yield new(identity, first_tries.KIND, stack, command, files=files)


def dealt() -> list[Case]:
    """The cases of seventh_tries.py and eighth_tries.py, with those among them that are not recorded."""
    made = (("seventh", seventh_tries), ("eighth", eighth_tries), ("ninth", ninth_tries), ("tenth", tenth_tries))
    return [case for which, tries in made for case in _tries(which, tries, tries.dealt())]


def _tries(which: str, made: ModuleType, tries: Iterator[tuple[str, Try]] | None = None) -> Iterator[Case]:
    """What people tried a second time, or a third: the cases of that module."""
    for name, one in made.everything() if tries is None else tries:
        case = new(
            f"{which}-{name}",
            made.KIND,
            one.stack,
            one.command,
            files=dict(one.files),
            default_file=one.default_file,
            variables=dict(one.variables),
            gpus=list(one.gpus),
        )
        yield {**case, "undecided": made.undecided(name)}
