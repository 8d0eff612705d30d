"""Real configuration files: no crash, and nothing but what has been reviewed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from fp8check.rules.suppression.examined import Examined
from tests.tools.corpus import MACHINES, findings, reports
from tests.tools.corpus_review import REVIEWED

CORPUS = Path(__file__).parents[2] / "shared/corpus"
KNOWN = yaml.safe_load(REVIEWED.read_text())


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not part of the project")
@pytest.mark.parametrize("machine", MACHINES)
def test_findings_are_those_that_were_reviewed(machine: str) -> None:
    results = reports(CORPUS, MACHINES[machine])
    assert len(results) >= 160
    assert [name for name, one in results.items() if isinstance(one, Examined) and one.crashes] == []
    assert findings(results) == {rule: entry["found"] for rule, entry in KNOWN[machine].items()}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_kind_of_finding_has_its_reason(machine: str) -> None:
    assert [rule for rule, entry in KNOWN[machine].items() if not entry["why"]] == []
