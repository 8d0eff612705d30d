"""The products in a profile, by their shapes: what a layer's product is for, where autograd has no nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

SCALED = ("aten::_scaled_mm", "aten::_scaled_mm_v2")
LOOKED_UP = "aten::embedding"


def told(forward: Any, backward: Any) -> dict[str, Any]:
    """The FP8 products of both passes, "rows x summed x columns", each with how often it ran."""
    return {"products": {"forward": _counted(forward), "backward": _counted(backward)}}


def _counted(profile: Any) -> dict[str, int]:
    found: Counter[str] = Counter()
    for event in profile.events():
        shapes = event.input_shapes or []
        if event.name in SCALED and len(shapes) > 1 and len(shapes[0]) == len(shapes[1]) == 2:
            found[f"{shapes[0][0]}x{shapes[0][1]}x{shapes[1][1]}"] += 1
    return dict(found)


def tokens(profile: Any) -> int | None:
    """Tokens that the forward pass looked up, padding included; None where it looked none up."""
    largest = 0
    for event in profile.events():
        shapes = event.input_shapes or []
        if event.name == LOOKED_UP and len(shapes) > 1:
            number = 1
            for size in shapes[1]:
                number *= size
            largest = max(largest, number)
    return largest or None
