"""Executes the cases on their stacks and records what was observed.

    python -m tests.tools.conformance.commands.run --root .conformance --out .conformance/commands.jsonl [--only TEXT]

Missing packages are installed first. A case that was recorded before is executed again, and replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import stacks
from tests.tools.conformance.commands import given, make, recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.tools.conformance.cases import Case

CASE_LIMIT_SECONDS = 120  # where --limit says nothing; what compiles its model needs more on a machine that is busy
HERE = Path(__file__).resolve().parent
NVIDIA_SMI = """#!/bin/sh
# What the real program answers of the GPUs in $CONFORMANCE_GPUS: it knows no field compute_capability.
case "$*" in
*query-gpu=compute_capability*) echo 'Field "compute_capability" is not a valid field to query.'; exit 2 ;;
*query-gpu=compute_cap*) tr ' ' '\\n' < "$(dirname "$0")/gpus" ;;
*query-gpu=count,name*) n=$(wc -w < "$(dirname "$0")/gpus"); for one in $(cat "$(dirname "$0")/gpus"); do echo "$n, NVIDIA $one"; done ;;
*query-gpu=driver_version*) echo 580.95.05 ;;
*) exit 6 ;;
esac
"""


class Stack:
    """The server of one stack with its folder; see interpreter.py."""

    def __init__(self, stack: stacks.Stack, root: Path, limit: int = CASE_LIMIT_SECONDS) -> None:
        self._stack, self._root, self._limit = stack, root, limit
        self.failed = 0

    def __enter__(self) -> Stack:
        self.folder = Path(tempfile.mkdtemp(prefix="fp8check-commands-"))
        self.environment = stacks.environment(self._stack, self._root)
        self.environment.pop("DISABLE_VERSION_CHECK", None)
        self.environment |= {"AXOLOTL_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"}
        self.environment["HF_HOME"] = str(self.folder / "home")
        extra = {}
        if "llamafactory" in self._stack:
            extra = {"CONFORMANCE_FACTORY": "1", "CONFORMANCE_PRELOAD": given.PRELOAD_FACTORY}
        if "axolotl" in self._stack:
            extra = {"CONFORMANCE_PRELOAD": given.PRELOAD_AXOLOTL}
        self._log = (self.folder / "log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [str(stacks.python(self._root)), "-m", "tests.tools.conformance.commands.interpreter", str(self.folder)],
            cwd=stacks.REPOSITORY,
            env={**self.environment, **extra},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._answer()
        smi = self.folder / "bin" / "nvidia-smi"
        smi.write_text(NVIDIA_SMI, encoding="utf-8")
        smi.chmod(0o755)
        self.environment["PATH"] = f"{self.folder / 'bin'}{os.pathsep}/usr/local/bin:/usr/bin:/bin"
        given.shared(self.folder / "shared", self)
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._log.close()
        if os.environ.get("CONFORMANCE_KEEP") != "1":
            shutil.rmtree(self.folder, ignore_errors=True)

    def _answer(self) -> None:
        assert self._process.stdout
        if not self._process.stdout.readline():
            text = (self.folder / "log").read_text(encoding="utf-8")
            raise RuntimeError(f"the server of {self._stack} ended:\n{text[-3000:]}")

    def tell(self, case: dict[str, Any]) -> None:
        """Say which case comes."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        self._answer()

    def bash(
        self, command: str, folder: Path, seen: Path, gpus: list[str], variables: dict[str, str]
    ) -> tuple[int | None, str]:
        """Run a command in a folder; its status (None at the limit) and the end of what it printed."""
        seen.mkdir(parents=True, exist_ok=True)
        (self.folder / "bin" / "gpus").write_text(" ".join(gpus), encoding="utf-8")
        self.tell({"seen": str(seen), "gpus": gpus})
        log = folder.parent / f"{folder.name}.log"
        with log.open("w", encoding="utf-8") as out:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=folder,
                env={**self.environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status: int | None = process.wait(timeout=self._limit)
            except subprocess.TimeoutExpired:
                status = None
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.tell({"seen": str(seen), "gpus": gpus})  # kills what is left
        return status, log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def run(self, case: Case, number: int) -> dict[str, Any]:
        """The observation of one case."""
        folder = self.folder / f"case{number}"
        given.lay_out(case, folder, self.folder / "shared")
        given.default_file(case, self.folder / "home")
        seen = self.folder / f"seen{number}"
        status, output = self.bash(case["command"], folder, seen, case["gpus"], case["variables"])
        told = [json.loads(path.read_text(encoding="utf-8")) for path in seen.glob("*.json")]
        observed = merged(told, status, output)
        text = json.dumps(observed)
        for place in (*self._places(), str(folder)):
            text = text.replace(f"{place}/", "")
        if os.environ.get("CONFORMANCE_KEEP") != "1":
            shutil.rmtree(folder)
            shutil.rmtree(seen)
        return dict(json.loads(text))

    def _places(self) -> list[str]:
        return [*self.environment["PYTHONPATH"].split(os.pathsep), str(self.folder / "bin")]


def merged(told: list[dict[str, Any]], status: int | None, output: str) -> dict[str, Any]:
    """What the processes of one command told, as one observation: that of the first rank, with the first error of any.

    Where none got as far as an Accelerator, it is the first that ended by an error: launchers end later, with an error
    about their workers.
    """
    if status is None:
        return _nothing("harness", "TimedOut", output)
    told = sorted(told, key=lambda one: one["at"])
    trained = [one for one in told if one["trains"]]
    trained.sort(key=lambda one: (int(one["ranks"].get("RANK", "0")), one["at"]))
    failed = [one for one in told if one["observed"]["error"] is not None]
    if trained:
        chosen = trained[0]
        first = next((one for one in failed if one["trains"]), None)
        if first is not None:  # whoever fails first takes the others with it
            chosen["observed"] |= {"started": False, "checkpointing": None, "error": first["observed"]["error"]}
    elif failed:
        chosen = failed[0]
    elif status:
        last = (output.strip().splitlines() or [""])[-1]
        return _nothing("launch", "SystemExit", last)
    else:
        return _nothing("harness", "NothingTrained", output[-600:])
    observed = dict(chosen["observed"])
    if observed["error"] is not None and not chosen["trains"] and not _is_training(chosen["command"]):
        observed["error"]["stage"] = "launch"
    error = observed["error"]
    if error is not None and error["type"] == "SystemExit":  # argparse: what it refuses stands in what it printed
        said = [line for line in output.splitlines() if "error: " in line]
        error["message"] = said[0][-500:] if said else error["message"]
    processes = len({one["ranks"].get("RANK", "0") for one in trained})
    return {**observed, "processes": processes, "variables": chosen["variables"]}


_LAUNCHERS = ("accelerate", "accelerate-launch", "torchrun", "trl", "axolotl", "deepspeed")
_LAUNCHING_MODULES = ("torch.distributed.run", "accelerate.commands.launch", "accelerate.commands.accelerate_cli")


def _is_training(command: list[str]) -> bool:
    """Whether a process was the training program, by its own words."""
    if command[0].startswith("python"):
        return not any(word in _LAUNCHING_MODULES for word in command)
    return command[0] not in _LAUNCHERS


def _nothing(stage: str, kind: str, message: str) -> dict[str, Any]:
    return {"started": False, "error": {"stage": stage, "type": kind, "message": message[-500:]}}


def record(chosen: Iterable[Case], root: Path, out: Path, workers: int, limit: int = CASE_LIMIT_SECONDS) -> int:
    """Execute the cases, and keep those of the file that are not executed again."""
    todo = list(chosen)
    names = {case["id"] for case in (*make.everything(), *todo)}
    kept = {case["id"]: case for case in recorded.read(out) if case["id"] in names} if out.exists() else {}
    groups: dict[str, list[Case]] = {}
    for case in todo:
        groups.setdefault(json.dumps(case["stack"], sort_keys=True), []).append(case)
    stacks.prepare(root, [json.loads(key) for key in groups])
    lock = Lock()

    def group(pair: tuple[str, list[Case]]) -> None:
        key, members = pair
        began = time.monotonic()
        with Stack(json.loads(key), root, limit) as stack:
            for number, case in enumerate(members):
                before = time.monotonic()
                observed = stack.run(case, number)
                with lock:
                    kept[case["id"]] = {**case, "observed": observed}
                    error = observed["error"]
                    print(
                        f"{time.monotonic() - before:5.1f} s {case['id']:40} "
                        + (f"{error['stage']} {error['type']}: {error['message'][:120]!r}" if error else "started"),
                        file=sys.stderr,
                        flush=True,
                    )
                    recorded.write(out, kept.values())
        print(f"{len(members)} cases, {time.monotonic() - began:.0f} s: {key}", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(group, groups.items()))
    return len(todo)


# What takes long, and parsers of command lines that no stack brings.
NOT_IN_SAMPLE = re.compile(r"torch_compile|(?:import|from) (?:fire|typer|tyro|click)\b")


def sample(every: list[Case]) -> list[Case]:
    """One of twenty on the newest stack, whose server is started once; see NOT_IN_SAMPLE."""
    newest = stacks.known()[make.NEW]
    return [one for one in every if one["stack"] == newest and not NOT_IN_SAMPLE.search(json.dumps(one["files"]))][::20]


def main(arguments: list[str] | None = None) -> int:
    """Record what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(".conformance"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="cases whose id or class contains this text")
    parser.add_argument("--missing", action="store_true", help="only those that the file lacks, or has otherwise")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--sample", action="store_true", help="of the cases those that CI executes")
    parser.add_argument("--limit", type=int, default=CASE_LIMIT_SECONDS, help="seconds a case may take")
    parser.add_argument("--cases", type=Path, help="these cases (advised.py) instead of those of make.py")
    options = parser.parse_args(arguments)
    every = make.everything() if options.cases is None else recorded.read(options.cases)
    chosen = [case for case in every if options.only in f"{case['class']}/{case['id']}"]
    if options.sample:
        chosen = sample(chosen)
    if options.missing and options.out.exists():
        have = {case["id"]: {**case, "observed": None} for case in recorded.read(options.out)}
        chosen = [case for case in chosen if have.get(case["id"]) != {**case, "observed": None}]
    count = record(chosen, options.root.resolve(), options.out, options.workers, options.limit)
    print(f"{count} cases recorded: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
