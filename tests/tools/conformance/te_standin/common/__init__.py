"""What is common to the frameworks: here only the recipes."""

from __future__ import annotations

from . import recipe as recipe

__all__ = ["recipe"]
