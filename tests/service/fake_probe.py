"""A probe for tests: what it does is said by the run's launch command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fp8check.service.probing import Probed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fp8check.rules.facts import Facts
    from fp8check.service.question import Question


def run(question: Question, own: Facts, *, limit_s: float, say: Callable[[str], None]) -> Probed:
    """Do what the last word of the launch command says."""
    del own, limit_s
    word = (question.launch or "").rpartition(" ")[2]
    say("step 1")
    if word == "slow.py":
        time.sleep(0.6)
    if word == "endless.py":
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["TEST_PROBE_PIDS"]).write_text(f"{os.getpid()} {grandchild.pid}")
        time.sleep(600)
    if word == "dies.py":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "raises.py":
        raise RuntimeError("a fault of the probe")
    print("noise on standard output")
    say("step 2")
    return Probed("ran", "", {"kernels": ["sm90_xmma_gemm_e4m3"]})
