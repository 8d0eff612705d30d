"""Executes cases on their stacks and writes what was observed.

    python -m tests.tools.conformance.record --out .conformance/recorded.jsonl --seed 1
    python -m tests.tools.conformance.record --cases ../shared/observed/cases.jsonl --out .conformance/again.jsonl
    python -m tests.tools.conformance.record --sample --out .conformance/sample.jsonl

Cases come from the generator unless a file is named. Missing packages are installed first.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TextIO

from tests.tools.conformance import cases, stacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.tools.conformance.cases import Case

CASE_LIMIT_SECONDS = 60


class Server:
    """The fork server of one stack, started on entering and ended on leaving."""

    def __init__(self, stack: stacks.Stack, root: Path) -> None:
        self._stack, self._root = stack, root

    def __enter__(self) -> Server:
        self._home = tempfile.TemporaryDirectory(prefix="fp8check-home-", ignore_cleanup_errors=True)
        environment = stacks.environment(self._stack, self._root)
        environment |= {"HF_HOME": self._home.name, "CONFORMANCE_LIMIT": str(CASE_LIMIT_SECONDS)}
        # A case that is killed while DeepSpeed builds leaves a lock, for which all others wait for ever.
        environment |= {"TORCH_EXTENSIONS_DIR": f"{self._home.name}/extensions"}
        environment |= {name: value for name, value in os.environ.items() if name.startswith("CONFORMANCE_")}
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [str(stacks.python(self._root)), "-m", "tests.tools.conformance.serve"],
            cwd=stacks.REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._answer()
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=CASE_LIMIT_SECONDS)
        self._process.stdout.close()
        self._log.close()
        self._home.cleanup()

    def run(self, case: Case) -> dict[str, Any]:
        """The case's observation, with the seconds it took."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise RuntimeError(f"the server of {self._stack} ended:\n{self._log.read()[-3000:]}")
        return dict(json.loads(line))


def by_stack(chosen: Iterable[Case]) -> list[tuple[stacks.Stack, list[Case]]]:
    """The cases of each stack, the largest group first so that the end is not one long group."""
    groups: dict[str, list[Case]] = {}
    for case in chosen:
        groups.setdefault(json.dumps(case["stack"], sort_keys=True), []).append(case)
    return sorted(((json.loads(key), group) for key, group in groups.items()), key=lambda pair: -len(pair[1]))


def record(chosen: Iterable[Case], root: Path, out: TextIO, workers: int = 2) -> int:
    """Execute the cases and write a line for each as it ends; how many there were."""
    groups = by_stack(chosen)
    stacks.prepare(root, [stack for stack, _ in groups])
    lock = Lock()

    def group(pair: tuple[stacks.Stack, list[Case]]) -> int:
        stack, members = pair
        began = time.monotonic()
        for case, answer in _answers(stack, members, root):
            with lock:
                out.write(cases.line({**case, "observed": answer["observed"], "seconds": answer["seconds"]}) + "\n")
                out.flush()
        with lock:
            print(f"{len(members):5} cases {time.monotonic() - began:6.1f} s  {stack}", file=sys.stderr, flush=True)
        return len(members)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        return sum(pool.map(group, groups))


def _answers(stack: stacks.Stack, members: list[Case], root: Path) -> Iterator[tuple[Case, dict[str, Any]]]:
    with Server(stack, root) as server:
        for case in members:
            yield case, server.run(case)


def _chosen(options: argparse.Namespace) -> list[Case]:
    if options.cases:
        return list(cases.read(options.cases))
    from tests.tools.conformance import generate

    if options.newest:
        return generate.newest(options.seed)
    return generate.sample(options.seed) if options.sample else generate.everything(options.seed, options.count)


def main(arguments: list[str] | None = None) -> None:
    """Record what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(".conformance"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=Path, help="a file of cases, one a line; what it observed is not looked at")
    parser.add_argument("--sample", action="store_true", help="the fixed sample that CI runs")
    parser.add_argument("--newest", action="store_true", help="those of the newest releases that a CPU can run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1500, help="how many cases to generate")
    parser.add_argument("--only", help="keep cases whose id or stack contains this text")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    chosen = _chosen(options)
    if options.only:
        chosen = [case for case in chosen if options.only in case["id"] or options.only in json.dumps(case["stack"])]
    began = time.monotonic()
    with options.out.open("w", encoding="utf-8") as out:
        count = record(chosen, options.root.resolve(), out, options.workers)
    print(f"{count} cases recorded in {time.monotonic() - began:.0f} s: {options.out}")


if __name__ == "__main__":
    main()
