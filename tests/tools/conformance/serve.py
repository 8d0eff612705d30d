"""The fork server of one stack: imports the packages once, then forks for each case.

Reads one case a line on standard input and writes one observation a line on standard output, until input ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import execute, machine
from tests.tools.conformance.files import RESULT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tools.conformance.cases import Case

POLL_SECONDS = 0.005
LOG_TAIL = 3000


def preload() -> None:
    """Import what every case would import, so that a case costs a fork and not seconds of imports."""
    wanted = [
        "accelerate.commands.launch",
        "torch.distributed.run",
        "transformers.models.llama",
        "transformers.trainer",
        *(name for name in ("torchao.float8", "deepspeed", "peft") if find_spec(name.partition(".")[0])),
    ]
    for name in wanted:
        _quietly(lambda name=name: import_module(name))  # type: ignore[misc]
    if find_spec("llamafactory"):
        from tests.tools.conformance import factory

        _quietly(factory.preload)


def _quietly(load: Callable[[], object]) -> None:
    # A package that cannot be imported in this stack fails again where a case really needs it.
    try:
        load()
    except ImportError as error:
        print(f"not preloaded: {error}", file=sys.stderr)


def handle(case: Case, folder: Path, home: Path, limit: float) -> dict[str, Any]:
    """Run one case in a process group of its own; at the limit, in seconds, the whole group ends."""
    folder.mkdir(parents=True)
    process = os.fork()
    if process == 0:
        _child(case, folder, home)
    ended = _wait(process, limit)
    _kill_group(process)
    if not ended:
        os.waitpid(process, 0)
        _unlock(Path(os.environ.get("TORCH_EXTENSIONS_DIR", home)))
    result = folder / RESULT
    if case.get("beyond"):
        from tests.tools.conformance.beyond import program

        return program.observed(folder, ended=ended)
    if result.exists():
        return dict(json.loads(_without_places(result.read_text(encoding="utf-8"), folder)))
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]
    kind = "Crashed" if ended else "TimedOut"
    return {"started": None, "error": {"stage": "harness", "type": kind, "message": log}}


def _unlock(built: Path) -> None:
    """Take away the locks of what a killed process was building."""
    for lock in built.glob("**/lock"):
        lock.unlink(missing_ok=True)


def _without_places(text: str, folder: Path) -> str:
    """Messages name files of the case and of the packages; where they lay is no part of the observation."""
    for place in [str(folder), *sys.path]:
        text = text.replace(f"{place}/", "") if len(place) > 1 else text
    return text


def _child(case: Case, folder: Path, home: Path) -> None:
    status = 1
    try:
        os.setsid()
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        execute.run_case(case, folder, home)
        status = 0
    finally:
        os._exit(status)


def _wait(process: int, limit: float) -> bool:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if os.waitpid(process, os.WNOHANG)[0]:
            return True
        time.sleep(POLL_SECONDS)
    return False


def _kill_group(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """Serve until standard input ends; HF_HOME is this server's own, CONFORMANCE_KEEP=1 keeps the case folders."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    machine.quiet()
    preload()
    home = Path(os.environ["HF_HOME"])
    work = Path(tempfile.mkdtemp(prefix="cases-", dir=home))
    limit = float(os.environ.get("CONFORMANCE_LIMIT", "60"))
    answers.write(json.dumps({"ready": True}) + "\n")
    answers.flush()
    for number, line in enumerate(sys.stdin):
        folder = work / str(number)
        began = time.monotonic()
        observed = handle(json.loads(line), folder, home, limit)
        answers.write(json.dumps({"observed": observed, "seconds": round(time.monotonic() - began, 3)}) + "\n")
        answers.flush()
        if os.environ.get("CONFORMANCE_KEEP") != "1":
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
