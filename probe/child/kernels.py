"""Which kernels ran in the forward pass, and in each layer's backward: dgrad and wgrad.

Names are told as they are; what they mean is the parent's to say. Transformer Engine and torchao both run a layer's
dgrad before its wgrad, within one autograd node.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

MOST_NAMES = 60
# Nodes of autograd that hold a Linear's two GEMMs: te.Linear, torchao, nn.Linear with and without bias.
NODES = (
    "_Linear",
    "_LayerNormLinear",
    "_LayerNormMLP",
    "_GroupedLinear",
    "matmul_with_hp_or_float8_args",
    "AddmmBackward",
    "MmBackward",
    "LinearBackward",
)
GEMMS = ("gemm", "nvjet", "cutlass", "xmma", "cublas", "scaled_mm", "_mm_")


def profiler(*, shapes: bool = False) -> Any:
    """A profiler of GPU kernels and of the operators that start them, with the shapes of these where wanted."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    return torch.profiler.profile(activities=activities, record_shapes=shapes)


def told(forward: Any, backward: Any) -> dict[str, Any]:
    """Names and counts of the kernels of both passes, and the GEMMs of each layer's backward node in their order."""
    return {
        "forward": counted(_kernel_names(forward)),
        "backward": counted(_kernel_names(backward)),
        "nodes": counted(["|".join(names) for names in _nodes(backward) if names]),
    }


def counted(names: list[str]) -> dict[str, int]:
    """Names with how often they occur, the most frequent first."""
    return dict(Counter(name[:160] for name in names).most_common(MOST_NAMES))


def _kernel_names(profile: Any) -> list[str]:
    """The kernels on the GPU; copies and memory sets are not among them."""
    names = [event.name for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return [name for name in names if not name.startswith(("Memcpy", "Memset", "ProfilerStep"))]


def _nodes(profile: Any) -> list[list[str]]:
    """For each autograd node of a Linear: the GEMM kernels that it started, in order."""
    found = []
    for event in profile.events():
        if event.name.startswith("autograd::engine::evaluate_function: ") and any(node in event.name for node in NODES):
            started = sorted(_started(event), key=lambda pair: pair[0])
            found.append([name[:80] for _, name in started if any(mark in name for mark in GEMMS)])
    return found


def _started(event: Any) -> list[tuple[float, str]]:
    own = [(event.time_range.start, kernel.name) for kernel in event.kernels]
    for child in event.cpu_children:
        own.extend(_started(child))
    return own
