"""Python files are read and parsed once, however many scripts and launch lines of a checkout lead to them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fp8check.rules.checking import modules
from fp8check.rules.settings import script_syntax

if TYPE_CHECKING:
    from fp8check.rules.reading.source import Source

_MOST = 1_000
_parse = script_syntax.parse
_read = modules._read
_kept: dict[tuple[object, ...], object] = {}
_kept_modules: dict[str, object] = {}


def _once(source: Source, **options: object) -> object:
    key = (source.path, source.text, *options.items())
    if key not in _kept:
        if len(_kept) >= _MOST:
            _kept.clear()
        _kept[key] = _parse(source, **options)  # type: ignore[arg-type]
    return _kept[key]


def _read_once(path: str, given: str | None) -> object:
    if given is not None:
        return _read(path, given)
    absolute = os.path.abspath(path)
    if absolute not in _kept_modules:
        if len(_kept_modules) >= 20 * _MOST:
            _kept_modules.clear()
        _kept_modules[absolute] = _read(path, None)
    return _kept_modules[absolute]


def keep() -> None:
    """From now on, in this process; what was kept of another checkout before is dropped."""
    _kept.clear()
    _kept_modules.clear()
    script_syntax.parse = _once  # type: ignore[assignment]
    modules._read = _read_once  # type: ignore[assignment]
