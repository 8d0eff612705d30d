"""The GPU as torch sees it, and how much of it is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from .channel import Channel

MIB = 2**20


class NoGpu(RuntimeError):
    """There is no GPU to probe."""


def note(spec: dict[str, Any], channel: Channel) -> None:
    """Tell the device's name, compute capability, multiprocessors and memory.

    Raises:
        NoGpu: a GPU is wanted and CUDA shows none.
    """
    if spec["emulate"]:
        channel.saw(device={"name": "CPU", "emulated": True})
        return
    if not torch.cuda.is_available():
        raise NoGpu("CUDA shows no GPU to this process")
    channel.saw(device=of_this_process())


def of_this_process() -> dict[str, Any]:
    """The GPU that this process computes on, in torch's words."""
    current = torch.cuda.current_device()
    free, total = torch.cuda.mem_get_info()
    return {
        "name": torch.cuda.get_device_name(current),
        "compute_capability": ".".join(str(part) for part in torch.cuda.get_device_capability(current)),
        "multiprocessors": torch.cuda.get_device_properties(current).multi_processor_count,
        "memory_mib": total // MIB,
        "free_mib": free // MIB,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def kind(spec: dict[str, Any]) -> str:
    """The torch device type of the probe."""
    return "cpu" if spec["emulate"] else "cuda"


def begin_peak() -> None:
    """Count the peak of the GPU's memory from now on."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float | None:
    """The peak since begin_peak(), in GiB; None without a GPU."""
    return round(torch.cuda.max_memory_allocated() / 2**30, 3) if torch.cuda.is_available() else None


def wait() -> None:
    """Let the GPU finish; without one there is nothing to wait for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
