"""What a probe or a watched run saw: its data, and what its numbers mean. No torch here."""

from __future__ import annotations

from fp8check.rules.seen.bounds import Bounds, bounds
from fp8check.rules.seen.data import Seen
from fp8check.rules.seen.kernels import Gemms, gemms
from fp8check.rules.seen.loading import from_data

__all__ = ["Bounds", "Gemms", "Seen", "bounds", "from_data", "gemms"]
