"""Findings with a fix -> new text of the files: bytes outside the edited entries stay as they are."""

from __future__ import annotations

from fp8check.rules.fixing.apply import Fixed, Refusal, edited, fix_all
from fp8check.rules.fixing.edits import TextEdit, text_edits
from fp8check.rules.fixing.unfixable import Unfixable

__all__ = ["Fixed", "Refusal", "TextEdit", "Unfixable", "edited", "fix_all", "text_edits"]
