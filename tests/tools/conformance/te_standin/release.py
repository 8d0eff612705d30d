"""Which Transformer Engine release to behave as, and what the machine is said to be."""

from __future__ import annotations

import os
from importlib.metadata import version

RELEASE: tuple[int, int] = tuple(int(part) for part in version("transformer_engine").split(".")[:2])  # type: ignore[assignment]
"""(major, minor) of the installed stand-in."""


def compute_capability() -> tuple[int, int]:
    """The compute capability that the case says its GPU has."""
    major, minor = os.environ.get("CONFORMANCE_COMPUTE_CAPABILITY", "9.0").split(".")
    return int(major), int(minor)


def refusal() -> type[Exception]:
    """The type that this release raises where the GPU or a shape does not support FP8.

    Up to 2.13 these were assert statements; from 2.14 they are exceptions of their own.
    """
    return AssertionError if RELEASE < (2, 14) else RuntimeError
