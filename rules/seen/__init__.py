"""What the probe saw: the data that its child process tells, and what its numbers mean. No torch here."""

from __future__ import annotations

from fp8check.rules.seen.bounds import Bounds, bounds
from fp8check.rules.seen.data import Seen
from fp8check.rules.seen.kernels import Gemms, gemms

__all__ = ["Bounds", "Gemms", "Seen", "bounds", "gemms"]
