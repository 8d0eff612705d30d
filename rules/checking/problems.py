"""What is wrong with a request: nothing can be checked, and whoever asked can do something about it."""

from __future__ import annotations

from fp8check.rules.facts import BadFacts
from fp8check.rules.reading import Unreadable
from fp8check.rules.suppression.baseline import BadBaseline


class Problem(ValueError):
    """A request that cannot be understood; `str()` says why."""


class WrongFiles(Problem):
    """Files that do not make up a run: two Accelerate files, or one that is neither kind."""


class UnknownRule(Problem):
    """A rule, a group or a plug-in is named that does not exist."""


PROBLEMS = (Problem, Unreadable, BadFacts, BadBaseline)
