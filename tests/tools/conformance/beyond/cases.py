"""Which runs are executed: trainers by backends by strategies, and the models with which something else happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.tools.conformance import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

STACK = {
    "python": "3.11.7",
    "torch": "2.13.0",
    "accelerate": "1.15.0",
    "transformers": "5.23.0",
    "transformer_engine": "2.20.2",
    "torchao": "0.18.0",
    "peft": "0.21.2",
    "deepspeed": "0.19.8",
}
FSDP = {
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    "fsdp_state_dict_type": "SHARDED_STATE_DICT",
    "fsdp_cpu_ram_efficient_loading": False,
}
FSDP1 = {
    **FSDP,
    "fsdp_version": 1,
    "fsdp_sharding_strategy": "FULL_SHARD",
    "fsdp_use_orig_params": True,
    "fsdp_sync_module_states": False,
}
FSDP2 = {**FSDP, "fsdp_version": 2, "fsdp_reshard_after_forward": True}


def _zero(stage: int) -> dict[str, Any]:
    config = {"zero_stage": stage, "offload_optimizer_device": "none", "gradient_accumulation_steps": 1}
    return {**config, **({"zero3_init_flag": False, "zero3_save_16bit_model": True} if stage == 3 else {})}


STRATEGIES: dict[str, dict[str, Any]] = {
    "single": {"distributed_type": "NO"},
    "DDP": {"distributed_type": "MULTI_GPU"},
    "FSDP1": {"distributed_type": "FSDP", "fsdp_config": FSDP1},
    "FSDP2": {"distributed_type": "FSDP", "fsdp_config": FSDP2},
    "ZeRO-2": {"distributed_type": "DEEPSPEED", "deepspeed_config": _zero(2)},
    "ZeRO-3": {"distributed_type": "DEEPSPEED", "deepspeed_config": _zero(3)},
}
BACKENDS: dict[str, dict[str, Any]] = {
    "BF16": {"mixed_precision": "bf16"},
    "TE": {"mixed_precision": "fp8", "fp8_config": {"backend": "TE", "amax_history_len": 16}},
    "torchao": {
        "mixed_precision": "fp8",
        "fp8_config": {"backend": "AO", "enable_fsdp_float8_all_gather": False},
    },
    "torchao gather": {"mixed_precision": "fp8", "fp8_config": {"backend": "AO"}},
}


def case(trainer: str, backend: str, strategy: str, variant: str = "", **more: Any) -> dict[str, Any]:
    """One run; `fp8` changes the recipe, `accelerate` the file, `stack` the releases, `spec` what the program reads."""
    processes = 1 if strategy == "single" else 2
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "num_processes": processes,
        "num_machines": 1,
        "machine_rank": 0,
        "use_cpu": False,
        **STRATEGIES[strategy],
        **BACKENDS[backend],
        **more.get("accelerate", {}),
    }
    if "fp8" in more:
        recipe = {**config["fp8_config"], **more["fp8"]}
        config["fp8_config"] = {name: value for name, value in recipe.items() if value is not None}
    identity = "-".join(word for word in (trainer, backend, strategy, variant) if word).replace(" ", "-").lower()
    spec = {"trainer": trainer, "backend": backend, "strategy": strategy, "variant": variant, **more.get("spec", {})}
    stack = {**STACK, **more.get("stack", {})}
    made = cases.new(
        identity,
        {name: release for name, release in stack.items() if release},
        accelerate_config=config,
        processes=processes,
        variables=more.get("variables"),
        compute_capability=more.get("compute_capability", "9.0"),
    )
    return {**made, "beyond": spec}


TRL = {"trl": "1.16.0"}


def everything() -> list[dict[str, Any]]:
    """All runs that are executed on a CPU."""
    plain = [case(trainer, *spread) for trainer in ("script", "trainer") for spread in _spread()]
    return [*plain, *with_trl(), *with_programs(), *variants()]


def _spread() -> Iterator[tuple[str, str]]:
    """Backends by strategies, but for what only a GPU shows: there prepare() refuses it (FP508), here it gets further."""
    for strategy in STRATEGIES:
        for backend in BACKENDS:
            if (backend, strategy) != ("torchao gather", "FSDP1"):
                yield backend, strategy


FACTORY = {"llamafactory": "0.9.5", "peft": ""}
AXOLOTL = {
    "accelerate": "1.13.0",
    "transformers": "5.16.1",
    "transformer_engine": "",
    "torchao": "0.17.0",
    "peft": "0.20.0",
    "trl": "1.9.0",
    "axolotl": "0.19.0",
    "deepspeed": "",
}


def with_programs() -> list[dict[str, Any]]:
    """LLaMA-Factory with an Accelerate file, and axolotl, whose own FP8 is torchao's; TE comes from Accelerate's file."""
    factory = [case("llamafactory", *spread, stack=FACTORY) for spread in _spread()]
    axolotl = []
    for backend, strategy in _spread():
        stack = {**AXOLOTL, **({"transformer_engine": "2.20.2"} if backend == "TE" else {})}
        stack |= {"deepspeed": "0.19.8"} if strategy.startswith("ZeRO") else {}
        axolotl.append(case("axolotl", backend, strategy, stack=stack))
    # Where the Trainer's arguments come first, a model is loaded in shards under ZeRO-3 whatever the flag says.
    init = {"deepspeed_config": {**_zero(3), "zero3_init_flag": True}}
    return [*factory, case("llamafactory", "TE", "ZeRO-3", "init", stack=FACTORY, accelerate=init), *axolotl]


def with_trl() -> list[dict[str, Any]]:
    """TRL's trainers for supervised fine-tuning and for GRPO, that with 4 sequences, and with 16."""
    usual = [case(trainer, *spread, stack=TRL) for trainer in ("sft", "grpo") for spread in _spread()]
    return [*usual, *(case("grpo", "TE", name, "16", stack=TRL, spec={"rows": 16}) for name in ("single", "DDP"))]


