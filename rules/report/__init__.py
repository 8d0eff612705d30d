"""Findings and outcome -> text, JSON."""

from __future__ import annotations

from fp8check.rules.report.verdict import Report, counts, examine

__all__ = ["Report", "counts", "examine"]
