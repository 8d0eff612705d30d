"""Simulated nodes: the documents that `fp8check node` would write on many alike machines, and on odd ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fp8check.cli.main import main
from fp8check.rules.checking.nodes import Folder
from fp8check.rules.nodes.fleet import fleet
from fp8check.rules.report.nodes import as_data
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fp8check.rules.nodes.fleet import Fleet

EXAMPLE = ROOT / "examples" / "llamafactory-qwen2.5-7b"
GPU = "NVIDIA H100 80GB HBM3"
CLOCKS = {"sm_mhz": 1980, "memory_mhz": 2619, "power_w": 700}


def facts(host: str, **changed: object) -> dict[str, Any]:
    """The facts of a node with eight H100s."""
    gpus = [
        {"index": place, "name": GPU, "compute_capability": "9.0", "memory_mib": 81559, "mig": False, **CLOCKS}
        for place in range(8)
    ]
    return {
        "schema": "fp8check/facts/1",
        "python": "3.11.7",
        "packages": {
            "torch": "2.8.0",
            "transformer_engine": "2.9.0",
            "accelerate": "1.11.0",
            "transformers": "5.6.0",
            "torchao": None,
        },
        "variables": {"NCCL_DEBUG": "WARN", "SLURMD_NODENAME": host},
        "gpus": gpus,
        "driver": "580.95.05",
        "cuda": {"torch": "12.8", "driver": "13.0"},
        "libraries": {"cudnn": "9.10.2", "nccl": "2.27.3", "cublas": "12.8.4.1"},
        "host": host,
        **changed,
    }


def seen(gpu: int, **changed: object) -> dict[str, Any]:
    """What a probe saw on one GPU: a little of it."""
    return {
        "gpu": str(gpu),
        "verdict": "pass",
        "why": [],
        "seen": {
            "ended": "done",
            "device": {"name": GPU},
            "layers": {"te": 14, "torchao": 0, "msamp": 0, "plain": 1, "total": 15},
            "recipe": {"class": "DelayedScaling", "amax_history_len": 16},
            "fp8_ms": {"ms": 20.0 + gpu / 100, "low": 19.9, "high": 20.4},
            "losses": [11.93, 11.92],
            "numerics": {"output": {"fp8": 0.041, "bf16": 0.003}},
            **changed,
        },
    }


# What a probe saw besides, of all that nodes are compared by.
MORE: dict[str, Any] = {
    "bf16_ms": {"ms": 24.0, "low": 23.8, "high": 24.1},
    "clocks": {"sm_mhz": 1980, "memory_mhz": 2619, "power_w": 640, "celsius": 51, "held_by": []},
    "built": {"layers": 2, "vocab": 32000, "rows": 4, "columns": 2048, "scaled": ["2 of 28 decoder layers"]},
    "collective": {"ranks": 8, "missing": [], "why": ""},
}


def node(host: str, **changed: object) -> dict[str, Any]:
    """A node that passes; `facts` in it is what differs of these."""
    differs = changed.pop("facts", {})
    assert isinstance(differs, dict)
    return {
        "schema": "fp8check/node/1",
        "host": host,
        "facts": facts(host, **differs),
        "report": None,
        "seen": [seen(gpu) for gpu in range(8)],
        "verdict": "pass",
        **changed,
    }


def write(folder: Path, nodes: Iterable[dict[str, Any]]) -> Path:
    """A file a node."""
    folder.mkdir(exist_ok=True)
    for one in nodes:
        (folder / f"{one['host']}.json").write_text(json.dumps(one))
    return folder


def hosts(count: int) -> list[str]:
    """So many names."""
    return [f"gpu{number:05}" for number in range(count)]


def answer(folder: Path) -> Fleet:
    """What is said of the nodes in a folder."""
    return fleet(Folder(str(folder)).merged())


def merged(folder: Path) -> dict[str, object]:
    """The same as JSON has it."""
    known = Folder(str(folder)).merged()
    return as_data(fleet(known), known)


def nodes_command(*words: object) -> int:
    """`fp8check nodes`, in this process."""
    return main(["nodes", *map(str, words)])
