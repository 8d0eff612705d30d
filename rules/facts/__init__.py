"""Facts: this machine, or one that was saved to a facts.json.

What could not be learned is UNKNOWN and never taken for "absent". Nothing here imports a package that it reports on.
"""

from __future__ import annotations

from fp8check.rules.facts.data import UNKNOWN, Facts, Gpu, Unknown
from fp8check.rules.facts.saved import SCHEMA, BadFacts, dump, load, loads

__all__ = ["SCHEMA", "UNKNOWN", "BadFacts", "Facts", "Gpu", "Unknown", "dump", "load", "loads"]
