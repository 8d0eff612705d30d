"""All facts of a machine at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fp8check.rules.facts import UNKNOWN, BadInterpreter, Gpu, collect, collect_for_run, dump, gpus, libraries, loads
from tests.support.trees import install, script, write


def training_environment(folder: Path) -> dict[str, str]:
    """An environment with torch for CUDA 13 and Transformer Engine, whose packages must never be imported."""
    site = folder / "site"
    names = ("torch-2.11.0", "accelerate-1.15.0", "nvidia_cudnn_cu13-9.19.0.56")
    engine = ("transformer_engine-2.9.0", "transformer_engine_cu13-2.9.0", "transformer_engine_torch-2.9.0")
    install(site, *names, *engine)
    for package in ("torch", "accelerate", "transformer_engine"):
        write(site / package / "__init__.py", "raise SystemExit('imported')\n")
    write(site / "torch" / "version.py", "cuda: Optional[str] = '13.0'\n")
    script(folder / "bin" / "nvidia-smi", "echo '0, NVIDIA H200, 9.0, 143771, Disabled, 580.159.04'")
    return {"PYTHONPATH": str(site), "PATH": str(folder / "bin"), "NVTE_DEBUG": "1", "HF_TOKEN": "hf_secretsecret"}


def test_another_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "DRIVER_SIGNS", ())
    monkeypatch.setattr(libraries, "_SYSTEM_FOLDERS", ())
    monkeypatch.setitem(sys.modules, "pynvml", None)
    facts = collect(sys.executable, training_environment(tmp_path))
    assert facts.package("torch") == "2.11.0"
    assert facts.package("torchao") is None
    assert facts.is_training_environment is True
    assert facts.variables == {"NVTE_DEBUG": "1"}
    assert facts.gpus == [Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)]
    assert (facts.driver, facts.cuda) == ("580.159.04", {"torch": "13.0"})
    assert facts.libraries == {"cudnn": "9.19.0.56"}
    assert facts.transformer_engine is not None
    assert facts.transformer_engine["core"] == {"cu13": "2.9.0"}
    assert facts.source == "machine"
    assert loads(dump(facts)) == facts


def test_this_machine() -> None:
    facts = collect()
    assert facts.python == ".".join(str(part) for part in sys.version_info[:3])
    assert facts.packages is not None
    assert facts.variables is not None
    assert loads(dump(facts)) == facts


def test_a_bad_interpreter_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(BadInterpreter):
        collect(str(tmp_path / "python"))


def test_heavy_modules_are_loaded_only_where_they_are_needed() -> None:
    """On a machine without a driver; start-up time is part of the product."""
    program = """
import sys
before = set(sys.modules)
from fp8check.rules.facts import collect, gpus
gpus.DRIVER_SIGNS = ()
collect(environ={})
heavy = {"ctypes", "dataclasses", "importlib.metadata", "inspect", "pathlib", "pynvml", "shutil", "subprocess", "torch"}
print(sorted(heavy & (set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_driver_says_which_cuda_it_supports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = gpus.DriverReport([Gpu(0, "NVIDIA H200", "9.0", 143771, mig=False)], "580.159.04", "13.0")
    monkeypatch.setattr(gpus, "ask", lambda _environ: answer)
    assert collect(sys.executable, training_environment(tmp_path)).cuda == {"torch": "13.0", "driver": "13.0"}


def test_where_only_fp8check_is_installed_packages_are_not_known() -> None:
    """This environment has neither torch nor accelerate: that the run has none either cannot be said."""
    facts = collect_for_run()
    if facts.package("torch") is not UNKNOWN:
        pytest.skip("torch or accelerate is installed here")
    assert (facts.packages, facts.transformer_engine, facts.libraries) == (None, None, None)
    assert facts.gpus != []
    assert "does not tell what will train" in facts.notes[-1]
    assert collect().packages is not None


def test_an_interpreter_that_was_named_is_taken_at_its_word() -> None:
    assert collect_for_run(sys.executable).packages is not None
