"""How long the probe takes when nothing of its packages is in memory: the whole verdict, the time in BF16 included.

    python -m tests.tools.gpu.cold_probe OUT.jsonl [--ranks N] [--seconds N] [NAME ...]

NAME is a case of probe_cases.py: te, ao-gather-off. Before each the pages of all that Python could import are dropped
from the file cache, and the caches of compiled kernels are in a folder of their own. --ranks N starts the probe by
`accelerate launch` on so many GPUs (fp8check.probe.rank), which sends FP8 tensors through a collective as well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.tools.gpu.probe_cases import ALONE

CASES = ("te", "ao-gather-off")
LIMIT_S = 60.0
MOST = 400_000  # files


def forget(folders: list[str]) -> dict[str, float]:
    """Drop the pages of all files there from the file cache; how many files, and GiB."""
    files = size = 0
    for folder in folders:
        for path in Path(folder).rglob("*"):
            if files == MOST or path.is_symlink() or not path.is_file():
                continue
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError:
                continue
            try:
                os.fdatasync(descriptor)  # what has not been written yet is not dropped
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                size += os.fstat(descriptor).st_size
            except OSError:
                pass
            finally:
                os.close(descriptor)
            files += 1
    return {"files": files, "gib": round(size / 2**30, 2)}


def importable() -> list[str]:
    """The folders that Python finds packages in."""
    code = "import sys; print(*sys.path, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return sorted({line for line in done.stdout.splitlines() if os.path.isdir(line)})


def probed(name: str, ranks: int, seconds: float) -> dict[str, Any]:
    """One probe, cold."""
    case, forgotten = ALONE[name], forget(importable())
    with tempfile.TemporaryDirectory() as folder:
        accelerate = {**case["accelerate"], "num_processes": ranks}
        accelerate |= {"distributed_type": "MULTI_GPU"} if ranks > 1 else {}
        for key, data in (("training", case["training"]), ("accelerate", accelerate)):
            Path(folder, f"{key}.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        files = [os.path.join(folder, f"{key}.yaml") for key in ("training", "accelerate")]
        environ = {**os.environ, "HF_HOME": folder, "TRITON_CACHE_DIR": f"{folder}/triton"}
        environ |= {"TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor", "CUDA_CACHE_PATH": f"{folder}/cuda"}
        if ranks > 1:
            words = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", files[1]]
            words += ["-m", "fp8check.probe.rank", *files, "--probe", "--trainer", "transformers", "--out", folder]
        else:
            words = [sys.executable, "-c", "import sys; from fp8check.cli.main import main; sys.exit(main())"]
            words += ["probe", *files, "--trainer", "transformers", "--json"]
        began = time.monotonic()
        try:
            done = subprocess.run(
                words, env=environ, capture_output=True, text=True, timeout=seconds, check=False, cwd=folder
            )
        except subprocess.TimeoutExpired as ended:
            error = f"took more than {seconds:.0f} s"
            return {"id": name, "ranks": ranks, "error": error, "log": str(ended.stderr)[-1500:]}
        took = time.monotonic() - began
        told = Path(folder, "nodes.json")
        text = told.read_text(encoding="utf-8") if told.exists() else done.stdout
    try:
        said = json.loads(text)
    except ValueError:
        said = {"verdict": "none", "stderr": done.stderr[-1500:]}
    return {
        "id": name,
        "ranks": ranks,
        "seconds": round(took, 1),
        "within": took <= LIMIT_S,
        "command": " ".join(words).replace(folder, "."),
        "dropped": forgotten,
        "accelerate": accelerate,
        "exit": done.returncode,
        "said": said,
        **({"text": done.stdout[-2500:]} if ranks > 1 else {}),
    }


def main() -> int:
    """Probe them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    options.add_argument("names", nargs="*", default=list(CASES))
    options.add_argument("--ranks", type=int, default=1)
    options.add_argument("--seconds", type=float, default=150.0)
    given = options.parse_args()
    for name in given.names:
        told = probed(name, given.ranks, given.seconds)
        with open(given.out, "a", encoding="utf-8") as out:
            print(json.dumps(told), file=out)
        seen = told.get("said", {}).get("probe") or {}
        words = [*(told.get(key) for key in ("id", "seconds", "exit", "dropped", "error", "text")), seen.get("seconds")]
        print(*words, told.get("said", {}).get("verdict"), seen.get("ended"), seen.get("speedup"), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
