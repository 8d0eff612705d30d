"""The GPUs of this machine: asked of the NVIDIA driver, through nvidia-ml-py where it is installed, else nvidia-smi."""

from __future__ import annotations

import os

from fp8check.rules.facts.data import Gpu
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

TIME_LIMIT_S = 20.0
MIB = 1024 * 1024

# Each of them tells that a driver is there: on Linux, in a container, in WSL.
DRIVER_SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
# Where nvidia-smi is when PATH does not name its folder: in WSL, and where a cluster mounts the driver.
SMI_FOLDERS = ("/usr/bin", "/usr/lib/wsl/lib", "/usr/local/nvidia/bin")

_QUERY = "index,name,compute_cap,memory.total,mig.mode.current,driver_version"


class Unavailable(Exception):
    """This way of asking the driver is not open here; the text says why."""


class DriverReport(Record):
    """What the NVIDIA driver says of this machine.

    Attributes:
        gpus: None where it could not be asked; empty where it is known that there is none.
        driver: its version.
        cuda: the newest CUDA version that it supports; nvidia-smi does not tell it.
        notes: why it could not be asked.
    """

    gpus: list[Gpu] | None
    driver: str | None = None
    cuda: str | None = None
    notes: tuple[str, ...] = ()


def ask(environ: Mapping[str, str]) -> DriverReport:
    """The GPUs, through NVML where nvidia-ml-py is installed beside fp8check, else through nvidia-smi."""
    smi = _on_path("nvidia-smi", environ)
    if smi is None:
        if not any(os.path.exists(sign) for sign in DRIVER_SIGNS):
            return DriverReport([])
        smi = _on_path("nvidia-smi", {"PATH": os.pathsep.join(SMI_FOLDERS)})
    ways: tuple[Callable[[], DriverReport], ...] = (through_nvml, lambda: through_nvidia_smi(smi))
    reasons: list[str] = []
    for way in ways:
        try:
            return way()
        except Unavailable as error:
            reasons.append(str(error))
    return DriverReport(None, notes=(f"an NVIDIA driver is there, but did not answer: {'; '.join(reasons)}",))


def through_nvml() -> DriverReport:
    """Ask through nvidia-ml-py, NVIDIA's own binding of NVML.

    Raises:
        Unavailable: it is not installed here, it is broken, or NVML refused.
    """
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old package of the same name warns of itself
            import pynvml  # the optional extra "gpu"
        return _of_nvml(pynvml)
    except ImportError as error:
        raise Unavailable("nvidia-ml-py is not installed beside fp8check") from error
    except Exception as error:  # a package that others install, of any release: whatever it raises is no answer
        raise Unavailable(f"nvidia-ml-py failed with {type(error).__name__}: {error}") from error


def _of_nvml(pynvml: ModuleType) -> DriverReport:
    pynvml.nvmlInit()
    try:
        gpus = [_gpu_of_nvml(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()  # cuda.h: 1000 x major + 10 x minor
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        return DriverReport(gpus, driver, f"{cuda // 1000}.{cuda % 1000 // 10}")
    finally:
        pynvml.nvmlShutdown()


def _gpu_of_nvml(pynvml: ModuleType, index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    try:
        mig: bool | None = pynvml.nvmlDeviceGetMigMode(handle)[0] == 1
    except pynvml.NVMLError as error:
        # "Not supported" is a GPU that has no such mode; anything else says nothing of it.
        mig = False if error.value == pynvml.NVML_ERROR_NOT_SUPPORTED else None
    try:
        memory: int | None = pynvml.nvmlDeviceGetMemoryInfo(handle).total // MIB
    except pynvml.NVMLError:
        memory = None
    return Gpu(index, _text(pynvml.nvmlDeviceGetName(handle)), f"{major}.{minor}", memory, mig)


def _text(value: str | bytes) -> str:
    """Releases of nvidia-ml-py before 12 return bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def through_nvidia_smi(command: str | None) -> DriverReport:
    """Ask the command nvidia-smi.

    Raises:
        Unavailable: it is not there (None), it failed, it printed nothing, or gave no answer in time.
    """
    if command is None:
        raise Unavailable("nvidia-smi is not on PATH")
    import subprocess  # costs 10 ms

    query = [command, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, timeout=TIME_LIMIT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"nvidia-smi gave no answer in {TIME_LIMIT_S:g} s") from error
    except OSError as error:
        raise Unavailable(f"nvidia-smi cannot be started: {error.strerror}") from error
    output = done.stdout.decode("utf-8", "replace").strip()
    if output == "No devices were found":
        return DriverReport([])
    if done.returncode != 0:
        said = output or done.stderr.decode("utf-8", "replace").strip()
        raise Unavailable(f"nvidia-smi ended with {done.returncode}: {said[:200]}")
    rows = [[field.strip() for field in line.split(",")] for line in output.splitlines() if line.strip()]
    if not rows:
        raise Unavailable("nvidia-smi printed nothing")  # where there is no GPU, it says so
    return DriverReport([_gpu(row) for row in rows], driver=rows[0][-1])


def _gpu(row: list[str]) -> Gpu:
    """One line of nvidia-smi; a name may hold commas, what cannot be had reads "[N/A]"."""
    if len(row) < 6 or not row[0].isdecimal() or not row[-4].replace(".", "", 1).isdecimal():
        raise Unavailable(f"nvidia-smi printed {', '.join(row)[:120]!r}")
    memory, mig = row[-3], row[-2]
    return Gpu(
        index=int(row[0]),
        name=", ".join(row[1:-4]),
        compute_capability=row[-4],
        memory_mib=int(memory) if memory.isdecimal() else None,
        mig={"Enabled": True, "Disabled": False, "[N/A]": False}.get(mig),
    )


def _on_path(name: str, environ: Mapping[str, str]) -> str | None:
    """The file of a command (shutil.which takes longer to import than this to run)."""
    names = [f"{name}.exe"] if os.name == "nt" else [name]
    for folder in environ.get("PATH", "").split(os.pathsep):
        for each in names:
            path = os.path.join(folder, each)
            if folder and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None
