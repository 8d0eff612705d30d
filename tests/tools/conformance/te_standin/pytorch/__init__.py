"""The PyTorch half: modules and the FP8 context.

Up to 2.8 the package imports its module `fp8`, so `transformer_engine.pytorch.fp8` is an attribute; from 2.9 that
module is a shim which exists only for who imports it by name.
"""

from __future__ import annotations

from transformer_engine.pytorch.context import fp8_autocast
from transformer_engine.pytorch.modules import LayerNorm, Linear, TransformerLayer
from transformer_engine.release import RELEASE

if RELEASE < (2, 9):
    from transformer_engine.pytorch import fp8 as fp8
else:
    autocast = fp8_autocast

__all__ = ["LayerNorm", "Linear", "TransformerLayer", "fp8_autocast"]
