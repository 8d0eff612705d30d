"""Faults of the installation and of the process, met by importing for real. None of these needs torch.

The packages are files of a few lines that fail as the real ones do; the messages are the real ones'.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fp8check.probe.process import Limits
from tests.support.probing import AO, TE, not_a_pass, probed, said

if TYPE_CHECKING:
    from pathlib import Path

GOOD_TORCH = "class _C: pass\n"
# name of the fault: (packages with what their import does, rule, what it must say)
FAULTS = {
    "torch is not installed": ({}, "FP804", "torch is not installed for this interpreter"),
    "wrong cuDNN": (
        {
            "torch": GOOD_TORCH,
            "transformer_engine/pytorch": "raise OSError('libcudnn_heuristic.so.9: undefined symbol: "
            "_ZTVN5cudnn7backend12OperationSetE, version libcudnn_graph.so.9')",
        },
        "FP804",
        "two releases of cuDNN are mixed",
    ),
    "built for another torch": (
        {
            "torch": GOOD_TORCH,
            "transformer_engine/pytorch": "raise ImportError('transformer_engine_torch.cpython-312-x86_64-linux-gnu.so:"
            " undefined symbol: _ZN3c104cuda9SetDeviceEa')",
        },
        "FP804",
        "compiled for another torch",
    ),
    "removed library": (
        {"torch": "raise OSError('libcublas.so.12: cannot open shared object file: No such file or directory')"},
        "FP804",
        "the library libcublas.so.12 is not there",
    ),
    "missing extension": (
        {
            "torch": GOOD_TORCH,
            "transformer_engine/pytorch": "raise FileNotFoundError('Could not find shared object file for Transformer "
            "Engine torch lib.')",
        },
        "FP804",
        "Transformer Engine's torch library is missing",
    ),
    "empty metapackage": (
        {
            "torch": GOOD_TORCH,
            "transformer_engine": "raise RuntimeError('Found empty `transformer-engine` meta package installed.')",
        },
        "FP804",
        "metapackage is installed without its parts",
    ),
    "version mismatch": (
        {
            "torch": GOOD_TORCH,
            "transformer_engine/pytorch": "raise RuntimeError('TransformerEngine package version mismatch. Found "
            "transformer_engine_torch v2.8.0, transformer-engine v2.9.0')",
        },
        "FP804",
        "parts of different releases",
    ),
    "system too old": (
        {"torch": 'raise ImportError("/lib/libc.so.6: version `GLIBC_2.34\' not found (required by libtorch.so)")'},
        "FP804",
        "GLIBC_2.34 is missing",
    ),
    "packages do not go together": (
        {
            "torch": GOOD_TORCH,
            "torchao/float8": "from torch import ScalingType",
        },
        "FP804",
        "has no ScalingType in this release",
    ),
    "segmentation fault": ({"torch": "import os; os.kill(os.getpid(), 11)"}, "FP802", "SIGSEGV"),
    "killed by the kernel": ({"torch": "import os; os.kill(os.getpid(), 9)"}, "FP802", "SIGKILL"),
    "ends without a word": ({"torch": "import os; os._exit(0)"}, "FP802", "exit code 0 and without an answer"),
    "ends with an error code": ({"torch": "import os; os._exit(7)"}, "FP802", "exit code 7"),
    "out of memory on the host": ({"torch": "raise MemoryError('cannot allocate')"}, "FP803", "ran out of memory"),
}


def _install(folder: Path, packages: dict[str, str]) -> Path:
    for name, content in packages.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            package = folder.joinpath(*parts[:depth])
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").touch()
        place = folder.joinpath(*parts)
        place.mkdir(parents=True, exist_ok=True)
        (place / "__init__.py").write_text(content)
    return folder


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_and_named(name: str, tmp_path: Path) -> None:
    packages, rule, words = FAULTS[name]
    config = AO if "torchao/float8" in packages else TE
    report, seen = probed({"accelerate": config}, path=_install(tmp_path, packages))
    not_a_pass(report)
    assert report.verdict == "fail"
    assert words in said(report, rule)
    assert seen.ended != "done"


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault[1] == "FP804"])
def test_import_fault_comes_with_its_fix(name: str, tmp_path: Path) -> None:
    packages, rule, _ = FAULTS[name]
    config = AO if "torchao/float8" in packages else TE
    report, _ = probed({"accelerate": config}, path=_install(tmp_path, packages))
    (found,) = [one for one in report.findings if one.rule == rule]
    assert found.help


def test_hang_in_an_import_is_killed_and_named(tmp_path: Path) -> None:
    began = time.monotonic()
    path = _install(tmp_path, {"torch": "import time; time.sleep(600)"})
    report, seen = probed({"accelerate": TE}, path=path, limits=Limits(1.0, 1.0))
    assert time.monotonic() - began < 5
    not_a_pass(report)
    assert seen.ended == "hang"
    assert "while importing torch" in said(report, "FP801")


def test_interpreter_that_does_not_exist_leaves_all_undecided() -> None:
    report, seen = probed({"accelerate": TE}, python="/nowhere/python")
    not_a_pass(report)
    assert seen.ended == "not run"
    assert "cannot be started" in said(report, "FP806")


def test_interpreter_that_is_none() -> None:
    report, seen = probed({"accelerate": TE}, python="/bin/true")
    not_a_pass(report)
    assert seen.ended == "no answer"
    assert "without an answer" in said(report, "FP802")


@pytest.mark.parametrize(
    "answer", ["b'{\"stage\": \\n'", "b'[1]\\n'", "b'\\xff\\xfe\\n'", "b'x' * 5_000_000", "b'{\"stage\": 5}\\n'"]
)
def test_answer_that_cannot_be_read_is_no_pass(answer: str, tmp_path: Path) -> None:
    content = f"import os, sys\nos.write(int(sys.orig_argv[-1]), {answer})\nos._exit(0)\n"
    report, seen = probed({"accelerate": TE}, path=_install(tmp_path, {"torch": content}))
    not_a_pass(report)
    assert seen.ended in ("no answer", "killed")
    assert said(report, "FP802")


def test_done_alone_proves_nothing(tmp_path: Path) -> None:
    content = "import os, sys\nos.write(int(sys.orig_argv[-1]), b'{\"done\": true}\\n')\nos._exit(0)\n"
    report, seen = probed({"accelerate": TE}, path=_install(tmp_path, {"torch": content}))
    assert seen.ended == "done"
    assert report.verdict != "pass"
    assert "did not see which layers were converted" in said(report, "FP806")
    assert "did not see whether the weights move" in said(report, "FP811")


def test_output_is_capped_and_credentials_are_masked(tmp_path: Path) -> None:
    content = (
        "import os\n"
        "for _ in range(2000): os.write(1, b'noise ' * 100)\n"
        "os.write(2, b'hf_abcdefghijklmnop ' + os.environ['HOME'].encode() + b' password=hunter2 xyzzy-from-the-shell\\n')\n"
        "raise ValueError('token=abc123 in a message')\n"
    )
    report, seen = probed(
        {"accelerate": TE},
        path=_install(tmp_path, {"torch": content}),
        environ={"HOME": "/home/somebody", "MY_API_KEY": "xyzzy-from-the-shell"},
    )
    assert len(seen.output) <= 8 * 1024
    told = repr(seen.as_data()) + said(report, "FP804")
    for secret in ("hf_abcdef", "hunter2", "abc123", "xyzzy", "/home/somebody"):
        assert secret not in told


def test_credentials_do_not_reach_the_child(tmp_path: Path) -> None:
    content = "import os\nprint(sorted(os.environ))\nraise ValueError(os.environ.get('HF_TOKEN', 'no token'))\n"
    _, seen = probed(
        {"accelerate": TE},
        path=_install(tmp_path, {"torch": content}),
        environ={"HF_TOKEN": "hf_abcdefghijklmnop", "ACCELERATE_LEFTOVER": "7"},
    )
    assert seen.error is not None
    assert seen.error.message == "no token"
    assert "'HF_HUB_OFFLINE'" in seen.output
    assert "ACCELERATE_LEFTOVER" not in seen.output  # a leftover of this shell that the facts do not have


def test_process_that_the_child_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    content = (
        "import os, subprocess\n"
        "started = subprocess.Popen(['sleep', '300'])\n"
        "os.write(1, b'pid %d\\n' % started.pid)\n"
        "os._exit(0)\n"
    )
    began = time.monotonic()
    _, seen = probed({"accelerate": TE}, path=_install(tmp_path, {"torch": content}))
    assert time.monotonic() - began < 10
    pid = int(seen.output.split()[1])
    for _ in range(50):  # a signal takes a moment to arrive
        if not _is_running(pid):
            return
        time.sleep(0.1)
    pytest.fail("the grandchild is still running")


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_file_of_the_current_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("open('was_here', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    probed({"accelerate": TE})
    assert not (tmp_path / "was_here").exists()


def test_parent_imports_no_torch() -> None:
    import subprocess

    code = "import sys, fp8check.probe, fp8check.cli.probe; print([m for m in sys.modules if m.startswith('torch')])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
