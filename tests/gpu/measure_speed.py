"""Step time of two decoder layers in BF16 and in FP8, on this GPU: forward and backward, eager, as Accelerate converts.

python -m tests.gpu.measure_speed --out FILE [--sizes 7B ...] [--tokens 2048 ...]

One JSON line a point: shape, tokens, milliseconds (median, lowest and highest of the repeats), peak memory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

# hidden, intermediate, heads, key-value heads
SHAPES = {
    "0.5B": (896, 4864, 14, 2),
    "1.5B": (1536, 8960, 12, 2),
    "3B": (2048, 11008, 16, 2),
    "7B": (3584, 18944, 28, 4),
    "8B": (4096, 14336, 32, 8),
    "14B": (5120, 13824, 40, 8),
    "32B": (5120, 27648, 40, 8),
    "70B": (8192, 28672, 64, 8),
}
TOKENS = (512, 1024, 2048, 4096, 8192, 16384)
LAYERS = 2
SEQUENCE = 2048


class Layer(torch.nn.Module):
    """A decoder layer as Llama and Qwen have it: RMSNorm, grouped attention, SwiGLU."""

    def __init__(self, shape: tuple[int, int, int, int], linear: Any) -> None:
        super().__init__()
        hidden, intermediate, heads, kv_heads = shape
        self.head = hidden // heads
        self.q, self.o = linear(hidden, hidden), linear(hidden, hidden)
        self.k, self.v = linear(hidden, kv_heads * self.head), linear(hidden, kv_heads * self.head)
        self.gate, self.up, self.down = (
            linear(hidden, intermediate),
            linear(hidden, intermediate),
            linear(intermediate, hidden),
        )
        self.norm1 = torch.nn.RMSNorm(hidden, device="cuda", dtype=torch.bfloat16)
        self.norm2 = torch.nn.RMSNorm(hidden, device="cuda", dtype=torch.bfloat16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hidden states [batch, sequence, hidden] in and out."""
        y = self.norm1(x)
        rows, columns, _ = y.shape
        q, k, v = (part(y).view(rows, columns, -1, self.head).transpose(1, 2) for part in (self.q, self.k, self.v))
        a = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(a.transpose(1, 2).reshape(rows, columns, -1))
        y = self.norm2(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


def milliseconds(step: Any, warm_up: int = 5, repeats: int = 15) -> list[float]:
    """Times of `repeats` steps by CUDA events, after a warm-up."""
    for _ in range(warm_up):
        step()
    times = []
    for _ in range(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        step()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return times


def measure(name: str, tokens: int, precision: str) -> dict[str, float]:
    """One point in one precision."""
    import transformer_engine.pytorch as te
    from transformer_engine.common.recipe import DelayedScaling, Format

    def linear(columns: int, rows: int) -> torch.nn.Module:
        kind = te.Linear if precision == "fp8" else torch.nn.Linear
        extra = {"params_dtype": torch.bfloat16} if precision == "fp8" else {"dtype": torch.bfloat16}
        return kind(columns, rows, bias=False, device="cuda", **extra)

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    model = torch.nn.Sequential(*(Layer(SHAPES[name], linear) for _ in range(LAYERS)))
    columns = min(tokens, SEQUENCE)
    x = torch.randn(
        tokens // columns, columns, SHAPES[name][0], device="cuda", dtype=torch.bfloat16, requires_grad=True
    )
    recipe = DelayedScaling(fp8_format=Format.HYBRID, amax_history_len=1024)

    def step() -> None:
        for parameter in model.parameters():
            parameter.grad = None
        x.grad = None
        with te.fp8_autocast(enabled=precision == "fp8", fp8_recipe=recipe):
            y = model(x)
        y.sum().backward()

    times = milliseconds(step)
    peak = torch.cuda.max_memory_allocated() / 2**30
    return {"ms": statistics.median(times), "low": min(times), "high": max(times), "peak_gib": peak}


def main() -> int:
    """Measure all points asked for."""
    import warnings

    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", nargs="*", default=list(SHAPES))
    parser.add_argument("--tokens", nargs="*", type=int, default=list(TOKENS))
    options = parser.parse_args()
    with options.out.open("w") as out:
        for name in options.sizes:
            for tokens in options.tokens:
                point = {"shape": name, "tokens": tokens, "layers": LAYERS, "gpu": torch.cuda.get_device_name()}
                for precision in ("bf16", "fp8"):
                    point[precision] = {key: round(value, 3) for key, value in measure(name, tokens, precision).items()}
                point["speed_up"] = round(point["bf16"]["ms"] / point["fp8"]["ms"], 3)
                out.write(json.dumps(point) + "\n")
                print(name, tokens, point["bf16"]["ms"], point["fp8"]["ms"], point["speed_up"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
