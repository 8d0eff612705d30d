"""The way into a process that imports torch: `fp8check run` puts this file's copy on PYTHONPATH, and nothing else.

torch 2.5 and newer calls `enter` at the end of its own import, by the entry point of this folder's metadata. It needs
the standard library alone, and whatever goes wrong in it, the program does not learn of it.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

VARIABLE = "FP8CHECK_WATCH"  # names the folder of the watched run
PACKAGE = "fp8check_probe"
OVER = "over"  # a file that is there once nothing more is to be seen: who begins then begins alone


def enter(_torch: ModuleType | None = None) -> None:
    """Install the watcher in this process, once torch is there."""
    try:
        folder = os.environ.get(VARIABLE)
        if folder and PACKAGE not in sys.modules and not os.path.exists(os.path.join(folder, OVER)):
            _install(folder)
    except Exception:  # noqa: BLE001  the program is not to learn of it: what is not seen is undecided
        return


def _install(folder: str) -> None:
    with open(os.path.join(folder, "settings.json"), encoding="utf-8") as file:
        settings = json.load(file)
    told = {"pid": os.getpid(), "program": os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""}
    with open(os.path.join(folder, "entered", str(os.getpid())), "w", encoding="utf-8") as file:
        json.dump(told, file)
    place = settings["lookers"]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(place, "__init__.py"), submodule_search_locations=[place]
    )
    if spec is None or spec.loader is None:
        return
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    importlib.import_module(f"{PACKAGE}.watching").install(folder, settings)


class AfterImport(importlib.abc.MetaPathFinder):
    """Does something with modules as soon as each has been imported (sitecustomize.py).

    A torch older than 2.5 calls nobody, and what a trial switches off has to be off before it is used.
    """

    def __init__(self, todo: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._todo = dict(todo)
        self._asks = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module as others find it, with a loader that does it afterward."""
        if self._asks or name not in self._todo:
            return None
        self._asks = True
        try:
            found = next(
                filter(None, (_asked(one, name, path, target) for one in sys.meta_path if one is not self)), None
            )
        finally:
            self._asks = False
        if found is None or found.loader is None:
            return None
        loader: Any = found.loader
        execute = loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            do = self._todo.pop(name, None)  # not before: many ask only whether there is a torch
            if do is not None:
                with contextlib.suppress(Exception):  # as in enter()
                    do(module)

        loader.exec_module = executed
        return found


def _asked(
    finder: Any, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> importlib.machinery.ModuleSpec | None:
    found: importlib.machinery.ModuleSpec | None = finder.find_spec(name, path, target)
    return found
