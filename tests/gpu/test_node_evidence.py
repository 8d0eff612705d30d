"""What two GPUs showed, judged by the code as it is now: the one that was made slow or wrong is named, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fp8check.rules.nodes.digest import digest
from fp8check.rules.nodes.document import SCHEMA as NODE
from fp8check.rules.nodes.document import from_data
from fp8check.rules.nodes.fleet import fleet
from fp8check.rules.nodes.merged import Merged
from tests.support.nodes import facts
from tests.tools.score import load

EVIDENCE = Path(__file__).parent.parent.parent / "docs" / "evidence"
RECORDED = {one["name"]: one for one in load(EVIDENCE / "nodes-h200.jsonl")}
AGAIN = {one["name"]: one for one in load(EVIDENCE / "nodes-h200-again.jsonl")}
BOTH = {"first": RECORDED, "again": AGAIN}
# By the fault: the GPUs that are named. Of two that come to other losses, where nothing was compared with FP32, nobody
# knows which one is right.
NAMED = {"": set(), "te-wrong-output": {"1"}, "busy": {"1"}, "lost-in-collective": {"1"}, "wrong-output": {"0", "1"}}


def gpus_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What each GPU of a record told, whether a node said it or its ranks."""
    return [gpu for name, told in record["told"].items() if name.endswith(".json") for gpu in told.get("gpus", ())]


PROBED = [
    pytest.param(one, id=f"{day}-{name}") for day, found in BOTH.items() for name, one in found.items() if gpus_of(one)
]


@pytest.mark.parametrize("record", PROBED)
def test_who_is_named(record: dict[str, Any]) -> None:
    known = Merged()
    for gpu in gpus_of(record):
        # As a node that tells what was measured, and none of what was said of it then.
        host = f"gpu{gpu['gpu']}"
        verdict = "fail" if gpu["seen"].get("collective", {}).get("why") else "pass"
        seen = [{**gpu, "verdict": verdict, "why": []}]
        data = {"schema": NODE, "host": host, "facts": facts("n"), "report": None, "seen": seen, "verdict": "pass"}
        known.add(digest(from_data(data)))
    answer = fleet(known)
    named = {host.removeprefix("gpu") for one in answer.drift for other in one.others for host in other.hosts}
    named |= {host.removeprefix("gpu") for host in answer.failing}
    assert named == NAMED[record["fault"]]


@pytest.mark.parametrize("found", BOTH.values(), ids=BOTH)
def test_what_was_measured_is_what_is_promised(found: dict[str, Any]) -> None:
    assert found["node-without-probe"]["seconds"] < 2
    assert found["node-te-cold"]["seconds"] < 60
    for name in ("node-te-cold", "node-te", "node-ao-fsdp2"):
        assert [gpu["seen"]["collective"] for gpu in gpus_of(found[name])] == [
            {"ranks": 2, "missing": [], "why": ""}
        ] * 2
    (gpu, other) = found["facts"]["told"]["facts"]["gpus"]
    assert (gpu["sm_mhz"], gpu["memory_mhz"], gpu["power_w"]) == (1980, 3201, 700)
    assert {**gpu, "index": 1} == other
