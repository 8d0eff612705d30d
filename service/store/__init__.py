"""Stored checks and jobs: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

from fp8check.service.store.store import Store, Stored, Unavailable
from fp8check.service.store.writer import NewCheck

__all__ = ["NewCheck", "Store", "Stored", "Unavailable"]
