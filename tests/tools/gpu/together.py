"""Peaks of trainers and finals of plans side by side on one machine, by one scheduler.

    python -m tests.tools.gpu.together PEAKS.jsonl FINALS.jsonl --gib GUESSES.json --finals FINALS.json --gpus 4 --jobs 24
        [--seconds N] [--ready FILE] [--peak-overlay NAME=FOLDER:FOLDER ...] [--final-overlay NAME=FOLDER:FOLDER ...]

What has a line in the files already is not run again, so that a second call goes on where the first was cut off. With
--ready nothing in FP8 begins before that file is there: Transformer Engine may still be being built.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.gpu import trainers
from tests.tools.gpu.advised import run as finals
from tests.tools.gpu.advised.planned import MODELS
from tests.tools.gpu.advised.starts import HOME
from tests.tools.gpu.trainer_cases import SECOND

if TYPE_CHECKING:
    import subprocess

Task = dict[str, Any]


def done(path: str) -> set[str]:
    """The names of the runs that have a line."""
    try:
        rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except OSError:
        return set()
    return {row["name"] if "name" in row else row["case"]["name"] for row in rows}


def is_compiled(task: Task) -> bool:
    """What takes long goes first."""
    return "torch_compile" in json.dumps(task["one"].get("files") or task["one"].get("training"))


def in_fp8(task: Task) -> bool:
    """Finals are; of the others the Accelerate file says it."""
    return task["final"] or "fp8_config" in task["one"]["accelerate"]


def tasks_of(given: argparse.Namespace) -> list[Task]:
    """Peaks and finals that have no line yet."""
    peaks = [one for one in SECOND if one["name"] not in done(given.peaks)]
    rest = [
        one
        for one in json.loads(Path(given.finals).read_text(encoding="utf-8"))
        if one["name"] not in done(given.advised)
    ]
    tasks = [
        {"name": f"{kind}-{one['name']}", "gpus": one["gpus"], "final": kind == "final", "one": one}
        for kind, ones in (("peak", peaks), ("final", rest))
        for one in ones
        if not given.only or f"{kind}-{one['name']}" in given.only
    ]
    return sorted(tasks, key=lambda task: (not is_compiled(task), -task["gpus"], task["final"]))


def models(given: argparse.Namespace, tasks: list[Task]) -> None:
    """The models of both, where they are not there yet, each in a process of its own."""
    folder = Path(given.home) / "models"
    folder.mkdir(parents=True, exist_ok=True)
    if not (Path(HOME) / "models").exists():
        (Path(HOME) / "models").symlink_to(folder)
    texts = " ".join(json.dumps(task["one"]["files"]) for task in tasks if task["final"])
    names = {task["one"]["model"] for task in tasks if not task["final"]}
    names |= {name for name in MODELS if f"/{name}" in texts}
    missing = sorted(name for name in names if not (folder / name / "tokenizer.json").exists())
    devices = [f"{given.device}:{number % given.gpus}" for number in range(len(missing))]
    if given.device == "cpu":
        devices = ["cpu"] * len(missing)
    with ProcessPoolExecutor(given.makers, get_context("spawn")) as pool:
        list(pool.map(trainers.make_model, missing, [folder / name for name in missing], devices))


def run(given: argparse.Namespace, tasks: list[Task]) -> None:
    """All that there is time for."""
    home = Path(given.home)
    guesses = json.loads(Path(given.gib).read_text(encoding="utf-8"))["second"]
    overlays = dict(one.split("=", 1) for one in given.peak_overlay)
    of_finals = dict(one.split("=", 1) for one in given.final_overlay)

    def gib_of(task: Task) -> float:
        one = task["one"]
        found = (one["predicted"]["memory"] or {}).get("fp8_gib") if task["final"] else guesses[one["name"]]
        return found or trainers.UNKNOWN

    def begin(task: Task, gpus: list[int], port: int) -> subprocess.Popen[bytes]:
        if task["final"]:
            return finals.start(task["one"], gpus, port, of_finals)
        return trainers.start(task["one"], home, gpus, port, overlays)

    def end(task: Task, code: int | None, wall: float) -> None:
        one = task["one"]
        row = finals.read(one, code) if task["final"] else trainers.read(one, home, code)
        with open(given.advised if task["final"] else given.peaks, "a", encoding="utf-8") as out:
            print(json.dumps({**row, "wall": wall}), file=out)
        seen = row["seen"] or {}
        told = [seen.get("peak_gib"), gib_of(task), *([seen.get("gemms"), seen.get("loss")] if task["final"] else [])]
        print(task["name"], code, wall, *told, str(row.get("error") or seen.get("error", ""))[:200], flush=True)

    def may(task: Task, running: trainers.Running) -> bool:
        if given.ready and in_fp8(task) and not Path(given.ready).exists():
            return False
        if not task["final"]:
            return True
        others = {name: (other[0]["one"], *other[1:]) for name, other in running.items() if other[0]["final"]}
        return finals.is_free(task["one"], others)

    trainers.side_by_side(tasks, given, gib_of, begin, end, may)


def main() -> int:
    """Make models and data, and run them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("peaks")
    options.add_argument("advised")
    options.add_argument("--gib", required=True)
    options.add_argument("--finals", required=True)
    options.add_argument("--only", nargs="*", default=[])
    options.add_argument("--seconds", type=float, default=1e9)
    options.add_argument("--limit", type=float, default=200)
    options.add_argument("--gpus", type=int, default=4)
    options.add_argument("--jobs", type=int, default=24)
    options.add_argument("--size", type=float, default=76.0)
    options.add_argument("--home", default="/dev/shm/peaks")
    options.add_argument("--device", default="cuda")
    options.add_argument("--makers", type=int, default=10, help="processes that make models")
    options.add_argument("--ready", default="")
    options.add_argument("--peak-overlay", nargs="*", default=[])
    options.add_argument("--final-overlay", nargs="*", default=[])
    given = options.parse_args()
    began = time.time()
    finals.programs(Path(HOME) / "bin")
    for folder in (Path(given.home), Path(HOME)):
        trainers.make_data(folder / "data")
    tasks = tasks_of(given)
    models(given, tasks)
    print(f"models and data in {time.time() - began:.0f} s", flush=True)
    given.seconds -= time.time() - began
    run(given, tasks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
