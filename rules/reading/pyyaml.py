"""PyYAML, without the dearest parts of its import: the patterns of its parser, and the modules for what is binary.

PyYAML compiles ten patterns when it is imported; one of them is over all of Unicode. Together that is a tenth of the
CPU time of a whole check, and most files need one or two of them: so each is compiled when it is first asked for. So
are base64 and binascii, with two libraries behind them, for the !!binary that no configuration has.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_compile = re.compile


class _Later:
    """A pattern that is compiled when it is first asked for anything."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle ask for these, before there is a pattern
            raise AttributeError(name)
        value = getattr(_compile(self._pattern, self._flags), name)
        self.__dict__[name] = value
        return value


class _ModuleLater(ModuleType):
    """A module that is imported when it is first asked for anything."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import statement asks for these
            raise AttributeError(name)
        from importlib import import_module

        if sys.modules.get(self.__name__) is self:  # asked while PyYAML is imported, as a release to come may do
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def _compile_or_later(pattern: Any, flags: int = 0) -> Any:
    by = sys._getframe(1).f_globals.get("__name__", "")
    return _Later(pattern, flags) if by.startswith("yaml.") else _compile(pattern, flags)


_standing_in = {name: _ModuleLater(name) for name in ("base64", "binascii") if name not in sys.modules}
# For the time of this import, and for PyYAML alone: whatever else compiles meanwhile gets what it asks for.
setattr(re, "compile", _compile_or_later)  # noqa: B010
sys.modules.update(_standing_in)
try:
    import yaml
finally:
    setattr(re, "compile", _compile)  # noqa: B010
    for _name, _module in _standing_in.items():
        if sys.modules.get(_name) is _module:
            del sys.modules[_name]

__all__ = ["yaml"]
