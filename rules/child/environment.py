"""Which environment variables another program gets: two lists, both of what is allowed.

`own` is what a program gets of this process's own environment: what an import of torch, Accelerate and Transformer
Engine, and one step with them, really need, so that the answer is the one that a training process in this shell would
get.
RUN is what it may get of a run beside that: of a launch line or --set-variable, where the user gave them, and of what
the model says that the launcher sets. Nothing else goes in: no LD_PRELOAD, no credentials, nothing that only a file
names.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Lists of folders. Entries that are no absolute path, and the current folder itself, are taken out of them: what lies
# in the folder that fp8check looks at is never found by accident.
FOLDERS = frozenset(
    {
        "PATH",  # nvidia-smi; the C compiler that Triton calls
        "LD_LIBRARY_PATH",  # which cuDNN, cuBLAS and NCCL are loaded: FP6xx is about that
        "DYLD_LIBRARY_PATH",
        "PYTHONPATH",  # module systems of clusters install by it
    }
)

# One file or folder each: given where it is an absolute path.
PLACES = frozenset(
    {
        "HOME",  # the user's own packages, ~/.triton, ~/.cache
        "TMPDIR",
        "TEMP",
        "TMP",
        "PYTHONHOME",  # module systems of clusters set these two for their interpreters
        "PYTHONUSERBASE",
        "VIRTUAL_ENV",  # where packages look for CUDA's libraries
        "CONDA_PREFIX",
        "CUDA_HOME",  # Transformer Engine, Triton and torch look for CUDA's libraries and tools in these
        "CUDA_PATH",
        "CUDNN_HOME",
        "CUDNN_PATH",
        "NVRTC_HOME",
        "NCCL_HOME",
        "CC",  # torch.compile and Triton compile with them
        "CXX",
        "XDG_CACHE_HOME",  # compiled kernels are kept there; a home may be full, or on a slow disk
        "HF_HOME",
        "TRITON_CACHE_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "TORCH_EXTENSIONS_DIR",
    }
)

NAMES = frozenset(
    {
        "USER",  # getpass.getuser, which names torch's folder of compiled kernels
        "LOGNAME",
        "LANG",
        "LANGUAGE",
        "TZ",
        "PYTHONNOUSERSITE",  # whether the user's own packages count
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_MODULE_LOADING",
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_DRIVER_CAPABILITIES",
        "NVIDIA_TF32_OVERRIDE",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "SYSTEMROOT",  # without it nothing starts on Windows
    }
)

# What decides how Transformer Engine, torch and NCCL work in this shell, and which errors they raise.
PREFIXES = ("LC_", "NVTE_", "NCCL_", "PYTORCH_", "TORCH_", "TORCHINDUCTOR_", "TORCHDYNAMO_")

# Of a run: what the model or the probe reads, by exact names. None is a path, and none makes a program load code.
RUN = frozenset(
    {
        "ACCELERATE_MIXED_PRECISION",
        "ACCELERATE_FP8_BACKEND",
        "ACCELERATE_FP8_FORMAT",
        "ACCELERATE_FP8_MARGIN",
        "ACCELERATE_FP8_INTERVAL",
        "ACCELERATE_FP8_AMAX_HISTORY_LEN",
        "ACCELERATE_FP8_AMAX_COMPUTE_ALGO",
        "ACCELERATE_FP8_USE_AUTOCAST_DURING_EVAL",
        "ACCELERATE_FP8_OVERRIDE_LINEAR_PRECISION",
        "ACCELERATE_FP8_OVERRIDE_FPROP",
        "ACCELERATE_FP8_OVERRIDE_DGRAD",
        "ACCELERATE_FP8_OVERRIDE_WGRAD",
        "ACCELERATE_FP8_OPT_LEVEL",
        "ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER",
        "ACCELERATE_FP8_PAD_INNER_DIM",
        "ACCELERATE_FP8_USE_MXFP8_BLOCK_SCALING",
        "ACCELERATE_USE_FSDP",
        "FSDP_VERSION",
        "FSDP_CPU_RAM_EFFICIENT_LOADING",
        "FSDP_TRANSFORMER_CLS_TO_WRAP",
        "FSDP_AUTO_WRAP_POLICY",
        "FSDP_MIN_NUM_PARAMS",
        "FSDP_SHARDING_STRATEGY",
        "FSDP_RESHARD_AFTER_FORWARD",
        "FSDP_USE_ORIG_PARAMS",
        "FSDP_SYNC_MODULE_STATES",
        "FSDP_OFFLOAD_PARAMS",
        "FSDP_ACTIVATION_CHECKPOINTING",
        "NVTE_BACKWARD_OVERRIDE",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",
    }
)


def own(environ: Mapping[str, str]) -> dict[str, str]:
    """What another program gets of this process's environment.

    PYTHONSAFEPATH keeps the current folder off the path of Python 3.11 and later; python.py does it for all.
    """
    from fp8check.rules.credentials import is_secret

    kept: dict[str, str] = {}
    for name, value in environ.items():
        if name in FOLDERS:
            kept[name] = os.pathsep.join(folders(value))
        elif name in PLACES:
            kept[name] = value if os.path.isabs(value) else ""
        elif (name in NAMES or name.startswith(PREFIXES)) and not is_secret(name, value):
            kept[name] = value
    kept = {name: value for name, value in kept.items() if value}
    if "CUDA_VISIBLE_DEVICES" in environ:  # where it is empty, that says something
        kept["CUDA_VISIBLE_DEVICES"] = environ["CUDA_VISIBLE_DEVICES"]
    return {**kept, "PYTHONSAFEPATH": "1"}


def with_variables_of_runs(environ: Mapping[str, str]) -> dict[str, str]:
    """What a process of fp8check's own gets of this process's environment: what runs in this shell would have, too."""
    return {**own(environ), **{name: environ[name] for name in sorted(RUN) if name in environ}}


def folders(value: str) -> list[str]:
    """The absolute folders of a list such as PATH has it, without the current folder: an empty entry means that one."""
    here = _identity(os.curdir)
    return [part for part in value.split(os.pathsep) if os.path.isabs(part) and not is_current(part, here)]


def is_current(folder: str, here: tuple[int, int] | None = None) -> bool:
    """Whether a folder is the current one, by whatever name.

    Args:
        here: the identity of the current folder, where the caller asks for more than one.
    """
    here = here or _identity(os.curdir)
    return here is not None and _identity(folder) == here


def _identity(folder: str) -> tuple[int, int] | None:
    """What tells a folder from every other; None where there is none."""
    try:
        found = os.stat(folder)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def find(name: str, path: str) -> str | None:
    """The file of a command on a search path, of which relative folders and the current one do not count.

    (shutil.which takes longer to import than this to run.)
    """
    for folder in folders(path):
        file = os.path.join(folder, f"{name}.exe" if os.name == "nt" else name)
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    return None
