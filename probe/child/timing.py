"""Time of a micro-step, forward and backward, in milliseconds, with its spread."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import torch

from . import clocks, device

if TYPE_CHECKING:
    from collections.abc import Callable

    from .chain import Prepared
    from .channel import Channel

WARM_UP = 3
REPEATS = 12
LONGEST_S = 2.0  # of repeats: a large model needs fewer of them


def measure(prepared: Prepared, channel: Channel) -> None:
    """Tell the time of a micro-step in FP8, and the peak of memory in it; the optimizer's moments are there by now."""
    device.begin_peak()
    asked: list[dict[str, Any] | None] = []
    found = timed(lambda: _step(prepared), lambda: asked.append(clocks.under_load()))
    channel.saw(fp8_ms=found, fp8_gib=device.peak_gib(), clocks=asked[0])


def _step(prepared: Prepared) -> None:
    prepared.accelerator.backward(prepared.loss())
    prepared.plain.zero_grad(set_to_none=True)


def timed(step: Callable[[], None], at_work: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Median, lowest and highest of the repeats of a step, after a warm-up; `at_work` is called while the GPU works."""
    for _ in range(WARM_UP):
        step()
    at_work()
    device.wait()
    times: list[float] = []
    began = time.monotonic()
    while len(times) < REPEATS and (len(times) < 3 or time.monotonic() - began < LONGEST_S):
        times.append(_once(step))
    return {
        "ms": round(statistics.median(times), 3),
        "low": round(min(times), 3),
        "high": round(max(times), 3),
        "repeats": len(times),
    }


def _once(step: Callable[[], None]) -> float:
    if not torch.cuda.is_available():
        began = time.perf_counter()
        step()
        return (time.perf_counter() - began) * 1000
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    step()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end))
