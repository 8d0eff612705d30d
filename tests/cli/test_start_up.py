"""Start-up time is a feature: what a check imports on top of PyYAML."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import EXAMPLE

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
    code = (
        "import sys, yaml; before = set(sys.modules)\n"
        "from fp8check.cli.main import main\n"
        f"main({arguments!r})\n"
        "print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stderr.splitlines()[-1].split())
    assert "fp8check.rules.checking.request" in imported
    assert not SLOW & imported
