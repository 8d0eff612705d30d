"""The Accelerate files that TRL brings and takes by name: trl/accelerate_configs/NAME.yaml of the wheels.

Byte for byte the same in 0.18.2, 0.19.0, 0.21.0, 0.22.0, 0.24.0, 0.28.0, 0.29.0, 1.0.0, 1.9.0 and 1.16.0; the wheels of
0.14.0 to 0.17.0 have none.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SINCE = (0, 18)

_ALL: Mapping[str, object] = {
    "compute_environment": "LOCAL_MACHINE",
    "debug": False,
    "downcast_bf16": "no",
    "machine_rank": 0,
    "main_training_function": "main",
    "mixed_precision": "bf16",
    "num_machines": 1,
    "num_processes": 8,
    "rdzv_backend": "static",
    "same_network": True,
    "tpu_env": [],
    "tpu_use_cluster": False,
    "tpu_use_sudo": False,
    "use_cpu": False,
}
_FSDP: Mapping[str, object] = {
    "fsdp_activation_checkpointing": False,
    "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    "fsdp_cpu_ram_efficient_loading": True,
    "fsdp_offload_params": False,
    "fsdp_state_dict_type": "FULL_STATE_DICT",
}
_OFFLOAD: Mapping[str, object] = {"offload_optimizer_device": "none", "offload_param_device": "none"}


def _deepspeed(stage: int, others: Mapping[str, object]) -> Mapping[str, object]:
    config = {"deepspeed_multinode_launcher": "standard", "zero_stage": stage, **others}
    return {**_ALL, "distributed_type": "DEEPSPEED", "deepspeed_config": config}


PROFILES: Mapping[str, Mapping[str, object]] = {
    "single_gpu": {**_ALL, "distributed_type": "NO", "gpu_ids": "all"},
    "multi_gpu": {**_ALL, "distributed_type": "MULTI_GPU", "gpu_ids": "all"},
    "fsdp1": {
        **_ALL,
        "distributed_type": "FSDP",
        "enable_cpu_affinity": False,
        "fsdp_config": {
            **_FSDP,
            "fsdp_backward_prefetch": "BACKWARD_PRE",
            "fsdp_forward_prefetch": True,
            "fsdp_reshard_after_forward": "FULL_SHARD",
            "fsdp_sync_module_states": True,
            "fsdp_use_orig_params": True,
            "fsdp_version": 1,
        },
    },
    "fsdp2": {
        **_ALL,
        "distributed_type": "FSDP",
        "enable_cpu_affinity": False,
        "fsdp_config": {**_FSDP, "fsdp_reshard_after_forward": True, "fsdp_version": 2},
    },
    "zero1": _deepspeed(1, {"gradient_accumulation_steps": 1, "zero3_init_flag": False}),
    "zero2": _deepspeed(2, {**_OFFLOAD, "zero3_init_flag": False}),
    "zero3": _deepspeed(3, {**_OFFLOAD, "zero3_init_flag": True, "zero3_save_16bit_model": True}),
}
