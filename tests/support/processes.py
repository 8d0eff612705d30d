"""Processes that tests start, by their numbers: whether they have ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTS = ("session", "orphan", "deaf")


def numbers_in(folder: Path, names: Iterable[str] = PARTS, limit_s: float = 30) -> list[int]:
    """The numbers that processes have written into files of this folder; waits until all have."""
    until = time.monotonic() + limit_s
    files = [folder / name for name in names]
    while not all(file.exists() and file.read_text().endswith("\n") for file in files):
        assert time.monotonic() < until, "the tree was not started"
        time.sleep(0.02)
    return [int(file.read_text()) for file in files]


def gone(numbers: Iterable[int], limit_s: float = 10) -> bool:
    """Whether all of these processes have ended, at once or very soon."""
    left = list(numbers)
    until = time.monotonic() + limit_s
    while left and time.monotonic() < until:
        left = [number for number in left if _runs(number)]
        time.sleep(0.02)
    return not left


def _runs(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
