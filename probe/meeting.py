"""How the ranks of a job come together: by the store of torch.distributed, which each of them may ask without waiting.

A collective would end only when all ranks take part; of the store one can tell who has not come until a moment.
What goes through it is JSON.
"""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVERY_S = 0.1
_PREFIX = "fp8check"


class Store(Protocol):
    """What is used of a store of torch.distributed."""

    def set(self, key: str, value: str) -> None:
        """Keep a text."""

    def get(self, key: str) -> bytes:
        """A text that is there."""

    def check(self, keys: list[str]) -> bool:
        """Whether all of them are there."""


class Place:
    """Where this process stands in its job, as torchrun says it; alone where nobody does.

    Attributes:
        rank, world: its number, and how many there are.
        local: its number on this node.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.rank = int(environ.get("RANK", "0"))
        self.world = int(environ.get("WORLD_SIZE", "1"))
        self.local = int(environ.get("LOCAL_RANK", "0"))
        self.local_world = int(environ.get("LOCAL_WORLD_SIZE", "1"))

    def name(self, host: str, rank: int) -> str:
        """What a rank of a node is called: where there is one a node, as the node."""
        return host if self.local_world == 1 else f"rank{rank}.{host}"


class Meeting:
    """All ranks of a job."""

    def __init__(self, place: Place, seconds: float) -> None:
        """Come to the store.

        Raises:
            RuntimeError: it cannot be reached in that time.
        """
        import torch.distributed as dist

        self.place = place
        if place.world == 1 and "MASTER_ADDR" not in os.environ:
            self.store: Store = dist.HashStore()
        else:
            self.store, _, _ = next(dist.rendezvous("env://", timeout=timedelta(seconds=seconds)))

    def tell(self, what: str, data: object) -> None:
        """Tell all others something, once."""
        self.store.set(self._key(what, self.place.rank), json.dumps(data))

    def heard(self, what: str, rank: int) -> object:
        """What a rank told; None where it has not."""
        key = self._key(what, rank)
        return json.loads(self.store.get(key)) if self.store.check([key]) else None

    def wait(self, what: str, rank: int, until: float) -> object:
        """The same, at that moment at the latest (time.monotonic)."""
        while True:
            told = self.heard(what, rank)
            if told is not None or time.monotonic() > until:
                return told
            time.sleep(_EVERY_S)

    def gather(self, what: str, until: float) -> dict[int, object]:
        """What the ranks told until that moment, by rank: those that did not are not in it."""
        told: dict[int, object] = {}
        while True:
            for rank in range(self.place.world):
                if rank not in told:
                    one = self.heard(what, rank)
                    if one is not None:
                        told[rank] = one
            if len(told) == self.place.world or time.monotonic() > until:
                return told
            time.sleep(_EVERY_S)

    @staticmethod
    def _key(what: str, rank: int) -> str:
        return f"{_PREFIX}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{what}/{rank}"
