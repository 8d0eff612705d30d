"""The command: `python -m tests.tools.fuzz --help`."""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.fuzz import following, gates, service, targets, work

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from tests.tools.fuzz.targets import Target

TARGETS: tuple[Target, ...] = (*targets.TARGETS, *following.TARGETS, *gates.TARGETS, *service.TARGETS)
_LEAST_S = 0.5  # of a restarted job


class Worker:
    """Does the targets one after another, each in a process of its own; this object lives in the one that watches."""

    def __init__(self, number: int, workers: int, chosen: Sequence[Target], seconds: float, seed: int) -> None:
        whole = sum(one.share for one in chosen)
        # Each worker begins with another target, so that all get on alike.
        turned = [*chosen[number % len(chosen) :], *chosen[: number % len(chosen)]]
        self._jobs = [work.Job(one, number, workers, str(seed), seconds * one.share / whole) for one in turned]
        self._board = work.Board()
        self._process: BaseProcess | None = None
        self._results: Connection | None = None
        self._job: work.Job | None = None
        self._began = 0.0
        self._seen = (0, 0.0)
        self.done: list[tuple[str, work.Result]] = []

    def step(self) -> bool:
        """Look after the process; False where there is nothing more to do."""
        if self._process is None:
            if not self._jobs:
                return False
            self._start(self._jobs.pop(0))
            return True
        assert self._results is not None
        assert self._job is not None
        if self._results.poll():
            try:
                said: work.Finding | work.Result = self._results.recv()
            except EOFError:
                self._process.join(5)
                self._died(f"the process ended with {self._process.exitcode}")
                self._end()
                return True
            if isinstance(said, work.Finding):
                self.done.append((said.target, work.Result(0, Counter(), {said.key: said}, 0, 0.0)))
            else:
                self.done.append((self._job.target.name, said))
                self._end()
        elif not self._process.is_alive():
            self._died(f"the process ended with {self._process.exitcode}")
            self._end()
        else:
            number, _ = self._board.read()
            if number != self._seen[0]:
                self._seen = (number, time.monotonic())
            elif time.monotonic() - self._seen[1] > work.HUNG_S:
                self._process.kill()
                self._died("no end")
                self._end()
        return True

    def _start(self, job: work.Job) -> None:
        context = multiprocessing.get_context("fork")
        self._job = job
        self._results, sending = context.Pipe(duplex=False)
        self._board.write(0, {})
        self._process = context.Process(target=_child, args=(job, self._board, sending))
        self._began = time.monotonic()
        self._seen = (0, self._began)
        self._process.start()
        sending.close()

    def _died(self, how: str) -> None:
        """Note what it was doing, and go on with other inputs for the time that is left."""
        assert self._job is not None
        job, (number, case) = self._job, self._board.read()
        finding = work.Finding(job.target.name, how, how, case)
        self.done.append((job.target.name, work.Result(number, Counter(), {how: finding}, 0, 0.0)))
        left = job.seconds - (time.monotonic() - self._began)
        if left > _LEAST_S:
            self._jobs.insert(0, job._replace(seconds=left, seed=f"{job.seed}+"))

    def _end(self) -> None:
        if self._process is not None:
            self._process.join(5)
            if self._process.is_alive():
                self._process.kill()
        if self._results is not None:
            self._results.close()
        self._process = self._results = None


def _child(job: work.Job, board: work.Board, results: Connection) -> None:
    work.ignore_interrupts()
    results.send(work.run(job, board, results.send))
    results.close()
    sys.stdout.flush()
    os._exit(0)  # threads of the service need not be waited for


def fuzz(chosen: Sequence[Target], workers: int, seconds: float, seed: int) -> list[tuple[str, work.Result]]:
    """Execute these targets, with so many workers, for so many seconds in all."""
    for one in chosen:
        list(one.seeds())  # once, before there are processes that would each do it
    crew = [Worker(number, workers, chosen, seconds, seed) for number in range(workers)]
    busy = crew
    while busy:
        busy = [worker for worker in busy if worker.step()]
        time.sleep(0.02)
    return [one for worker in crew for one in worker.done]


