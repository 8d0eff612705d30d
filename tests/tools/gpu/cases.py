"""The cases that are executed on a GPU: precision, backend, keys, variables, launch, trainer, distribution, shapes."""

from __future__ import annotations

from typing import Any

Case = dict[str, Any]

BASE = {
    "compute_environment": "LOCAL_MACHINE",
    "num_processes": 1,
    "num_machines": 1,
    "machine_rank": 0,
    "use_cpu": False,
}
FSDP = {
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
}
FSDP1 = {**FSDP, "fsdp_version": 1, "fsdp_sharding_strategy": "FULL_SHARD", "fsdp_use_orig_params": True}
FSDP2 = {**FSDP, "fsdp_version": 2, "fsdp_reshard_after_forward": True}
NO_RAM = {"fsdp_cpu_ram_efficient_loading": False, "fsdp_sync_module_states": False}


def _config(precision: object = "fp8", kind: str = "NO", fp8: Case | None = None, **more: object) -> Case:
    config: Case = {**BASE, "distributed_type": kind, **more}
    if precision is not None:
        config["mixed_precision"] = precision
    if fp8 is not None:
        config["fp8_config"] = fp8
    return config


def _case(name: str, config: Case | None, *, trainer: str = "script", start: str = "accelerate", **more: Any) -> Case:
    return {
        "id": name,
        "trainer": trainer,
        "launch": {
            "with": start,
            "args": more.get("args", []),
            "config_via": "flag" if config is not None else None,
            "processes": 1,
        },
        "accelerate_config": config,
        "training": more.get("training", {}),
        "script": more.get("script"),
        "variables": more.get("variables", {}),
        "model": more.get("model"),
    }


TE = {"backend": "TE"}
AO = {"backend": "AO"}


def _keys() -> list[Case]:
    return [
        _case(
            "te-e4m3-16", _config(fp8={**TE, "fp8_format": "E4M3", "amax_history_len": 16, "amax_compute_algo": "max"})
        ),
        _case("te-default", _config(fp8=TE)),
        _case("ao-default", _config(fp8=AO)),
        _case("ao-gather-off", _config(fp8={**AO, "enable_fsdp_float8_all_gather": False})),
        _case("no-backend", _config(fp8={"fp8_format": "E4M3"})),
        _case("backend-te", _config(fp8={"backend": "te"})),
        _case("backend-torchao", _config(fp8={"backend": "torchao"})),
        _case("backend-msamp", _config(fp8={"backend": "MSAMP"})),
        _case("e5m2", _config(fp8={**TE, "fp8_format": "E5M2"})),
        _case("mxfp8", _config(fp8={**TE, "use_mxfp8_block_scaling": True})),
        _case(
            "interval-override", _config(fp8={**TE, "interval": 2, "override_linear_precision": [False, False, True]})
        ),
        _case("override-string", _config(fp8={**TE, "override_linear_precision": "(false, false, false)"})),
        _case("override-false", _config(fp8={**TE, "override_linear_precision": False})),
        _case("most-recent", _config(fp8={**TE, "amax_compute_algo": "most_recent"})),
        _case("wizard-keys", _config(fp8={**TE, "amax_history_length": 16, "amax_compute_algorithm": "max"})),
        _case("typing-mistake", _config(fp8={**TE, "amax_histroy_len": 16})),
        _case("margin-2", _config(fp8={**TE, "margin": 2})),
    ]


def _precision() -> list[Case]:
    fp8 = {**TE, "fp8_format": "E4M3", "amax_history_len": 16}
    leftover = {"ACCELERATE_FP8_BACKEND": "TE"}
    return [
        _case("bf16-with-fp8-config", _config("bf16", fp8=fp8)),
        _case("no-precision", _config(None, fp8=fp8)),
        _case("unquoted-no", _config(False, fp8=fp8)),
        _case("leftover-te", _config("bf16"), variables=leftover),
        _case("leftover-ao", _config("bf16"), variables={"ACCELERATE_FP8_BACKEND": "AO"}),
        _case("overwritten", _config("bf16"), variables={"ACCELERATE_MIXED_PRECISION": "fp8"}),
        _case("shell-format", _config(fp8=TE), variables={"ACCELERATE_FP8_FORMAT": "E4M3"}),
        _case(
            "python-variables",
            None,
            start="python",
            variables={"ACCELERATE_MIXED_PRECISION": "fp8", **leftover, "ACCELERATE_FP8_AMAX_HISTORY_LEN": "16"},
        ),
        _case("python-config-unread", _config(fp8=TE), start="python"),
        _case("flag-bf16", _config(fp8=fp8), args=["--mixed_precision", "bf16"]),
        _case("flag-backend", _config(fp8={"fp8_format": "E4M3"}), args=["--fp8_backend", "te"]),
        _case("script-bf16", _config(fp8=fp8), script={"accelerator_kwargs": {"mixed_precision": "bf16"}}),
        _case("script-fp8", None, start="python", script={"accelerator_kwargs": {"mixed_precision": "fp8"}}),
        _case(
            "script-handler",
            None,
            start="python",
            script={
                "accelerator_kwargs": {"mixed_precision": "fp8"},
                "recipe_handler": {"cls": "TERecipeKwargs", "kwargs": {"amax_history_len": 32}},
            },
        ),
        _case("model-only", _config(fp8=TE), script={"prepare": "model_only"}),
    ]


