"""What is predicted of the runs of worth_cases.py, or of series_cases.py, before they run.

python -m tests.tools.gpu.worth_predicted > docs/evidence/worth-predicted.json
python -m tests.tools.gpu.worth_predicted series [H200] > docs/evidence/series-predicted.json

Without the name of a GPU: for an H100.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from fp8check.rules.outcome.speed import speed_of
from tests.support.peaks import H100, H200, outcome_of_case, predicted_gib
from tests.tools.gpu.series_cases import groups
from tests.tools.gpu.worth_cases import runs


def main() -> int:
    """Predict."""
    told: dict[str, dict[str, Any]] = {}
    series = [one for _, cases in groups() for one in cases]
    gpu = H200 if "H200" in sys.argv[1:] else H100
    for one in series if "series" in sys.argv[1:] else [one for _, one in runs()]:
        if one["trainer"] == "own":  # what its script says is not read there
            told[one["name"]] = {"gib": None}
            continue
        outcome = outcome_of_case(one, gpu)
        speed = speed_of(outcome)
        told[one["name"]] = {
            "gib": predicted_gib(one),
            "trains_in_fp8": outcome.trains_in_fp8,
            "speedup": None if speed is None else round(speed.predicted, 3),
            "range": None if speed is None else [round(speed.low, 3), round(speed.high, 3)],
            "ends": None if outcome.error is None else outcome.error.type,
        }
    json.dump(told, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
