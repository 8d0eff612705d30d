"""The form of a case and of what was observed: one JSON object a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Launch(TypedDict):
    """How the run is started: `with` is accelerate, python or torchrun; `config_via` is flag, default or None."""

    args: list[str]
    config_via: str | None
    processes: int


class Error(TypedDict):
    """Where a run ended: launch, arguments, trainer, accelerator, prepare or step."""

    stage: str
    type: str
    message: str


class Observed(TypedDict, total=False):
    """What the packages did; None where the run ended before it could be seen."""

    started: bool
    error: Error | None
    mixed_precision: str | None
    fp8_enabled: bool | None
    backend: str | None
    distributed_type: str | None
    recipe: dict[str, Any] | None
    linears: dict[str, int] | None
    fp8_linears_run: int | None
    fp8_linears_also_high_precision: int | None
    trainable: dict[str, int] | None
    checkpointing: bool | None
    tied: dict[str, bool] | None
    moved: dict[str, int] | None


# "with" is a keyword, so a case is a plain mapping here and Launch names the rest of that part.
Case = dict[str, Any]
"""id, stack, trainer, launch, accelerate_config, training, deepspeed, script, variables, model, gpu, observed."""


def read(path: Path) -> Iterator[Case]:
    """The cases of a file, one a line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def line(case: Case) -> str:
    """A case as its line, without the line end."""
    return json.dumps(case, ensure_ascii=False, separators=(", ", ": "))


def new(
    identity: str,
    stack: dict[str, str],
    trainer: str = "script",
    *,
    launch: str = "accelerate",
    args: Iterable[str] = (),
    config_via: str | None = None,
    processes: int = 1,
    **parts: Any,
) -> Case:
    """A case with everything unsaid at its plainest: one process, one H200, the standard model."""
    accelerate = parts.get("accelerate_config")
    via = config_via or ("flag" if accelerate is not None else None)
    return {
        "id": identity,
        "stack": stack,
        "trainer": trainer,
        "launch": {"with": launch, "args": list(args), "config_via": via, "processes": processes},
        "accelerate_config": accelerate,
        "training": parts.get("training") or {},
        "script": parts.get("script"),
        "variables": parts.get("variables") or {},
        "model": parts.get("model"),
        "gpu": {"compute_capability": parts.get("compute_capability", "9.0")},
    }
