"""`fp8check node` and `fp8check.probe.rank` on two GPUs: good ones, and one that is slow, wrong, or does not answer.

    python -m tests.tools.gpu.node_cases OUT.jsonl [--seconds N] [--only NAME ...] [--gpus 0,1] [--emulate]

A line is written as soon as a case has ended: the command, its wall time and exit code, what it printed, and what each
GPU came to. The faults are those of tests/support/fault_site, and a process that keeps the second GPU at work. With
--emulate the same goes over a CPU, to try the tool: there a node has one device.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.tools.gpu.run_cases import FSDP2

ROOT = Path(__file__).resolve().parents[3]
FAULTS = ROOT / "tests" / "support" / "fault_site"
COMMAND = "import sys; from fp8check.cli import run; sys.argv[0] = 'fp8check'; run()"
SHAPE = {
    "model_type": "llama",
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_hidden_layers": 28,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
}
TRAINING = {
    "model_name_or_path": ".",
    "output_dir": "out",
    "per_device_train_batch_size": 4,
    "max_seq_length": 2048,
    "dtype": "bfloat16",
}
TE = {"backend": "TE", "fp8_format": "HYBRID", "amax_history_len": 16, "amax_compute_algo": "max"}
AO = {"backend": "AO", "enable_fsdp_float8_all_gather": True, "pad_inner_dim": True}
BUSY = """
import torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
first = True
while True:
    for _ in range(50):
        a @ a
    torch.cuda.synchronize()
    if first:
        print("busy", flush=True)
    first = False
