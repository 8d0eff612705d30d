"""The sizes of the cases' models and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Shape(NamedTuple):
    """The widths of a model and of its batch; what a case does not say keeps these values."""

    hidden: int = 64
    inter: int = 128
    vocab: int = 96
    kv: int = 64
    bias: bool = False
    tied: bool = False
    rows: int = 4
    length: int = 16

    @classmethod
    def of(cls, changes: Mapping[str, Any] | None) -> Shape:
        """The standard shape with a case's changes; keys that are not widths are left out."""
        known = {key: value for key, value in (changes or {}).items() if key in cls._fields}
        if "hidden" in known and "kv" not in known:
            known["kv"] = known["hidden"]
        return cls(**known)
