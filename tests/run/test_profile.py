"""What is told of a profile, and what is left of one in the process."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.support.paths import ROOT
from tests.support.watching import shell, torch_python

if TYPE_CHECKING:
    from pathlib import Path

NODE = """
from child import kernels
long = ["k%02d" % number + "x" * 70 for number in range(9)]
kernels._kernel_names = lambda profile: []
kernels._nodes = lambda profile: [long, [], ["dgrad", "wgrad"]]
nodes = kernels.told(None, None)["nodes"]
assert nodes == {"|".join(long[-kernels.LAST:]): 1, "dgrad|wgrad": 1}, nodes
"""
LEFT = """
import os
import torch
from child import kernels

began = []
class Empty:
    def __init__(self, activities):
        began.append(os.environ.get("TEARDOWN_CUPTI"))
    def start(self): pass
    def stop(self): began.append(os.environ.get("TEARDOWN_CUPTI"))

torch.profiler.profile = Empty
torch.cuda.synchronize = lambda: None
made, torch.zeros = torch.zeros, lambda *given, **named: made(*given)
torch.cuda.is_available = lambda: True
for version, told in (("12.8", []), (None, []), ("13.0", ["1", "1"])):
    torch.version.cuda = version
    kernels.let_go()
    assert began == told, (version, began)
assert "TEARDOWN_CUPTI" not in os.environ
for name in ("TEARDOWN_CUPTI", "DISABLE_CUPTI_LAZY_REINIT"):
    os.environ[name] = "0"
    kernels.let_go()
    assert os.environ.pop(name) == "0"
assert began == ["1", "1"]
"""


def _runs(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [torch_python(), "-c", code],
        cwd=tmp_path,
        env=shell({"PYTHONPATH": str(ROOT / "probe")}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_of_a_node_the_last_products_are_told_whole(tmp_path: Path) -> None:
    """A checkpoint makes the forward pass again within a node: its products come before the node's own two."""
    _runs(NODE, tmp_path)


def test_the_profilers_library_leaves_where_that_is_known_to_do_no_harm(tmp_path: Path) -> None:
    _runs(LEFT, tmp_path)
