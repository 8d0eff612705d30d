"""The imports of the run, for real: a broken installation shows itself only here."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .channel import Channel

# Whoever names a backend gets its own package imported first, so that its fault is told by its name.
PACKAGES = {"TE": "transformer_engine.pytorch", "AO": "torchao.float8", "MSAMP": "msamp"}
METADATA = (
    "torch",
    "accelerate",
    "transformers",
    "transformer_engine",
    "transformer_engine_torch",
    "torchao",
    "peft",
    "msamp",
)


def import_all(spec: dict[str, Any], channel: Channel) -> None:
    """Import torch, the backend and accelerate, and tell their releases and how long each took, in seconds."""
    seconds: dict[str, float] = {}
    wanted = ["torch"]
    backend = spec.get("backend")
    if backend in PACKAGES and not spec["emulate"]:
        wanted.append(PACKAGES[backend])
    if spec["emulate"]:
        wanted.append(PACKAGES["AO"])
    wanted.append("accelerate")
    if spec.get("lora"):
        wanted.append("peft")
    channel.saw(packages=releases())
    for name in wanted:
        channel.saw(importing=name)
        began = time.monotonic()
        importlib.import_module(name)
        seconds[name] = round(time.monotonic() - began, 2)
    channel.saw(importing="torch.backends.cudnn", import_seconds=seconds)
    if not spec["emulate"]:
        # Two releases of cuDNN in one process show themselves here at the latest: torch compares them.
        importlib.import_module("torch.backends.cudnn").version()
    channel.saw(importing=None, libraries=loaded_libraries())


def load_kernels() -> None:
    """Load what the first GEMMs and the first profile load: it is no step's time.

    Nothing is judged by it: what fails here fails again in the step, where it is told. Transformer Engine's own kernels
    are not among it, so that its first step on a machine stays slow.
    """
    import torch

    from . import kernels

    with contextlib.suppress(Exception):
        one = torch.ones(256, 256, device="cuda", dtype=torch.bfloat16)
        one @ one
        scale = torch.ones((), device="cuda")
        fp8 = one.to(torch.float8_e4m3fn)
        torch._scaled_mm(fp8, fp8.t(), scale_a=scale, scale_b=scale, out_dtype=torch.bfloat16)
    with contextlib.suppress(Exception), kernels.profiler():
        torch.cuda.synchronize()


def releases() -> dict[str, str]:
    """The releases of the packages that are installed."""
    from importlib import metadata

    found: dict[str, str] = {}
    for name in METADATA:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if version:  # None of a folder that an uninstallation left behind
            found[name] = version
    found["python"] = ".".join(str(part) for part in sys.version_info[:3])
    return found


def loaded_libraries() -> list[str]:
    """The cuDNN and cuBLAS libraries that this process really loaded, by path, without what stands in the home."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            paths = {line.split(maxsplit=5)[-1].strip() for line in maps if ".so" in line}
    except OSError:
        return []
    home = os.path.expanduser("~")
    chosen = sorted(
        path for path in paths if any(name in os.path.basename(path) for name in ("libcudnn.", "libcublasLt"))
    )
    return [path.replace(home, "~") if len(home) > 1 else path for path in chosen]
