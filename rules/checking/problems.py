"""What is wrong with a request: nothing can be checked, and whoever asked can do something about it."""

from __future__ import annotations

from fp8check.rules.input_error import InputError


class WrongFiles(InputError):
    """Files that do not make up a run: two Accelerate files, or one that is neither kind."""


class UnknownRule(InputError):
    """A rule, a group or a plug-in is named that does not exist."""
