"""Which kernels ran in the forward pass, and in each layer's backward: dgrad and wgrad.

Names are told as they are; what they mean is the parent's to say. Transformer Engine and torchao both run a layer's
dgrad before its wgrad, within one autograd node.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import torch

MOST_NAMES = 60
LAST = 6  # GEMMs of a node that are told: its own come last, behind those of a forward pass that is made again
DETACH, DETACHES = "TEARDOWN_CUPTI", 13  # from this CUDA on
LAUNCHES = 10  # CUPTI leaves within one that follows
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


def let_go() -> None:
    """Have CUPTI leave the process, by an empty profile that says so to the profiler's library.

    Else it stays where a profile has been: then the launch of a kernel takes 10.0 us where it took 7.2 (H100, torch
    2.11.0, CUDA 13.0). Later profiles have it again, of graphs as well; under older CUDA it was known to crash those.
    """
    if not torch.cuda.is_available() or int((torch.version.cuda or "0").partition(".")[0]) < DETACHES:
        return
    if any(name in os.environ for name in (DETACH, "DISABLE_CUPTI_LAZY_REINIT")):
        return  # somebody knows better
    os.environ[DETACH] = "1"
    try:
        empty = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        empty.start()
        empty.stop()
        for _ in range(LAUNCHES):
            torch.zeros((), device="cuda")
        torch.cuda.synchronize()
    finally:
        del os.environ[DETACH]


def told(forward: Any, backward: Any) -> dict[str, Any]:
    """Names and counts of the kernels of both passes, and the GEMMs of each layer's backward node in their order."""
    return {
        "forward": counted(_kernel_names(forward)),
        "backward": counted(_kernel_names(backward)),
        "nodes": dict(Counter("|".join(names[-LAST:]) for names in _nodes(backward) if names).most_common(MOST_NAMES)),
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
