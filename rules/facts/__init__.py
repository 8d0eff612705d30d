"""Facts: this machine, or one that was saved to a facts.json.

What could not be learned is UNKNOWN and never taken for "absent". Nothing here imports a package that it reports on,
but for import_check(), which does so in a process of its own.
"""

from __future__ import annotations

from fp8check.rules.facts.collect import collect
from fp8check.rules.facts.data import UNKNOWN, Facts, Gpu, Unknown
from fp8check.rules.facts.engine import Imported, Misfit, import_check, misfits
from fp8check.rules.facts.errors import BadFacts, BadInterpreter
from fp8check.rules.facts.saved import SCHEMA, dump, load, loads

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
    "dump",
    "import_check",
    "load",
    "loads",
    "misfits",
]
