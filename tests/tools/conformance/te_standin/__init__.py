"""A stand-in for Transformer Engine that imports on a machine without CUDA.

It has the names, recipe fields, module layout and refusals of the release whose version its installed
metadata gives, computes in high precision, and notes what ran inside an enabled FP8 context (`record`).
Written from the observed behavior of the releases; no code of Transformer Engine is in it.
"""

from __future__ import annotations

from . import common as common  # the real package exposes it as an attribute

__all__ = ["common"]
