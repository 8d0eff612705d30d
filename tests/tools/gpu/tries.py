"""The commands that chance dealt, executed on real GPUs with the packages that are there, and compared.

    python -m tests.tools.gpu.tries run FILE --kinds loop parser sft [--of ninth] [--jobs 12] [--seconds 500]
    python -m tests.tools.gpu.tries compare FILE

`run` writes a line for each command of seventh_tries.py, or of those after it, that the machine has GPUs for and that needs
none but the packages of TRL: the packages, whether it ended well, and the exception that ended it. Each runs in a network of its own, so that ports are its own. `compare` holds what fp8check
says of the same files, with those packages, against them.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case

LIMIT = 150  # seconds of a command
PACKAGES = {
    "torch": "torch",
    "accelerate": "accelerate",
    "transformers": "transformers",
    "transformer_engine": "transformer_engine",
    "torchao": "torchao",
    "peft": "peft",
    "trl": "trl",
    "deepspeed": "deepspeed",
}
_PROGRAMS = ("trl", "deepspeed")  # packages that were only unpacked have none
_RAISED = re.compile(r"^(?:\[rank\d+\]: ?)?((?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt))(?:: (.*))?$")


def main() -> int:
    """Run, or compare."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", choices=["run", "compare"])
    options.add_argument("file", type=Path)
    options.add_argument("--kinds", nargs="*", default=["loop", "parser", "sft"])
    options.add_argument("--of", default="seventh", choices=["seventh", "eighth", "ninth", "tenth"])
    options.add_argument("--jobs", type=int, default=8)
    options.add_argument("--seconds", type=float, default=500)
    options.add_argument("--overlay", default="", help="a folder for the path of imports")
    given = options.parse_args()
    return _run(given) if given.what == "run" else _compare(given.file)


# --- on the machine with GPUs ----------------------------------------------------------------------------------------


def _run(given: argparse.Namespace) -> int:
    from tests.tools.conformance.commands import make
    from tests.tools.conformance.commands.given import DATA, MAKE, MODEL

    if given.overlay:
        os.environ["PYTHONPATH"] = f"{given.overlay}:{os.environ.get('PYTHONPATH', '')}"
        sys.path.insert(0, given.overlay)
    gpus = len(subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout.splitlines())
    root = Path(tempfile.mkdtemp(prefix="fp8check-tries-"))
    shared = root / "shared"
    (shared / "data").mkdir(parents=True)
    (shared / "model.json").write_text(json.dumps(MODEL), encoding="utf-8")
    subprocess.run([sys.executable, "-c", MAKE], cwd=shared, check=True)
    for name, rows in DATA.items():
        path = shared / "data" / name / "train.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    chosen = [case for case in make.dealt() if _is_wanted(case, given.of, given.kinds, gpus)]
    packages = {name: _version(known) for name, known in PACKAGES.items()}
    began, lock, done = time.monotonic(), Lock(), [0]

    def one(numbered: tuple[int, Case]) -> None:
        number, case = numbered
        if time.monotonic() - began > given.seconds:
            return
        seen = _execute(case, root / case["id"], shared, number % gpus if len(case["gpus"]) == 1 else None)
        line = json.dumps({"id": case["id"], "packages": packages, **seen})
        with lock, given.file.open("a", encoding="utf-8") as out:
            done[0] += 1
            print(line, file=out, flush=True)
            print(f"{seen['seconds']:6.1f} s  {case['id']:34} {seen['error'] or 'ended well'}"[:160], flush=True)
        shutil.rmtree(root / case["id"], ignore_errors=True)

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(one, enumerate(chosen)))
    print(f"{done[0]} of {len(chosen)} commands in {time.monotonic() - began:.0f} s")
    shutil.rmtree(root, ignore_errors=True)
    return 0