def _distributed() -> list[Case]:
    return [
        _case("ddp-te", _config(kind="MULTI_GPU", fp8=TE)),
        _case("ddp-ao", _config(kind="MULTI_GPU", fp8=AO)),
        _case("fsdp1-te", _config(kind="FSDP", fp8=TE, fsdp_config={**FSDP1, **NO_RAM})),
        _case("fsdp1-ao", _config(kind="FSDP", fp8=AO, fsdp_config={**FSDP1, **NO_RAM})),
        _case("fsdp2-te", _config(kind="FSDP", fp8=TE, fsdp_config={**FSDP2, **NO_RAM})),
        _case("fsdp2-ao", _config(kind="FSDP", fp8=AO, fsdp_config={**FSDP2, **NO_RAM})),
        _case("fsdp2-ao-ram-default", _config(kind="FSDP", fp8=AO, fsdp_config=FSDP2)),
        _case(
            "fsdp2-ao-bf16-weights",
            _config(kind="FSDP", fp8=AO, fsdp_config={**FSDP2, **NO_RAM}),
            model={"dtype": "bfloat16"},
        ),
        _case(
            "fsdp2-ao-on-gpu-bf16-weights",
            _config(kind="FSDP", fp8=AO, fsdp_config={**FSDP2, **NO_RAM}),
            model={"dtype": "bfloat16", "device": "cuda"},
        ),
        _case(
            "fsdp2-ao-bf16-weights-gather-off",
            _config(kind="FSDP", fp8={**AO, "enable_fsdp_float8_all_gather": False}, fsdp_config={**FSDP2, **NO_RAM}),
            model={"dtype": "bfloat16"},
        ),
        _case(
            "fsdp2-bf16-leftover",
            _config("bf16", "FSDP", fsdp_config={**FSDP2, **NO_RAM}),
            variables={"ACCELERATE_FP8_BACKEND": "TE"},
        ),
    ]


def _models() -> list[Case]:
    return [
        _case("lora16-te", _config(fp8=TE), model={"lora_rank": 16}),
        _case("lora8-te", _config(fp8=TE), model={"lora_rank": 8}),
        _case("lora16-ao", _config(fp8=AO), model={"lora_rank": 16}),
        _case("tied-te", _config(fp8=TE), model={"tie_word_embeddings": True}),
        _case(
            "tied-ao", _config(fp8={**AO, "enable_fsdp_float8_all_gather": False}), model={"tie_word_embeddings": True}
        ),
        _case("checkpoint-te", _config(fp8=TE), model={"checkpointing": False}),
        _case("checkpoint-reentrant-te", _config(fp8=TE), model={"checkpointing": True}),
        _case(
            "checkpoint-ao", _config(fp8={**AO, "enable_fsdp_float8_all_gather": False}), model={"checkpointing": False}
        ),
        _case("intermediate-1000-te", _config(fp8=TE), model={"intermediate_size": 1000}),
        _case(
            "intermediate-1000-ao",
            _config(fp8={**AO, "enable_fsdp_float8_all_gather": False}),
            model={"intermediate_size": 1000},
        ),
        _case("vocabulary-1001-te", _config(fp8=TE), model={"vocab_size": 1001}),
        _case("batch-5-te", _config(fp8=TE), model={"batch": [5, 7]}),
        _case("batch-24-te", _config(fp8=TE), model={"batch": [1, 24]}),
        _case("batch-5-ao", _config(fp8={**AO, "enable_fsdp_float8_all_gather": False}), model={"batch": [5, 7]}),
    ]


def _trainer() -> list[Case]:
    fp8 = {**TE, "fp8_format": "E4M3", "amax_history_len": 16}
    hf = {"trainer": "transformers"}
    off = {**AO, "enable_fsdp_float8_all_gather": False}
    return [
        _case("hf-te", _config(fp8=fp8), **hf),
        _case("hf-te-bf16", _config(fp8=fp8), training={"bf16": True}, **hf),
        _case("hf-ao", _config(fp8=AO), **hf),
        _case("hf-ao-gather-off", _config(fp8=off), **hf),
        _case("hf-ao-bf16", _config(fp8=AO), training={"bf16": True}, **hf),
        _case("hf-no-backend-bf16", _config(), training={"bf16": True}, **hf),
        _case("hf-te-checkpointing", _config(fp8=fp8), training={"gradient_checkpointing": True}, **hf),
        _case(
            "hf-te-checkpointing-reentrant",
            _config(fp8=fp8),
            training={"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}},
            **hf,
        ),
        _case("hf-te-fp16", _config(fp8=fp8), training={"fp16": True}, **hf),
        _case("hf-fsdp1-te", _config(kind="FSDP", fp8=fp8, fsdp_config={**FSDP1, **NO_RAM}), **hf),
        _case("hf-fsdp2-te", _config(kind="FSDP", fp8=fp8, fsdp_config={**FSDP2, **NO_RAM}), **hf),
        _case("hf-fsdp2-ao", _config(kind="FSDP", fp8=AO, fsdp_config={**FSDP2, **NO_RAM}), **hf),
        _case(
            "hf-fsdp2-ao-bf16-weights",
            _config(kind="FSDP", fp8=AO, fsdp_config={**FSDP2, **NO_RAM}),
            model={"dtype": "bfloat16"},
            **hf,
        ),
        _case("hf-lora16-te", _config(fp8=fp8), model={"lora_rank": 16}, **hf),
        _case(
            "hf-python-variable",
            None,
            start="python",
            variables={"ACCELERATE_MIXED_PRECISION": "fp8", "ACCELERATE_FP8_BACKEND": "TE"},
            **hf,
        ),
        _case("hf-python-unread", _config(fp8=fp8), start="python", training={"bf16": True}, **hf),
    ]


CASES: tuple[Case, ...] = (*_keys(), *_precision(), *_distributed(), *_models(), *_trainer())
