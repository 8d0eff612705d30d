"""The stand-in for Transformer Engine against what the published releases do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.tools.conformance import stacks

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("pydantic", reason="Transformer Engine's recipes are pydantic dataclasses")

TRY = """
import json, sys
from transformer_engine.common.recipe import DelayedScaling, Format
import transformer_engine.common.recipe as recipe
arguments = json.loads(sys.argv[1])
if "fp8_format" in arguments:
    arguments["fp8_format"] = getattr(Format, arguments["fp8_format"])
try:
    made = DelayedScaling(**arguments)
    print(json.dumps({"fields": sorted(made.__dataclass_fields__), "mxfp8": hasattr(recipe, "MXFP8BlockScaling")}))
except Exception as error:
    print(json.dumps({"type": type(error).__name__, "message": str(error)}))
"""


def _try(folder: Path, release: str, **arguments: Any) -> dict[str, Any]:
    stacks.link(folder / release, "transformer_engine", release)
    path = os.pathsep.join([str(folder / release), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", TRY, json.dumps(arguments)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(ran.stdout))


@pytest.mark.parametrize(
    ("release", "has", "lacks"),
    [
        ("1.11.0", {"interval", "override_linear_precision"}, set()),
        ("2.1.0", {"interval"}, {"override_linear_precision"}),
        ("2.8.0", set(), {"interval", "override_linear_precision"}),
        ("2.18.0", set(), {"interval", "override_linear_precision"}),
    ],
)
def test_fields_of_the_release(tmp_path: Path, release: str, has: set[str], lacks: set[str]) -> None:
    answer = _try(tmp_path, release)
    assert has <= set(answer["fields"])
    assert not lacks & set(answer["fields"])
    assert answer["mxfp8"] is (release[0] == "2")


def test_unknown_arguments_are_dropped_silently(tmp_path: Path) -> None:
    assert "fields" in _try(tmp_path, "2.9.0", interval=2, override_linear_precision=[True, False, False])


def test_pure_e5m2_is_refused_by_pydantic(tmp_path: Path) -> None:
    answer = _try(tmp_path, "2.9.0", fp8_format="E5M2")
    assert answer["type"] == "ValidationError"
    assert answer["message"].startswith("1 validation error for DelayedScaling\n  Assertion failed, Pure E5M2")


def test_1_x_overrides_only_the_weight_gradient(tmp_path: Path) -> None:
    assert "fields" in _try(tmp_path, "1.11.0", override_linear_precision=[False, False, True])
    refused = _try(tmp_path, "1.11.0", override_linear_precision=[True, False, False])
    assert "Only wgrad GEMM override is currently supported." in refused["message"]
