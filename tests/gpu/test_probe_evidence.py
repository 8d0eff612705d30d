"""The probes that an NVIDIA H200 recorded, put before the rules again: they still say what they have to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fp8check.rules.evidence import gemms
from fp8check.rules.evidence.data import from_data
from fp8check.rules.report.json_ import as_data
from tests.gpu.expected import ALL_THREE, EXPECTED, differences
from tests.runs import report_of

EVIDENCE = Path(__file__).parent.parent.parent / "docs" / "evidence"
RECORDS: dict[str, dict[str, Any]] = {
    record["id"]: record
    for name in ("h200-probe.jsonl", "h200-faults.jsonl")
    for record in map(json.loads, (EVIDENCE / name).read_text().splitlines())
}


def said_today(record: dict[str, Any]) -> dict[str, Any]:
    """What the rules say of that evidence now."""
    case = {key: yaml.safe_dump(record[key], sort_keys=False) for key in ("training", "accelerate")}
    data = as_data(report_of({**case, "evidence": record["probe"]}))
    for part in ("findings", "undecided"):
        data[part] = [one for one in data[part] if one["rule"].startswith("FP8")]  # type: ignore[union-attr]
    return data


def test_every_case_was_recorded() -> None:
    assert set(RECORDS) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_rules_still_say_it(name: str) -> None:
    assert differences(name, said_today(RECORDS[name])) == []


@pytest.mark.parametrize("name", ["te", "ao-gather-off"])
def test_both_backends_show_the_kernels_of_all_three_gemms_in_time(name: str) -> None:
    evidence = from_data(RECORDS[name]["probe"])
    kinds = gemms(evidence)
    assert kinds is not None
    assert set(kinds) == ALL_THREE
    assert all(kind.fp8 and kind.names for kind in kinds.values())
    assert evidence.seconds is not None
    assert evidence.seconds["total"] - evidence.seconds["imports"] <= 15
