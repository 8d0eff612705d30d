"""CUDA, cuDNN, cuBLAS and NCCL: which versions, and which cuDNN stands before torch's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fp8check.rules.facts import libraries
from tests.support.trees import write


@pytest.fixture(autouse=True)
def system_without_cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_SYSTEM_FOLDERS", ())


def cudnn(folder: Path, version: str) -> Path:
    """A folder with libcudnn.so.9 -> libcudnn.so.<version>."""
    write(folder / f"libcudnn.so.{version}")
    (folder / "libcudnn.so.9").symlink_to(f"libcudnn.so.{version}")
    write(folder / "libcudnn_graph.so.9")
    return folder


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from typing import Optional\n__version__ = '2.8.0+cu128'\ncuda: Optional[str] = '12.8'\n", {"torch": "12.8"}),
        ('cuda = "13.0"\nhip = None\n', {"torch": "13.0"}),
        ("cuda: Optional[str] = None\n", {"torch": None}),
        ("__version__ = '2.8.0'\n", {}),
        ("raise SystemExit('never run')\ncuda = '12.6'", {"torch": "12.6"}),
    ],
)
def test_the_cuda_version_of_torch_is_read_as_text(text: str, found: dict[str, str | None], tmp_path: Path) -> None:
    write(tmp_path / "torch" / "version.py", text)
    assert libraries.torch_cuda(["/nowhere", str(tmp_path)]) == found


def test_where_the_file_of_torch_cannot_be_read_no_other_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a" / "torch").mkdir(parents=True)
    (tmp_path / "a" / "torch" / "version.py").symlink_to("version.py")
    write(tmp_path / "b" / "torch" / "version.py", "cuda = '12.8'\n")
    assert libraries.torch_cuda([str(tmp_path / "a"), str(tmp_path / "b")]) == {}


def test_without_torch_its_cuda_version_is_not_known(tmp_path: Path) -> None:
    assert libraries.torch_cuda([str(tmp_path)]) == {}


@pytest.mark.parametrize(
    ("packages", "built_for", "found"),
    [
        (
            {"nvidia_cudnn_cu12": "9.10.2.21", "nvidia_nccl_cu12": "2.27.3"},
            "12.8",
            {"cudnn": "9.10.2.21", "nccl": "2.27.3"},
        ),
        ({"nvidia_cublas": "13.1.0.3", "nvidia_cublas_cu12": "12.8.4.1"}, "13.0", {"cublas": "13.1.0.3"}),
        ({"nvidia_cublas": "13.1.0.3", "nvidia_cublas_cu12": "12.8.4.1"}, "12.8", {"cublas": "12.8.4.1"}),
        ({"nvidia_cudnn_cu12": "9.10.2.21", "nvidia_cudnn_cu13": "9.19.0.56"}, None, {"cudnn": "9.19.0.56"}),
        ({}, "13.0", {}),
    ],
)
def test_versions_of_the_wheels(packages: dict[str, str | None], built_for: str | None, found: dict[str, str]) -> None:
    assert libraries.versions(packages, built_for, {}, []) == found


def test_a_cudnn_before_that_of_torch(tmp_path: Path) -> None:
    own = cudnn(tmp_path / "site" / "nvidia" / "cudnn" / "lib", "9.19.0")
    other = cudnn(tmp_path / "cuda", "9.14.0")

    def found(*folders: Path) -> dict[str, str | None]:
        path = ":".join(str(folder) for folder in folders)
        return libraries.versions({}, None, {"LD_LIBRARY_PATH": path}, [str(tmp_path / "site")])

    assert found(other) == {"cudnn_on_path": "9.14.0"}
    assert found(other, own) == {"cudnn_on_path": "9.14.0"}
    assert found(own, other) == {}
    assert found(tmp_path / "nowhere") == {}


def test_the_cudnn_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_SYSTEM_FOLDERS", ("/nowhere", str(cudnn(tmp_path, "9.14.0"))))
    assert libraries.versions({}, None, {}, []) == {"cudnn_system": "9.14.0"}


def test_a_file_without_a_version(tmp_path: Path) -> None:
    write(tmp_path / "libcudnn.so")
    found = libraries.versions({}, None, {"LD_LIBRARY_PATH": str(tmp_path)}, [])
    assert found == {"cudnn_on_path": "unknown"}
