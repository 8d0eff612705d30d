"""FP7xx: hardware and driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import ERROR, WARNING, Found, rule
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
    "accelerate 0.34.0 to 1.15.0 state.py: below compute capability 8.9 the precision becomes fp16",
    "executed on accelerate 1.0.1, 1.10.1 and 1.15.0 with compute capability 8.0",
)
def gpu_without_fp8(asked: Asked, gpus: Sequence[Gpu], outcome: Outcome) -> Iterator[Found]:
    """The GPU has no FP8: its compute capability is below 8.9.

    Why it hurts: Accelerate does not stop. It trains in FP16, not in BF16, after one warning in the log: another
    range of numbers, a GradScaler, and overflows that BF16 does not have. With a backend named, accelerate 1.9 and
    newer convert the layers all the same, and the first step fails.

    Example: `mixed_precision: fp8` on an A100 (8.0) or an RTX 3090 (8.6).

    Write instead: `mixed_precision: bf16` there; FP8 needs H100, H200, B200, L40S, RTX 4090 or newer.
    """
    if not asked.fp8:
        return
    weak = [gpu for gpu in gpus if parse(gpu.compute_capability) < SMALLEST_CAPABILITY]
    if not weak:
        return
    happens = "Accelerate falls back to FP16, not BF16, with one line in the log"
    if outcome.error is not None and outcome.error.stage == "step":
        happens = f"the layers are converted and the first step fails: {outcome.error.message}"
    mixed = len(weak) != len(gpus)
    yield Found(
        f"{weak[0].name} cannot compute in FP8 (compute capability {weak[0].compute_capability}, 8.9 is needed)",
        asked.fp8[0],
        happens,
        notes=(f"GPU {weak[0].index} of {len(gpus)} is one of them; each process asks the GPU that it runs on",)
        if mixed
        else (),
        help="write mixed_precision: bf16 for this machine",
    )


@rule(
    "FP702",
    "mxfp8-off-blackwell",
    ERROR,
    "Transformer Engine 2.6 pytorch/fp8.py check_mxfp8_support: 10.0 <= compute capability < 12.0",
    "NVIDIA H200: ValueError MXFP8 block scaling is not available",
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
    if asked is None or not asked.value or not accelerate.wants_fp8() or not gpus:
        return
    if not outcome.stack.does("accelerate", "recipe reads mxfp8"):
        return
    can, message = mxfp8_support(run, outcome.stack)
    if can:
        return
    yield Found(
        f"MXFP8 is not available on {gpus[0].name} (compute capability {gpus[0].compute_capability})",
        asked,
        message,
        help="delete use_mxfp8_block_scaling: delayed scaling runs here",
    )


@rule(
    "FP703",
    "no-gpu",
    WARNING,
    "facts: NVML and nvidia-smi list no GPU",
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
    "CUDA compatibility: a driver runs programs of its own CUDA major release and older ones",
)
def driver_too_old(asked: Asked, facts: Facts) -> Iterator[Found]:
    """The driver is older than the CUDA that torch was built for.

    Why it hurts: torch finds no usable GPU, or the first kernel fails.

    Example: a driver for CUDA 12.4 with a torch for CUDA 13.0.

    Write instead: a newer driver, or a torch for the driver's CUDA.
    """
    cuda = facts.cuda or {}
    torch, driver = cuda.get("torch"), cuda.get("driver")
    if not asked.fp8 or not torch or not driver or parse(str(driver))[0] >= parse(str(torch))[0]:
        return
    yield Found(
        f"the driver supports CUDA {driver}, torch was built for CUDA {torch}",
        asked.fp8[0],
        "torch cannot use this driver",
        help=f"upgrade the driver, or install a torch for CUDA {driver}",
    )
