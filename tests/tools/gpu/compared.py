"""`fp8check run --compare bf16` beside the same two runs made separately: the same 32 steps, the same figures.

    python -m tests.tools.gpu.compared OUT.jsonl [--seconds N] [--only NAME ...] [--gpus N] [--cores 0-15 16-31]
        [--overlay NAME=FOLDER:FOLDER ...] [--device cpu]

Of each case (worth_cases.py) three commands run, one after the other, with nothing beside them on their GPU and their
cores: the run in FP8, the comparison, the run in BF16. So what drifts meets both sides alike. The separate runs end as
backward pass 33 begins (tests/run/recorder); what a step takes is the median from the eleventh on. All are under torch's
deterministic algorithms, so that losses can be the same, and nothing waits between steps in any of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.tools.gpu import worth_points
from tests.tools.gpu.series_cases import groups
from tests.tools.gpu.stepped_aside import on
from tests.tools.gpu.turns import stop
from tests.tools.gpu.worth_cases import runs

STEPS, SETTLED = 32, 10
LIMIT = 0.03
CASES = ("t-3-ao", "lf-1-te", "t-2-te", "lf-4-ao", "t-ddp-te")  # the last takes two GPUs
_STARTING = threading.Lock()  # whose affinity is this process's


class Comparing:
    """The runs of the cases."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.home = Path(given.home)
        self.overlays = dict(one.split("=", 1) for one in given.overlay)
        self.until = time.monotonic() + given.seconds
        longer = [(group, one) for group, cases in groups() for one in cases]
        self.cases = {one["name"]: (group, one) for group, one in [*runs(), *longer]}
        self.writing = threading.Lock()

    def run(self, name: str, gpus: list[int], cores: str, port: int) -> None:
        """The three commands of a case, and a line about them."""
        group, fp8 = self.cases[name]
        _, bf16 = self.cases[f"{group}-bf16"]
        began = time.monotonic()
        try:
            separate = {"fp8": self._alone(fp8, gpus, cores, port)}
            evidence = self._compared(fp8, gpus, cores, port)
            separate["bf16"] = self._alone(bf16, gpus, cores, port)
            told = {"name": name, "gpus": len(gpus), **beside(evidence, separate)}
        except (RuntimeError, TimeoutError, OSError, LookupError) as error:
            told = {"name": name, "error": str(error)[-2500:]}
        told["seconds"] = round(time.monotonic() - began, 1)
        with self.writing, open(self.given.out, "a", encoding="utf-8") as out:
            print(json.dumps(told), file=out)
        shown = (told.get(key) for key in ("name", "says", "apart", "ms", "peak_gib", "loss_gap", "error", "seconds"))
        print(*shown, flush=True)

    def _alone(self, one: Any, gpus: list[int], cores: str, port: int) -> Any:
        more = {"TURN": "", "DETERMINISTIC": "1", "RECORD_END": str(STEPS + 1), "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
        self._ended(one, gpus, cores, port, compare=False, **more)
        folder = self.home / one["name"]
        ranks = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("record.json*"))]
        if len(ranks) < len(gpus) or any(len(one["times"]) != STEPS + 1 for one in ranks):
            raise RuntimeError((folder / "log").read_bytes().decode(errors="replace"))
        times = ranks[0]["times"][SETTLED:]
        return {
            "ms": round(1000 * statistics.median(b - a for a, b in itertools.pairwise(times)), 3),
            "peak_gib": round(max(one["peak"] for one in ranks) / 2**30, 3),
            "loss": ranks[0]["losses"][:STEPS],
            "gpu": ranks[0]["gpu"],
        }

    def _compared(self, one: Any, gpus: list[int], cores: str, port: int) -> Any:
        # The recorder is there for the deterministic algorithms; it would end the run far behind its steps.
        more = {"TURN": "", "DETERMINISTIC": "1", "RECORD_END": "1000", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
        self._ended(one, gpus, cores, port, compare=True, **more)
        path = self.home / f"compared-{one['name']}" / "evidence.json"
        if not path.exists():
            raise RuntimeError((path.parent / "log").read_bytes().decode(errors="replace"))
        return json.loads(path.read_text(encoding="utf-8"))

    def _ended(self, one: Any, gpus: list[int], cores: str, port: int, *, compare: bool, **more: str) -> None:
        with _STARTING, on(cores):
            process = worth_points.begin(
                one, self.home, self.overlays, gpus, port, Path("/"), compare=compare, RECORD_ALL="0", **more
            )
        try:
            process.wait(max(1.0, min(self.given.limit, self.until - time.monotonic())))
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{one['name']} took too long") from None
        finally:
            stop(process)


def beside(evidence: Any, separate: dict[str, Any]) -> dict[str, Any]:
    """What the comparison said beside what the separate runs come to, and how far each figure is from the other."""
    said = evidence["compared"]
    alone = {key: {one: separate[one][key] for one in separate} for key in ("ms", "peak_gib", "loss")}
    pairs = zip(alone["loss"]["fp8"], alone["loss"]["bf16"], strict=True)
    gaps = [(one - two) / abs(two) for one, two in pairs]
    told = {one: (said["ms"][one] or {}).get("median") for one in separate}
    apart: dict[str, float | None] = {
        "speedup": _apart(said["speedup"], alone["ms"]["bf16"] / alone["ms"]["fp8"]),
        "memory": _apart(said["memory"], alone["peak_gib"]["fp8"] / (alone["peak_gib"]["bf16"] or 1)),
    }
    for one in separate:
        apart[f"ms {one}"] = _apart(told[one], alone["ms"][one])
        apart[f"peak {one}"] = _apart(said["peak_gib"][one], alone["peak_gib"][one])
        losses = zip(said["loss"][one] or (), alone["loss"][one], strict=False)
        apart[f"loss {one}"] = max((abs(a / b - 1) for a, b in losses), default=None)
    # A gap is a share of the loss: so is what two gaps are apart.
    gap = {"said": said["loss_gap"], "alone": {"mean": sum(gaps) / len(gaps), "last": gaps[-1], "steps": len(gaps)}}
    if said["loss_gap"]:
        apart["loss gap"] = abs(said["loss_gap"]["mean"] - gap["alone"]["mean"])
    known = [value for value in apart.values() if value is not None]
    return {
        "says": "unknown" if len(known) < len(apart) else "within" if max(known) <= LIMIT else "more",
        "apart": {key: None if value is None else round(value, 5) for key, value in apart.items()},
        "ms": {"compared": said["ms"], "separate": alone["ms"]},
        "peak_gib": {"compared": said["peak_gib"], "separate": alone["peak_gib"]},
        "loss_gap": gap,
        "verdict": evidence["verdict"],
        "undecided": said["undecided"],
        "changed": said["changed"],
        "gpu": separate["fp8"]["gpu"],
    }


def _apart(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else abs(one / other - 1)


def main() -> int:
    """Run the cases: those of one GPU side by side, each on a GPU and cores of its own, then those of two."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    options.add_argument("--only", nargs="*", default=list(CASES))
    options.add_argument("--seconds", type=float, default=1e9)
    options.add_argument("--limit", type=float, default=150)
    options.add_argument("--least", type=float, default=80, help="seconds without which no case begins")
    options.add_argument("--gpus", type=int, default=1)
    options.add_argument("--cores", nargs="*", default=[], help="of each GPU's runs")
    options.add_argument("--home", default="/dev/shm/fp8check-compared")
    options.add_argument("--overlay", nargs="*", default=[])
    options.add_argument("--device", default="cuda")
    given = options.parse_args()
    comparing = Comparing(given)
    worth_points.link(comparing.home)
    chosen = [comparing.cases[name][1] for name in given.only]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        worth_points.models(comparing.home, {one["model"] for one in chosen}, given.device, pool)
    waiting = [one["name"] for one in chosen if one["gpus"] == 1]

    def take_turns(gpu: int) -> None:
        while waiting and comparing.until - time.monotonic() > given.least:
            comparing.run(waiting.pop(0), [gpu], given.cores[gpu] if given.cores else "", 29800 + 10 * gpu)

    with ThreadPoolExecutor(given.gpus) as workers:
        list(workers.map(take_turns, range(given.gpus)))
    for one in chosen:
        if one["gpus"] == given.gpus == 2 and comparing.until - time.monotonic() > given.least:
            comparing.run(one["name"], [0, 1], ",".join(given.cores), 29850)
    return 0


if __name__ == "__main__":
    sys.exit(main())
