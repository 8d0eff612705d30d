"""The way back to the parent: one JSON object a line."""

from __future__ import annotations

import json
import os
import time
from typing import Any

LONGEST_TEXT = 2000


class Channel:
    """Tells the parent what is being done and what was seen.

    Attributes:
        stage: where the probe is; an exception is reported with it.
        budget: seconds that the parent gives: `total`, and `after_imports`.
    """

    def __init__(self, descriptor: int) -> None:
        self._out = os.fdopen(descriptor, "w", encoding="utf-8")
        self._began = time.monotonic()
        self.stage = "start"
        self.budget = {"total": 60.0, "after_imports": 35.0}
        self._imported: float | None = None

    def enter(self, stage: str) -> None:
        """Say which stage begins: import, load, device, accelerator, build and so on, as main.probe() goes on."""
        self.stage = stage
        if stage == "device":
            self._imported = time.monotonic()
        self._write({"stage": stage, "seconds": round(time.monotonic() - self._began, 3)})

    def may_enter(self, stage: str) -> bool:
        """Enter a stage if enough time is left, the first use of a kernel included; else tell that it was left out."""
        now = time.monotonic()
        since = now - (self._imported or self._began)
        if since > 0.6 * self.budget["after_imports"] or now - self._began > 0.9 * self.budget["total"]:
            self._write({"left_out": stage})
            return False
        self.enter(stage)
        return True

    def saw(self, **facts: Any) -> None:
        """Tell what was seen, by name; it is written at once."""
        self._write({"saw": facts})

    def failed(self, error: BaseException) -> None:
        """Tell of the exception that ends the probe."""
        self._write({"error": described(self.stage, error)})

    def done(self) -> None:
        """Tell that the probe went through all its stages."""
        self._write({"done": True, "seconds": round(time.monotonic() - self._began, 3)})

    def _write(self, event: dict[str, Any]) -> None:
        self._out.write(json.dumps(event, default=str) + "\n")
        self._out.flush()


def described(stage: str, error: BaseException) -> dict[str, Any]:
    """An exception as plain data: the stage, its class and its text, which is cut."""
    return {"stage": stage, "type": type(error).__name__, "message": str(error)[:LONGEST_TEXT]}
