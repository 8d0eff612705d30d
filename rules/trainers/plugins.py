"""Trainers from other packages: entry points of the group `fp8check.trainers`, loaded only where one is asked for."""

from __future__ import annotations

from fp8check.rules.installed import entry_points
from fp8check.rules.trainers.training import Training

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

GROUP = "fp8check.trainers"


class BadTrainer(Exception):
    """What an installed package offers as a trainer is none: a fault of that package."""


def installed() -> list[str]:
    """The names of all trainers that installed packages bring."""
    return sorted({one.name for one in entry_points(GROUP)})


def load(name: str, taken: Collection[str]) -> type[Training] | None:
    """The trainer that an installed package brings under that name; None where none does.

    Whatever goes wrong while it is loaded goes on to who asked: nothing can be said of a run without its trainer.

    Args:
        taken: the names of trainers that there are already.

    Raises:
        BadTrainer: it is no trainer of that name, or its name is taken.
    """
    found = next(iter(entry_points(GROUP, name)), None)
    if found is None:
        return None
    trainer = found.load()
    if not isinstance(trainer, type) or not issubclass(trainer, Training):
        raise BadTrainer(f"the entry point {name} of the group {GROUP} is no subclass of {Training.__qualname__}")
    if trainer.name != name or name in taken or not name.isidentifier():
        raise BadTrainer(f"{trainer.__qualname__} is called {trainer.name!r}: it has to be {name!r}, and a new name")
    return trainer
