"""GPUs by way of nvidia-ml-py and of nvidia-smi."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fp8check.rules.facts import Gpu, gpus
from tests.support.trees import script, write

LINE = "0, NVIDIA H200, 9.0, 143771, Disabled, 580.159.04"


@pytest.fixture(autouse=True)
def machine_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine is, each test starts on one without a driver and without nvidia-ml-py."""
    monkeypatch.setattr(gpus, "DRIVER_SIGNS", ())
    monkeypatch.setattr(gpus, "SMI_FOLDERS", ())
    monkeypatch.setitem(sys.modules, "pynvml", None)


def with_smi(tmp_path: Path, text: str) -> dict[str, str]:
    script(tmp_path / "nvidia-smi", text)
    return {"PATH": str(tmp_path)}


def test_no_driver_means_that_there_is_no_gpu() -> None:
    assert gpus.ask({"PATH": ""}) == gpus.DriverReport([])


def test_a_driver_that_does_not_answer_means_that_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "DRIVER_SIGNS", (str(write(tmp_path / "version")),))
    answer = gpus.ask({"PATH": ""})
    assert answer.gpus is None
    assert "nvidia-ml-py is not installed" in answer.notes[0]
    assert "nvidia-smi is not on PATH" in answer.notes[0]


def test_nvidia_smi_beside_the_driver_is_found_where_path_does_not_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_smi(tmp_path, f"echo '{LINE}'")
    monkeypatch.setattr(gpus, "SMI_FOLDERS", (str(tmp_path),))
    assert gpus.ask({"PATH": ""}) == gpus.DriverReport([]), "without a driver it is not looked for"
    monkeypatch.setattr(gpus, "DRIVER_SIGNS", (str(write(tmp_path / "version")),))
    assert gpus.ask({"PATH": ""}).gpus == [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)]


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
        ("exit 0", "nvidia-smi printed nothing"),
        ("echo; echo '  '; echo", "nvidia-smi printed nothing"),
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


NOT_SUPPORTED, UNKNOWN_ERROR = 3, 999  # nvml.h


class NVMLError(Exception):
    """What pynvml raises, with NVML's own number."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


def raises(error: BaseException) -> Any:
    def fail(*_arguments: object) -> None:
        raise error

    return fail


def fake_pynvml(**changes: Any) -> SimpleNamespace:
    made = SimpleNamespace(
        NVMLError=NVMLError,
        NVML_ERROR_NOT_SUPPORTED=NOT_SUPPORTED,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetCudaComputeCapability=lambda _handle: (9, 0),
        nvmlDeviceGetName=lambda handle: "NVIDIA H200" if handle else b"NVIDIA H200",
        nvmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(total=143771 * 1024 * 1024),
        nvmlDeviceGetMigMode=raises(NVMLError(NOT_SUPPORTED)),
        nvmlSystemGetDriverVersion=lambda: b"580.159.04",
        nvmlSystemGetCudaDriverVersion_v2=lambda: 13000,
    )
    vars(made).update(changes)
    return made


def test_nvidia_ml_py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", fake_pynvml(nvmlDeviceGetMigMode=lambda handle: (handle, 0)))
    answer = gpus.ask(with_smi(tmp_path, "exit 1"))
    assert answer == gpus.DriverReport(
        [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False), Gpu(1, "NVIDIA H200", "9.0", 143771, mig=True)],
        "580.159.04",
        "13.0",
    )


def test_a_gpu_without_mig_and_without_a_memory_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_pynvml(nvmlDeviceGetCount=lambda: 1, nvmlDeviceGetMemoryInfo=raises(NVMLError(NOT_SUPPORTED)))
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert gpus.through_nvml().gpus == [Gpu(0, "NVIDIA H200", "9.0", None, mig=False)]


def test_a_mig_mode_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_pynvml(nvmlDeviceGetCount=lambda: 1, nvmlDeviceGetMigMode=raises(NVMLError(UNKNOWN_ERROR)))
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert gpus.through_nvml().gpus == [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=None)]


FAULTS = {
    "NVML refuses": (fake_pynvml(nvmlInit=raises(NVMLError(18))), "NVMLError: NVML error 18"),
    "a GPU is lost": (fake_pynvml(nvmlDeviceGetHandleByIndex=raises(NVMLError(15))), "NVMLError: NVML error 15"),
    "too old": (SimpleNamespace(NVMLError=NVMLError), "AttributeError: "),
    "another error": (fake_pynvml(nvmlDeviceGetName=raises(TypeError("odd"))), "TypeError: odd"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nvidia_ml_py_that_fails_gives_way_to_nvidia_smi(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, reason = FAULTS[fault]
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    assert gpus.ask(with_smi(tmp_path, f"echo '{LINE}'")).gpus == [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)]
    answer = gpus.ask(with_smi(tmp_path, "exit 9"))
    assert answer.gpus is None
    assert f"nvidia-ml-py failed with {reason}" in answer.notes[0]


@pytest.mark.parametrize("error", ["RuntimeError('no driver')", "OSError('libnvidia-ml.so.1')", "1 / 0", "def"])
def test_nvidia_ml_py_whose_import_fails_is_no_crash(
    error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = error if error in ("1 / 0", "def") else f"raise {error}"
    write(tmp_path / "site" / "pynvml.py", f"{code}\n")
    monkeypatch.delitem(sys.modules, "pynvml")
    monkeypatch.syspath_prepend(tmp_path / "site")
    answer = gpus.ask(with_smi(tmp_path, "exit 9"))
    assert answer.gpus is None
    assert "nvidia-ml-py failed with " in answer.notes[0]
    assert gpus.ask(with_smi(tmp_path, f"echo '{LINE}'")).gpus == [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)]


def test_nvml_is_closed_even_where_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    fake = fake_pynvml(nvmlDeviceGetCount=raises(NVMLError(1)), nvmlShutdown=lambda: closed.append(True))
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    with pytest.raises(gpus.Unavailable):
        gpus.through_nvml()
    assert closed == [True]
