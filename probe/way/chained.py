"""As sitecustomize.py on PYTHONPATH, where torch is older than 2.5, or the run is a trial: it is there before all else.

It waits for what is imported, and runs the sitecustomize that it hides.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import MetaPathFinder


def _finder() -> MetaPathFinder:
    watch = __import__("fp8check_watch")
    todo = {"torch": watch.enter}
    if os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fp8check_trial.py")):
        todo = __import__("fp8check_trial").switches(os.environ[watch.VARIABLE], watch.enter)
    finder: MetaPathFinder = watch.AfterImport(todo)
    return finder


def _hidden() -> None:
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    here = os.path.dirname(os.path.abspath(__file__))
    found = PathFinder.find_spec("sitecustomize", [one for one in sys.path if os.path.abspath(one or ".") != here])
    if found is None or found.loader is None:
        return
    module = module_from_spec(found)
    sys.modules["sitecustomize"] = module
    found.loader.exec_module(module)


with contextlib.suppress(Exception):  # see fp8check_watch.enter
    ours = _finder()
    sys.meta_path.insert(0, ours)
_hidden()
with contextlib.suppress(Exception):  # whoever has put a finder before ours since may ask no other
    sys.meta_path.remove(ours)
    sys.meta_path.insert(0, ours)
