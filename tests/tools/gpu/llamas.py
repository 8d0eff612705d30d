"""The models whose peaks are measured: layers of that width, and as many as a case says."""

from __future__ import annotations

# hidden, intermediate, heads, key heads, vocabulary, whether the head is the embedding
SHAPES: dict[str, tuple[int, int, int, int, int, bool]] = {
    "0.001B": (64, 128, 4, 2, 1024, True),  # to try the tools on a CPU
    "0.5B": (896, 4864, 14, 2, 151936, True),
    "1B": (2048, 8192, 32, 8, 128256, True),
    "7B": (3584, 18944, 28, 4, 32000, False),
    "8B": (4096, 14336, 32, 8, 128256, False),
    "32B": (5120, 27648, 40, 8, 32000, False),
}
