"""What a check of two files costs: the command beside yamllint, and the check itself beside PyYAML's C loader.

python -m tests.tools.bench TRAINING ACCELERATE FACTS --clean TRAINING ACCELERATE

The first figures are a process's whole CPU time, start-up and all: of a pair without errors, and of one with errors, at
whose end stands what to do. The next are those of one warm process that reads both
files of each pair, checks them and renders the text, against `yaml.load` of both texts; the facts are read before. Rounds of both
sides take turns, so that a busy machine slows both, and the limits hold for the ratio of the medians. The last is a
shell script with 50 launch lines, whose limit is in seconds.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from fp8check.rules.checking.api import check
from fp8check.rules.facts import Facts, load
from fp8check.rules.releases.versions import NEWEST
from tests.support.reports import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUNDS = 25
CALLS = 20  # of the check in a round
# The limits, as shares of the other side's CPU time.
OF_YAMLLINT = 0.70
FAILING = 1.4  # of a pair with errors
OF_PYYAML = 20.0
FAILING_OF_PYYAML = 60.0  # each help is done to a copy and judged, and so is what stands behind the errors
LINES = 50  # of a shell script that start a training each
SECONDS = 0.5  # for all of them, start-up and all


def process_seconds(command: list[str]) -> float:
    """User and system time that one run of the command takes."""
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(os.devnull, "w") as nowhere:
        subprocess.run(command, stdout=nowhere, stderr=nowhere, check=False, env=compiled)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def call_seconds(call: Callable[[], object]) -> float:
    """CPU time of one call among many, in this process."""
    gc.collect()
    begin = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - begin) / CALLS


def compared(sides: Mapping[str, Callable[[], float]]) -> float:
    """Measure both sides in turns, print what each took, and return the ratio of their medians."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for measure in sides.values():
        measure()  # warm the file cache, the compiled modules and the caches of the check
    for _ in range(ROUNDS):
        for name, measure in sides.items():
            taken[name].append(1000 * measure())
    for name, values in taken.items():
        print(f"{name:22} {statistics.median(values):7.2f} ms CPU (median of {ROUNDS}; min {min(values):.2f})")
    ours, other = taken.values()
    ratio = statistics.median(ours) / statistics.median(other)
    print(f"{'ratio':22} {ratio:7.2f}    (of the least times {min(ours) / min(other):.2f})")
    return ratio


def command(files: list[str]) -> float:
    """The command beside yamllint, on the same files."""
    folder = Path(sys.executable).parent
    ours, other = [str(folder / "fp8check"), *files], [str(folder / "yamllint"), *files]
    return compared({"fp8check": lambda: process_seconds(ours), "yamllint": lambda: process_seconds(other)})


def in_process(files: list[str], facts: Facts) -> float:
    """The check in this process beside PyYAML's C loader, on the same files."""

    def ours() -> object:
        return [text_of(report) for report in check(*files, facts=facts).reports]

    texts = [Path(name).read_text("utf-8") for name in files]

    def other() -> object:
        return [yaml.load(one, yaml.CSafeLoader) for one in texts]

    return compared({"check": lambda: call_seconds(ours), "yaml.load, C": lambda: call_seconds(other)})


def shell_script(accelerate: str) -> float:
    """Seconds of CPU time for a shell script with many launch lines."""
    path = Path(accelerate).resolve()
    line = (
        f"accelerate launch --config_file {path} \\\n  --mixed_precision $P train.py --bf16 True --learning_rate 1e-5"
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "run.sh")
        text = "".join(f"{line} --output_dir out{number}\n" for number in range(LINES))
        script.write_text(f"#!/bin/bash\nP=fp8\n{text}", "utf-8")
        Path(folder, "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n", "utf-8")
        ours = [str(Path(sys.executable).parent / "fp8check"), str(script), "--no-environment"]
        seconds = statistics.median(process_seconds(ours) for _ in range(5))
    print(f"{LINES} launch lines        {1000 * seconds:7.2f} ms CPU (median of 5; at most {1000 * SECONDS:.0f})")
    return seconds


def main() -> int:
    """Print all figures; 1 where one is over its limit."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("files", nargs=2)
    options.add_argument("facts")
    options.add_argument("--clean", nargs=2, required=True, help="a pair without errors")
    given = options.parse_args()
    kept = True
    known = load(given.facts)
    today = known._replace(packages={**(known.packages or {}), "accelerate": NEWEST["accelerate"]})
    pairs = ((command(given.clean), OF_YAMLLINT), (command(given.files), FAILING))
    inside = ((in_process(given.clean, today), OF_PYYAML), (in_process(given.files, known), FAILING_OF_PYYAML))
    for ratio, limit in (*pairs, *inside):
        kept = kept and ratio <= limit
    kept = shell_script(given.files[1]) <= SECONDS and kept
    print(
        f"at most {OF_YAMLLINT} of yamllint ({FAILING} where a pair fails) and {OF_PYYAML} of PyYAML "
        f"({FAILING_OF_PYYAML}): {'kept' if kept else 'not kept'}"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
