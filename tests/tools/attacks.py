"""Try every known attack and print what became of it: `make attacks`."""

from __future__ import annotations

import os
import sys
from collections import defaultdict

import pytest

from tests.attacks.lines import LINES


class Outcomes:
    """A pytest plug-in that keeps how the tests of each line ended."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            for name, value in report.user_properties:
                if name == "attack":
                    self.of[str(value)].append(report.outcome)


def main() -> int:
    """Print a line an attack. Exit code 1 where one succeeds, or was not tried."""
    outcomes = Outcomes()
    quiet = ["-q", "--no-header", "--tb=no" if os.environ.get("FP8CHECK_ATTACKED") else "--tb=short"]
    pytest.main([*quiet, "tests/attacks", *sys.argv[1:]], plugins=[outcomes])
    bad = 0
    for line, words in LINES.items():
        ended = outcomes.of.get(line, [])
        failed = ended.count("failed")
        passed = ended.count("passed")
        state = "NOT TRIED" if not failed + passed else f"SUCCEEDS ({failed} of {len(ended)})" if failed else "held"
        bad += state != "held"
        print(f"{line:4} {state:20} {passed:3} tests  {words}")
    print(f"{len(LINES) - bad} of {len(LINES)} hold")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
