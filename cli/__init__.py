"""The command `fp8check`."""

from __future__ import annotations

from fp8check.cli.main import main, run

__all__ = ["main", "run"]
