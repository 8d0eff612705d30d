"""The probes that an NVIDIA H200 and an H100 recorded, put before the rules again: they still say what they have to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.report.build import full_report
from fp8check.rules.report.schema import as_data
from fp8check.rules.seen import from_data, gemms
from fp8check.rules.seen.data import ENDS
from tests.support.runs import assembled_of, report_of
from tests.tools.gpu.expected import ALL_THREE, EXPECTED, differences

EVIDENCE = Path(__file__).parent.parent.parent / "docs" / "evidence"


def recorded(gpu: str) -> dict[str, dict[str, Any]]:
    """What that GPU recorded, by the cases' names."""
    lines = [
        line for part in ("probe", "faults") for line in (EVIDENCE / f"{gpu}-{part}.jsonl").read_text().splitlines()
    ]
    return {record["id"]: record for record in map(json.loads, lines)}


RECORDS = recorded("h200")
ON_H100 = recorded("h100")


def said_today(record: dict[str, Any]) -> dict[str, Any]:
    """What the rules say of that evidence now."""
    case = {key: yaml.safe_dump(record[key], sort_keys=False) for key in ("training", "accelerate")}
    data = as_data(full_report(report_of({**case, "seen": record["probe"]})))
    for part in ("findings", "undecided"):
        data[part] = [one for one in data[part] if one["rule"].startswith("FP8")]  # type: ignore[union-attr]
    return data


def test_every_case_was_recorded() -> None:
    assert set(RECORDS) == set(ON_H100) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_rules_still_say_it_of_an_h100(name: str) -> None:
    assert differences(name, {**ON_H100[name], **said_today(ON_H100[name])}) == []


@pytest.mark.parametrize("name", EXPECTED)
def test_rules_still_say_it(name: str) -> None:
    assert differences(name, said_today(RECORDS[name])) == []


@pytest.mark.parametrize("name", ["te", "ao-gather-off"])
def test_both_backends_show_the_kernels_of_all_three_gemms_in_time(name: str) -> None:
    seen = from_data(RECORDS[name]["probe"])
    kinds = gemms(seen)
    assert kinds is not None
    assert set(kinds) == ALL_THREE
    assert all(kind.fp8 and kind.names for kind in kinds.values())
    assert seen.seconds is not None
    assert seen.seconds.total is not None
    assert seen.seconds.imports is not None
    assert seen.seconds.total - seen.seconds.imports <= 15


# The record of a run in which nothing is wrong, and everything that has to be seen for that to be said.
HEALTHY = RECORDS["ao-compiled"]
NEEDED = (
    "accelerator",
    "bf16_ms",
    "built",
    "device",
    "fp8_ms",
    "gradients",
    "kernels",
    "layers",
    "losses",
    "moved",
    "numerics",
    "optimizer",
    "parameters",
)


def verdict(probe: dict[str, Any]) -> str:
    """What the FP8xx rules alone come to."""
    case = {key: yaml.safe_dump(HEALTHY[key], sort_keys=False) for key in ("training", "accelerate")}
    one = assembled_of(case)
    rules = [rule for rule in RULES if rule.id.startswith("FP8")]
    report = examine(one.run, one.documents, rules, from_data(probe))
    assert report.crashes == ()
    return report.verdict


def test_a_healthy_run_passes() -> None:
    assert verdict(HEALTHY["probe"]) == "pass"


@pytest.mark.parametrize("name", NEEDED)
def test_without_any_one_part_it_does_not(name: str) -> None:
    assert verdict({**HEALTHY["probe"], name: None}) == "undecided"


@given(st.sets(st.sampled_from(sorted(HEALTHY["probe"]))), st.sampled_from(ENDS))
def test_whatever_is_missing_no_rule_crashes_and_nothing_passes_by_it(missing: set[str], ended: str) -> None:
    probe = {name: value for name, value in HEALTHY["probe"].items() if name not in missing}
    said = verdict({**probe, "ended": ended})
    if missing & set(NEEDED) or ended != "done":
        assert said != "pass"


@pytest.mark.parametrize("stage", ["time", "numerics", "ragged", "bf16"])
def test_a_stage_that_was_left_out_is_undecided(stage: str) -> None:
    gone = {"time": "fp8_ms", "numerics": "numerics", "ragged": "ragged", "bf16": "bf16_ms"}[stage]
    assert verdict({**HEALTHY["probe"], gone: None, "left_out": [stage]}) == "undecided"
