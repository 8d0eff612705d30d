"""What a rule is, what it looks at, and how rules are run. This is what a plug-in imports."""

from __future__ import annotations

from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, Related, Rule, rule
from fp8check.rules.settings.values import Undecided

__all__ = ["ERROR", "INFO", "WARNING", "Found", "Related", "Rule", "Undecided", "rule"]
