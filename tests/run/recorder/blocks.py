"""Several runs that share a GPU train in turns, and each block of steps is timed: tests/tools/gpu/stepped_aside.py.

BLOCKS names a folder of this run. From backward pass FIRST on it waits there for a file `go.N`, makes one step more that
does not count, and writes what the next BLOCK steps took into `took.N`. Nothing waits within a block, as nothing does in
a training. Behind the last block the process ends.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

FIRST, BLOCK = 20, 6  # of its own the first steps are slow; the watcher has left long before


class Blocks:
    """What one process does."""

    def __init__(self, folder: str, number: int) -> None:
        self.folder, self.number = Path(folder), number
        self.passes = self.depth = 0
        self.began = 0.0

    def install(self, torch: Any) -> None:
        """Wrap the backward pass."""
        backward = torch.Tensor.backward

        def counted(tensor: Any, *given: Any, **named: Any) -> Any:
            self.depth += 1
            if self.depth == 1:
                self.begins(torch)
            try:
                return backward(tensor, *given, **named)
            finally:
                self.depth -= 1

        torch.Tensor.backward = counted

    def begins(self, torch: Any) -> None:
        """A backward pass begins."""
        self.passes += 1
        number, place = divmod(self.passes - FIRST, BLOCK + 1)
        if number < 0 or place > 1:
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if place == 1:
            self.began = time.perf_counter()
            return
        if number:
            self.tell(f"took.{number - 1}", str(time.perf_counter() - self.began))
        if number == self.number:
            os._exit(0)
        if not number:
            self.tell("ready", "")
        while not (self.folder / f"go.{number}").exists():
            time.sleep(0.01)

    def tell(self, name: str, text: str) -> None:
        """Write it, whole or not at all."""
        part = self.folder / f"{name}.part"
        part.write_text(text, encoding="ascii")
        part.replace(self.folder / name)
