"""The old module name: support checks by recipe."""

from __future__ import annotations

import warnings

from ..release import RELEASE
from .context import check_fp8_support as check_fp8_support
from .context import fp8_autocast as fp8_autocast

if RELEASE >= (2, 0):
    from .context import check_mxfp8_support as check_mxfp8_support

if RELEASE >= (2, 9):
    warnings.warn(
        "Using deprecated internal API from Transformer Engine: transformer_engine.pytorch.fp8",
        DeprecationWarning,
        stacklevel=2,
    )
