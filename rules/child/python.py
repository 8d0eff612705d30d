"""Start an interpreter: one that trains, or this process's own, and never with the current folder on its path."""

from __future__ import annotations

import os

from fp8check.rules.child.environment import is_current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Before Python 3.11 the first entry, which is empty, cannot be kept off by an option. The folder that it means is new
# and empty (supervisor.py); it goes nevertheless, before anything is imported.
_FIRST = "import sys\nsys.path[:] = [one for one in sys.path if one]\n"
_AS_HERE = "import sys\nsys.path[:] = sys.argv.pop(1).split(sys.argv.pop(1))\n"


def training(python: str, code: str, *arguments: str) -> list[str]:
    """The words that run code in the interpreter that trains.

    Its path is what a script would have there: the packages of the environment, the user's own, and PYTHONPATH as far
    as environment.own lets it through. So `-I` is not used, which takes all but the first away.
    """
    return [python, "-c", _FIRST + code, *arguments]


def own(code: str, *arguments: str) -> list[str]:
    """The words that run code in this process's interpreter, where imports find what they find here."""
    import sys

    path = os.pathsep.join(import_path(sys.path))
    return [sys.executable, "-I", "-c", _AS_HERE + code, path, os.pathsep, *arguments]


def import_path(path: Sequence[str]) -> list[str]:
    """A path of imports without the current folder, by whatever name it is there, and without relative entries."""
    return [one for one in path if os.path.isabs(one) and not is_current(one)]
