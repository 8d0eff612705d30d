"""What installed packages offer, by entry point; what only lies in the current folder is not installed."""

from __future__ import annotations

import os

from fp8check.rules.child.environment import is_current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint


def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
    """The entry points of a group, of packages that somebody has installed.

    Metadata in the current folder, or in one below it that only PYTHONPATH names, is part of a checkout: whoever can
    commit a file could offer something there. A virtual environment in a checkout is no such folder.
    """
    from importlib.metadata import entry_points as found

    points = found(group=group) if name is None else found(group=group, name=name)
    return [one for one in points if _is_installed(getattr(one, "dist", None))]


def _is_installed(dist: Distribution | None) -> bool:
    if dist is None:
        return True
    folder = str(dist.locate_file(""))
    if not os.path.isabs(folder) or is_current(folder):
        return False
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    here, place = os.path.realpath(os.curdir), os.path.realpath(folder)
    return not (place.startswith(here.rstrip(os.sep) + os.sep) and any(os.path.realpath(one) == place for one in named))
