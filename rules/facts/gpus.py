"""The GPUs of this machine: asked of the NVIDIA driver, through nvidia-ml-py where it is installed, else nvidia-smi."""

from __future__ import annotations

import os

from fp8check.rules.facts.data import Gpu
from fp8check.rules.reading import files
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIME_LIMIT_S = 20.0
LONGEST_ANSWER = 2**18
NO_DEVICES = "No devices were found"

# Each of them tells that a driver is there: on Linux, in a container, in WSL.
DRIVER_SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
# Where nvidia-smi is when PATH does not name its folder: in WSL, and where a cluster mounts the driver.
SMI_FOLDERS = ("/usr/bin", "/usr/lib/wsl/lib", "/usr/local/nvidia/bin")

_QUERY = "index,name,compute_cap,memory.total,mig.mode.current,driver_version"
_CLOCKS = "clocks.max.sm,clocks.max.memory,power.limit"

_CAPABILITY = r"[0-9]{1,3}\.[0-9]{1,2}"
_NOT_RUN = (
    "PATH finds nvidia-smi in the current folder only, from where nothing is run: whether there is a GPU is unknown"
)


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
    path = environ.get("PATH", "")
    has_driver = any(files.is_there(sign) for sign in DRIVER_SIGNS)
    if not has_driver and not _is_on(path):
        return DriverReport([])  # as on a laptop: nothing more has to be imported
    from fp8check.rules.child.environment import find

    smi = find("nvidia-smi", path)
    if smi is None:
        if not has_driver:
            return DriverReport(None, notes=(_NOT_RUN,))
        smi = find("nvidia-smi", os.pathsep.join(SMI_FOLDERS))
    ways: tuple[Callable[[], DriverReport], ...] = (
        lambda: through_nvml(environ),
        lambda: through_nvidia_smi(smi, environ),
    )
    reasons: list[str] = []
    for way in ways:
        try:
            return way()
        except Unavailable as error:
            reasons.append(str(error))
    return DriverReport(None, notes=(f"an NVIDIA driver is there, but did not answer: {'; '.join(reasons)}",))


def _is_on(path: str) -> bool:
    """Whether PATH has an nvidia-smi, also by a folder that does not count (child/environment.py)."""
    name = "nvidia-smi.exe" if os.name == "nt" else "nvidia-smi"
    return any(os.path.isfile(os.path.join(folder, name)) for folder in path.split(os.pathsep))


def through_nvml(environ: Mapping[str, str]) -> DriverReport:
    """Ask through nvidia-ml-py, NVIDIA's own binding of NVML, in a process of its own: it may hang, or crash.

    Raises:
        Unavailable: it is not installed here, it is broken, NVML refused, or gave no answer in time.
    """
    from fp8check.rules.child import python

    said = _printed(
        python.own("from fp8check.rules.facts.nvml import answer\nprint(answer(), flush=True)"), environ, "nvidia-ml-py"
    )
    try:
        import json

        from fp8check.rules.facts.nvml import MARK

        answer = json.loads(said.rpartition(MARK)[2])
        if "error" in answer:
            raise Unavailable(str(answer["error"])[:300])
        gpus = [_gpu_of_nvml(one) for one in answer["gpus"]]
        return DriverReport(gpus, str(answer["driver"]), str(answer["cuda"]))
    except (ValueError, TypeError, KeyError) as error:
        raise Unavailable(f"nvidia-ml-py answered {said[:120]!r}") from error


def _gpu_of_nvml(one: Mapping[str, object]) -> Gpu:
    index, memory, mig = one["index"], one["memory_mib"], one["mig"]
    if not isinstance(index, int) or not isinstance(memory, int | None) or not isinstance(mig, bool | None):
        raise TypeError(one)
    sm, memory_mhz, power = (_whole(one[name]) for name in ("sm_mhz", "memory_mhz", "power_w"))
    return Gpu(index, str(one["name"]), str(one["compute_capability"]), memory, mig, sm, memory_mhz, power)


