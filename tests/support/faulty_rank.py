"""A rank with a fault, for tests: FAULTS=WHAT:RANK,... says what ranks do before they are `fp8check.probe.rank`."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import tempfile
import time
from pathlib import Path

for fault in os.environ.get("FAULTS", "").split(","):
    what, _, rank = fault.partition(":")
    if rank != os.environ["RANK"]:
        continue
    if what == "killed":
        time.sleep(4)  # until the others are there: torchrun ends those of this node, and the first has to tell
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hangs":
        time.sleep(600)
    if what == "torch":
        info = Path(tempfile.mkdtemp()) / "torch-2.5.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.5.1\n")
        sys.path.insert(0, str(info.parent))
    if what == "variable":
        os.environ["NVTE_FP8_DPA_BWD"] = "0"
runpy.run_module("fp8check.probe.rank", run_name="__main__", alter_sys=True)
