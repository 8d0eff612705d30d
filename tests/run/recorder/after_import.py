"""Something is done to a module as soon as it has been imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class AfterImport(importlib.abc.MetaPathFinder):
    """What is done to which module."""

    def __init__(self, done: Mapping[str, Callable[[Any], None]]) -> None:
        self._done = done

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The module as others find it, with a loader that does it: many ask only whether there is such a module."""
        if name not in self._done:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if found is None or found.loader is None:
            return None
        loader: Any = found.loader
        execute = loader.exec_module

        def executed(module: Any) -> None:
            execute(module)
            self._done[name](module)

        loader.exec_module = executed
        return found
