"""The model shapes that were measured."""

from __future__ import annotations

# hidden, intermediate, heads, key-value heads, layers, vocabulary
SHAPES = {
    "0.5B": (896, 4864, 14, 2, 24, 151936),
    "1.5B": (1536, 8960, 12, 2, 28, 151936),
    "3B": (2048, 11008, 16, 2, 36, 151936),
    "7B": (3584, 18944, 28, 4, 28, 152064),
    "8B": (4096, 14336, 32, 8, 32, 128256),
    "14B": (5120, 13824, 40, 8, 48, 152064),
    "32B": (5120, 27648, 40, 8, 64, 152064),
    "70B": (8192, 28672, 64, 8, 80, 128256),
}
