"""The NVIDIA Management Library: through nvidia-ml-py where that is installed, else through the library itself."""

from __future__ import annotations

import ctypes
import os
import warnings

from fp8check.rules.facts.data import Gpu
from fp8check.rules.facts.gpus import Answer, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# nvml.h
_SUCCESS = 0
_NOT_SUPPORTED = 3
_TEXT = 96
_MIB = 1024 * 1024


def through_pynvml() -> Answer:
    """Ask through nvidia-ml-py.

    Raises:
        Unavailable: it is not installed here, it is too old, or NVML refused.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old package of the same name warns of itself
            import pynvml  # type: ignore[import-not-found,import-untyped,unused-ignore]  # the optional extra "gpu"
    except ImportError as error:
        raise Unavailable("nvidia-ml-py is not installed beside fp8check") from error
    try:
        return _asked(pynvml)
    except AttributeError as error:
        raise Unavailable(f"nvidia-ml-py is too old: {error}") from error


def _asked(pynvml: Any) -> Answer:
    try:
        pynvml.nvmlInit()
        try:
            gpus = [_gpu_of(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
            driver = _text(pynvml.nvmlSystemGetDriverVersion())
            return Answer(gpus, driver, _cuda(pynvml.nvmlSystemGetCudaDriverVersion_v2()))
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise Unavailable(f"NVML: {error}") from error


def _gpu_of(pynvml: Any, index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    try:
        mig: bool | None = pynvml.nvmlDeviceGetMigMode(handle)[0] == 1
    except pynvml.NVMLError:
        mig = False  # "not supported": a GPU that has no such mode
    try:
        memory: int | None = pynvml.nvmlDeviceGetMemoryInfo(handle).total // _MIB
    except pynvml.NVMLError:
        memory = None
    return Gpu(index, _text(pynvml.nvmlDeviceGetName(handle)), f"{major}.{minor}", memory, mig)


def _text(value: str | bytes) -> str:
    """Releases of nvidia-ml-py before 12 return bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _cuda(number: int) -> str:
    """13000 -> "13.0" (cuda.h: 1000 x major + 10 x minor)."""
    return f"{number // 1000}.{number % 1000 // 10}"


class _Memory(ctypes.Structure):
    """nvmlMemory_t: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Library:
    """The functions of nvml.h that are needed, each raising Unavailable where NVML refuses."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def call(self, name: str, *arguments: object) -> None:
        code = self._code(name, *arguments)
        if code != _SUCCESS:
            raise Unavailable(f"NVML: {name} returned {code}")

    def _code(self, name: str, *arguments: object) -> int:
        try:
            function: Callable[..., int] = getattr(self._library, name)
        except AttributeError as error:
            raise Unavailable(f"NVML: this driver has no {name}") from error
        return function(*arguments)

    def text(self, name: str, *arguments: object) -> str:
        buffer = ctypes.create_string_buffer(_TEXT)
        self.call(name, *arguments, buffer, ctypes.c_uint(_TEXT))
        return buffer.value.decode("utf-8", "replace")

    def number(self, name: str) -> int:
        value = ctypes.c_int(0)
        self.call(name, ctypes.byref(value))
        return value.value

    def gpu(self, index: int) -> Gpu:
        device = ctypes.c_void_p()
        self.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(device))
        major, minor = ctypes.c_int(0), ctypes.c_int(0)
        self.call("nvmlDeviceGetCudaComputeCapability", device, ctypes.byref(major), ctypes.byref(minor))
        name = self.text("nvmlDeviceGetName", device)
        return Gpu(index, name, f"{major.value}.{minor.value}", self._memory(device), self._mig(device))

    def _memory(self, device: ctypes.c_void_p) -> int | None:
        memory = _Memory()
        code = self._code("nvmlDeviceGetMemoryInfo", device, ctypes.byref(memory))
        return int(memory.total) // _MIB if code == _SUCCESS else None

    def _mig(self, device: ctypes.c_void_p) -> bool | None:
        now, pending = ctypes.c_uint(0), ctypes.c_uint(0)
        code = self._code("nvmlDeviceGetMigMode", device, ctypes.byref(now), ctypes.byref(pending))
        return now.value == 1 if code == _SUCCESS else False if code == _NOT_SUPPORTED else None


def through_library() -> Answer:
    """Ask libnvidia-ml itself.

    Raises:
        Unavailable: it cannot be loaded, or it refused.
    """
    name = "nvml.dll" if os.name == "nt" else "libnvidia-ml.so.1"
    try:
        library = _Library(ctypes.CDLL(name))
    except OSError as error:
        raise Unavailable(f"{name} cannot be loaded") from error
    library.call("nvmlInit_v2")
    try:
        gpus = [library.gpu(index) for index in range(library.number("nvmlDeviceGetCount_v2"))]
        driver = library.text("nvmlSystemGetDriverVersion")
        return Answer(gpus, driver, _cuda(library.number("nvmlSystemGetCudaDriverVersion_v2")))
    finally:
        library.call("nvmlShutdown")