"""
# Name, how it is started, the Accelerate file, and what is wrong with the second GPU.
CASES = [
    ("facts", "env", "te", ""),
    ("node-without-probe", "node", "te", ""),
    ("node-te-cold", "probe", "te", ""),
    ("node-te", "probe", "te", ""),
    ("node-ao-fsdp2", "probe", "ao", ""),
    ("node-te-wrong", "probe", "te", "te-wrong-output"),
    ("node-te-slow", "probe", "te", "busy"),
    ("rank-accelerate-te", "accelerate", "te", ""),
    ("rank-accelerate-ao-fsdp2", "accelerate", "ao", ""),
    ("rank-torchrun-te-wrong", "torchrun", "te", "te-wrong-output"),
    ("rank-torchrun-te-slow", "torchrun", "te", "busy"),
    ("node-te-lost-in-collective", "probe", "te", "lost-in-collective"),
    ("node-ao-fsdp2-wrong", "probe", "ao", "wrong-output"),
    ("node-ao-fsdp2-slow", "probe", "ao", "busy"),
    ("node-te-hang-in-step", "probe", "te", "hang-in-step"),
    ("node-te-hang-in-collective", "probe", "te", "hang-in-collective"),
]
LIMIT_S = 150


def main() -> int:
    """Execute the cases, in their order, as far as the time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--gpus", default="0,1")
    parser.add_argument("--emulate", action="store_true")
    options = parser.parse_args()
    until = time.monotonic() + options.seconds
    for name, how, file, fault in CASES:
        if options.only and name not in options.only:
            continue
        left = until - time.monotonic()
        if left < 40:
            print(f"{name}: no time left", flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            told = case(Path(folder), how, file, fault, options, min(LIMIT_S, left))
        with options.out.open("a") as out:
            out.write(json.dumps({"name": name, **told}) + "\n")
        print(f"{name}: {told['seconds']} s, ended with {told['code']}", *told["printed"].splitlines()[:12], sep="\n  ")
        sys.stdout.flush()
    return 0


def case(folder: Path, how: str, file: str, fault: str, options: argparse.Namespace, limit: float) -> dict[str, Any]:
    """Execute one of them."""
    (folder / "config.json").write_text(json.dumps(SHAPE))
    (folder / "train.yaml").write_text(yaml.safe_dump(TRAINING))
    sharded = file == "ao"
    accelerate: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if sharded else "MULTI_GPU",
        "num_machines": 1,
        "num_processes": 2,
        "mixed_precision": "fp8",
        "fp8_config": AO if sharded else TE,
        **({"fsdp_config": FSDP2} if sharded else {}),
    }
    (folder / "accel.yaml").write_text(yaml.safe_dump(accelerate))
    gpus = options.gpus.split(",")
    environ = {**os.environ, "FP8CHECK_HOST": "node0", "PYTHONDONTWRITEBYTECODE": "1"}
    if gpus != ["0", "1"] and not options.emulate:
        environ["CUDA_VISIBLE_DEVICES"] = options.gpus
    if fault not in ("", "busy"):
        environ |= {"NVTE_TEST_FAULT": fault, "NVTE_TEST_GPU": gpus[1]}
        environ["PYTHONPATH"] = os.pathsep.join([str(FAULTS), *filter(None, [environ.get("PYTHONPATH")])])
    busy = kept_busy(gpus[1]) if fault == "busy" and not options.emulate else None
    words = command(how, options.emulate)
    began = time.monotonic()
    # stdout and stderr together: the order tells which rank said what.
    one = subprocess.Popen(
        words,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = one.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(one.pid, signal.SIGKILL)
        printed = f"{one.communicate()[0]}\n(killed after {limit:.0f} s)"
    finally:
        if busy is not None:
            os.killpg(busy.pid, signal.SIGKILL)
            busy.wait()
    seconds = round(time.monotonic() - began, 2)
    shown = [Path(words[0]).name, *words[1:]]
    return {
        "command": " ".join("fp8check" if one == COMMAND else one for one in shown if one != "-c"),
        "fault": fault,
        "seconds": seconds,
        "code": one.returncode,
        "printed": printed[-6000:],
        "told": {path.name: short(json.loads(path.read_text())) for path in sorted((folder / "told").glob("*.json"))},
    }


def command(how: str, emulate: bool) -> list[str]:
    """The words of a case."""
    files = ["train.yaml", "accel.yaml", "--trainer", "transformers"]
    probe = "--probe=emulate" if emulate else "--probe"
    own = [sys.executable, "-c", COMMAND]
    if how == "env":
        return [*own, "env", "--json"]
    if how in ("node", "probe"):
        return [*own, "node", "--out", "told", *files, *([probe] if how == "probe" else [])]
    launcher = {
        "accelerate": ["accelerate.commands.launch", "--config_file", "accel.yaml"],
        "torchrun": ["torch.distributed.run", "--nproc-per-node", "2"],
    }[how]
    started = "accelerate launch --config_file accel.yaml train.py"
    rank = ["-m", "fp8check.probe.rank", *files, probe, "--out", "told", "--launch", started, "--seconds", "120"]
    return [sys.executable, "-m", *launcher, *rank]


def kept_busy(gpu: str) -> subprocess.Popen[str]:
    """A process that keeps a GPU at work, when it does."""
    environ = {**os.environ, "CUDA_VISIBLE_DEVICES": gpu}
    one = subprocess.Popen(
        [sys.executable, "-c", BUSY], env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert one.stdout is not None
    one.stdout.readline()
    return one


def short(data: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a node, or of a merged answer."""
    if data["schema"] != "fp8check/node/1":
        return {name: data[name] for name in ("verdict", "counts", "standing", "drift")}
    kept = ("ended", "why", "device", "clocks", "built", "layers", "losses", "numerics", "fp8_ms", "bf16_ms")
    more = ("collective", "seconds", "error", "packages", "accelerator")
    gpus = [
        {**one, "seen": {name: one["seen"][name] for name in (*kept, *more) if name in one["seen"]}}
        for one in data["seen"] or ()
    ]
    reports = data["report"] if isinstance(data["report"], list) else [data["report"]]
    rules = [f"{found['rule']} {found['severity']}" for each in reports if each for found in each["findings"]]
    facts = {name: data["facts"].get(name) for name in ("gpus", "driver", "cuda", "libraries", "packages")}
    return {"verdict": data["verdict"], "why": data["why"], "gpus": gpus, "rules": rules, "facts": facts}


if __name__ == "__main__":
    assert shutil.which("nvidia-smi") or "--emulate" in sys.argv
    sys.exit(main())
