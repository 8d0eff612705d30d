"""How fast the GPU runs while it works, and what holds it back, as its driver says in the midst of a step."""

from __future__ import annotations

import ctypes
from typing import Any

import torch

_SM, _MEMORY, _CELSIUS = 1, 2, 0  # nvml.h: nvmlClockType_t, nvmlTemperatureSensors_t
# nvml.h: nvmlClocksEventReason*. That it idles, or is where an application wants it to be, holds nothing back.
_HELD_BY = {
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x20: "temperature, software",
    0x40: "temperature, hardware",
    0x80: "power brake",
}


def under_load() -> dict[str, Any] | None:
    """What the driver says of the GPU of this process; None where it cannot be asked."""
    if not torch.cuda.is_available():
        return None
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
        uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
        if library.nvmlInit_v2() != 0:
            return None
        try:
            return _asked(library, uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
        finally:
            library.nvmlShutdown()
    except (OSError, AttributeError):
        return None  # no such library, function or attribute of torch


def _asked(library: Any, uuid: str) -> dict[str, Any] | None:
    handle = ctypes.c_void_p()
    if library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)) != 0:
        return None

    def number(name: str, *arguments: int, kind: type[Any] = ctypes.c_uint) -> int | None:
        found = kind()
        failed = getattr(library, name)(handle, *arguments, ctypes.byref(found))
        return None if failed else int(found.value)

    reasons = number("nvmlDeviceGetCurrentClocksThrottleReasons", kind=ctypes.c_ulonglong)
    milliwatts = number("nvmlDeviceGetPowerUsage")
    return {
        "sm_mhz": number("nvmlDeviceGetClockInfo", _SM),
        "memory_mhz": number("nvmlDeviceGetClockInfo", _MEMORY),
        "power_w": None if milliwatts is None else round(milliwatts / 1000),
        "celsius": number("nvmlDeviceGetTemperature", _CELSIUS),
        "held_by": None if reasons is None else [name for bit, name in _HELD_BY.items() if reasons & bit],
    }
