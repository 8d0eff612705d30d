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
    properties = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info()
    channel.saw(
        device={
            "name": torch.cuda.get_device_name(0),
            "compute_capability": ".".join(str(part) for part in torch.cuda.get_device_capability(0)),
            "multiprocessors": properties.multi_processor_count,
            "memory_mib": total // MIB,
            "free_mib": free // MIB,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    )


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
