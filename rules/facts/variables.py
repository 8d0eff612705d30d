"""The environment variables that change an FP8 run, with everything that looks like a credential masked."""

from __future__ import annotations

from fp8check.rules.credentials import MASK, is_secret, masked_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIXES = (
    "ACCELERATE_",
    "DEEPSPEED_",
    "DISABLE_VERSION_CHECK",
    "FP8_",
    "FSDP_",
    "HF_HUB_",
    "MEGATRON_LM_",
    "NCCL_",
    "NVIDIA_TF32_OVERRIDE",
    "NVTE_",
    "PARALLELISM_CONFIG_",
    "PYTORCH_",
    "TORCH",
    "TRANSFORMERS_",
    "XLA_",
)

_NAMES = frozenset(
    {
        "ALLOW_EXTRA_ARGS",
        "CUDA_DEVICE_ORDER",
        "CUDA_HOME",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_VISIBLE_DEVICES",
        "FORCE_TORCHRUN",
        "HF_DATASETS_OFFLINE",
        "HF_HOME",
        "HF_HUB_OFFLINE",
        "LD_LIBRARY_PATH",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
        "NNODES",
        "NODE_RANK",
        "NPROC_PER_NODE",
        "NVIDIA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
        "RANK",
        "SLURMD_NODENAME",
        "SLURM_JOB_ID",
        "SLURM_JOB_NODELIST",
        "USE_KT",
        "USE_MCA",
        "USE_MEGATRON_BRIDGE",
        "USE_RAY",
        "USE_V1",
        "WORLD_SIZE",
        "XDG_CACHE_HOME",
    }
)

# Variables that say which node or process this is.
OWN = frozenset(
    {
        "CUDA_VISIBLE_DEVICES",
        "GROUP_RANK",
        "LOCAL_RANK",
        "NODE_RANK",
        "NVIDIA_VISIBLE_DEVICES",
        "RANK",
        "SLURMD_NODENAME",
        "TORCHELASTIC_ERROR_FILE",
        "TORCHELASTIC_RESTART_COUNT",
    }
)


def matters(name: str) -> bool:
    """Whether a variable of that name may change an FP8 run."""
    return name in _NAMES or name.startswith(_PREFIXES)


def kept(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter, by name; a value that looks like a credential is replaced by MASK."""
    return {
        name: MASK if is_secret(name, environ[name]) else environ[name] for name in sorted(environ) if matters(name)
    }


def masked(text: str, environ: Mapping[str, str]) -> str:
    """A text that a program printed, without the home folder and with MASK for each credential.

    Credentials are the environment's own, by their value, and whatever else looks like one.
    """
    for name, value in environ.items():
        if len(value) >= 6 and is_secret(name, value):
            text = text.replace(value, MASK)
    home = environ.get("HOME", "")
    text = text.replace(home, "~") if len(home) > 1 else text
    return masked_output(text)
