"""The PyTorch half: modules and the FP8 context.

Up to 2.8 the package imports its module `fp8`, so `transformer_engine.pytorch.fp8` is an attribute; from 2.9 that
module is a shim which exists only for who imports it by name.
"""

from __future__ import annotations

from ..release import RELEASE
from .context import fp8_autocast
from .modules import LayerNorm, Linear, TransformerLayer

if RELEASE < (2, 9):
    from . import fp8 as fp8
else:
    autocast = fp8_autocast

__all__ = ["LayerNorm", "Linear", "TransformerLayer", "fp8_autocast"]
