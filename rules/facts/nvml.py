"""What NVML says of the GPUs, through nvidia-ml-py. It runs in a process of its own (gpus.py), and prints JSON.

{"gpus": [{"index", "name", "compute_capability", "memory_mib", "mig", "sm_mhz", "memory_mhz", "power_w"}], "driver",
"cuda"}, or {"error": why not}.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

MARK = "fp8check-nvml:"  # a package may print something of its own
_MIB = 1024 * 1024
_SM, _MEMORY = 1, 2  # nvmlClockType_t


def answer() -> str:
    """What NVML says, as the process prints it."""
    import json

    return "\n" + MARK + json.dumps(asked())


def asked() -> dict[str, object]:
    """What NVML says, or why it cannot be asked."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old package of the same name warns of itself
            import pynvml  # the optional extra "gpu"
        return of_nvml(pynvml)
    except ModuleNotFoundError as error:
        if error.name == "pynvml":
            return {"error": "nvidia-ml-py is not installed beside fp8check"}
        return {"error": f"nvidia-ml-py failed with {type(error).__name__}: {error}"}
    except BaseException as error:  # noqa: BLE001  a package that others install: whatever it raises is no answer
        return {"error": f"nvidia-ml-py failed with {type(error).__name__}: {error}"}


def of_nvml(pynvml: ModuleType) -> dict[str, object]:
    """What a release of nvidia-ml-py says; whatever it raises goes on."""
    pynvml.nvmlInit()
    try:
        gpus = [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()  # cuda.h: 1000 x major + 10 x minor
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        return {"gpus": gpus, "driver": driver, "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}"}
    finally:
        pynvml.nvmlShutdown()


def _gpu(pynvml: ModuleType, index: int) -> dict[str, object]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    try:
        mig: bool | None = pynvml.nvmlDeviceGetMigMode(handle)[0] == 1
    except pynvml.NVMLError as error:
        # "Not supported" is a GPU that has no such mode; anything else says nothing of it.
        mig = False if error.value == pynvml.NVML_ERROR_NOT_SUPPORTED else None
    try:
        memory: int | None = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) // _MIB
    except pynvml.NVMLError:
        memory = None
    milliwatts = _number(pynvml, "nvmlDeviceGetPowerManagementLimit", handle)
    return {
        "index": index,
        "name": _text(pynvml.nvmlDeviceGetName(handle)),
        "compute_capability": f"{int(major)}.{int(minor)}",
        "memory_mib": memory,
        "mig": mig,
        "sm_mhz": _number(pynvml, "nvmlDeviceGetMaxClockInfo", handle, _SM),
        "memory_mhz": _number(pynvml, "nvmlDeviceGetMaxClockInfo", handle, _MEMORY),
        "power_w": None if milliwatts is None else round(milliwatts / 1000),
    }


def _number(pynvml: ModuleType, name: str, *arguments: object) -> int | None:
    """What a function says that not every release has, nor every GPU answers; None where it does not."""
    function = getattr(pynvml, name, None)
    if function is None:
        return None
    try:
        return int(function(*arguments))
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    """Releases of nvidia-ml-py before 12 return bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
