"""The command, run in this process: as tests.support.command, without the start of another one."""

from __future__ import annotations

import contextlib
import io
import subprocess

from fp8check.cli import main as command_line


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the current folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command_line.main(list(arguments))
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8"))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(arguments, code, texts[0], texts[1])
