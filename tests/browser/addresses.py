"""Every kind of page that the service has, filled: where a test of all pages goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx2 as httpx

from tests.support.example import ACCELERATE, FACTS, TRAINING
from tests.support.nodes import node

if TYPE_CHECKING:
    from tests.support.service import Served

GOOD = TRAINING.replace("bf16: true", "bf16: false")
UNFOLD = "for (const one of document.querySelectorAll('details')) one.open = true"


def addresses(service: Served) -> dict[str, str]:
    """The paths, by what the page is of: of two checks, one fails, and of the other's machine nothing is known."""
    fails = _checked(service, {"training": TRAINING, "accelerate": ACCELERATE, "facts": json.dumps(FACTS)})
    other = _checked(service, {"training": GOOD, "accelerate": ACCELERATE})
    ids = "&".join(f"id={one.partition('?')[0].removeprefix('checks/')}" for one in (fails, other))
    odd = [
        node("gpu-007.cluster.example", facts={"driver": "550.54.15"}),
        node("gpu-009.cluster.example", verdict="fail", why=["GPU 3: no FP8 kernel ran"]),
        node("gpu-011.cluster.example", verdict="undecided", why=["no GPU was seen"]),
    ]
    for one in [*odd, *(node(f"gpu-{number:03}.cluster.example") for number in range(12, 42))]:
        assert service.post("/nodes/run-7", json=one).status_code == 200
    return {
        "form": "",
        "example": "?example=true",
        "fails": fails,
        "other": other,
        "list": "checks",
        "compared": f"compare?{ids}",
        "nodes": "nodes/run-7?expect=35",
        "problem": "problems/token",
    }


def _checked(service: Served, data: dict[str, str]) -> str:
    answer = httpx.post(service.url, data=data, timeout=60)
    assert answer.status_code == 303
    return answer.headers["location"].lstrip("/")
