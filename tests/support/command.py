"""The installed command, run as people run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# `make attacks AGAINST=...` tries another release.
COMMAND = os.environ.get("FP8CHECK_ATTACKED") or str(Path(sys.executable).with_name("fp8check"))


def run(
    *arguments: str, stdin: bytes = b"", cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [COMMAND, *arguments], input=stdin, capture_output=True, cwd=cwd, env=environment, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