PLAIN = ("script", "trainer")
BLOCKS = {"use_mxfp8_block_scaling": True, "amax_history_len": None}
TE_1 = {
    "accelerate": "1.9.0",
    "transformers": "4.57.1",
    "transformer_engine": "1.11.0",
    "torchao": "",
    "peft": "",
    "deepspeed": "",
}


def variants() -> list[dict[str, Any]]:
    """Runs in which one thing is otherwise: the recipe, the model, the release."""
    during = {"fp8": {"use_autocast_during_eval": True}}
    return [
        case("script", "TE", "single", "eval-in-fp8", **during),
        case("trainer", "TE", "single", "eval-in-fp8", **during),
        case("script", "TE", "single", "tied", spec={"model": {"tied": True}}),
        case("script", "torchao", "single", "tied", spec={"model": {"tied": True}}),
        case("script", "TE", "single", "lora", spec={"model": {"lora": 16}}),
        case("script", "torchao", "single", "lora", spec={"model": {"lora": 16}}),
        case("trainer", "TE", "single", "lora", spec={"model": {"lora": 16}}),
        case("trainer", "torchao", "single", "lora", spec={"model": {"lora": 16}}),
        case("trainer", "TE", "single", "tied", spec={"model": {"tied": True}}),
        *(case(trainer, "TE", "single", "blocks", fp8=BLOCKS, compute_capability="10.0") for trainer in PLAIN),
        *(case(trainer, "TE", "single", "te-1", stack=TE_1) for trainer in PLAIN),
        *(case(trainer, "TE", "single", "te-2.9", stack={"transformer_engine": "2.9.0"}) for trainer in PLAIN),
    ]


def on_gpus() -> list[dict[str, Any]]:
    """What is executed on two GPUs, in the order of what only they can show."""
    first = [case(trainer, "TE", strategy) for strategy in STRATEGIES for trainer in ("script", "trainer")]
    gather = [case(trainer, "torchao gather", name) for name in ("FSDP2", "DDP") for trainer in ("script", "trainer")]
    control = [
        case(trainer, "BF16", name) for name in ("FSDP1", "ZeRO-2", "ZeRO-3") for trainer in ("script", "trainer")
    ]
    plain = [
        case(trainer, "torchao", name) for name in ("single", "FSDP1", "FSDP2") for trainer in ("script", "trainer")
    ]
    rollouts = [case("grpo", "TE", name, stack=TRL) for name in ("single", "DDP")]
    rollouts += [case("grpo", "TE", name, "16", stack=TRL, spec={"rows": 16}) for name in ("single", "DDP")]
    return [*first, *variants(), *rollouts, *control, *gather, *plain]
