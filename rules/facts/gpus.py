"""The GPUs of this machine: asked of the NVIDIA driver, by whichever way is there."""

from __future__ import annotations

import os

from fp8check.rules.facts.data import Gpu
from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIME_LIMIT_S = 20.0

# Each of them tells that a driver is there: on Linux, in a container, in WSL.
DRIVER_SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")

_QUERY = "index,name,compute_cap,memory.total,mig.mode.current,driver_version"


class Unavailable(Exception):
    """This way of asking the driver is not open here; the text says why."""


class Answer(Record):
    """What the driver said.

    Attributes:
        gpus: None where it could not be asked; empty where it is known that there is none.
        driver: its version.
        cuda: the newest CUDA version that it supports.
        notes: why it could not be asked.
    """

    gpus: list[Gpu] | None
    driver: str | None = None
    cuda: str | None = None
    notes: tuple[str, ...] = ()


def ask(environ: Mapping[str, str]) -> Answer:
    """The GPUs, through NVML where it answers, else through nvidia-smi."""
    smi = _on_path("nvidia-smi", environ)
    if smi is None and not any(os.path.exists(sign) for sign in DRIVER_SIGNS):
        return Answer([])
    from fp8check.rules.facts import nvml  # it loads ctypes, for which a machine without a driver has no use

    ways: list[Callable[[], Answer]] = [nvml.through_pynvml, nvml.through_library]
    if smi is not None:
        ways.append(lambda: through_nvidia_smi(smi))
    reasons: list[str] = []
    for way in ways:
        try:
            return way()
        except Unavailable as error:
            reasons.append(str(error))
    return Answer(None, notes=(f"an NVIDIA driver is there, but did not answer: {'; '.join(reasons)}",))


def through_nvidia_smi(command: str) -> Answer:
    """Ask the command nvidia-smi.

    Raises:
        Unavailable: it failed, or gave no answer in time.
    """
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
        return Answer([])
    if done.returncode != 0:
        said = output or done.stderr.decode("utf-8", "replace").strip()
        raise Unavailable(f"nvidia-smi ended with {done.returncode}: {said[:200]}")
    rows = [[field.strip() for field in line.split(",")] for line in output.splitlines() if line.strip()]
    return Answer([_gpu(row) for row in rows], driver=rows[0][-1] if rows else None)


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
