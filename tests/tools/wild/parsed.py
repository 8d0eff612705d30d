"""Python files are parsed once, however many launch lines of a checkout start them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.settings import script_syntax

if TYPE_CHECKING:
    from fp8check.rules.reading.source import Source

_MOST = 1_000
_parse = script_syntax.parse
_kept: dict[tuple[object, ...], object] = {}


def _once(source: Source, **options: object) -> object:
    key = (source.path, source.text, *options.items())
    if key not in _kept:
        if len(_kept) >= _MOST:
            _kept.clear()
        _kept[key] = _parse(source, **options)  # type: ignore[arg-type]
    return _kept[key]


def keep() -> None:
    """From now on, in this process."""
    script_syntax.parse = _once  # type: ignore[assignment]
