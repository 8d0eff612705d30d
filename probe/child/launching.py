"""What launching costs on this host: a decoder layer so small that a GPU has long done what the CPU still launches.

Eager code waits for its CPU where layers are small or tokens are few, and hosts differ there by more than two times.
A layer forward and backward under autocast, weights in float32, is what most trainers launch; Transformer Engine's and
torchao's layers cost a multiple of it that differs less from host to host.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

HIDDEN, INTERMEDIATE, HEADS, ROWS = 256, 512, 4, 128
LAYERS, STEPS, ROUNDS = 4, 4, 5


def launch_ms(torch: Any, backend: str = "BF16", device: str = "cuda") -> float:
    """Milliseconds of a decoder layer, forward and backward; of several rounds the median.

    Args:
        backend: whose layers: "BF16" of torch, "TE", "AO" (eager).
    """
    layers = [_layer(torch, device) for _ in range(LAYERS)]
    context = _converted(layers, backend)
    x = torch.randn(1, ROWS, HIDDEN, device=device, requires_grad=True)

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16), context():
            y = x
            for layer in layers:
                y = layer(y)
        y.sum().backward()
        for layer in layers:
            layer.zero_grad()

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    times = []
    step()
    step()
    for _ in range(ROUNDS):
        wait()
        began = time.perf_counter()
        for _ in range(STEPS):
            step()
        wait()
        times.append((time.perf_counter() - began) / (STEPS * LAYERS))
    return 1e3 * statistics.median(times)


def _layer(torch: Any, device: str) -> Any:
    """A decoder layer as transformers has it: norms of several kernels, grouped products, attention, SwiGLU."""
    functional = torch.nn.functional

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shapes = [(HIDDEN, HIDDEN)] * 4 + [(HIDDEN, INTERMEDIATE)] * 2 + [(INTERMEDIATE, HIDDEN)]
            self.linears = torch.nn.ModuleList(
                torch.nn.Linear(columns, rows, bias=False, device=device) for columns, rows in shapes
            )
            self.scale = torch.nn.Parameter(torch.ones(HIDDEN, device=device))

        def norm(self, x: Any) -> Any:
            x = x.float()
            return self.scale * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

        def forward(self, x: Any) -> Any:
            y = self.norm(x)
            q, k, v = (self.linears[at](y).view(1, ROWS, HEADS, HIDDEN // HEADS).transpose(1, 2) for at in range(3))
            a = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.linears[3](a.transpose(1, 2).reshape(1, ROWS, HIDDEN))
            y = self.norm(x)
            return x + self.linears[6](functional.silu(self.linears[4](y)) * self.linears[5](y))

    return Layer()


def _converted(layers: list[Any], backend: str) -> Any:
    """Linear layers in their place, as Accelerate puts them there; the context in which they run."""
    import contextlib

    if backend == "AO":
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training

        for layer in layers:
            convert_to_float8_training(layer, config=Float8LinearConfig(pad_inner_dim=True))
    if backend != "TE":
        return contextlib.nullcontext
    import transformer_engine.pytorch as te
    from transformer_engine.common.recipe import DelayedScaling

    for layer in layers:
        for at, linear in enumerate(layer.linears):
            layer.linears[at] = te.Linear(
                linear.in_features, linear.out_features, bias=False, params_dtype=linear.weight.dtype
            )
    return lambda: te.fp8_autocast(enabled=True, fp8_recipe=DelayedScaling())
