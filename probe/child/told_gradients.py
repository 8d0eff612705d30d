"""What Transformer Engine tells of the gradients that it casts to FP8, where the program has it tell that.

It does so by nvdlfw-inspect, with the feature LogFp8TensorStats: `underflows%` of a tensor are the elements that became
zeros and were none, `overflows%` those that did not fit. Each value goes to all loggers of that package, and during a
look this is one of them. Nothing is switched on that the program has not switched on: it would compute otherwise.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import sys
from typing import Any

API, LOGGING = "nvdlfw_inspect.api", "nvdlfw_inspect.logging"
# LAYER_gradient_STAT, with the recipe before the stat where the program named one.
NAME = re.compile(r"(.+)_gradient_(?:([a-z0-9_]+)_)?(underflows|overflows)%")
STATS = {"underflows": "zeros", "overflows": "saturated"}
# Stats may be of a recipe that the run does not have, to see what it would do.
RECIPES = {
    "DelayedScaling": "fp8_delayed_scaling",
    "Float8CurrentScaling": "fp8_current_scaling",
    "MXFP8BlockScaling": "mxfp8",
    "Float8BlockScaling": "fp8_block_scaling",
}


class Listener:
    """One of the loggers of nvdlfw-inspect."""

    def __init__(self) -> None:
        self._shares: dict[tuple[str | None, str], dict[str, float]] = {}

    def listen(self) -> None:
        """Be one of them, if the program has them."""
        loggers = _loggers()
        if loggers is not None and not any(logger is self for logger in loggers):
            loggers.append(self)

    def leave(self) -> None:
        """Be none of them any more."""
        loggers = _loggers()
        if loggers is not None:
            loggers[:] = [logger for logger in loggers if logger is not self]

    def log_scalar(self, name: str, value: Any, _iteration: int, **_: Any) -> None:
        """Take a value, if it is one of these; the last one of a layer counts."""
        with contextlib.suppress(Exception):  # it is called by the program, which is not to learn of it
            found = NAME.fullmatch(name)
            if found is not None:
                layer, recipe, stat = found.groups()
                self._shares.setdefault((recipe, STATS[stat]), {})[layer] = float(value) / 100

    def told(self, recipe: str | None) -> dict[str, Any] | None:
        """The shares of zeros and of saturated elements: of the median layer, and of the worst, with its name."""
        kinds: dict[str, dict[str, float]] = {}
        for (named, kind), shares in self._shares.items():
            if named is None or named == RECIPES.get(recipe or ""):
                kinds.setdefault(kind, {}).update(shares)
        if not kinds:
            return None
        return {kind: _summed_up(kinds[kind]) if kind in kinds else None for kind in STATS.values()}


def _summed_up(shares: dict[str, float]) -> dict[str, Any]:
    worst = max(shares, key=lambda name: shares[name])
    median = statistics.median(shares.values())
    return {"layers": len(shares), "median": round(median, 6), "worst": round(shares[worst], 6), "name": worst}


def _loggers() -> list[Any] | None:
    """The list of them, once the program has set the package up: before that it looks whether there are any yet."""
    if getattr(sys.modules.get(API), "DEBUG_MANAGER", None) is None:
        return None
    loggers = getattr(getattr(sys.modules.get(LOGGING), "MetricLogger", None), "enabled_loggers", None)
    return loggers if isinstance(loggers, list) else None
