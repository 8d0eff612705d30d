"""Findings and outcome -> text, JSON."""

from __future__ import annotations

from fp8check.rules.report.verdict import Report, compared, counts, examine, examine_all

__all__ = ["Report", "compared", "counts", "examine", "examine_all"]
