"""The same questions with the real packages on this machine's GPUs, many cases at a time.

    python -m tests.tools.conformance.beyond.on_gpu OUT.jsonl [--only WORD ...] [--seconds 165] [--jobs 14]

Writes a line a case as it ends. The models are tiny: what is asked is what happens, never how fast.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import yaml

from tests.tools.conformance.beyond import cases, program

PROGRAM = Path(program.__file__)
FIRST_PORT = 29700
LIMIT_SECONDS = 100
LOG = "log"


def stack() -> dict[str, str]:
    """The releases of this interpreter, for each package that a case may meet."""
    found = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for name in (*cases.STACK, "trl", "llamafactory"):
        try:
            found[name] = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def execute(case: dict[str, Any], port: int, limit: float) -> dict[str, Any]:
    """One case in processes of its own, which all end at the limit, in seconds."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "case.json").write_text(json.dumps(case), encoding="utf-8")
        (folder / "accelerate.yaml").write_text(yaml.safe_dump(case["accelerate_config"]), encoding="utf-8")
        launcher = [sys.executable, "-m", "accelerate.commands.launch"]
        flags = ["--config_file", str(folder / "accelerate.yaml"), "--main_process_port", str(port)]
        environment = {**os.environ, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        # Two caches of compiled kernels at once would wait for each other's lock.
        environment |= {"TRITON_CACHE_DIR": str(folder / "triton"), **case["variables"]}
        if case["launch"]["processes"] == 1:
            environment["CUDA_VISIBLE_DEVICES"] = str(port % 2)
        with (folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                [*launcher, *flags, str(PROGRAM), str(folder / "case.json"), str(folder)],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                process.wait(timeout=limit)
                ended = True
            except subprocess.TimeoutExpired:
                ended = False
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return program.observed(folder, ended=ended)


def main() -> None:
    """Run them all, or those that a word names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=165)
    parser.add_argument("--jobs", type=int, default=14)
    options = parser.parse_args()
    words = options.only
    chosen = [case for case in cases.on_gpus() if not words or any(word in case["id"] for word in words)]
    releases, gpu = stack(), _gpu()
    deadline = time.monotonic() + options.seconds
    lock = Lock()

    def one(pair: tuple[int, dict[str, Any]]) -> None:
        number, case = pair
        left = deadline - time.monotonic()
        if left < 15:
            print("no time left for", case["id"], flush=True)
            return
        began = time.monotonic()
        seen = execute(case, FIRST_PORT + number, min(LIMIT_SECONDS, left))
        done = {**case, "stack": releases, "gpu": {"name": gpu}, "observed": seen}
        done["seconds"] = round(time.monotonic() - began, 1)
        with lock, options.out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(done) + "\n")
        print(case["id"], seen["ended"], len(seen["answers"]), done["seconds"], flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, enumerate(chosen)))


def _gpu() -> str:
    if not shutil.which("nvidia-smi"):
        return "none"
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    output = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return output.strip().splitlines()[0] if output.strip() else "none"


if __name__ == "__main__":
    main()
