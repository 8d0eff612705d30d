"""Every rule against its case file: runs in which it must be found, near misses, and runs that leave it undecided.

A case file has the lists `found`, `not found` and `undecided`. A case has a name and what its run is made of:
`training`, `accelerate` (file contents), `trainer`, `launch`, `stack` (package versions; what is not named is absent;
`unknown` for nothing known), `variables`, `gpu` (a compute capability, `none` or `unknown`), `cuda`, `libraries`,
`transformer_engine`, `model` (a config.json), `evidence` (what a probe saw, rules/evidence/data.py). It may say where it is found (`at`), how often (`times`), and the `help`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fp8check.rules.catalog import RULES
from tests.runs import report_of

CASES = Path(__file__).parent / "cases"
FILES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CASES.glob("*.yaml"))}


def _cases(kind: str) -> list[object]:
    return [
        pytest.param(rule, case, id=f"{rule}-{case['name']}")
        for rule, file in FILES.items()
        for case in file.get(kind, [])
    ]


def test_every_rule_has_a_case_file_with_both_answers() -> None:
    assert sorted(FILES) == sorted(one.id for one in RULES)
    assert all(file["found"] and file["not found"] for file in FILES.values())


@pytest.mark.parametrize(("rule", "case"), _cases("found"))
def test_found(rule: str, case: dict[str, object]) -> None:
    report = report_of(case, only=rule)
    found = [one for one in report.findings if one.rule == rule]
    assert found, f"not found; the outcome is {report.outcome.error or report.outcome.fp8_layers}"
    assert len(found) == case.get("times", len(found))
    if "at" in case:
        assert str(found[0].span) == case["at"]
    if "help" in case:
        assert found[0].help == case["help"]
    assert found[0].message
    assert not found[0].message.endswith(".")


@pytest.mark.parametrize(("rule", "case"), _cases("not found"))
def test_not_found(rule: str, case: dict[str, object]) -> None:
    report = report_of(case, only=rule)
    assert [one.message for one in report.findings if one.rule == rule] == []
    assert rule not in [one.rule for one in report.undecided]
    assert report.crashes == ()


@pytest.mark.parametrize(("rule", "case"), _cases("undecided"))
def test_undecided(rule: str, case: dict[str, object]) -> None:
    report = report_of(case, only=rule)
    assert [one.rule for one in report.undecided] == [rule]
    assert report.undecided[0].command
    assert report.verdict in ("undecided", "fail", "warn")
