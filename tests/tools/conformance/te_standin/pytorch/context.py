"""The FP8 context manager and the answers to "does this GPU support it"."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from transformer_engine.common.recipe import DelayedScaling
from transformer_engine.release import RELEASE, compute_capability, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_active: list[Any] = []


def active_recipe() -> Any | None:
    """The recipe of the innermost FP8 context, None outside any and inside a disabled one."""
    return _active[-1] if _active else None


def check_fp8_support() -> tuple[bool, str]:
    """Whether delayed scaling runs on this GPU, and if not why."""
    if compute_capability() >= (8, 9):
        return True, ""
    return False, "Device compute capability 8.9 or higher required for FP8 execution."


def check_mxfp8_support() -> tuple[bool, str]:
    """Whether MXFP8 block scaling runs on this GPU, and if not why."""
    if RELEASE >= (2, 6) and compute_capability() >= (12, 0):
        return False, "MXFP8 (for all gemm layouts) is not supported on 12.0+ architectures yet."
    if compute_capability() >= (10, 0):
        return True, ""
    return False, "Device compute capability 10.0 or higher required for MXFP8 execution."


@contextmanager
def fp8_autocast(
    enabled: bool = True, calibrating: bool = False, fp8_recipe: Any | None = None, **_others: Any
) -> Iterator[None]:
    """Run the Linear layers inside in FP8 with the recipe; `calibrating` does nothing here."""
    del calibrating
    recipe = (fp8_recipe or DelayedScaling()) if enabled else None
    if recipe is not None:
        mxfp8 = type(recipe).__name__ == "MXFP8BlockScaling"
        supported, reason = check_mxfp8_support() if mxfp8 else check_fp8_support()
        if not supported:
            raise refusal()(reason)
    _active.append(recipe)
    try:
        yield
    finally:
        _active.pop()
