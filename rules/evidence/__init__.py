"""What the probe saw: the data that its child process tells, and what its numbers mean. No torch here."""

from __future__ import annotations

from fp8check.rules.evidence.bounds import Bounds, bounds
from fp8check.rules.evidence.data import Evidence
from fp8check.rules.evidence.kernels import Gemms, gemms

__all__ = ["Bounds", "Evidence", "Gemms", "bounds", "gemms"]
