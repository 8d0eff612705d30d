"""A stand-in for MS-AMP, which no registry carries: `initialize` gives back what it got."""

from __future__ import annotations

from typing import Any


def initialize(model: Any, optimizer: Any, opt_level: str = "O2", **_others: Any) -> tuple[Any, Any]:
    """Take model and optimizer as MS-AMP does, and change neither; `opt_level` is not looked at."""
    del opt_level
    return model, optimizer