def merged(results: Sequence[tuple[str, work.Result]]) -> dict[str, object]:
    """What all workers came to, by target; findings by what tells them apart, the smallest of each."""
    by_target: dict[str, dict[str, object]] = {}
    findings: dict[tuple[str, str], work.Finding] = {}
    reporters: Counter[str] = Counter()
    for name, result in results:
        one = by_target.setdefault(name, {"executions": 0, "kept": 0, "slowest_s": 0.0, "reached": Counter()})
        one["executions"] += result.executions  # type: ignore[operator]
        one["kept"] += result.kept  # type: ignore[operator]
        one["slowest_s"] = max(one["slowest_s"], round(result.slowest, 3))  # type: ignore[call-overload]
        one["reached"].update(result.labels)  # type: ignore[attr-defined]
        reporters.update({label[7:]: times for label, times in result.labels.items() if label.startswith("format:")})
        for finding in result.findings.values():
            known = findings.get((name, finding.key))
            if known is None or finding.size < known.size:
                findings[name, finding.key] = finding
    return {
        "executions": sum(int(str(one["executions"])) for one in by_target.values()),
        "targets": by_target,
        "reporters": dict(sorted(reporters.items())),
        "findings": [one._asdict() for one in findings.values()],
    }


def tell(summary: dict[str, object], out: Path) -> int:
    """Print and write what was found; how many findings there are."""
    out.mkdir(parents=True, exist_ok=True)
    folder = out / "findings"
    for old in folder.glob("*.json"):
        old.unlink()
    folder.mkdir(exist_ok=True)
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    for name, one in summary["targets"].items():  # type: ignore[attr-defined]
        shown = "  ".join(f"{label} {times:,}" for label, times in sorted(one["reached"].items()))
        print(
            f"{name:13}{one['executions']:>11,} executions  {one['kept']:>5} kept  slowest {one['slowest_s']:.2f} s  {shown[:300]}"
        )
    print("reporters  ", "  ".join(f"{name} {times:,}" for name, times in summary["reporters"].items()))  # type: ignore[attr-defined]
    open_ = summary["findings"]
    for one in open_:  # type: ignore[attr-defined]
        mark = hashlib.sha256(f"{one['target']} {one['key']}".encode("utf-8", "replace")).hexdigest()[:10]
        path = folder / f"{one['target']}-{mark}.json"
        path.write_text(json.dumps(one, indent=1) + "\n", encoding="utf-8")
        print(f"OPEN {one['target']}: {one['key']!a}  {path}")
        # CI keeps what was printed, and no file.
        print(f"  {json.dumps(one['case'])[:1500]}\n  {one['text'][-1500:]!a}")
    print(f"{summary['executions']:,} executions of {len(summary['targets'])} targets, {len(open_)} open")  # type: ignore[arg-type]
    return len(open_)  # type: ignore[arg-type]


def replay(path: Path) -> int:
    """Execute a finding again, and print what becomes of it; 1 where it is still there."""
    data = json.loads(path.read_text(encoding="utf-8"))
    target = next(one for one in TARGETS if one.name == data["target"])
    with work.scratch() as folder:
        finding, labels = work.Execution(target, folder)(data["case"])
    for name, text in data["case"].items():
        print(f"--- {name}\n{text!a}")
    print("holds:" if finding is None else finding.text, *labels)
    return 0 if finding is None else 1


def main() -> int:
    """Exit code 1 where something is open, or a reporter was not reached."""
    parser = argparse.ArgumentParser("python -m tests.tools.fuzz", description="Hostile inputs by the million.")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes at a time")
    parser.add_argument("--seconds", type=float, default=60, metavar="S", help="for all targets together")
    parser.add_argument("--seed", type=int, default=1, metavar="K")
    parser.add_argument("--out", type=Path, default=Path(".fuzz"), metavar="DIR", help="for summary.json and findings/")
    parser.add_argument(
        "--target", action="append", choices=[one.name for one in TARGETS], help="only this; repeatable"
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="execute a finding again")
    options = parser.parse_args()
    if options.replay is not None:
        return replay(options.replay)
    chosen = [one for one in TARGETS if not options.target or one.name in options.target]
    summary = merged(fuzz(chosen, options.workers, options.seconds, options.seed))
    open_ = tell(summary, options.out)
    missing = [] if options.target else [name for name in targets.NAMES if name not in summary["reporters"]]  # type: ignore[operator]
    if missing:
        print("reporters that were not reached:", *missing)
    return 1 if open_ or missing else 0


if __name__ == "__main__":
    sys.exit(main())
