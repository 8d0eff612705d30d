"""Time and memory grow with the size of an input and no faster: a sample of what `make scaling` measures."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import ROOT


def test_a_sample_is_linear() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.scaling", "--sample"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 families, 7 measurements: all hold" in done.stdout
