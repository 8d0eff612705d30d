"""The rules: look at the run and its outcome, yield what they find."""

from __future__ import annotations

from fp8check.rules.catalog.context import Asked, Context
from fp8check.rules.catalog.engine import Crash, Finding, Open, Result, check, ordered
from fp8check.rules.catalog.registry import LAST_RESORT, RULES, find
from fp8check.rules.catalog.rule import ERROR, INFO, WARNING, Found, Related, Rule, rule

__all__ = [
    "ERROR",
    "INFO",
    "LAST_RESORT",
    "RULES",
    "WARNING",
    "Asked",
    "Context",
    "Crash",
    "Finding",
    "Found",
    "Open",
    "Related",
    "Result",
    "Rule",
    "check",
    "find",
    "ordered",
    "rule",
]
