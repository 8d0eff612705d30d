"""Runs the finals on this machine's GPUs, several at a time, by the very commands that were advised.

    python -m tests.tools.gpu.advised.run FINALS.json OUT.jsonl [--seconds N] [--only NAME ...] [--overlay NAME=FOLDER:FOLDER ...]

A line is written as soon as a run has ended: what its processes saw (hook/sitecustomize.py), its exit code and, where
it failed, the end of its log. An overlay goes on PYTHONPATH: of a trainer, of runs with DeepSpeed ("zero"), or of all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.tools.gpu.advised.planned import MODELS
from tests.tools.gpu.advised.starts import HOME
from tests.tools.gpu.trainers import UNKNOWN, Running, make_data, make_model, side_by_side

HERE = Path(__file__).resolve().parent
PROGRAMS = {
    "accelerate": "accelerate.commands.accelerate_cli:main",
    "llamafactory-cli": "llamafactory.cli:main",
    "trl": "trl.cli:main",
    "axolotl": "axolotl.cli.main:main",
    "torchrun": "torch.distributed.run:main",
}
SCRIPT = "#!{python}\nimport sys\nfrom {module} import {function}\nsys.argv[0] = {name!r}\nsys.exit({function}())\n"

Final = dict[str, Any]


def programs(folder: Path) -> None:
    """The console scripts of the packages, which lie in overlays and so have none."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, entry in PROGRAMS.items():
        module, function = entry.split(":")
        path = folder / name
        path.write_text(SCRIPT.format(python=sys.executable, module=module, function=function, name=name))
        path.chmod(0o755)


def start(one: Final, gpus: list[int], port: int, overlays: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a final on these GPUs."""
    folder = Path(HOME) / "runs" / one["name"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in one["files"].items():
        (folder / name).write_text(text, encoding="utf-8")
    is_zero = "deepspeed" in json.dumps(one["files"]).lower()
    names = [one["trainer"], *["zero"] * is_zero, "all"]
    path = [str(HERE / "hook"), *(overlays.get(name, "") for name in names), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PATH": f"{HOME}/bin{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "FP8_SEEN": str(folder / "seen.json"),
        "FP8_TOKENS": str(tokens(one)),
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)),
        "MASTER_PORT": str(port),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"),
        "OMP_NUM_THREADS": "4",
        "WANDB_DISABLED": "true",
        "AXOLOTL_DO_NOT_TRACK": "1",
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        **({"DISABLE_VERSION_CHECK": "1"} if one["trainer"] == "llamafactory" else {}),
    }
    # Several launchers on one machine need ports of their own; which one it is says nothing of the run.
    words = shlex.split(one["command"])
    if words[:2] == ["accelerate", "launch"]:
        words[2:2] = ["--main_process_port", str(port)]
    log = (folder / "log").open("wb")
    return subprocess.Popen(
        words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def tokens(one: Final) -> int:
    """In a micro-batch, as the training file or script has it: rows times their length."""
    text = "\n".join(one["files"].values())
    rows = re.search(r"(?:per_device_train_batch_size|micro_batch_size)\s*[:=]\s*(\d+)", text)
    length = re.search(
        r"(?:cutoff_len|max_length|sequence_len|SEQUENCE)\s*[:=]\s*(\d+)|randint\(4, 1004, \((\d+),", text
    )
    if rows is None or length is None:
        raise SystemExit(f"{one['name']}: how many tokens has a micro-batch?")
    return int(rows[1]) * int(length[1] or length[2])


def read(one: Final, code: int | None) -> Final:
    """What was seen of a run."""
    folder = Path(HOME) / "runs" / one["name"]
    ranks = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("seen.json*"))
        if path.suffix != ".part"
    ]
    found: Final = {"name": one["name"], "exit": code, "seen": ranks[0] if ranks else None}
    found["peaks"] = [rank["peak"] for rank in ranks]
    found["moved"] = [rank["moved"] for rank in ranks]
    if code != 0 or not ranks:
        log = (folder / "log").read_bytes().decode(errors="replace")
        errors = [
            line
            for line in log.splitlines()
            if "Error" in line and "ChildFailed" not in line and "CalledProcess" not in line
        ]
        found["error"] = errors[-1][:400] if errors else f"ended with {code}"
        found["log"] = log[-3000:]
    return found


def is_free(one: Final, running: Running) -> bool:
    """`trl` and `axolotl` take no port: the launcher takes another one where its own is taken, which is soon seen."""
    if _takes_a_port(one) or one["gpus"] == 1:
        return True
    others = (began for other, *_, began in running.values() if not _takes_a_port(other) and other["gpus"] > 1)
    return all(time.time() - began > 30 for began in others)


def _takes_a_port(one: Final) -> bool:
    return str(one["command"]).startswith("accelerate")


def run(finals: list[Final], given: argparse.Namespace) -> None:
    """All that there is time for, as many at a time as there is room for."""
    overlays = dict(one.split("=", 1) for one in given.overlay)
    with open(given.out, "a", encoding="utf-8") as out:

        def end(one: Final, code: int | None, wall: float) -> None:
            line = {**read(one, code), "wall": wall}
            print(json.dumps(line), file=out, flush=True)
            seen = line["seen"] or {}
            told = [seen.get(name) for name in ("peak_gib", "gemms", "kernels")]
            still, loss = (seen.get("moved") or {}).get("still", [])[:3], (seen.get("loss") or [])[::7]
            print(one["name"], code, wall, *told, still, loss, line.get("error", ""), flush=True)
            for heavy in ("out", "saves", "hf", "inductor", "triton", "prepared"):
                shutil.rmtree(Path(HOME) / "runs" / one["name"] / heavy, ignore_errors=True)

        side_by_side(
            finals,
            given,
            lambda one: (one["predicted"]["memory"] or {}).get("fp8_gib") or UNKNOWN,
            lambda one, gpus, port: start(one, [given.first + gpu for gpu in gpus], port, overlays),
            end,
            is_free,
        )


def main() -> int:
    """Make models and data, and run the finals."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("finals")
    options.add_argument("out")
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--seconds", type=float, default=1e9)
    options.add_argument("--limit", type=float, default=200)
    options.add_argument("--gpus", type=int, default=2)
    options.add_argument("--first", type=int, default=0, help="the first of these GPUs")
    options.add_argument("--jobs", type=int, default=8)
    options.add_argument("--size", type=float, default=76.0)
    options.add_argument("--overlay", nargs="*", default=[])
    given = options.parse_args()
    finals = [one for one in json.loads(Path(given.finals).read_text()) if not given.only or one["name"] in given.only]
    finals.sort(key=lambda one: (one["gpus"] == 1, "torch_compile" not in json.dumps(one["files"])))
    began = time.time()
    programs(Path(HOME) / "bin")
    make_data(Path(HOME) / "data")
    for name in sorted({model for one in finals for model in MODELS if f"/{model}" in json.dumps(one["files"])}):
        make_model(name, Path(HOME) / "models" / name, "cuda")
    print(f"models and data in {time.time() - began:.0f} s", flush=True)
    given.seconds -= time.time() - began
    run(finals, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
