"""`make nodes-scale`: what merging costs by the number of nodes: seconds of one core, and memory.

Each node has a report and eight probed GPUs, as `fp8check node --probe` writes them; one in a hundred is odd. The
command is a process of its own, whose time and memory the system tells. Limits: 10,000 nodes in 10 s and 500 MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.nodes import EXAMPLE, MORE, hosts, node, seen

COUNTS = (64, 1_000, 10_000)
SLOW = {"fp8_ms": {"ms": 44.0}, "bf16_ms": {"ms": 52.0}}
MOST_S, MOST_MB = 10.0, 500
FP8CHECK = str(Path(sys.executable).parent / "fp8check")


def report() -> dict[str, object]:
    """The report of the example's run, without its findings: a node that passes."""
    files = [str(EXAMPLE / name) for name in ("train.yaml", "accelerate.yaml")]
    words = [FP8CHECK, *files, "--facts", str(EXAMPLE / "facts.json"), "--format", "json", "--fail-on", "never"]
    found: dict[str, object] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    return {**found, "verdict": "pass", "findings": []}


def write(folder: Path, count: int) -> int:
    """So many nodes; the bytes of one."""
    told = report()
    text = ""
    for place, host in enumerate(hosts(count)):
        odd = place % 100 == 50
        gpus = [seen(gpu, output="x" * 500, **{**MORE, **(SLOW if odd and gpu == 3 else {})}) for gpu in range(8)]
        differs = {"driver": "570.1"} if odd else {}
        text = json.dumps(node(host, report=told, seen=gpus, facts=differs), indent=1)
        (folder / f"{host}.json").write_text(text)
    return len(text)


def measured(folder: Path, count: int, out: Path) -> tuple[float, float, int]:
    """Seconds of CPU, megabytes at the most, and the exit code of merging them."""
    words = [FP8CHECK, "nodes", str(folder), "--expect", str(count), "--out", str(out), "--format", "text=/dev/null"]
    pid = os.posix_spawn(words[0], words, os.environ)
    _, status, usage = os.wait4(pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def main() -> int:
    """Print a line a number of nodes."""
    counts = [int(one) for one in sys.argv[1:]] or COUNTS
    broken = False
    print(f"{'nodes':>8}  {'CPU s':>7}  {'MB':>6}  {'wall s':>7}  {'bytes a node':>12}")
    for count in counts:
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root) / "told"
            folder.mkdir()
            size = write(folder, count)
            began = time.monotonic()
            seconds, megabytes, code = measured(folder, count, Path(root) / "out")
            wall = time.monotonic() - began
            failing = (Path(root) / "out" / "failing_nodes.txt").read_text().splitlines()
        if code != 1 or len(failing) != len([place for place in range(count) if place % 100 == 50]):
            raise SystemExit(f"{count} nodes: exit code {code}, {len(failing)} failing")
        print(f"{count:>8,}  {seconds:>7.2f}  {megabytes:>6.0f}  {wall:>7.2f}  {size:>12,}")
        broken = broken or seconds > MOST_S or megabytes > MOST_MB
    return int(broken)


if __name__ == "__main__":
    raise SystemExit(main())
