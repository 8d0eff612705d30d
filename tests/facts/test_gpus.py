"""GPUs by way of nvidia-ml-py, of libnvidia-ml and of nvidia-smi."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fp8check.rules.facts import Gpu, gpus, nvml
from tests.support.trees import script, write

LINE = "0, NVIDIA H200, 9.0, 143771, Disabled, 580.159.04"


@pytest.fixture(autouse=True)
def machine_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine is, each test starts on one without a driver and without nvidia-ml-py."""
    monkeypatch.setattr(gpus, "DRIVER_SIGNS", ())
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(ctypes, "CDLL", refuse)


def refuse(name: str) -> object:
    raise OSError(f"{name}: cannot open shared object file")


def with_smi(tmp_path: Path, text: str) -> dict[str, str]:
    script(tmp_path / "nvidia-smi", text)
    return {"PATH": str(tmp_path)}


def test_no_driver_means_that_there_is_no_gpu() -> None:
    assert gpus.ask({"PATH": ""}) == gpus.Answer([])


def test_a_driver_that_does_not_answer_means_that_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "DRIVER_SIGNS", (str(write(tmp_path / "version")),))
    answer = gpus.ask({"PATH": ""})
    assert answer.gpus is None
    assert "nvidia-ml-py is not installed" in answer.notes[0]
    assert "cannot be loaded" in answer.notes[0]


def test_nvidia_smi(tmp_path: Path) -> None:
    second = "1, NVIDIA H100, 80GB, 9.0, [N/A], Enabled, 580.159.04"
    answer = gpus.ask(with_smi(tmp_path, f"echo '{LINE}'; echo '{second}'"))
    assert answer.gpus == [
        Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False),
        Gpu(1, "NVIDIA H100, 80GB", "9.0", None, mig=True),
    ]
    assert answer.driver == "580.159.04"
    assert answer.cuda is None


def test_nvidia_smi_without_a_gpu(tmp_path: Path) -> None:
    assert gpus.ask(with_smi(tmp_path, "echo 'No devices were found'; exit 6")).gpus == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'NVIDIA-SMI has failed'; exit 9", "nvidia-smi ended with 9: NVIDIA-SMI has failed"),
        ("echo 'Field \"compute_cap\" is not a valid field' >&2; exit 2", "not a valid field"),
        ("echo 'garbage'", "nvidia-smi printed 'garbage'"),
        ("echo '0, H200, new, 1, Disabled, 5'", "nvidia-smi printed"),
    ],
)
def test_nvidia_smi_that_fails_is_not_taken_for_none(text: str, reason: str, tmp_path: Path) -> None:
    answer = gpus.ask(with_smi(tmp_path, text))
    assert answer.gpus is None
    assert reason in answer.notes[0]


def test_nvidia_smi_that_cannot_be_started(tmp_path: Path) -> None:
    write(tmp_path / "nvidia-smi", "\0").chmod(0o755)
    answer = gpus.ask({"PATH": str(tmp_path)})
    assert answer.gpus is None
    assert "nvidia-smi cannot be started: " in answer.notes[0]


def test_nvidia_smi_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "TIME_LIMIT_S", 0.2)
    answer = gpus.ask(with_smi(tmp_path, "exec sleep 5"))
    assert answer.gpus is None
    assert "no answer in 0.2 s" in answer.notes[0]


class NVMLError(Exception):
    """What pynvml raises."""


def fake_pynvml(**changes: Any) -> SimpleNamespace:
    def not_supported(_handle: object) -> object:
        raise NVMLError("Not Supported")

    made = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetCudaComputeCapability=lambda _handle: (9, 0),
        nvmlDeviceGetName=lambda handle: "NVIDIA H200" if handle else b"NVIDIA H200",
        nvmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(total=143771 * 1024 * 1024),
        nvmlDeviceGetMigMode=not_supported,
        nvmlSystemGetDriverVersion=lambda: b"580.159.04",
        nvmlSystemGetCudaDriverVersion_v2=lambda: 13000,
    )
    vars(made).update(changes)
    return made


def test_nvidia_ml_py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_pynvml(nvmlDeviceGetMigMode=lambda handle: (handle, 0)))
    answer = gpus.ask(with_smi(tmp_path, "exit 1"))
    assert answer == gpus.Answer(
        [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False), Gpu(1, "NVIDIA H200", "9.0", 143771, mig=True)],
        "580.159.04",
        "13.0",
    )


def test_a_gpu_without_mig_and_without_a_memory_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_pynvml(nvmlDeviceGetCount=lambda: 1)
    fake.nvmlDeviceGetMemoryInfo = fake.nvmlDeviceGetMigMode
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert nvml.through_pynvml().gpus == [Gpu(0, "NVIDIA H200", "9.0", None, mig=False)]


def test_nvidia_ml_py_that_fails_gives_way_to_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise NVMLError("Driver/library version mismatch")

    for fake in (fake_pynvml(nvmlInit=fail), SimpleNamespace(NVMLError=NVMLError)):
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        answer = gpus.ask(with_smi(tmp_path, f"echo '{LINE}'"))
        assert answer.gpus == [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)]


class FakeLibrary:
    """The C functions of NVML: results go into the objects that byref() points to."""

    def __init__(self, **codes: int) -> None:
        self._codes = codes

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._codes.get(name) == -1:
            raise AttributeError(name)
        return lambda *arguments: self._codes.get(name) or self._answer(name, arguments)

    def _answer(self, name: str, arguments: tuple[Any, ...]) -> int:
        if name in {"nvmlDeviceGetName", "nvmlSystemGetDriverVersion"}:
            arguments[-2].value = b"NVIDIA H200" if name == "nvmlDeviceGetName" else b"580.159.04"
        elif name == "nvmlDeviceGetMemoryInfo":
            arguments[-1]._obj.total = 143771 * 1024 * 1024
        elif name == "nvmlDeviceGetCudaComputeCapability":
            arguments[-2]._obj.value = 9
        elif name == "nvmlDeviceGetMigMode":
            arguments[-2]._obj.value = 1
        elif name.startswith(("nvmlDeviceGetCount", "nvmlSystemGetCuda")):
            arguments[0]._obj.value = 1 if "Count" in name else 12080
        return 0


@pytest.mark.parametrize(
    ("codes", "gpu"),
    [
        ({}, Gpu(0, "NVIDIA H200", "9.0", 143771, mig=True)),
        ({"nvmlDeviceGetMigMode": 3}, Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)),
        ({"nvmlDeviceGetMigMode": 999}, Gpu(0, "NVIDIA H200", "9.0", 143771, mig=None)),
        ({"nvmlDeviceGetMemoryInfo": 3}, Gpu(0, "NVIDIA H200", "9.0", None, mig=True)),
    ],
)
def test_the_library_itself(codes: dict[str, int], gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: FakeLibrary(**codes))
    assert nvml.through_library() == gpus.Answer([gpu], "580.159.04", "12.8")


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ({"nvmlInit_v2": 18}, "nvmlInit_v2 returned 18"),
        ({"nvmlDeviceGetHandleByIndex_v2": 999}, "nvmlDeviceGetHandleByIndex_v2 returned 999"),
        ({"nvmlDeviceGetCudaComputeCapability": -1}, "this driver has no nvmlDeviceGetCudaComputeCapability"),
    ],
)
def test_a_library_that_refuses(codes: dict[str, int], reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: FakeLibrary(**codes))
    with pytest.raises(gpus.Unavailable, match=reason):
        nvml.through_library()
