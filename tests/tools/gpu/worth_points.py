"""Steps of real trainers, timed: BF16 and FP8 of the same run, each alone on its GPUs (turns.py).

    python -m tests.tools.gpu.worth_points run RAW.jsonl --gpus 4 [--seconds N] [--overlay NAME=FOLDER:FOLDER ...]
    python -m tests.tools.gpu.worth_points pair RAW.jsonl > docs/evidence/worth-points.jsonl

A run ends as its backward pass END begins; what a step takes is the time from backward pass SETTLED to there, divided by
their number, with nothing that waits between them. Peak: torch.cuda.max_memory_allocated of the fullest GPU, from the
start. Which FP8 products ran is read of step 4 (tests/run/recorder).
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.tools.gpu import trainers
from tests.tools.gpu.turns import Job, Turns
from tests.tools.gpu.worth_cases import runs

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from tests.tools.gpu.trainer_cases import Case

ROOT = Path(__file__).resolve().parents[3]
RECORDER = ROOT / "tests" / "run" / "recorder"
# Held against `fp8check run --compare bf16` of the same.
COMPARED = ("t-2-te", "t-3-ao", "lf-1-te", "lf-4-ao", "t-ddp-te")
MADE = "made"
SETTLED, END = 10, 24  # as the recorder has the first


def begin(
    one: Case,
    home: Path,
    overlays: dict[str, str],
    gpus: list[int],
    port: int,
    turn: Path,
    *,
    compare: bool = False,
    **variables: str,
) -> subprocess.Popen[bytes]:
    """Start a run: its trainer's own program, as it is, or tried in both precisions by `fp8check run --compare bf16`."""
    folder = home / (f"compared-{one['name']}" if compare else one["name"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in trainers.training_files(one, home).items():
        longer = text.replace("(64, ", "(512, ").replace("step == 3:", "step == 200:")
        (folder / name).write_text(longer if name == "train.py" else text, encoding="utf-8")
    (folder / "accelerate.yaml").write_text(yaml.safe_dump(one["accelerate"]), encoding="utf-8")
    if one["deepspeed"] is not None:
        (folder / "ds.json").write_text(json.dumps(one["deepspeed"]), encoding="utf-8")
    program = trainers.PROGRAMS[one["trainer"]]
    words = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", "accelerate.yaml"]
    words += ["--main_process_port", str(port), *(["-m"] * (not program.endswith(".py"))), program]
    words += ["--config"] * one["trainer"].startswith("trl") + ["train.yaml"] * (one["trainer"] != "own")
    if compare:
        mine = ["run", "--force", "--no-config", "--compare", "bf16", "--evidence", "evidence.json", "--"]
        words = [sys.executable, "-c", "from fp8check.cli import run; run()", *mine, *words]
    zero = one["deepspeed"] is not None or one["accelerate"]["distributed_type"] == "DEEPSPEED"
    names = [one["trainer"], *(["zero"] * zero), *(["fp8"] * ("fp8_config" in one["accelerate"])), "all"]
    path = [
        str(RECORDER),
        *(overlays.get(name, "") for name in names),
        str(home / "lib"),
        os.environ.get("PYTHONPATH", ""),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ACCELERATE_", "FP8"))},
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "RECORD": str(folder / "record.json"),
        **({} if compare else {"RECORD_ALL": "1", "RECORD_END": str(END)}),
        "TURN": str(turn),
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(folder / "hf"),
        "OMP_NUM_THREADS": "4",
        "WANDB_DISABLED": "true",
        "AXOLOTL_DO_NOT_TRACK": "1",
        "DISABLE_VERSION_CHECK": "1",
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        **variables,
    }
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            words, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def read(one: Case, home: Path, code: int | None) -> Case:
    """What came of it."""
    folder = home / one["name"]
    ranks = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("record.json*"))]
    ranks = [rank for rank in ranks if len(rank["times"]) == END]
    if len(ranks) < one["gpus"]:
        return {"case": one, "seen": {"error": f"ended with {code}", "log": _errors(folder / "log")}}
    times = ranks[0]["times"][SETTLED - 1 :]
    seen: Case = {
        "gpu": ranks[0]["gpu"],
        "ms": round(1000 * (times[-1] - times[0]) / (len(times) - 1), 3),
        "median": round(1000 * statistics.median(b - a for a, b in itertools.pairwise(times)), 3),
        "peak_gib": round(max(rank["peak"] for rank in ranks) / 2**30, 3),
        "kernels": ranks[0]["kernels"],
        "loss": [round(ranks[0]["losses"][at], 4) for at in (0, -1)],
    }
    return {"case": one, "seen": seen}


