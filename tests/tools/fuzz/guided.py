"""The same targets guided by coverage: atheris (libFuzzer) with the mutations of this folder. `make fuzz-guided`.

    python -m tests.tools.fuzz.guided --seconds 60 --seed 1 --out .fuzz-guided [--target NAME ...]

Only fp8check is instrumented. Each target has a process of its own, for libFuzzer ends its own; what it found it has
written to files before. Where atheris is not installed that is said, and `make fuzz` does the same without it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.tools.fuzz.cases import Case

KEPT_EVERY = 100  # executions: how often it is written down how many there were
LARGEST = 1 << 16


def guide(name: str, seconds: int, seed: int, out: Path) -> None:
    """Fuzz one target; the process ends with it."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["fp8check"]):
        command: Any = importlib.import_module("tests.tools.fuzz.__main__")
        work: Any = importlib.import_module("tests.tools.fuzz.work")
        mutation: Any = importlib.import_module("tests.tools.fuzz.mutation")
    target = next(one for one in command.TARGETS if one.name == name)
    out.mkdir(parents=True, exist_ok=True)
    corpus = out.resolve() / f"corpus-{name}"
    corpus.mkdir(exist_ok=True)
    seeds = list(target.seeds())
    for number, case in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(packed(case))
    state = out.resolve() / f"{name}.json"
    findings: dict[str, Any] = {}
    labels: Counter[str] = Counter()
    executions = 0

    def keep() -> None:
        data = {"executions": executions, "labels": labels, "findings": [one._asdict() for one in findings.values()]}
        state.write_text(json.dumps(data), encoding="utf-8")

    keep()  # not what an earlier run left
    with work.scratch() as folder:
        execute = work.Execution(target, folder)

        def once(data: bytes) -> None:
            nonlocal executions
            finding, reached = execute(unpacked(data))
            executions += 1
            labels.update(reached)
            new = finding is not None and finding.key not in findings
            if finding is not None and (new or finding.size < findings[finding.key].size):
                findings[finding.key] = finding
            if new or executions % KEPT_EVERY == 0:
                keep()

        def other(data: bytes, most: int, number: int) -> bytes:
            mutator = mutation.Mutator(random.Random(number), target.parts, seeds)  # noqa: S311
            made = packed(mutator.changed(unpacked(data)))
            return made if len(made) <= most else data

        options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LARGEST}", "-rss_limit_mb=6000"]
        atheris.Setup([sys.argv[0], str(corpus), *options, "-timeout=30", "-verbosity=0"], once, custom_mutator=other)
        atheris.Fuzz()


def packed(case: Case) -> bytes:
    """A case as bytes."""
    return json.dumps(case).encode()


def unpacked(data: bytes) -> Case:
    """Bytes as a case: any bytes are one."""
    try:
        case = json.loads(data)
    except (ValueError, RecursionError):
        return {"text": data.decode("utf-8", "surrogateescape")}
    return {name: str(text) for name, text in case.items()} if isinstance(case, dict) else {"text": str(case)}


def main() -> int:
    """Exit code 1 where something is open."""
    parser = argparse.ArgumentParser("python -m tests.tools.fuzz.guided", description="Guided by coverage.")
    parser.add_argument("--seconds", type=int, default=60, metavar="S", help="for each target")
    parser.add_argument("--seed", type=int, default=1, metavar="K")
    parser.add_argument("--out", type=Path, default=Path(".fuzz-guided"), metavar="DIR")
    parser.add_argument("--target", action="append", metavar="NAME", help="only this; repeatable")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here: make fuzz does the same without it")
        return 0
    if options.in_this_process:
        guide(options.target[0], options.seconds, options.seed, options.out)
        return 0
    command: Any = importlib.import_module("tests.tools.fuzz.__main__")
    work: Any = importlib.import_module("tests.tools.fuzz.work")
    results = []
    for name in options.target or [one.name for one in command.TARGETS]:
        words = ["--in-this-process", "--target", name, "--seconds", str(options.seconds), "--seed", str(options.seed)]
        module = [sys.executable, "-m", "tests.tools.fuzz.guided"]
        done = subprocess.run([*module, *words, "--out", str(options.out)], stderr=subprocess.PIPE, check=False)
        state = json.loads((options.out / f"{name}.json").read_text(encoding="utf-8"))
        found = {one["key"]: work.Finding(**one) for one in state["findings"]}
        if done.returncode != 0:
            how = f"libFuzzer ended with {done.returncode}"
            found[how] = work.Finding(name, how, done.stderr.decode("utf-8", "replace")[-3000:], {})
        results.append((name, work.Result(state["executions"], Counter(state["labels"]), found, 0, 0.0)))
    return 1 if command.tell(command.merged(results), options.out) else 0


if __name__ == "__main__":
    sys.exit(main())
