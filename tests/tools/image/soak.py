"""The built image at half of what it bears, for long: memory stays, and nothing fails.

python -m tests.tools.image.soak [--minutes 30]

What it bears is measured first: eight clients that always ask. Then the same clients ask at half of that rate, each time
with files that were never seen; memory is that of all of the container's processes. Exit code 1 where memory grows by
more than a tenth after the first third, where more than 1 % is refused (503 with Retry-After: the machine had something
else to do), or where any other answer is not 200.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from fp8check.service.tokens import make
from tests.tools.image.started import mounted, new_container, own_network, running
from tests.tools.image.store import CPU, listed
from tests.tools.service.load import MOST_GROWTH, MOST_REFUSED_OF_HALF, Figures, round_of

PORT = 8000
CLIENTS = 8
MEASURED_S = 30.0
PART_S = 60.0


def line(minute: float, one: Figures) -> str:
    """A part of the soak."""
    return (
        f"{minute:>6.0f} {one.a_second:>9.1f} {one.at(0.5):>7.1f} {one.at(0.99):>7.1f} {one.at(1):>7.0f} "
        f"{one.resident[-1]:>9.1f}   refused {one.refused}, errors {dict(one.errors) or 'none'}"
    )


def main() -> int:
    """Measure, soak, and judge."""
    made = argparse.ArgumentParser()
    made.add_argument("--minutes", type=float, default=30)
    options = made.parse_args()
    if not listed(CPU):
        raise SystemExit("make image builds it")
    own_network()
    secret, token = make("soak", ["check"], 1)
    with mounted(CPU) as tree, tempfile.TemporaryDirectory(prefix="fp8check-soak-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        container = new_container(tree, CPU, folder, token.line() + "\n")
        with running(container, folder / "log") as one:
            pid = one.process.pid
            full = asyncio.run(round_of(PORT, pid, CLIENTS, MEASURED_S, token=secret))
            every = 2 * CLIENTS / full.a_second
            print(f"bears {full.a_second:.0f} checks a second of {CLIENTS} clients; asked at half of that")
            print("minute  checks/s     p50     p99     max   memory, MiB", flush=True)
            parts = []
            for number in range(1, max(3, round(60 * options.minutes / PART_S)) + 1):
                parts.append(asyncio.run(round_of(PORT, pid, CLIENTS, PART_S, token=secret, every=every)))
                print(line(number * PART_S / 60, parts[-1]), flush=True)
            stored = sum(path.stat().st_size for path in container.data.iterdir()) / 1e6
            ended = one.process.poll() is not None
    memory = [part.resident[-1] for part in parts]
    growth = memory[-1] / memory[len(memory) // 3]
    failed = sum(sum(part.errors.values()) for part in parts)
    refused = sum(part.refused for part in parts)
    answered = sum(len(part.answered) for part in parts)
    print(
        f"{answered} answered, {refused} refused, {failed} failed; memory x{growth:.3f} since the first third; database {stored:.0f} MB"
    )
    return int(growth > MOST_GROWTH or failed > 0 or ended or refused > MOST_REFUSED_OF_HALF * answered)


if __name__ == "__main__":
    sys.exit(main())
