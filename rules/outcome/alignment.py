"""By what FP8 GEMMs want the tokens of a micro-batch to be divisible."""

from __future__ import annotations

# Transformer Engine's FP8 GEMMs want this much on Hopper and Ada, where wgrad has the tokens as its leading dimension.
ALIGNMENT = 16
HALF = 8  # what the forward pass wants everywhere
BLOCK = 32  # what MXFP8 wants
TN_ONLY = ("8.9", "9.0")
