"""Recorded probes as `fp8check probe` prints them.

python -m tests.tools.gpu.show FILE.jsonl NAME ...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.report.seen import page
from fp8check.rules.seen import from_data
from tests.support.reports import text_of
from tests.support.runs import assembled_of


def main() -> int:
    """Print the named records."""
    records = {record["id"]: record for record in map(json.loads, Path(sys.argv[1]).read_text().splitlines())}
    rules = [one for one in RULES if one.id.startswith("FP8")]
    for name in sys.argv[2:]:
        record = records[name]
        case = {key: yaml.safe_dump(record[key], sort_keys=False) for key in ("training", "accelerate")}
        one, seen = assembled_of(case), from_data(record["probe"])
        report = examine(one.run, one.documents, rules, seen)
        print(f"$ fp8check probe train.yaml accel.yaml    # {name}")
        print("".join(f"    {line}\n" for line in case["accelerate"].splitlines()))
        print(text_of(report, quiet=True) + page(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
