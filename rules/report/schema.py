"""The schema of a report: fp8check/report/1."""

from __future__ import annotations

SCHEMA = "fp8check/report/1"
DOCS = "https://fp8check.readthedocs.io/rules/"
