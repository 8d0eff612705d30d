"""Checked values out of a config.json, whatever somebody wrote into it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Well above every published model; a larger number is a mistake or an attack.
LARGEST_SIZE = 2**24
LARGEST_COUNT = 2**12


class BadConfig(ValueError):
    """A config.json that does not describe a model whose layers are known; the text says why."""


class Config:
    """The keys of one config.json with the defaults of its configuration class behind them."""

    __slots__ = ("_defaults", "_values", "model_type")

    def __init__(self, values: Mapping[str, object], defaults: Mapping[str, object], model_type: str) -> None:
        self._values = values
        self._defaults = defaults
        self.model_type = model_type

    def get(self, key: str) -> object:
        """The value written, else the configuration class's default; None where there is neither."""
        return self._values[key] if key in self._values else self._defaults.get(key)

    def size(self, *keys: str, largest: int = LARGEST_SIZE) -> int:
        """A whole number from 1, under the first of these names that has one.

        Raises:
            BadConfig: there is none, or it is something else.
        """
        found = self.size_or_none(*keys, largest=largest)
        if found is None:
            raise BadConfig(f"{keys[0]} is missing")
        return found

    def size_or_none(self, *keys: str, largest: int = LARGEST_SIZE) -> int | None:
        """Like size(), but None where none of the names has a value."""
        for values in (self._values, self._defaults):
            for key in keys:
                value = values.get(key)
                if value is not None:
                    return _size(key, value, largest)
                if key in values and values is self._values:
                    return None  # a written null is an answer: the class's default does not come back
        return None

    def count(self, key: str, *, largest: int = LARGEST_COUNT) -> int:
        """A whole number from 0; 0 where it is missing."""
        value = self.get(key)
        return 0 if value is None or value == 0 else _size(key, value, largest)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """A bool.

        Raises:
            BadConfig: it is something else.
        """
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadConfig(f"{key} must be true or false, not {str(value)[:40]!r}")
        return value


def _size(key: str, value: object, largest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise BadConfig(f"{key} must be a whole number from 1 to {largest:,}, not {str(value)[:40]!r}")
    return value
