"""What ran as FP8: the names of GEMM kernels, and what they mean (kernels.json)."""

from __future__ import annotations

import functools
import os
import re

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal

    from fp8check.rules.seen.data import Seen

    # What a kernel computes in: FP8, another type, or its name is not known.
    Meaning = Literal["fp8", "other", "unknown"]
    # The three GEMMs of a Linear layer: forward, gradient of its input, gradient of its weight.
    GemmKind = Literal["fprop", "dgrad", "wgrad"]


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


def gemms(seen: Seen) -> dict[GemmKind, Gemms] | None:
    """The GEMMs by kind; None where the profiler recorded no GEMM at all, or nobody profiled.

    A layer's backward runs dgrad, then wgrad. A node with one GEMM is wgrad where all weights train, and dgrad where
    the base is frozen. Where FP8 kernels have no nodes (compiled code), the shapes of the products tell; where these
    are square, or not known, twice as many FP8 GEMMs backward as forward are both.
    """
    kernels = seen.kernels
    if kernels is None:
        return None
    forward, backward = _gemms_only(kernels.forward), _gemms_only(kernels.backward)
    if not forward and not backward:
        return None
    ahead, back = _counted(forward), _counted(backward)
    if kernels.nodes:
        dgrad, wgrad = (_counted(names) for names in _of_nodes(kernels.nodes, frozen=_is_frozen(seen)))
        if dgrad.fp8 + wgrad.fp8 or not back.fp8:
            return {"fprop": ahead, "dgrad": dgrad, "wgrad": wgrad}
    by_shape = _of_products(kernels.products, back)
    if by_shape is not None:
        return {"fprop": ahead, "dgrad": by_shape[0], "wgrad": by_shape[1]}
    if back.fp8 == 2 * ahead.fp8 and not back.unknown:
        half = Gemms(ahead.fp8, back.other // 2, 0, back.names)
        return {"fprop": ahead, "dgrad": half, "wgrad": half}
    open_ = Gemms(0, 0, back.seen, back.names)
    return {"fprop": ahead, "dgrad": open_, "wgrad": open_}


def _of_products(products: Mapping[str, Mapping[str, int]], back: Gemms) -> tuple[Gemms, Gemms] | None:
    """dgrad and wgrad by what they sum over: wgrad over the tokens, which are the rows of the forward pass.

    None where a shape fits both, or where none was noted.
    """
    tokens = {_shape(name)[0] for name in products.get("forward", ())}
    dgrad = wgrad = 0
    for name, count in products.get("backward", {}).items():
        rows, summed, _ = _shape(name)
        if (rows in tokens) == (summed in tokens):
            return None
        dgrad, wgrad = (dgrad + count, wgrad) if rows in tokens else (dgrad, wgrad + count)
    if not tokens or not dgrad + wgrad:
        return None
    return Gemms(dgrad, back.other // 2, 0, back.names), Gemms(wgrad, back.other // 2, 0, back.names)


def _shape(name: str) -> tuple[int, int, int]:
    rows, summed, columns = (int(size) for size in name.split("x"))
    return rows, summed, columns


def _of_nodes(nodes: Mapping[str, int], *, frozen: bool) -> tuple[dict[str, int], dict[str, int]]:
    dgrad: dict[str, int] = {}
    wgrad: dict[str, int] = {}
    for names, count in nodes.items():
        # Whatever the profiler took for a GEMM of the node may hold a cast, too, or cuBLAS's epilogue of one.
        order = [name for name in names.split("|") if _is_gemm(name) and "epilogue" not in name]
        if len(order) == 1:
            (dgrad if frozen else wgrad)[order[0]] = (dgrad if frozen else wgrad).get(order[0], 0) + count
        # The last two: a checkpoint runs the forward pass again where its tensors are unpacked, which is before them.
        for name, kind in zip(order[-2:], (dgrad, wgrad), strict=False) if len(order) > 1 else ():
            kind[name] = kind.get(name, 0) + count
    return dgrad, wgrad


def _is_frozen(seen: Seen) -> bool:
    """Whether most of the layers' weights do not train: adapters on a frozen base."""
    return seen.moved is not None and seen.layers is not None and "lora" in " ".join(seen.layers.left)


def _gemms_only(kernels: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in kernels.items() if _is_gemm(name)}


def _counted(kernels: Mapping[str, int]) -> Gemms:
    numbers: dict[Meaning, int] = {"fp8": 0, "unknown": 0, "other": 0}
    names: dict[Meaning, list[str]] = {"fp8": [], "unknown": [], "other": []}
    for name, count in kernels.items():
        meaning = means(name)
        numbers[meaning] += count
        names[meaning].append(shortened(name))
    shown = tuple(dict.fromkeys(name for group in names.values() for name in group))
    return Gemms(numbers["fp8"], numbers["other"], numbers["unknown"], shown[:6])


def means(name: str) -> Meaning:
    """Whether a GEMM kernel of that name runs in FP8."""
    return next((family.means for family in _table().families if family.pattern.search(name)), "unknown")


def shortened(name: str) -> str:
    """The part of a kernel's name that tells its types: without tile sizes and template arguments."""
    plain = re.sub(r"^void\s+", "", name).partition("<")[0]
    return re.sub(r"_\d+x\d+.*$", "", plain)[:60]


def _is_gemm(name: str) -> bool:
    table = _table()
    return any(mark in name for mark in table.gemm) and not any(mark in name for mark in table.not_gemm)


class _Family(Record):
    """Kernels whose names fit a pattern, and what they compute in."""

    pattern: re.Pattern[str]
    means: Meaning


class _Table(Record):
    """kernels.json: what a GEMM's name has in it, what is none all the same, and the families in order."""

    gemm: tuple[str, ...]
    not_gemm: tuple[str, ...]
    families: tuple[_Family, ...]


@functools.cache
def _table() -> _Table:
    import json

    with open(os.path.join(os.path.dirname(__file__), "kernels.json"), encoding="utf-8") as file:
        data = json.load(file)
    families = tuple(_Family(re.compile(one["pattern"]), one["means"]) for one in data["families"])
    return _Table(tuple(data["gemm"]), tuple(data["not_gemm"]), families)


def unknown_names(kinds: Iterable[Gemms]) -> list[str]:
    """Names of GEMM kernels that are not in the table."""
    return sorted({name for kind in kinds for name in kind.names if kind.unknown and means(name) == "unknown"})
