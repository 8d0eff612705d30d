"""Start-up time is a feature: what a check imports on top of PyYAML."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.paths import EXAMPLE

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = {"torch", "torchao", "transformer_engine", "accelerate", "transformers"}
LIBRARIES = {"numpy", "pydantic", "fastapi", "rich", "requests"}
STANDARD = {
    "dataclasses",
    "typing",
    "inspect",
    "importlib.metadata",
    "pathlib",
    "subprocess",
    "urllib",
    "ctypes",
    "email",
}
SLOW = TRAINING | LIBRARIES | STANDARD


@pytest.mark.parametrize("words", [["--facts", str(EXAMPLE / "facts.json")], ["--no-environment"], []], ids=" ".join)
def test_a_check_imports_nothing_slow(words: list[str]) -> None:
    arguments = [str(EXAMPLE / "train.yaml"), str(EXAMPLE / "accelerate.yaml"), *words]
    imported = _imported(arguments)
    assert "fp8check.rules.checking.request" in imported
    assert not SLOW & imported


def test_a_check_of_a_script_does_not_ask_what_is_installed(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import numpy\nimport helper\nfrom accelerate import Accelerator\nAccelerator()\n")
    (tmp_path / "helper.py").write_text("import argparse\n")
    accelerate = str(EXAMPLE / "accelerate.yaml")
    launch = f"accelerate launch --config_file {accelerate} {script}"
    imported = _imported([accelerate, "--launch", launch, "--facts", str(EXAMPLE / "facts.json")])
    assert "fp8check.rules.checking.modules" in imported
    assert "importlib.metadata" not in imported


def _imported(arguments: list[str]) -> set[str]:
    """The modules that a command imports beside PyYAML's."""
    code = (
        "import sys, yaml; before = set(sys.modules)\n"
        "from fp8check.cli.main import main\n"
        f"main({arguments!r})\n"
        "print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())
