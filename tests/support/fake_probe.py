"""A probe for tests: what it does is said by the run's launch command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fp8check.rules.seen import Seen
from fp8check.rules.seen.data import Kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.facts import Facts


def run(one: Assembled, own: Facts, *, python: str | None, say: Callable[[str], None]) -> Seen:
    """Do what the name of the script says."""
    del own, python
    word = one.run.launch.script
    say("step 1")
    if word == "slow.py":
        time.sleep(0.6)
    if word == "endless.py":
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["NVTE_TEST_PIDS"]).write_text(f"{os.getpid()} {grandchild.pid}")
        time.sleep(600)
    if word == "dies.py":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "raises.py":
        raise RuntimeError("a fault of the probe")
    print("noise on standard output")
    say("step 2")
    return Seen("done", kernels=Kernels(forward={"sm90_xmma_gemm_e4m3": 7}, backward={}, nodes={}))
