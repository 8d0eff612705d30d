"""FP7xx: hardware and driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.fixes import delete, unsafe
from fp8check.rules.catalog.mending import write_bf16
from fp8check.rules.catalog.rule import ERROR, WARNING, Found, rule
from fp8check.rules.outcome import Undecided
from fp8check.rules.outcome.accelerator import SMALLEST_CAPABILITY
from fp8check.rules.outcome.prepare import mxfp8_support
from fp8check.rules.settings.versions import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.facts import Facts, Gpu
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.settings.accelerate import AccelerateConfig


@rule(
    "FP701",
    "gpu-without-fp8",
    ERROR,
    'accelerate 0.34.0..1.15.0 state.py "Will use FP16 instead": below compute capability 8.9',
    "ran accelerate 1.15.0 [conformance release-handler-on-ampere-1.15]: fp16, and the layers converted",
    "https://github.com/aredden/flux-fp8-api/issues/30",
)
def gpu_without_fp8(asked: Asked, gpus: Sequence[Gpu], facts: Facts, outcome: Outcome) -> Iterator[Found]:
    """The GPU has no FP8: its compute capability is below 8.9.

    Why it hurts: Accelerate does not stop. It trains in FP16, not in BF16, after one warning in the log: another
    range of numbers, a GradScaler, and overflows that BF16 does not have. With a backend named, accelerate 1.9 and
    newer convert the layers all the same, and the first step fails.

    Example: `mixed_precision: fp8` on an A100 (8.0) or an RTX 3090 (8.6).

    Write instead: `mixed_precision: bf16` there; FP8 needs H100, H200, B200, L40S, RTX 4090 or newer.
    """
    if not asked.fp8:
        return
    seen = facts.visible_gpus()
    candidates = gpus if seen is None else seen
    weak = [gpu for gpu in candidates if parse(gpu.compute_capability) < SMALLEST_CAPABILITY]
    if not weak:
        return
    mixed = len(weak) < len(candidates)
    if mixed and seen is None:
        raise Undecided("which of the GPUs the run sees", "variables")
    happens = "Accelerate falls back to FP16, not BF16, with one line in the log"
    if outcome.error is not None and outcome.error.stage == "step":
        happens = f"the layers are converted and the first step fails: {outcome.error.message}"
    yield Found(
        f"{weak[0].name} cannot compute in FP8 (compute capability {weak[0].compute_capability}, 8.9 is needed)",
        asked.fp8[0],
        happens,
        notes=("each process asks the GPU that it runs on, so that some train in FP8 and some do not",)
        if mixed
        else (),
        help="write mixed_precision: bf16 for this machine",
        fix=write_bf16(asked.fp8[0]),
    )


@rule(
    "FP702",
    "mxfp8-off-blackwell",
    ERROR,
    'transformer_engine 2.1.0..2.8.0 pytorch/fp8.py "Device compute capability 10.0 or higher required for MXFP8 execution"',
    'transformer_engine 2.6.0..2.8.0 pytorch/fp8.py "is not supported on 12.0+ architectures yet"',
    'transformer_engine 2.9.0..2.20.2 pytorch/quantization.py "is not supported on 12.0+ architectures yet"',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl mxfp8]: ValueError MXFP8 block scaling is not available",
    "https://github.com/NVIDIA/TransformerEngine/issues/2668",
)
def mxfp8_off_blackwell(
    run: Run, accelerate: AccelerateConfig, gpus: Sequence[Gpu], outcome: Outcome
) -> Iterator[Found]:
    """MXFP8 block scaling on a GPU that has none.

    Why it hurts: it needs compute capability 10.x (B200, B300). Hopper has none, and the RTX 50 series (12.0) is
    refused by Transformer Engine. prepare() raises ValueError.

    Example: `use_mxfp8_block_scaling: true` on an H200.

    Write instead: delete the line; delayed scaling runs on Hopper.
    """
    asked = accelerate.fp8.get("use_mxfp8_block_scaling")
    if asked is None or not asked.value or not accelerate.wants_fp8():
        return
    if not outcome.stack.does("accelerate", "recipe reads mxfp8"):
        return
    seen = run.facts.visible_gpus()
    if seen is None:
        raise Undecided("which of the GPUs the run sees", "variables")
    can, message = mxfp8_support(run, outcome.stack)
    if can:
        return
    yield Found(
        f"MXFP8 is not available on {seen[0].name} (compute capability {seen[0].compute_capability})",
        asked,
        message,
        help="delete use_mxfp8_block_scaling: delayed scaling runs here",
        fix=unsafe(delete(asked)),
    )


@rule(
    "FP703",
    "no-gpu",
    WARNING,
    "https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables",
    'accelerate 1.15.0 utils/environment.py "def check_cuda_fp8_capability": without a GPU it goes on, on the CPU',
)
def no_gpu(asked: Asked, facts: Facts, gpus: Sequence[Gpu]) -> Iterator[Found]:
    """FP8 is asked for in a training environment that sees no GPU.

    Why it hurts: on a login node or in a container without the NVIDIA runtime the run goes to the CPU or ends at the
    first kernel. An empty CUDA_VISIBLE_DEVICES hides every GPU.

    Example: `CUDA_VISIBLE_DEVICES=""` left over in the shell.

    Write instead: run it on the GPU node; here, check with `--facts` of that node.
    """
    if not asked.fp8 or facts.is_training_environment is not True:
        return
    visible = facts.visible_gpus()
    if visible is None or visible:
        return
    hidden = (facts.variables or {}).get("CUDA_VISIBLE_DEVICES")
    note = f"CUDA_VISIBLE_DEVICES={hidden!r} hides {len(gpus)} GPU(s)" if gpus else "no NVIDIA GPU was found"
    yield Found(
        "no GPU is visible in this training environment",
        asked.fp8[0],
        "FP8 needs a GPU of compute capability 8.9 or higher",
        notes=(note,),
        help="unset CUDA_VISIBLE_DEVICES" if gpus else "run this on the GPU node, or pass its --facts facts.json",
    )


@rule(
    "FP704",
    "driver-too-old",
    ERROR,
    "https://docs.nvidia.com/deploy/cuda-compatibility/",
)
def driver_too_old(asked: Asked, facts: Facts) -> Iterator[Found]:
    """The driver is older than the CUDA that torch was built for.

    Why it hurts: torch finds no usable GPU, or the first kernel fails.

    Example: a driver for CUDA 12.4, or driver 570, with a torch for CUDA 13.0.

    Write instead: a newer driver, or a torch for the driver's CUDA.
    """
    if not asked.fp8 or facts.gpus == []:
        return
    cuda = facts.cuda or {}
    if "torch" not in cuda:
        raise Undecided("the CUDA that torch was built for", "packages")
    torch = cuda["torch"]
    if torch is None:
        return  # FP620 speaks of that
    driver = cuda.get("driver") or _cuda_of(facts.driver)
    if driver is None:
        raise Undecided("the CUDA that the driver supports", "gpus")
    if parse(driver)[0] >= parse(torch)[0]:
        return
    yield Found(
        f"the driver supports CUDA {driver}, torch was built for CUDA {torch}",
        asked.fp8[0],
        "torch cannot use this driver",
        help=f"upgrade the driver, or install a torch for CUDA {driver}",
    )


# The first driver of each CUDA release (docs.nvidia.com/deploy/cuda-compatibility).
_DRIVERS = ((580, "13.0"), (525, "12.0"), (450, "11.0"))


def _cuda_of(driver: str | None) -> str | None:
    """The CUDA release that a driver is for, from its version; None where that is not known."""
    if driver is None:
        return None
    branch = parse(driver)[0]
    return next((cuda for first, cuda in _DRIVERS if branch >= first), None)
