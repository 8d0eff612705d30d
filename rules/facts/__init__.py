"""Facts: this machine, or one that was saved to a facts.json.

What could not be learned is UNKNOWN and never taken for "absent". Nothing here imports a package that it reports on,
but for import_check(), which does so in a process of its own.
"""

from __future__ import annotations

from fp8check.rules.facts.collect import collect, collect_for_run, stamped
from fp8check.rules.facts.data import UNKNOWN, Facts, Gpu, Unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.facts.engine import Imported, Misfit, import_check, misfits
    from fp8check.rules.facts.errors import BadFacts, BadInterpreter
    from fp8check.rules.facts.saved import SCHEMA, dump, load, loads

# What a check of this machine does not need is imported at its first use: start-up time counts.
_LATER = {
    "BadFacts": "errors",
    "BadInterpreter": "errors",
    "Imported": "engine",
    "Misfit": "engine",
    "import_check": "engine",
    "misfits": "engine",
    "SCHEMA": "saved",
    "dump": "saved",
    "load": "saved",
    "loads": "saved",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return value


__all__ = [
    "SCHEMA",
    "UNKNOWN",
    "BadFacts",
    "BadInterpreter",
    "Facts",
    "Gpu",
    "Imported",
    "Misfit",
    "Unknown",
    "collect",
    "collect_for_run",
    "dump",
    "import_check",
    "load",
    "loads",
    "misfits",
    "stamped",
]
