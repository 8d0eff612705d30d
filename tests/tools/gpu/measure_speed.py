"""Step time of decoder layers, or of a small whole model, in BF16 and in FP8, on this GPU.

python -m tests.tools.gpu.measure_speed --out FILE [--scope layers|model] [--backend TE|AO] [--compile] [--sizes 7B ...]
    [--tokens 2048 ...] [--rounds 3]

`layers`: forward and backward of two decoder layers. `model`: all layers, embedding and head, loss and AdamW step.
One JSON line a point: shape, tokens, milliseconds (median, lowest and highest of the repeats), peak memory. With more
than one round, BF16 and FP8 are measured in turn, each time with a model of its own: the median of the rounds' medians
counts, so that one disturbed round does not, and `rounds` keeps them all.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from tests.tools.gpu.shapes import SHAPES

TOKENS = (512, 1024, 2048, 4096, 8192, 16384)
LAYERS = 2
SEQUENCE = 2048


class Layer(torch.nn.Module):
    """A decoder layer as Llama and Qwen have it: RMSNorm, grouped attention, SwiGLU."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        hidden, intermediate, heads, kv_heads, *_ = shape
        self.head = hidden // heads
        self.q, self.o = _linear(hidden, hidden), _linear(hidden, hidden)
        self.k, self.v = _linear(hidden, kv_heads * self.head), _linear(hidden, kv_heads * self.head)
        self.gate, self.up = _linear(hidden, intermediate), _linear(hidden, intermediate)
        self.down = _linear(intermediate, hidden)
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


def _linear(columns: int, rows: int) -> torch.nn.Module:
    return torch.nn.Linear(columns, rows, bias=False, device="cuda", dtype=torch.bfloat16)


class Whole(torch.nn.Module):
    """All layers between embedding and head; token ids in, the mean loss out."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        hidden, layers, vocabulary = shape[0], shape[4], shape[5]
        self.embed = torch.nn.Embedding(vocabulary, hidden, device="cuda", dtype=torch.bfloat16)
        self.layers = torch.nn.Sequential(*(Layer(shape) for _ in range(layers)))
        self.norm = torch.nn.RMSNorm(hidden, device="cuda", dtype=torch.bfloat16)
        self.head = _linear(hidden, vocabulary)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Token ids [batch, sequence]; they are their own labels."""
        logits = self.head(self.norm(self.layers(self.embed(ids))))
        return functional.cross_entropy(logits.float().flatten(0, 1), ids.flatten())


def convert(model: torch.nn.Module, backend: str) -> torch.nn.Module:
    """Every Linear converted, as Accelerate does it."""
    if backend == "AO":
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training

        converted: torch.nn.Module = convert_to_float8_training(model, config=Float8LinearConfig(pad_inner_dim=True))
        return converted
    import transformer_engine.pytorch as te

    for name, module in model.named_children():
        if isinstance(module, torch.nn.Linear):
            new = te.Linear(module.in_features, module.out_features, bias=False, params_dtype=module.weight.dtype)
            with torch.no_grad():
                new.weight.copy_(module.weight)
            setattr(model, name, new)
        else:
            convert(module, backend)
    return model


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


def measure(name: str, tokens: int, options: argparse.Namespace, *, fp8: bool) -> dict[str, float]:
    """One point in one precision."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    whole = options.scope == "model"
    shape = SHAPES[name]
    model = Whole(shape) if whole else torch.nn.Sequential(*(Layer(shape) for _ in range(LAYERS)))
    if fp8:
        model = convert(model, options.backend)
    run: Any = torch.compile(model) if options.compile else model
    columns = min(tokens, SEQUENCE)
    size = (tokens // columns, columns)
    if whole:
        x = torch.randint(0, shape[5], size, device="cuda")
    else:
        x = torch.randn(*size, shape[0], device="cuda", dtype=torch.bfloat16, requires_grad=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5) if whole else None
    autocast = _autocast(enabled=fp8 and options.backend == "TE")

    def step() -> None:
        for parameter in model.parameters():
            parameter.grad = None
        x.grad = None
        with autocast():
            y = run(x)
        (y if whole else y.sum()).backward()
        if optimizer is not None:
            optimizer.step()

    times = milliseconds(step)
    peak = torch.cuda.max_memory_allocated() / 2**30
    return {"ms": statistics.median(times), "low": min(times), "high": max(times), "peak_gib": peak}


def _autocast(*, enabled: bool) -> Any:
    if not enabled:
        import contextlib

        return contextlib.nullcontext
    import transformer_engine.pytorch as te
    from transformer_engine.common.recipe import DelayedScaling, Format

    recipe = DelayedScaling(fp8_format=Format.HYBRID, amax_history_len=1024)
    return lambda: te.fp8_autocast(enabled=True, fp8_recipe=recipe)


def main() -> int:
    """Measure all points asked for."""
    import warnings

    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scope", choices=("layers", "model"), default="layers")
    parser.add_argument("--backend", choices=("TE", "AO"), default="TE")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--sizes", nargs="*", default=list(SHAPES))
    parser.add_argument("--tokens", nargs="*", type=int, default=list(TOKENS))
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with options.out.open("a") as out:
        for name in options.sizes:
            for tokens in options.tokens:
                point = _point(name, tokens, options)
                out.write(json.dumps(point) + "\n")
                out.flush()
                print(name, tokens, point["bf16"]["ms"], point["fp8"]["ms"], point["speed_up"], flush=True)
    return 0


def _point(name: str, tokens: int, options: argparse.Namespace) -> dict[str, Any]:
    torch._dynamo.reset()
    point: dict[str, Any] = {
        "shape": name,
        "tokens": tokens,
        "layers": LAYERS if options.scope == "layers" else SHAPES[name][4],
        "scope": options.scope,
        "backend": options.backend,
        "compiled": options.compile,
        "gpu": torch.cuda.get_device_name(),
    }
    rounds = [[measure(name, tokens, options, fp8=fp8) for fp8 in (False, True)] for _ in range(options.rounds)]
    for place, precision in enumerate(("bf16", "fp8")):
        point[precision] = _together([both[place] for both in rounds])
    point["speed_up"] = round(point["bf16"]["ms"] / point["fp8"]["ms"], 3)
    return point


def _together(rounds: list[dict[str, float]]) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "ms": round(statistics.median(one["ms"] for one in rounds), 3),
        "low": round(min(one["low"] for one in rounds), 3),
        "high": round(max(one["high"] for one in rounds), 3),
        "peak_gib": round(max(one["peak_gib"] for one in rounds), 3),
    }
    return {**seen, "rounds": [round(one["ms"], 3) for one in rounds]} if len(rounds) > 1 else seen


if __name__ == "__main__":
    sys.exit(main())
