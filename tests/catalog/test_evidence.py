"""The evidence of every rule resolves: to a file of a released wheel, an executed case, a measurement, or a thread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fp8check.rules.catalog import RULES
from tests.tools.catalog.evidence import Measured, Own, Ran, Source, parse
from tests.tools.conformance import edges

ROOT = Path(__file__).parents[2]
LINES = [pytest.param(line, id=f"{one.id}-{number}") for one in RULES for number, line in enumerate(one.evidence)]


def _looked_up() -> dict[str, bool]:
    path = ROOT / "docs/evidence/sources.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _executed() -> set[str]:
    path = ROOT / "docs/evidence/executed.jsonl"
    return {json.loads(line)["id"] for line in path.read_text().splitlines()} if path.exists() else set()


SOURCES = _looked_up()
EXECUTED = _executed()
CONFORMANCE = {case["id"] for case in edges.cases_by_hand()}


def test_every_rule_has_evidence() -> None:
    assert [one.id for one in RULES if not one.evidence] == []


@pytest.mark.parametrize("line", LINES)
def test_evidence_resolves(line: str) -> None:
    evidence = parse(line)
    if isinstance(evidence, Source):
        for release in evidence.releases:
            for text in (*evidence.present, *evidence.absent):
                key = f"{evidence.package} {release} {evidence.file} {text}"
                assert key in SOURCES, f"not looked up yet: make evidence ({key})"
                assert SOURCES[key] is (text in evidence.present), key
    elif isinstance(evidence, Ran):
        assert evidence.case in (CONFORMANCE if evidence.kind == "conformance" else EXECUTED)
    elif isinstance(evidence, Own):
        assert (ROOT / evidence.file).exists()
    elif isinstance(evidence, Measured):
        lines = (ROOT / evidence.file).read_text().splitlines()
        words = (evidence.case or "").split()
        assert any(all(word in line for word in words) for line in lines)
