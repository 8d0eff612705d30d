"""The keys of an Accelerate file that each release knows, and which of them something reads."""

from __future__ import annotations

from fp8check.rules.record import Record
from fp8check.rules.releases.versions import between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.releases.accelerate_enums import Backend
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


class Option(Record):
    """An option of fp8_config that the launcher hands on and that something reads in the child.

    Attributes:
        backend: whose option it is.
        default: its value where nobody writes it.
        since: the first release of Accelerate that reads it (utils/dataclasses.py and accelerator.py).
        variables: what the child reads it from, behind ACCELERATE_FP8_; its own name where there are none.
        is_general: whether others use the word, too: in another file it says nothing of FP8.
    """

    backend: Backend
    default: object
    since: tuple[int, ...] = (0, 34)
    variables: tuple[str, ...] = ()
    is_general: bool = False


OPTIONS: Mapping[str, Option] = {
    "format": Option("TE", "HYBRID", is_general=True),
    "margin": Option("TE", 0, is_general=True),
    "interval": Option("TE", 1, is_general=True),
    "amax_history_len": Option("TE", 1024),
    "amax_compute_algo": Option("TE", "most_recent"),
    "override_linear_precision": Option(
        "TE", [False, False, False], variables=("OVERRIDE_FPROP", "OVERRIDE_DGRAD", "OVERRIDE_WGRAD")
    ),
    "use_autocast_during_eval": Option("TE", False),
    "opt_level": Option("MSAMP", "O2", is_general=True),
    "use_mxfp8_block_scaling": Option("TE", False, since=(1, 11)),
    "pad_inner_dim": Option("AO", True, since=(1, 13)),
    "enable_fsdp_float8_all_gather": Option("AO", True, since=(1, 13)),
}
# The keys of fp8_config, and since which release they are read. `format` and `fp8_format` are the same key.
FP8_KEYS: Mapping[str, tuple[int, ...]] = {
    "backend": (0, 34),
    "fp8_format": (0, 34),
    **{name: option.since for name, option in OPTIONS.items()},
}

# What `accelerate config` writes, in every release to 1.15.0, and what the runtime reads instead
# (commands/config/cluster.py against utils/dataclasses.py; executed on 1.9.0 to 1.15.0).
WIZARD_KEYS = {
    "amax_history_length": "amax_history_len",
    "amax_compute_algorithm": "amax_compute_algo",
    "optimization_level": "opt_level",
}


def known_keys(accelerate: AccelerateConfig, version: Version) -> list[str]:
    """The top-level keys that this Accelerate release knows in a file of this kind, sorted."""
    known = SAGEMAKER_KEYS if accelerate.is_sagemaker else CLUSTER_KEYS
    return sorted(name for name in known if _has_key(version, name))


def unknown_keys(accelerate: AccelerateConfig, version: Version) -> list[str]:
    """Top-level keys that this Accelerate release does not know, sorted as in the loader's message."""
    known = SAGEMAKER_KEYS if accelerate.is_sagemaker else CLUSTER_KEYS
    return sorted(name for name in accelerate.top if name not in known or not _has_key(version, name))


def is_section(key: str) -> bool:
    """Whether a top-level key holds a map, if anything."""
    return key.endswith("_config")


def _has_key(version: Version, name: str) -> bool:
    first, gone = CLUSTER_KEY_RELEASES.get(name, ((0,), (99,)))
    return between(version, first, gone)
