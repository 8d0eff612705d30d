"""GPUs by way of nvidia-ml-py and of nvidia-smi."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fp8check.rules.child import python
from fp8check.rules.facts import Gpu, gpus, nvml
from tests.support.trees import script, write

LINE = "0, NVIDIA H200, 9.0, 143771, Disabled, 580.159.04"


@pytest.fixture(autouse=True)
def machine_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine is, each test starts on one without a driver and without nvidia-ml-py."""
    monkeypatch.setattr(gpus, "DRIVER_SIGNS", ())
    monkeypatch.setattr(gpus, "SMI_FOLDERS", ())
    monkeypatch.setattr(python, "own", lambda *_: [sys.executable, "-I", "-c", ANSWER.format("nothing installed")])


# What the process prints that asks NVML: as nvml.answer has it.
ANSWER = """
import json; print("a line of a package"); print("fp8check-nvml:" + json.dumps({{"error": {!r}}}))
"""


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
    assert "nothing installed" in answer.notes[0]
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


def test_clocks_of_nvidia_smi(tmp_path: Path) -> None:
    second = "1, NVIDIA H100, 80GB, 9.0, 81559, Disabled, 470.57, [N/A], 2619, [Not Supported]"
    answer = gpus.ask(with_smi(tmp_path, f"echo '{LINE}, 1980, 3201, 699.60'; echo '{second}'"))
    assert answer.gpus == [
        Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False, sm_mhz=1980, memory_mhz=3201, power_w=700),
        Gpu(1, "NVIDIA H100, 80GB", "9.0", 81559, mig=False, memory_mhz=2619),
    ]
    assert answer.driver == "580.159.04"


def test_nvidia_smi_without_a_gpu(tmp_path: Path) -> None:
    assert gpus.ask(with_smi(tmp_path, "echo 'No devices were found'; exit 6")).gpus == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'NVIDIA-SMI has failed'; exit 9", "nvidia-smi ended with 9: NVIDIA-SMI has failed"),
        ("echo 'Field \"compute_cap\" is not a valid field' >&2; exit 2", "not a valid field"),
        ("echo 'garbage'", "nvidia-smi printed 'garbage'"),
        ("echo '0, H200, new, 1, Disabled, 5'", "nvidia-smi printed"),
        ("echo '0, H200, 9.0, 1, Disabled, 580.1, more'", "nvidia-smi printed"),
        ("echo '0, , 9.0, 1, Disabled, 580.1'", "nvidia-smi printed"),
        ("echo '0, H200, 9.0, 1, Disabled, none'", "nvidia-smi printed"),
        (f"echo '{LINE}'; echo '{LINE}'", "nvidia-smi named the same GPU twice"),
        ("kill -11 $$", "nvidia-smi was killed by signal 11"),
        ("while :; do echo 0; done", "nvidia-smi printed more than 262144 bytes"),
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
    answer = gpus.ask(with_smi(tmp_path, "exec /bin/sleep 600"))
    assert answer.gpus is None
    assert "nvidia-smi gave no answer in 0.2 s" in answer.notes[0]


NOT_SUPPORTED, UNKNOWN_ERROR = 3, 999  # nvml.h


class NVMLError(Exception):
    """What pynvml raises, with NVML's own number."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


CLOCKS = {"sm_mhz": 1980, "memory_mhz": 3201, "power_w": 700}


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
        nvmlDeviceGetMaxClockInfo=lambda _handle, kind: {1: 1980, 2: 3201}[kind],
        nvmlDeviceGetPowerManagementLimit=lambda _handle: 699_600,
        nvmlDeviceGetMigMode=raises(NVMLError(NOT_SUPPORTED)),
        nvmlSystemGetDriverVersion=lambda: b"580.159.04",
        nvmlSystemGetCudaDriverVersion_v2=lambda: 13000,
    )
    vars(made).update(changes)
    return made


def asked(monkeypatch: pytest.MonkeyPatch, fake: object) -> Any:
    """What NVML says through a release of nvidia-ml-py, in this process."""
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return nvml.asked()


def test_nvidia_ml_py(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, fake_pynvml(nvmlDeviceGetMigMode=lambda handle: (handle, 0))) == {
        "gpus": [
            {"index": index, "name": "NVIDIA H200", "compute_capability": "9.0", "memory_mib": 143771, **more}
            for index, more in enumerate(({"mig": False, **CLOCKS}, {"mig": True, **CLOCKS}))
        ],
        "driver": "580.159.04",
        "cuda": "13.0",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"nvmlDeviceGetMaxClockInfo": raises(NVMLError(NOT_SUPPORTED)), "nvmlDeviceGetPowerManagementLimit": None},
        {"nvmlDeviceGetMaxClockInfo": None, "nvmlDeviceGetPowerManagementLimit": raises(NVMLError(UNKNOWN_ERROR))},
    ],
)
def test_clocks_that_cannot_be_had(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    one = asked(monkeypatch, fake_pynvml(**changes))["gpus"][0]
    assert (one["sm_mhz"], one["memory_mhz"], one["power_w"]) == (None, None, None)
    assert one["memory_mib"] == 143771


def test_a_gpu_without_mig_and_without_a_memory_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_pynvml(nvmlDeviceGetCount=lambda: 1, nvmlDeviceGetMemoryInfo=raises(NVMLError(NOT_SUPPORTED)))
    (one,) = asked(monkeypatch, fake)["gpus"]
    assert (one["memory_mib"], one["mig"]) == (None, False)


def test_a_mig_mode_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_pynvml(nvmlDeviceGetCount=lambda: 1, nvmlDeviceGetMigMode=raises(NVMLError(UNKNOWN_ERROR)))
    (one,) = asked(monkeypatch, fake)["gpus"]
    assert one["mig"] is None


FAULTS = {
    "NVML refuses": (fake_pynvml(nvmlInit=raises(NVMLError(18))), "NVMLError: NVML error 18"),
    "a GPU is lost": (fake_pynvml(nvmlDeviceGetHandleByIndex=raises(NVMLError(15))), "NVMLError: NVML error 15"),
    "too old": (SimpleNamespace(NVMLError=NVMLError), "AttributeError: "),
    "another error": (fake_pynvml(nvmlDeviceGetName=raises(TypeError("odd"))), "TypeError: odd"),
    "an exit": (fake_pynvml(nvmlDeviceGetName=raises(SystemExit(0))), "SystemExit: 0"),
    "an interrupt": (fake_pynvml(nvmlInit=raises(KeyboardInterrupt())), "KeyboardInterrupt: "),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nvidia_ml_py_that_fails_says_why(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, reason = FAULTS[fault]
    assert f"nvidia-ml-py failed with {reason}" in asked(monkeypatch, fake)["error"]


def test_nvidia_ml_py_that_lacks_a_package_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pynvml.py", "import no_such_thing")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    assert "failed with ModuleNotFoundError: No module named 'no_such_thing'" in str(nvml.asked()["error"])


def test_nvml_is_closed_even_where_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    fake = fake_pynvml(nvmlDeviceGetCount=raises(NVMLError(1)), nvmlShutdown=lambda: closed.append(True))
    assert "NVML error 1" in asked(monkeypatch, fake)["error"]
    assert closed == [True]


def test_without_nvidia_ml_py(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, None) == {"error": "nvidia-ml-py is not installed beside fp8check"}
    assert nvml.answer().startswith('\nfp8check-nvml:{"error": ')


def with_package(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A pynvml that is a file, asked in a process of its own as a real one is."""
    write(folder / "site" / "pynvml.py", code)
    monkeypatch.setattr(python, "own", own)
    monkeypatch.syspath_prepend(folder / "site")


