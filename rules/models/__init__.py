"""Models: from a name or a config.json to the Linear layers and the number of parameters.

Nothing is downloaded, nothing is guessed from a name, and no code of a model is run.
"""

from __future__ import annotations

from fp8check.rules.models.config import from_config, read_config
from fp8check.rules.models.find import Search, config_file, find, listed, not_looked_for, search
from fp8check.rules.models.shape import Experts, Linear, ModelShape
from fp8check.rules.models.values import BadConfig

__all__ = [
    "BadConfig",
    "Experts",
    "Linear",
    "ModelShape",
    "Search",
    "config_file",
    "find",
    "from_config",
    "listed",
    "not_looked_for",
    "read_config",
    "search",
]
