"""A GPU, as far as the watcher can tell: what torchao's layers multiply on the CPU has the names of kernels in FP8.

On a CPU there are no kernels, and every verdict is undecided. Here a run that goes well comes to "as requested", by what
the profiler really recorded of it, so that it can be seen what a fault in the watcher's way makes of that.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

RECORDER = Path(__file__).resolve().parent.parent / "recorder"
sys.path.append(str(RECORDER))

import emulated  # noqa: E402, F401  it has torchao emulated from now on
from after_import import AfterImport  # noqa: E402

KERNEL = "nvjet_sm90_qqtst_64x32_64x16_4x1_v_bz_TNT"
LAYER = "matmul_with_hp_or_float8_args"
GPU = {"name": "NVIDIA H100 80GB HBM3", "compute_capability": "9.0", "memory_mib": 81559}


def _products(event: Any) -> int:
    return 1 if event.name == "aten::mm" else sum(map(_products, event.cpu_children))


def _kernels(module: Any) -> None:
    def nodes(profile: Any) -> list[list[str]]:
        begin = f"autograd::engine::evaluate_function: {LAYER}"
        return [[KERNEL] * _products(one) for one in profile.events() if one.name.startswith(begin)]

    def names(profile: Any) -> list[str]:
        layers = [one for one in profile.events() if one.name == LAYER]
        ahead = sum(_products(one) for one in layers if one.cpu_parent is None or one.cpu_parent.name != LAYER)
        return [KERNEL] * (ahead + sum(map(len, nodes(profile))))

    module._nodes, module._kernel_names = nodes, names


def _watcher(module: Any) -> None:
    module.Watcher._device = lambda _: GPU


sys.meta_path.insert(0, AfterImport({"fp8check_probe.kernels": _kernels, "fp8check_probe.watcher": _watcher}))
