"""What launching costs is measured by the interpreter that trains, and where it cannot be, the reason is told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fp8check.probe.launching import launch_cost

if TYPE_CHECKING:
    from pathlib import Path


def _with(folder: Path, torch: str) -> dict[str, str]:
    (folder / "torch.py").write_text(torch, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def test_without_a_gpu_there_is_none(tmp_path: Path) -> None:
    none = "class cuda:\n    is_available = staticmethod(lambda: False)\n"
    assert launch_cost(sys.executable, _with(tmp_path, none)) == (None, "torch sees no GPU")


def test_an_import_that_fails_is_told(tmp_path: Path) -> None:
    measured, why = launch_cost(sys.executable, _with(tmp_path, "raise ImportError('libcudnn')\n"))
    assert measured is None
    assert "libcudnn" in why