def _errors(log: Path) -> str:
    text = log.read_bytes().decode(errors="replace")
    told = [line for line in text.splitlines() if "Error" in line and "ChildFailed" not in line]
    return "\n".join([*told[-3:], text[-800:]])


def jobs(given: argparse.Namespace, raw: Path, overlays: dict[str, str], pool: Executor) -> list[Job]:
    """All that have no line in that file yet; of each a line is added to it. What they need begins to be made."""
    home = Path(given.home)
    predicted = json.loads(Path(given.predicted).read_text()) if Path(given.predicted).exists() else {}
    lines = raw.read_text(encoding="utf-8").splitlines() if raw.exists() else []
    done = {json.loads(line)["case"]["name"] for line in lines}
    every = [
        (group, one) for group, one in runs() if one["name"] not in done and (not given.only or group in given.only)
    ]
    models(home, {one["model"] for _, one in every}, given.device, pool)

    def job(group: str, one: Case) -> Job:
        def end(code: int | None, seconds: float) -> None:
            row = {**read(one, home, code), "wall": seconds}
            with raw.open("a", encoding="utf-8") as out:
                print(json.dumps(row), file=out)
            words = [row["seen"].get(key) for key in ("ms", "median", "peak_gib", "kernels", "loss", "error")]
            print(one["name"], *words, seconds, str(row["seen"].get("log", ""))[:300], flush=True)

        gib = 1.1 * (predicted.get(one["name"], {}).get("gib") or 26.0)
        start = functools.partial(begin, one, home, overlays)
        return Job(one["name"], group, one["gpus"], gib, start, end, home / "models" / one["model"] / MADE)

    def compared(group: str, one: Case) -> Job:
        def end(code: int | None, seconds: float) -> None:
            folder = home / f"compared-{one['name']}"
            path = folder / "evidence.json"
            told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            row = {"compared": one["name"], "exit": code, "wall": seconds, "evidence": told}
            if not told:
                row["log"] = (folder / "log").read_bytes().decode(errors="replace")[-2500:]
            with Path(given.compared).open("a", encoding="utf-8") as out:
                print(json.dumps(row), file=out)
            print("compared", one["name"], code, seconds, json.dumps(told.get("compared"))[:600], flush=True)

        start = functools.partial(begin, one, home, overlays, compare=True)
        return Job(
            f"compared-{one['name']}", group, one["gpus"], 30.0, start, end, home / "models" / one["model"] / MADE
        )

    link(home)
    more = [compared(group, one) for group, one in runs() if given.compared and one["name"] in COMPARED]
    return [*more, *(job(group, one) for group, one in every)]


def link(home: Path) -> None:
    """fp8check as it is in this checkout, without an installation."""
    library = home / "lib" / "fp8check"
    library.mkdir(parents=True, exist_ok=True)
    for room in ("rules", "probe", "cli"):
        if not (library / room).exists():
            (library / room).symlink_to(ROOT / room, target_is_directory=True)


def models(home: Path, names: set[str], device: str, pool: Executor) -> None:
    """Begin to make data and models, where they are not there yet; MADE says that one is."""
    trainers.make_data(home / "data")
    for name in sorted(names):
        if not (home / "models" / name / MADE).exists():
            pool.submit(_model, name, home / "models" / name, device)


def _model(name: str, folder: Path, device: str) -> None:
    trainers.make_model(name, folder, device)
    (folder / MADE).touch()


