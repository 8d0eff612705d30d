"""The rules: look at the run and its outcome, yield what they find."""

from __future__ import annotations

from fp8check.rules.catalog.registry import RULES, find

__all__ = ["RULES", "find"]
