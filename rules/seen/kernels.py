"""What ran as FP8: the names of GEMM kernels, and what they mean (kernels.json)."""

from __future__ import annotations

import os
import re

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from fp8check.rules.seen.data import Seen

FP8, OTHER, UNKNOWN = "fp8", "other", "unknown"


class Gemms(Record):
    """The GEMM kernels of one kind: fprop, dgrad or wgrad.

    Attributes:
        fp8, other, unknown: how many ran in FP8, in another type, and with a name that is not known.
        names: the kernels' names, FP8 first, each once and shortened.
    """

    fp8: int = 0
    other: int = 0
    unknown: int = 0
    names: tuple[str, ...] = ()

    @property
    def seen(self) -> int:
        """All of them."""
        return self.fp8 + self.other + self.unknown


def gemms(seen: Seen) -> dict[str, Gemms] | None:
    """The GEMMs by kind; None where the profiler recorded no GEMM at all, or nobody profiled.

    A layer's backward runs dgrad, then wgrad. A node with one GEMM is wgrad where all weights train, and dgrad where
    the base is frozen. Where kernels have no nodes (compiled code), twice as many FP8 GEMMs backward as forward are
    both.
    """
    kernels = seen.kernels
    if kernels is None:
        return None
    forward = _gemms_only(kernels.get("forward", {}))
    backward = _gemms_only(kernels.get("backward", {}))
    if not forward and not backward:
        return None
    nodes = kernels.get("nodes", {})
    if nodes:
        dgrad, wgrad = _of_nodes(nodes, frozen=_is_frozen(seen))
        return {"fprop": _counted(forward), "dgrad": _counted(dgrad), "wgrad": _counted(wgrad)}
    ahead, back = _counted(forward), _counted(backward)
    if back.fp8 == 2 * ahead.fp8 and not back.unknown:
        half = Gemms(ahead.fp8, back.other // 2, 0, back.names)
        return {"fprop": ahead, "dgrad": half, "wgrad": half}
    open_ = Gemms(0, 0, back.seen, back.names)
    return {"fprop": ahead, "dgrad": open_, "wgrad": open_}


def _of_nodes(nodes: Mapping[str, int], *, frozen: bool) -> tuple[dict[str, int], dict[str, int]]:
    dgrad: dict[str, int] = {}
    wgrad: dict[str, int] = {}
    for names, count in nodes.items():
        # Whatever the profiler took for a GEMM of the node may hold a cast, too.
        order = [name for name in names.split("|") if _is_gemm(name)]
        if len(order) == 1:
            (dgrad if frozen else wgrad)[order[0]] = (dgrad if frozen else wgrad).get(order[0], 0) + count
        for name, kind in zip(order[:2], (dgrad, wgrad), strict=False) if len(order) > 1 else ():
            kind[name] = kind.get(name, 0) + count
    return dgrad, wgrad


def _is_frozen(seen: Seen) -> bool:
    """Whether most of the layers' weights do not train: adapters on a frozen base."""
    moved, layers = seen.moved, seen.layers
    return bool(moved and layers and "lora" in " ".join(str(name) for name in layers.get("left", ())))


def _gemms_only(kernels: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in kernels.items() if _is_gemm(name)}


def _counted(kernels: Mapping[str, int]) -> Gemms:
    numbers = {FP8: 0, OTHER: 0, UNKNOWN: 0}
    by_kind: dict[str, list[str]] = {FP8: [], UNKNOWN: [], OTHER: []}
    for name, count in kernels.items():
        meaning = means(name)
        numbers[meaning] += count
        by_kind[meaning].append(shortened(name))
    names = tuple(dict.fromkeys(name for kind in by_kind.values() for name in kind))
    return Gemms(numbers[FP8], numbers[OTHER], numbers[UNKNOWN], names[:6])


def means(name: str) -> str:
    """Whether a GEMM kernel of that name runs in FP8: "fp8", "other" or "unknown"."""
    return next((family["means"] for family in _table()["families"] if family["compiled"].search(name)), UNKNOWN)


def shortened(name: str) -> str:
    """The part of a kernel's name that tells its types: without tile sizes and template arguments."""
    plain = re.sub(r"^void\s+", "", name).partition("<")[0]
    return re.sub(r"_\d+x\d+.*$", "", plain)[:60]


def _is_gemm(name: str) -> bool:
    table = _table()
    return any(mark in name for mark in table["gemm"]) and not any(mark in name for mark in table["not_gemm"])


_LOADED: dict[str, Any] = {}


def _table() -> dict[str, Any]:
    if not _LOADED:
        import json

        with open(os.path.join(os.path.dirname(__file__), "kernels.json"), encoding="utf-8") as file:
            _LOADED.update(json.load(file))
        for family in _LOADED["families"]:
            family["compiled"] = re.compile(family["pattern"])
    return _LOADED


def unknown_names(kinds: Iterable[Gemms]) -> list[str]:
    """Names of GEMM kernels that are not in the table."""
    return sorted({name for kind in kinds for name in kind.names if kind.unknown and means(name) == UNKNOWN})
