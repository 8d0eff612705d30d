"""Executes the runs on this machine's CPU and writes docs/evidence/beyond-cpu.jsonl, a line a run.

    python -m tests.tools.conformance.beyond.record --out docs/evidence/beyond-cpu.jsonl [--only WORD ...]

Runs that are not named keep their lines.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.tools.conformance import stacks
from tests.tools.conformance.beyond import cases
from tests.tools.conformance.record import Server, by_stack

LIMIT_SECONDS = "240"


def line(case: dict[str, Any], stack: dict[str, str], machine: str, seen: dict[str, Any]) -> str:
    """What is kept of a run."""
    kept = {"id": case["id"], "on": machine, **case["beyond"], "stack": stack}
    return json.dumps({**kept, "ended": seen["ended"], "answers": seen["answers"]}, ensure_ascii=False)


def main() -> None:
    """Execute all, or those that a word names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--root", type=Path, default=Path(".conformance"))
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    os.environ.setdefault("CONFORMANCE_LIMIT", LIMIT_SECONDS)
    everything = cases.everything()
    chosen = [case for case in everything if not options.only or any(word in case["id"] for word in options.only)]
    kept: dict[str, str] = {}
    if options.out.exists():
        kept = {json.loads(one)["id"]: one for one in options.out.read_text(encoding="utf-8").splitlines()}
    root = options.root.resolve()
    for stack, members in by_stack(chosen):
        stacks.prepare(root, [stack])
        with Server(stack, root) as server:
            for case in members:
                began = time.monotonic()
                seen = server.run(case)["observed"]
                kept[case["id"]] = line(case, stack, "CPU", seen)
                known = {one["id"] for one in everything}
                lines = [text for name, text in sorted(kept.items()) if name in known]
                options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
                wrong = [name for name, answer in seen["answers"].items() if not answer["ok"]]
                took = f"{time.monotonic() - began:5.0f} s"
                print(took, case["id"], "" if seen["ended"] else "did not end;", *wrong, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
