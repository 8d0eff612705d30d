"""Execute the cases of cases.py on this machine and write what was seen, one line a case.

python -m tests.tools.gpu.record --out FILE [--jobs N] [--limit SECONDS] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from tests.tools.gpu.cases import CASES, Case

TOY = Path(__file__).with_name("toy_run.py")
PACKAGES = {
    "torch": "torch",
    "accelerate": "accelerate",
    "transformers": "transformers",
    "transformer_engine": "transformer_engine",
    "torchao": "torchao",
    "peft": "peft",
}


def stack() -> dict[str, str]:
    """The packages of this interpreter; what is not installed is left out."""
    versions = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for name, distribution in PACKAGES.items():
        try:
            versions[name] = importlib.metadata.version(distribution).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def execute(case: Case, port: int, limit: float) -> Case:
    """Run one case in processes of its own and return it with `observed`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "spec.json").write_text(json.dumps(case))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "FP8_"))
        }
        environment.update(case["variables"], HF_HOME=str(home / "hf"), OMP_NUM_THREADS="2", HF_HUB_OFFLINE="1")
        began = time.monotonic()
        output = _run(_command(case, home, port), environment, limit)
        observed = _observed(home / "out.json", output)
        observed["seconds"] = round(time.monotonic() - began, 1)
    return {**case, "stack": stack(), "observed": observed}


def _command(case: Case, home: Path, port: int) -> list[str]:
    launch = case["launch"]
    arguments = [str(TOY), str(home / "spec.json"), str(home / "out.json")]
    if launch["with"] == "python":
        return [sys.executable, *arguments]
    (home / "accelerate.yaml").write_text(yaml.safe_dump(case["accelerate_config"]))
    flags = ["--config_file", str(home / "accelerate.yaml"), "--main_process_port", str(port), *launch["args"]]
    return [sys.executable, "-m", "accelerate.commands.launch", *flags, *arguments]


def _run(command: list[str], environment: dict[str, str], limit: float) -> str:
    """Run a command as a process group; the whole group is ended at the limit."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return f"{output}\nTimeoutError: no end after {limit} s"
    return output


def _observed(path: Path, output: str) -> dict[str, Any]:
    if path.exists():
        seen: dict[str, Any] = json.loads(path.read_text())
        return seen
    lines = [line for line in output.splitlines() if re.match(r"^\w*(Error|Exception|Exit)\b.*", line)]
    kind, _, message = (lines[-1] if lines else "Unknown: ").partition(": ")
    return {
        "started": False,
        "error": {"stage": "launch", "type": kind.rpartition(".")[2], "message": message[:400]},
        "output": output[-1500:],
    }


def main() -> int:
    """Record all cases, several at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--limit", type=float, default=120)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    chosen = [case for case in CASES if not options.only or case["id"] in options.only]
    with ThreadPoolExecutor(options.jobs) as pool, options.out.open("w") as out:
        ports = range(29600, 29600 + len(chosen))
        for done in pool.map(lambda pair: execute(pair[0], pair[1], options.limit), zip(chosen, ports, strict=True)):
            done["gpu"] = {"compute_capability": _capability()}
            out.write(json.dumps(done) + "\n")
            out.flush()
            seen = done["observed"]
            print(
                done["id"],
                seen["started"],
                seen.get("error"),
                seen.get("linears"),
                seen.get("fp8_gemms"),
                seen.get("moved"),
                seen["seconds"],
                flush=True,
            )
    return 0


def _capability() -> str:
    output = subprocess.run(
        ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"], capture_output=True, text=True, check=False
    ).stdout
    return output.strip().splitlines()[0] if output.strip() else "none"


if __name__ == "__main__":
    sys.exit(main())
