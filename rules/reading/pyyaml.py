"""PyYAML, without the dearest part of its import: a pattern of its own parser, which is hardly ever asked.

`yaml/reader.py` compiles at import a pattern over all of Unicode: a twelfth of the CPU time of a whole check. The
check parses with libyaml, and PyYAML's own parser only decides where the two disagree (syntax.py); so the pattern is
compiled when that asks for it. A PyYAML that writes the pattern otherwise is imported as it is.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# yaml/reader.py of 5.1 to 6.0.4, Reader.NON_PRINTABLE.
_POSTPONED = "[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_compile = re.compile


class _Later:
    """A pattern that is compiled when it is first asked for anything."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __getattr__(self, name: str) -> Any:
        return getattr(_compile(self._pattern), name)


def _compile_or_later(pattern: Any, flags: int = 0) -> Any:
    return _Later(pattern) if pattern == _POSTPONED else _compile(pattern, flags)


# For the time of this import, and for this one pattern: whatever else compiles meanwhile gets what it asks for.
setattr(re, "compile", _compile_or_later)  # noqa: B010
try:
    import yaml
finally:
    setattr(re, "compile", _compile)  # noqa: B010

__all__ = ["yaml"]
