"""What an exception of a real run means, and what fixes it: unlike a predicted one, it has nothing but its text."""

from __future__ import annotations

import re

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from fp8check.rules.seen.data import RaisedError, Seen

REBUILD = "pip install --no-build-isolation --no-cache-dir --force-reinstall --no-deps transformer_engine_torch"
TOGETHER = "pip install --no-build-isolation transformer_engine[pytorch]=={version}, one release of all its parts"
CUDNN_PATH = (
    "put torch's own cuDNN first: export LD_LIBRARY_PATH=$(python -c 'import nvidia.cudnn, os; "
    'print(os.path.join(list(nvidia.cudnn.__path__)[0], "lib"))\'):$LD_LIBRARY_PATH'
)


class Fault(Record):
    """The cause in words, and the command or step that fixes it."""

    cause: str
    fix: str


# The first that fits is taken, so the more particular come first: pattern of the message, cause, fix. {1} is its group.
_FAULTS: tuple[tuple[str, str, str], ...] = (
    (
        r"(?<![\w.])(libcudnn[\w.]*): undefined symbol",
        "two releases of cuDNN are mixed ({1} comes from one, what loads it from another)",
        CUDNN_PATH,
    ),
    (
        r"cuDNN version incompatibility",
        "torch was built with another cuDNN than the one that is loaded",
        CUDNN_PATH,
    ),
    (
        r"undefined symbol: (\S*(?:c10|torch|at\d|_ZN2at|Py)\S*)",
        "it was compiled for another torch (undefined symbol {1})",
        REBUILD,
    ),
    (r"undefined symbol:? ?(\S*)", "two libraries do not fit each other (undefined symbol {1})", REBUILD),
    (
        r"(?<![\w.+-])(lib[\w.+-]+\.so[\d.]*): cannot open shared object file",
        "the library {1} is not there, or not on LD_LIBRARY_PATH",
        "reinstall the package that brings it (pip list | grep nvidia), or put its folder on LD_LIBRARY_PATH",
    ),
    (
        r"Found empty `?transformer-engine`? meta package",
        "Transformer Engine's metapackage is installed without its parts",
        TOGETHER,
    ),
    (
        r"Could not find shared object file for Transformer Engine (\w+) lib",
        "Transformer Engine's {1} library is missing",
        TOGETHER,
    ),
    (
        r"(?i)(version mismatch|versions? (?:do|does) not match|incompatible version)",
        "parts of different releases are installed",
        TOGETHER,
    ),
    (
        r"\b(GLIBC\w*_[\d.]+|CXXABI_[\d.]+)'? not found",
        "the system is older than the one it was built on ({1} is missing)",
        "use a newer container image, or build the package on this system",
    ),
    (
        r"cannot import name '([^']+)' from '([^']+)'",
        "{2} has no {1} in this release: the packages do not go together",
        "pip check, then install releases that were made for each other",
    ),
    (
        r"No module named '([^']+)'",
        "{1} is not installed for this interpreter",
        "install it there, or name the training environment with --python",
    ),
    (
        r"(?i)driver version is insufficient|driver (?:(?!driver ).)*too old",
        "the NVIDIA driver is too old for this CUDA",
        "update the driver, or install torch for an older CUDA",
    ),
    (
        r"NVML|libcuda\.so",
        "the NVIDIA driver cannot be reached",
        "run on the GPU node, in a container with --gpus all",
    ),
)


# What fixes a failed step, by a part of the message.
_FIXES: Mapping[str, str] = {
    "'NoneType' object has no attribute 'config'": "remove bf16 from the training file: FP8 keeps BF16 for the rest",
    "divisible by 8": "pad batches to a multiple of 16 (pad_to_multiple_of: 16)",
    "lda % 16": "pad batches to a multiple of 16 (pad_to_multiple_of: 16)",
    "A different number of tensors was saved": "switch gradient checkpointing off, or set use_reentrant: true",
    "device-side assert": "run with CUDA_LAUNCH_BLOCKING=1 to see which kernel asserts",
    "CUDA error": "run with CUDA_LAUNCH_BLOCKING=1 to see which kernel fails; look for Xid errors in dmesg",
}


def fix_of_step(error: RaisedError) -> str:
    """What fixes a step that ends so; "" where that is not known."""
    return next((fix for text, fix in _FIXES.items() if text in error.message), "")


def fault_of_import(error: RaisedError, seen: Seen) -> Fault:
    """The fault behind an import error; where none is known, its own words."""
    version = (seen.packages or {}).get("transformer_engine", "VERSION")
    for pattern, cause, fix in _FAULTS:
        found = re.search(pattern, error.message)
        if found is not None:
            return Fault(_filled(cause, found), fix.replace("{version}", version))
    first = error.first_line[:160] or "no reason is given"
    return Fault(f"{error.type}: {first}", "run it by hand: python -c 'import " + str(seen.importing) + "'")


def _filled(cause: str, found: re.Match[str]) -> str:
    for number, group in enumerate(found.groups(), 1):
        cause = cause.replace(f"{{{number}}}", group or "?")
    return cause