def _is_wanted(case: Case, of: str, kinds: list[str], gpus: int) -> bool:
    words = str(case["id"]).split("-")
    if words[0] != of or len(case["gpus"]) > gpus or not {"llamafactory", "axolotl"}.isdisjoint(case["stack"]):
        return False
    if words[-1] == "old":  # the same once more: there is one stack
        return False
    if any(re.search(rf"\b{one}\b", case["command"]) and shutil.which(one) is None for one in _PROGRAMS):
        return False
    if "omegaconf" in str(case["files"]) and find_spec("omegaconf") is None:
        return False
    return (words[2] if words[1] == "again" else words[1]) in kinds


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _execute(case: Case, folder: Path, shared: Path, gpu: int | None) -> dict[str, Any]:
    from tests.tools.conformance.commands import given

    given.lay_out(case, folder, shared)
    variables = {**os.environ, **case["variables"], "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    if gpu is not None:
        variables["CUDA_VISIBLE_DEVICES"] = str(gpu)
    began = time.monotonic()
    process = subprocess.Popen(  # the commands are the cases' own
        ["bash", "-c", case["command"]],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=_network_of_its_own,  # noqa: PLW1509  it calls the system alone
    )
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        output += "\nTimedOutError: no end"
    seconds = time.monotonic() - began
    error = None if process.returncode == 0 else _raised(output)
    tail = output[-1500:] if error is not None else ""
    return {"returncode": process.returncode, "error": error, "seconds": round(seconds, 1), "tail": tail}


def _network_of_its_own() -> None:
    """A network namespace with its loopback up, where the system lets us; ports are the command's alone then."""
    try:
        os.unshare(os.CLONE_NEWNET)  # type: ignore[attr-defined,unused-ignore]  # Python 3.12
    except (AttributeError, OSError):
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(one, 0x8914, request)  # SIOCSIFFLAGS


def _raised(output: str) -> str:
    """The exception that ended it: the last that the training process names, not the launcher that found it dead."""
    found = [match for line in output.splitlines() if (match := _RAISED.match(line.strip()))]
    named = [match for match in found if not match[1].endswith(("ChildFailedError", "CalledProcessError"))]
    if named:
        first = named[0] if "[rank" in output else named[-1]
        return f"{first[1].rpartition('.')[2]}: {first[2] or ''}"[:300]
    refused = re.search(r"^(?:usage: .*|.*error: .*)$", output, re.MULTILINE)
    return f"SystemExit: {refused[0]}"[:300] if refused else "unknown"


# --- anywhere --------------------------------------------------------------------------------------------------------


def _compare(path: Path) -> int:
    from tests.tools.conformance.commands import compare, make

    cases = {case["id"]: case for case in make.dealt()}
    counts = {"right": 0, "wrong": 0, "open": 0}
    for line in path.read_text(encoding="utf-8").splitlines():
        seen = json.loads(line)
        if seen["id"] not in cases:
            continue
        said = says(cases[seen["id"]], seen["packages"], compare)
        real = "started" if seen["error"] is None else seen["error"].partition(":")[0]
        verdict = "open" if said is None else "right" if said == real else "wrong"
        counts[verdict] += 1
        if verdict != "right":
            print(f"{verdict}  {seen['id']}: {said} is said, {seen['error'] or 'it started'} was seen")
    print(counts)
    return int(counts["wrong"] > 0)


def says(case: Case, packages: dict[str, str | None], compare: Any) -> str | None:
    """Whether it starts, or the exception that ends it, with these packages; None where that is left open."""
    stack = {name: version for name, version in packages.items() if version is not None}
    counted = {**case["variables"]}
    if "CUDA_VISIBLE_DEVICES" not in counted:  # each command saw these GPUs and no other
        counted["CUDA_VISIBLE_DEVICES"] = ",".join(str(one) for one in range(len(case["gpus"])))
    changed = {**case, "stack": {"python": "3.12.3", **stack}, "undecided": None, "variables": counted}
    (outcome,) = compare.outcomes(changed)
    if outcome.undecided is not None:
        return None
    return "started" if outcome.error is None else str(outcome.error.type)


if __name__ == "__main__":
    sys.exit(main())
