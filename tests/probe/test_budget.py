"""The time that a probe has, by the first runs on machines that had nothing loaded (docs/evidence/h200-cold.jsonl)."""

from __future__ import annotations

import json

from fp8check.probe.process import Limits
from tests.support.paths import ROOT

PARTS = ("time", "numerics", "ragged", "bf16")  # in the order in which they are made


def test_the_first_run_on_a_cold_machine_is_whole_within_its_time() -> None:
    probes = [json.loads(line)["probe"] for line in (ROOT / "docs/evidence/h200-cold.jsonl").read_text().splitlines()]
    limits = Limits()
    assert limits.total == 60
    longest = dict.fromkeys(PARTS, 0.0)
    for seconds in (one["seconds"] for one in probes):
        made = [name for name in PARTS if name in seconds]
        for name, after in zip(made, [*made[1:], "total"], strict=True):
            longest[name] = max(longest[name], seconds[after] - seconds[name])
    cut = [one for one in probes if one["left_out"]]
    assert cut, "with less time some of them were not whole"
    for one in cut:
        at = one["seconds"]["total"] - one["seconds"]["imports"]
        last = sum(longest[name] for name in one["left_out"] if name != "bf16")
        assert at + last < 0.6 * limits.after_imports, "BF16 is still entered"
        assert at + last + longest["bf16"] < limits.after_imports
        assert one["seconds"]["total"] + last + longest["bf16"] < limits.total
