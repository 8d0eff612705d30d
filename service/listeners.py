"""Those that listen to events of probes, or wait for the end of one: each holds a connection for minutes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_RETRY = {"Retry-After": "30"}


class Listeners:
    """How many there are, and may be."""

    def __init__(self, most: int) -> None:
        self._free = most

    @property
    def is_full(self) -> bool:
        """Whether there may be no more."""
        return self._free <= 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Be one of them.

        Raises:
            Problem: there are as many as there may be.
        """
        if self.is_full:
            raise Problem("busy", "as many listen already as may", headers=_RETRY)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
