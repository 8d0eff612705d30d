"""The one exception of this folder."""

from __future__ import annotations


class Unfixable(Exception):
    """A fix that cannot be made in this file; `str()` says why, for people."""
