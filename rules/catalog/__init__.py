"""The rules: look at the run and its outcome, yield what they find."""

from __future__ import annotations

from fp8check.rules.catalog.context import Asked, Context
from fp8check.rules.catalog.engine import Crash, Finding, Open, Result, check
from fp8check.rules.catalog.registry import LAST_RESORT, RULES, find
from fp8check.rules.catalog.rule import Found, Related, Rule, rule

__all__ = [
    "LAST_RESORT",
    "RULES",
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
    "rule",
]
