"""What was predicted of runs of real trainers, beside what they took.

python -m tests.tools.gpu.compare_peaks REAL.jsonl
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

from tests.support.peaks import predicted_gib


def main() -> int:
    """Print a line a run, and the errors."""
    found = []
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        case, seen = json.loads(line)["case"], json.loads(line)["seen"]
        if "error" in seen:
            print(f"{case['name']:5} {seen['error']}")
            continue
        peak, said = max(seen["peaks"]) / 2**30, predicted_gib(case)
        if said is None:
            print(f"{case['name']:5} {peak:6.2f} GiB, nothing was said")
            continue
        found.append(abs(said / peak - 1))
        print(f"{case['name']:5} {said:6.2f} {peak:6.2f} GiB {said / peak - 1:+.1%}")
    print(f"{len(found)} runs: median {median(found):.1%}, worst {max(found):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
