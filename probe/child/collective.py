"""What processes that train together exchange in FP8: tensors by their bytes, and the largest values of them.

Sharded training gathers weights in FP8, and a delayed scale is made of the largest value of all processes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from collections.abc import Callable

    from .channel import Channel

BYTES = 1 << 16  # of a tensor that is gathered
SECONDS = 10.0  # that the GPUs of a node wait for each other, and then for the exchange (process.TOGETHER_S)
_EVERY_S = 0.1
_HERE = "fp8check/here/"


def run(together: dict[str, Any], channel: Channel) -> bool:
    """One exchange with the other GPUs of this node, after their probes; whether it came to an end."""
    rank, world = together["rank"], together["world"]
    if dist.is_initialized():
        dist.destroy_process_group()  # of the one process that a probe of a distributed run is
    store = dist.FileStore(together["store"], world)
    store.set(f"{_HERE}{rank}", "")
    missing = _missing(store, rank, world)
    if missing:
        channel.saw(collective={"ranks": world, "missing": missing, "why": ""})
        return True
    why, ended = within(SECONDS, lambda: _met(store, rank, world))
    channel.saw(collective={"ranks": world, "missing": [], "why": why})
    return ended


def _missing(store: Any, rank: int, world: int) -> list[int]:
    """The numbers of those that do not come."""
    # Not store.wait: of its exception torch looks up where in its libraries it was, which can take many seconds.
    missing = [other for other in range(world) if other != rank]
    until = time.monotonic() + SECONDS
    while True:
        missing = [other for other in missing if not store.check([f"{_HERE}{other}"])]
        if not missing or time.monotonic() > until:
            return missing
        time.sleep(_EVERY_S)


def _met(store: Any, rank: int, world: int) -> str:
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=timedelta(seconds=SECONDS))
    return exchanged(rank, world)


def within(seconds: float, work: Callable[[], str]) -> tuple[str, bool]:
    """What a collective comes to, "" where all is well, and whether it ended; what hangs in one cannot be stopped."""
    result: list[str] = []

    def run_it() -> None:
        try:
            result.append(work())
        except Exception as problem:  # noqa: BLE001  whatever it raises is what is to be told
            result.append(f"{type(problem).__name__}: {problem}"[:500])

    thread = threading.Thread(target=run_it, daemon=True)
    thread.start()
    thread.join(seconds)
    return (result[0], True) if result else (f"it did not end within {seconds:g} s", False)


def exchanged(rank: int, world: int) -> str:
    """Gather tensors in FP8 by their bytes, and reduce their largest values; "" where all came as it was sent."""
    device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")

    # What every process can work out for all others: bytes of small numbers in E4M3, and a largest value.
    def bytes_of(other: int) -> torch.Tensor:
        values = torch.arange(BYTES, device=device, dtype=torch.float32) % 16 + other % 16
        return values.to(torch.float8_e4m3fn).view(torch.uint8)

    try:
        gathered = [torch.empty(BYTES, dtype=torch.uint8, device=device) for _ in range(world)]
        dist.all_gather(gathered, bytes_of(rank))
        amax = torch.tensor([float(rank + 1)], device=device)
        dist.all_reduce(amax, op=dist.ReduceOp.MAX)
        wrong = [other for other, one in enumerate(gathered) if not torch.equal(one, bytes_of(other))]
        if wrong:
            return f"the bytes of rank {', '.join(map(str, wrong[:8]))} came otherwise than they were sent"
        if amax.item() != world:
            return f"the largest value is {amax.item():g}, not {world}"
        return ""
    finally:
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()
