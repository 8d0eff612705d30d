"""The keys of an Accelerate file that each release knows, and which of them something reads."""

from __future__ import annotations

from fp8check.rules.releases.versions import between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.releases.versions import Version
    from fp8check.rules.settings.accelerate import AccelerateConfig

# Top-level keys of ClusterConfig and SageMakerConfig over all releases 0.34.0 to 1.15.0 (their dataclass fields in
# commands/config/config_args.py), with the removed and the later ones. The loader raises ValueError on any other.
CLUSTER_KEYS = frozenset(
    [
        "compute_environment",
        "distributed_type",
        "mixed_precision",
        "use_cpu",
        "debug",
        "num_processes",
        "machine_rank",
        "num_machines",
        "gpu_ids",
        "main_process_ip",
        "main_process_port",
        "rdzv_backend",
        "same_network",
        "main_training_function",
        "enable_cpu_affinity",
        "fp8_config",
        "deepspeed_config",
        "fsdp_config",
        "parallelism_config",
        "megatron_lm_config",
        "mpirun_config",
        "downcast_bf16",
        "tpu_name",
        "tpu_zone",
        "tpu_use_cluster",
        "tpu_use_sudo",
        "command_file",
        "commands",
        "tpu_vm",
        "tpu_env",
        "dynamo_config",
        "fp16",
        "dynamo_backend",
        "ipex_config",
        "tp_config",
    ]
)
# Keys that came late or went, as [first release with it, first release without it).
CLUSTER_KEY_RELEASES: dict[str, tuple[Version, Version]] = {
    "tp_config": ((1, 4), (1, 7)),
    "parallelism_config": ((1, 10), (99,)),
    "ipex_config": ((0,), (1, 13)),
}
SAGEMAKER_KEYS = frozenset(
    [
        "compute_environment",
        "distributed_type",
        "mixed_precision",
        "use_cpu",
        "debug",
        "ec2_instance_type",
        "iam_role_name",
        "image_uri",
        "profile",
        "region",
        "num_machines",
        "gpu_ids",
        "base_job_name",
        "pytorch_version",
        "transformers_version",
        "py_version",
        "sagemaker_inputs_file",
        "sagemaker_metrics_file",
        "additional_args",
        "dynamo_config",
        "enable_cpu_affinity",
        "fp16",
        "dynamo_backend",
    ]
)

# Keys of fp8_config that the launcher hands on and that something reads in the child, and since which release
# (accelerate utils/dataclasses.py and accelerator.py). `format` and `fp8_format` are the same key.
FP8_KEYS: dict[str, tuple[int, ...]] = {
    "backend": (0, 34),
    "fp8_format": (0, 34),
    "format": (0, 34),
    "margin": (0, 34),
    "interval": (0, 34),
    "amax_history_len": (0, 34),
    "amax_compute_algo": (0, 34),
    "override_linear_precision": (0, 34),
    "use_autocast_during_eval": (0, 34),
    "opt_level": (0, 34),
    "use_mxfp8_block_scaling": (1, 11),
    "pad_inner_dim": (1, 13),
    "enable_fsdp_float8_all_gather": (1, 13),
}

# What `accelerate config` writes, in every release to 1.15.0, and what the runtime reads instead
# (commands/config/cluster.py against utils/dataclasses.py; executed on 1.9.0 to 1.15.0).
WIZARD_KEYS = {
    "amax_history_length": "amax_history_len",
    "amax_compute_algorithm": "amax_compute_algo",
    "optimization_level": "opt_level",
}


def unknown_keys(accelerate: AccelerateConfig, version: Version) -> list[str]:
    """Top-level keys that this Accelerate release does not know, sorted as in the loader's message."""
    known = SAGEMAKER_KEYS if accelerate.is_sagemaker else CLUSTER_KEYS
    return sorted(name for name in accelerate.top if name not in known or not _has_key(version, name))


def _has_key(version: Version, name: str) -> bool:
    first, gone = CLUSTER_KEY_RELEASES.get(name, ((0,), (99,)))
    return between(version, first, gone)
