"""The old module name: support checks by recipe."""

from __future__ import annotations

import warnings

from transformer_engine.pytorch import context
from transformer_engine.pytorch.context import check_fp8_support, fp8_autocast
from transformer_engine.release import RELEASE

__all__ = ["check_fp8_support", "fp8_autocast"]

if RELEASE >= (2, 0):
    check_mxfp8_support = context.check_mxfp8_support

if RELEASE >= (2, 9):
    warnings.warn(
        "Using deprecated internal API from Transformer Engine: transformer_engine.pytorch.fp8",
        DeprecationWarning,
        stacklevel=2,
    )
