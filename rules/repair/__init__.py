"""What is to be done about findings, done to copies first."""

from __future__ import annotations

from fp8check.rules.repair.apply import Fixed, Refusal, edited, fix_all

__all__ = ["Fixed", "Refusal", "edited", "fix_all"]