own = python.own

WORKS = """
print("a word of its own")
class NVMLError(Exception): pass
class Memory: total = 143771 * 2**20
nvmlInit = nvmlShutdown = lambda: None
nvmlDeviceGetCount = lambda: 1
nvmlDeviceGetHandleByIndex = nvmlDeviceGetCudaComputeCapability = nvmlDeviceGetMigMode = lambda _: (0, 1)
nvmlDeviceGetCudaComputeCapability = lambda _: (9, 0)
nvmlDeviceGetName = lambda _: "NVIDIA H200"
nvmlDeviceGetMemoryInfo = lambda _: Memory
nvmlSystemGetDriverVersion = lambda: "580.159.04"
nvmlSystemGetCudaDriverVersion_v2 = lambda: 13000
"""


def test_it_is_asked_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_package(tmp_path, monkeypatch, WORKS)
    answer = gpus.ask(with_smi(tmp_path, "exit 1"))
    assert answer == gpus.DriverReport([Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)], "580.159.04", "13.0")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no driver')", "nvidia-ml-py failed with RuntimeError: no driver"),
        ("raise OSError('libnvidia-ml.so.1')", "nvidia-ml-py failed with OSError: libnvidia-ml.so.1"),
        ("raise SystemExit(0)", "nvidia-ml-py failed with SystemExit: 0"),
        ("import no_such_thing", "nvidia-ml-py failed with ModuleNotFoundError"),
        ("def", "nvidia-ml-py failed with SyntaxError"),
        ("import os; os._exit(0)", "nvidia-ml-py answered ''"),
        ("import os; os.kill(os.getpid(), 11)", "nvidia-ml-py was killed by signal 11"),
        ("while True: print('endless')", "nvidia-ml-py printed more than"),
        ("import time; time.sleep(600)", "nvidia-ml-py gave no answer in 2 s"),
        (WORKS.replace('lambda _: "NVIDIA H200"', "lambda _: Memory") + "Memory.total = 'x'", "nvidia-ml-py failed"),
    ],
)
def test_one_that_does_not_answer_gives_way_to_nvidia_smi(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in code:
        monkeypatch.setattr(gpus, "TIME_LIMIT_S", 2)
    with_package(tmp_path, monkeypatch, code)
    answer = gpus.ask(with_smi(tmp_path, "exit 9"))
    assert answer.gpus is None
    assert reason in answer.notes[0]
    assert gpus.ask(with_smi(tmp_path, f"echo '{LINE}'")).gpus == [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)]


@pytest.mark.parametrize(
    "said", ["[]", "{}", '{"gpus": [{"index": "0", "memory_mib": null, "mig": null}]}', "null", "{"]
)
def test_an_answer_that_is_none(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "own", lambda *_: ["/bin/echo", f"fp8check-nvml:{said}"])
    answer = gpus.ask(with_smi(tmp_path, "exit 9"))
    assert answer.gpus is None
    assert "nvidia-ml-py answered " in answer.notes[0]


def test_nvidia_smi_of_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_smi(tmp_path, f"touch was_here; echo '{LINE}'")
    monkeypatch.chdir(tmp_path)
    for path in (".", "", str(tmp_path), "/nowhere::/nowhere"):
        answer = gpus.ask({"PATH": path})
        assert answer.gpus is None
        assert "in the current folder only, from where nothing is run" in answer.notes[0]
    assert not (tmp_path / "was_here").exists()
