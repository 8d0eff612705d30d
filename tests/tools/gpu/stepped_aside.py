"""What `fp8check run` costs once it has stepped aside: watched and unwatched runs of the same, in turns on one GPU.

    python -m tests.tools.gpu.stepped_aside OUT.jsonl [--seconds N] [--only NAME ...] [--overlay NAME=FOLDER ...]
        [--cores 0-13] [--gpu 0] [--tiny]

Of each case four processes train, two of them watched, on the same cores (as taskset pins them) and the same GPU. From step 20 on,
where the watcher has left, one trains at a time: a block of steps each, in the order A B B A and B A A B, with nothing
beside it (tests/run/recorder/blocks.py). Whatever drifts, clocks and heat, does so for all of them.

How the figure is formed was decided before the first run: of each round the time of both watched blocks over that of both
unwatched ones; of these the median over all rounds. The yardstick is formed alike, of the two unwatched runs: where it
is further from 1 than LIMIT, nothing is said of a cost that small.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.tools.gpu import run_cases
from tests.tools.gpu.turns import stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    Process = subprocess.Popen[bytes]

LIMIT = 0.01
ROUNDS = 10
PLAIN, WATCHED = ("plain-1", "plain-2"), ("watched-1", "watched-2")
ORDERS = (
    (PLAIN[0], WATCHED[0], WATCHED[1], PLAIN[1]),
    (WATCHED[1], PLAIN[1], PLAIN[0], WATCHED[0]),
    (PLAIN[1], WATCHED[1], WATCHED[0], PLAIN[0]),
    (WATCHED[0], PLAIN[0], PLAIN[1], WATCHED[1]),
)
# One way of each kind to train, the most telling first.
CASES = (
    "te-autocast",
    "trainer-te",
    "trl-ao",
    "lf-te-full",
    "own-ao-compiled",
    "own-te",
    "lf-ao-lora",
    "torchao-alone",
)
READY_S, BLOCK_S = 150.0, 60.0


def measured(runner: run_cases.Runner, one: run_cases.Case, given: argparse.Namespace, until: float) -> dict[str, Any]:
    """The blocks of the four runs of a case."""
    home = runner.home / one["name"] / "blocks"
    shutil.rmtree(home, ignore_errors=True)
    folders = {name: home / name for name in (*PLAIN, *WATCHED)}
    processes: dict[str, Process] = {}
    began = time.monotonic()
    try:
        for at, (name, folder) in enumerate(folders.items()):
            folder.mkdir(parents=True)
            more = {"RECORD": "", "TURN": "", "DETERMINISTIC": "0", "BLOCKS": str(folder)}
            caches = {"TRITON_CACHE_DIR": str(folder / "triton"), "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
            more |= {"BLOCKS_NUMBER": str(given.rounds), **caches}
            with on(given.cores):
                processes[name] = runner.begin(one, name, [given.gpu], 29900 + 10 * given.gpu + at, Path("/"), **more)
        for name, folder in folders.items():
            _wait(folder / "ready", processes[name], min(until, began + READY_S))
        ready = time.monotonic() - began
        took: dict[str, list[float]] = {name: [] for name in folders}
        for number in range(given.rounds):
            for name in ORDERS[number % len(ORDERS)]:
                (folders[name] / f"go.{number}").touch()
                path = folders[name] / f"took.{number}"
                _wait(path, processes[name], min(until, time.monotonic() + BLOCK_S))
                took[name].append(float(path.read_text(encoding="ascii")))
        verdicts = _verdicts(runner, one, processes)
    finally:
        for process in processes.values():
            stop(process)
    return {"name": one["name"], **figures(took), "verdicts": verdicts, "ready_s": round(ready, 1), "took": took}


def _wait(path: Path, process: Process, until: float) -> None:
    while not path.exists():
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode} before {path.name}")
        if time.monotonic() > until:
            raise TimeoutError(f"no {path.parent.name}/{path.name}")
        time.sleep(0.005)


def _verdicts(runner: run_cases.Runner, one: run_cases.Case, processes: dict[str, Process]) -> list[str]:
    """What the watched ones said: of a watcher that saw nothing no cost would be one of watching."""
    told = []
    for name in WATCHED:
        processes[name].wait(30)
        evidence = runner.home / one["name"] / name / "evidence.json"
        told.append(json.loads(evidence.read_text(encoding="utf-8"))["verdict"] if evidence.exists() else "none")
    return told


def figures(took: dict[str, list[float]]) -> dict[str, Any]:
    """The ratios, as the head of this file says, and how far the median is known: 95 % of resampled rounds."""
    rounds = [{name: times[at] for name, times in took.items()} for at in range(len(took[PLAIN[0]]))]
    both = [sum(one[name] for name in WATCHED) / sum(one[name] for name in PLAIN) for one in rounds]
    plain = [one[PLAIN[0]] / one[PLAIN[1]] for one in rounds]
    watched = [one[WATCHED[0]] / one[WATCHED[1]] for one in rounds]
    after, apart = statistics.median(both), statistics.median(plain)
    return {
        "after": round(after, 4),
        "range": _range(both),
        "two unwatched": round(apart, 4),
        "two watched": round(statistics.median(watched), 4),
        "says": "nothing" if abs(apart - 1) > LIMIT else "within" if abs(after - 1) <= LIMIT else "more",
        "block_ms": {name: round(1000 * statistics.median(times), 2) for name, times in took.items()},
    }


def _range(ratios: list[float]) -> list[float]:
    pick = random.Random(0)  # noqa: S311  no secrets
    medians = sorted(statistics.median(pick.choices(ratios, k=len(ratios))) for _ in range(1000))
    return [round(medians[math.floor(share * 999)], 4) for share in (0.025, 0.975)]


def main() -> int:
    """Measure the cases, one after the other, as long as there is time."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    options.add_argument("--seconds", type=float, default=1e9)
    options.add_argument("--least", type=float, default=45.0, help="seconds without which no case begins")
    options.add_argument("--only", nargs="*", default=list(CASES))
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--logging", type=int, default=1, help="steps from one line of a trainer's log to the next")
    options.add_argument("--home", default="/dev/shm/fp8check-aside")
    options.add_argument("--overlay", nargs="*", default=[])
    options.add_argument("--cores", default="", help="of the runs, as taskset has it; this process takes what is left")
    options.add_argument("--gpu", type=int, default=0)
    options.add_argument("--tiny", action="store_true")
    given = options.parse_args()
    until = time.monotonic() + given.seconds
    from tests.run.recorder.blocks import BLOCK, FIRST

    given.steps = FIRST + (given.rounds + 1) * (BLOCK + 1)
    runner = run_cases.Runner(given)
    cases = {one["name"]: one for one in run_cases.CASES}
    chosen = [cases[name] for name in given.only]
    if any(one["program"] in run_cases.LOADING for one in chosen) and not (runner.home / "made").exists():
        code = "import sys; from pathlib import Path; from tests.tools.gpu.run_cases import prepare; "
        code += f"prepare(Path(sys.argv[1]), {given.tiny})"
        subprocess.run([sys.executable, "-c", code, str(runner.home)], check=True)
    for one in chosen:
        if until - time.monotonic() < given.least:
            print(one["name"], "not begun", flush=True)
            continue
        began = time.monotonic()
        try:
            told = measured(runner, one, given, until)
        except (RuntimeError, TimeoutError, OSError) as error:
            log = {path.parent.name: path.read_text(errors="replace")[-1500:] for path in _logs(runner.home, one)}
            told = {"name": one["name"], "error": str(error), "log": log}
        told["seconds"] = round(time.monotonic() - began, 1)
        with open(given.out, "a", encoding="utf-8") as out:
            print(json.dumps(told), file=out)
        print(*(told.get(key) for key in (*SHOWN, "error", "seconds")), flush=True)
    return 0


SHOWN = ("name", "says", "after", "range", "two unwatched", "two watched", "block_ms", "verdicts", "ready_s")


def _logs(home: Path, one: run_cases.Case) -> list[Path]:
    return sorted((home / one["name"]).glob("*-[12]/log"))


@contextlib.contextmanager
def on(cores: str) -> Iterator[None]:
    """What is started meanwhile runs on these cores, and this process on those that are left."""
    every = set(range(os.cpu_count() or 1)) if cores else os.sched_getaffinity(0)
    theirs = _cores(cores) or every
    os.sched_setaffinity(0, theirs)
    try:
        yield
    finally:
        os.sched_setaffinity(0, every - theirs or every)


def _cores(text: str) -> set[int]:
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


if __name__ == "__main__":
    sys.exit(main())