def _whole(value: object) -> int | None:
    if not isinstance(value, int | None):
        raise TypeError(value)
    return value


def _printed(words: Sequence[str], environ: Mapping[str, str], name: str) -> str:
    """What a program prints.

    Raises:
        Unavailable: it cannot be started, fails, prints too much, or does not end in time.
    """
    from fp8check.rules.child import environment
    from fp8check.rules.child.run import run
    from fp8check.rules.child.supervised import NotStarted

    try:
        ended = run(words, limit_s=TIME_LIMIT_S, environ=environment.own(environ), longest=LONGEST_ANSWER)
    except NotStarted as error:
        raise Unavailable(f"{name} cannot be started: {error}") from error
    if ended.why:
        raise Unavailable(f"{name} {ended.why}")
    output = ended.output.decode("utf-8", "replace").strip()
    if output == NO_DEVICES:
        return output  # with exit code 6 in some releases
    if (ended.how, ended.code) != ("exit", 0):
        said = output or ended.errors.decode("utf-8", "replace").strip()
        how = "was killed by signal" if ended.how == "signal" else "ended with"
        raise Unavailable(f"{name} {how} {ended.code}: {said[:200]}")
    return output


def through_nvidia_smi(command: str | None, environ: Mapping[str, str]) -> DriverReport:
    """Ask the command nvidia-smi.

    Raises:
        Unavailable: it is not there (None), it failed, it printed nothing, or gave no answer in time.
    """
    if command is None:
        raise Unavailable("nvidia-smi is not on PATH")
    output = _printed(
        [command, f"--query-gpu={_QUERY},{_CLOCKS}", "--format=csv,noheader,nounits"], environ, "nvidia-smi"
    )
    if output == NO_DEVICES:
        return DriverReport([])
    rows = [[field.strip() for field in line.split(",")] for line in output.splitlines() if line.strip()]
    if not rows:
        raise Unavailable("nvidia-smi printed nothing")  # where there is no GPU, it says so
    gpus, drivers = zip(*map(_gpu, rows), strict=True)
    if len({gpu.index for gpu in gpus}) < len(gpus):
        raise Unavailable("nvidia-smi named the same GPU twice")
    return DriverReport(list(gpus), driver=drivers[0])


def _gpu(row: list[str]) -> tuple[Gpu, str]:
    """A GPU and the driver, of one line of nvidia-smi; a name may hold commas, what cannot be had reads "[N/A]"."""
    told = _told(row)
    if told is None:
        raise Unavailable(f"nvidia-smi printed {', '.join(row)[:120]!r}")
    first, clocks = told
    sm, memory_mhz, power = map(_rounded, clocks)
    found = Gpu(
        index=int(first[0]),
        name=", ".join(first[1:-4]),
        compute_capability=first[-4],
        memory_mib=_rounded(first[-3]),
        mig={"Enabled": True, "Disabled": False, "[N/A]": False}.get(first[-2]),
        sm_mhz=sm,
        memory_mhz=memory_mhz,
        power_w=power,
    )
    return found, first[-1]


def _told(row: list[str]) -> tuple[list[str], list[str]] | None:
    """What a line says to _QUERY, and to _CLOCKS, which a program in the place of nvidia-smi may know nothing of."""
    for first, clocks in ((row[:-3], row[-3:]), (row, ["", "", ""])):
        if len(first) >= 6 and first[1] and _is(r"[0-9]{1,4}", first[0]) and _is(_CAPABILITY, first[-4]):
            return (first, clocks) if _is(r"[0-9]+(\.[0-9]+)*", first[-1]) else None
    return None


def _is(pattern: str, text: str) -> bool:
    import re

    return re.fullmatch(pattern, text) is not None


def _rounded(text: str) -> int | None:
    return round(float(text)) if _is(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) else None
