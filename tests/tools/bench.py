"""CPU time of fp8check against yamllint on the same files, 25 interleaved runs each.

python -m tests.tools.bench FILE...
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 25
ALLOWED = 0.8


def cpu_seconds(command: list[str]) -> float:
    """User and system time that one run of the command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(os.devnull, "w") as nowhere:
        subprocess.run(command, stdout=nowhere, stderr=nowhere, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Print both medians and their ratio; 1 where fp8check takes more than 0.8 of yamllint's time."""
    files = sys.argv[1:]
    folder = Path(sys.executable).parent
    commands = {"fp8check": [str(folder / "fp8check"), *files], "yamllint": [str(folder / "yamllint"), *files]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        cpu_seconds(command)  # warm the file cache and the compiled modules
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(cpu_seconds(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        low, high = 1000 * min(times[name]), 1000 * max(times[name])
        print(f"{name:9} {1000 * median:6.1f} ms CPU (median of {ROUNDS}; {low:.1f} to {high:.1f})")
    ratio = medians["fp8check"] / medians["yamllint"]
    print(f"ratio     {ratio:6.2f}  (at most {ALLOWED})")
    return 0 if ratio <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