def pairs(raw: list[Case]) -> list[Case]:
    """The points: each FP8 run beside the BF16 run of the same. Of a run that was made twice the faster one counts."""
    ended = [row for row in raw if "error" not in row["seen"]]
    found = {row["case"]["name"]: row for row in sorted(ended, key=lambda row: -row["seen"]["median"])}
    made = []
    for group, one in runs():
        precision = one["name"].rpartition("-")[2]
        mine, other = found.get(one["name"]), found.get(f"{group}-bf16")
        if precision == "bf16" or mine is None or other is None:
            continue
        made.append(point(one, mine["seen"], other["seen"]))
    return made


def point(one: Case, fp8: Case, bf16: Case) -> Case:
    """What was seen of a run in FP8 beside that in BF16."""
    training = one["training"]
    rows = next(
        training[key] for key in ("per_device_train_batch_size", "micro_batch_size", "batch") if key in training
    )
    length = next(
        training[key]
        for key in ("cutoff_len", "max_length", "max_seq_length", "sequence_len", "length")
        if key in training
    )
    return {
        "name": one["name"],
        "trainer": one["trainer"],
        "backend": one["name"].rpartition("-")[2].upper(),
        "strategy": _strategy(one),
        "gpus": one["gpus"],
        "gpu": fp8["gpu"],
        "model": one["model"],
        "tokens": rows * length,
        "compiled": bool(training.get("torch_compile")),
        "lora": bool(training.get("use_peft") or training.get("adapter")) or training.get("finetuning_type") == "lora",
        "ms": {"fp8": fp8["median"], "bf16": bf16["median"]},
        "mean": {"fp8": fp8["ms"], "bf16": bf16["ms"]},
        "speedup": round(bf16["median"] / fp8["median"], 4),
        "peak_gib": {"fp8": fp8["peak_gib"], "bf16": bf16["peak_gib"]},
        "kernels": {"fp8": fp8["kernels"], "bf16": bf16["kernels"]},
        "loss": {"fp8": fp8["loss"], "bf16": bf16["loss"]},
        **({"host": {"fp8": fp8["host"], "bf16": bf16["host"]}} if "host" in fp8 else {}),
    }


def _strategy(one: Case) -> str:
    kind = one["accelerate"]
    if one["deepspeed"] is not None:
        return f"ZeRO-{one['deepspeed']['zero_optimization']['stage']}"
    if kind["distributed_type"] == "DEEPSPEED":
        return f"ZeRO-{kind['deepspeed_config']['zero_stage']}"
    if kind["distributed_type"] == "FSDP":
        return f"FSDP{kind['fsdp_config']['fsdp_version']}"
    return {"NO": "single", "MULTI_GPU": "DDP"}[kind["distributed_type"]]


def add_options(options: argparse.ArgumentParser) -> None:
    """Of `run`."""
    options.add_argument("--predicted", default="docs/evidence/worth-predicted.json")
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--seconds", type=float, default=1e9)
    options.add_argument("--limit", type=float, default=200)
    options.add_argument("--gpus", type=int, default=4)
    options.add_argument("--size", type=float, default=78.0)
    options.add_argument("--beside", type=int, default=5)
    options.add_argument("--home", default="/dev/shm/worth")
    options.add_argument("--device", default="cuda")
    options.add_argument(
        "--compared", default="", help="the runs of COMPARED by fp8check run --compare, into this file"
    )
    options.add_argument("--overlay", nargs="*", default=[])


def main() -> int:
    """Run, or pair."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("run", "pair"))
    options.add_argument("raw")
    add_options(options)
    given = options.parse_args()
    if given.what == "pair":
        raw = [json.loads(line) for line in Path(given.raw).read_text(encoding="utf-8").splitlines()]
        for point in pairs(raw):
            print(json.dumps(point))
        return 0
    until = time.monotonic() + given.seconds
    overlays = dict(one.split("=", 1) for one in given.overlay)
    with ProcessPoolExecutor(6, get_context("spawn")) as pool:
        made = jobs(given, Path(given.raw), overlays, pool)
        left = Turns(Path(given.home) / "turns", given.gpus, given.size, given.beside).run(made, until, given.limit)
    print("not started:", *left, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
