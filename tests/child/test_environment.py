"""The environment of another program is an allow-list; the current folder is on none of its paths."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from fp8check.rules.child import environment, python
from fp8check.rules.child.environment import find
from fp8check.rules.child.run import run

# What is never handed on: what loads code, credentials, what nobody named.
NEVER = {
    "LD_PRELOAD": "",
    "LD_AUDIT": "/x.so",
    "PYTHONSTARTUP": "/x.py",
    "PYTHONINSPECT": "1",
    "PYTHONWARNINGS": "all:0:antigravity.x:0:0",
    "PYTHONBREAKPOINT": "x.y",
    "BROWSER": "/bin/evil",
    "HF_TOKEN": "hf_abcdefghijklmnop",
    "NVTE_API_KEY": "x",
    "TORCH_TOKEN": "x",
    "GIT_SSH_COMMAND": "evil",
    "BASH_ENV": "/x.sh",
    "ENV": "/x.sh",
    "FP8CHECK_DATABASE": "postgresql://a:b@c/d",
    "GCONV_PATH": "/x",
    "ACCELERATE_MIXED_PRECISION": "fp8",
    "SOMETHING": "else",
}


def test_only_what_is_listed() -> None:
    assert environment.own({**NEVER, "LANG": "C"}) == {"LANG": "C", "PYTHONSAFEPATH": "1"}


def test_what_an_import_and_a_step_need() -> None:
    kept = {
        "PATH": "/usr/bin",
        "HOME": "/home/me",
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
        "PYTHONPATH": "/opt/modules",
        "CUDA_VISIBLE_DEVICES": "1",
        "CUDA_HOME": "/usr/local/cuda",
        "NVTE_FLASH_ATTN": "0",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": "/scratch",
    }
    assert environment.own(kept) == {**kept, "PYTHONSAFEPATH": "1"}


def test_no_gpu_to_be_seen_is_something_that_is_said() -> None:
    assert environment.own({"CUDA_VISIBLE_DEVICES": "", "LANG": ""}) == {
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONSAFEPATH": "1",
    }


@pytest.mark.parametrize("name", sorted(environment.FOLDERS))
def test_lists_of_folders_lose_the_current_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    mixed = f":.:..:relative::{here}:{here}/:{tmp_path}/link:{here}/../here:/usr/lib:{here}/below:"
    assert environment.own({name: mixed})[name] == f"/usr/lib:{here}/below"
    assert name not in environment.own({name: f".::{here}"})


@pytest.mark.parametrize("name", sorted(environment.PLACES))
def test_places_are_absolute(name: str) -> None:
    assert environment.own({name: "./evil"}) == {"PYTHONSAFEPATH": "1"}
    assert environment.own({name: "/opt/x"})[name] == "/opt/x"


def test_a_current_folder_that_was_deleted_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert environment.folders("/usr/bin:.") == ["/usr/bin"]


def test_a_run_names_no_path_and_nothing_that_loads_code() -> None:
    paths = environment.FOLDERS | environment.PLACES
    assert not environment.RUN & paths
    words = ("LD_", "PYTHON", "PATH", "DIR", "HOME", "CACHE", "CC", "CXX", "BROWSER", "COMPILER", "FILE", "BACKEND")
    named = {name for name in environment.RUN for word in words if word in name.split("_") or name.startswith(word)}
    assert named == {"ACCELERATE_FP8_BACKEND"}  # TE, AO or MSAMP


def test_the_interpreter_that_trains_has_the_users_path_and_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules, here = tmp_path / "modules", tmp_path / "here"
    for folder in (modules, here):
        folder.mkdir()
    (here / "json.py").write_text("raise SystemExit('the json.py of the current folder')")
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", f":{here}:.:{modules}")
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    ended = run(
        python.training(sys.executable, "import json; print(json.dumps([sys.path, sys.argv]))", "a"), limit_s=30
    )
    path, arguments = json.loads(ended.output)
    assert path[0] == str(modules)
    assert arguments == ["-c", "a"]
    assert all(os.path.isabs(one) and one != str(here) for one in path)


def test_the_own_interpreter_imports_what_this_process_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules, here = tmp_path / "modules", tmp_path / "here"
    for folder in (modules, here):
        folder.mkdir()
    (here / "json.py").write_text("raise SystemExit('the json.py of the current folder')")
    monkeypatch.chdir(here)
    for folder in ("", str(here), str(modules)):
        monkeypatch.syspath_prepend(folder)
    ended = run(python.own("import json; print(json.dumps([sys.path, sys.argv]))", "a"), limit_s=30)
    path, arguments = json.loads(ended.output)
    assert path == [one for one in sys.path if os.path.isabs(one) and one != str(here)]
    assert path[0] == str(modules)
    assert arguments == ["-c", "a"]


def test_a_command_is_found_in_absolute_folders_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    assert find("tool", f"/nowhere:{tmp_path}") == str(tmp_path / "tool")
    monkeypatch.chdir(tmp_path)
    assert find("tool", f".::{tmp_path}") is None


def test_a_process_of_fp8check_gets_what_a_run_in_this_shell_would_have() -> None:
    variables = {**NEVER, "FSDP_VERSION": "2", "LANG": "C"}
    assert environment.with_variables_of_runs(variables) == {
        "ACCELERATE_MIXED_PRECISION": "fp8",
        "FSDP_VERSION": "2",
        "LANG": "C",
        "PYTHONSAFEPATH": "1",
    }
