"""The FP8 step against the same step in FP32 and in BF16: relative errors of output and gradients."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import torch

from . import chain, device
from .inspect_model import local

if TYPE_CHECKING:
    from .chain import Prepared
    from .channel import Channel

TOKENS = 1024  # of the micro-batch are enough for an error
PASSES = 4


def compare(spec: dict[str, Any], prepared: Prepared, channel: Channel) -> None:
    """Tell the errors, with the weights of the beginning: what a few steps on random labels make is easily right.

    Weights that are cut into shards have no whole reference, and nothing is told of them.
    """
    if any(type(parameter).__name__ in ("DTensor", "FlatParameter") for parameter in prepared.plain.parameters()):
        return
    columns = min(prepared.built.columns, max(16, TOKENS // 16 * 16))
    batch = chain.batch(spec, 1, columns, prepared.built.vocab)
    reference = chain.build({**spec, "checkpointing": None}, prepared.built)
    _begin_again(prepared, reference)
    fp8 = _fp8(prepared, batch)
    exact = _plain(reference, batch, torch.float32)
    bf16 = _plain(reference, batch, torch.bfloat16)
    channel.saw(
        numerics={
            "output": {"fp8": _error(fp8[0], exact[0]), "bf16": _error(bf16[0], exact[0])},
            "gradients": {"fp8": _errors(fp8[1], exact[1]), "bf16": _errors(bf16[1], exact[1])},
            "tokens": columns,
        }
    )


def _begin_again(prepared: Prepared, reference: Any) -> None:
    """Put the first weights, which the reference was built with, back into the prepared model."""
    first = dict(reference.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name, parameter in prepared.plain.named_parameters():
            if name in first:
                local(parameter).copy_(first[name])


def _fp8(prepared: Prepared, batch: dict[str, torch.Tensor]) -> Any:
    """Output and gradients of the prepared model, after passes that let delayed scales follow this batch."""
    for _ in range(PASSES):
        # Not the optimizer's: it may not hold every parameter.
        prepared.plain.zero_grad(set_to_none=True)
        result = prepared.eager(**batch)
        prepared.accelerator.backward(result["loss"])
    found = (result["output"].detach().float(), _gradients(prepared.plain))
    prepared.plain.zero_grad(set_to_none=True)
    return found


def _plain(model: Any, batch: dict[str, torch.Tensor], dtype: torch.dtype) -> Any:
    where = batch["input_ids"].device.type
    wanted = model.float() if dtype is torch.float32 else model.to(torch.bfloat16)
    wanted.zero_grad(set_to_none=True)
    with torch.autocast(where, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
        result = wanted(**batch)
    result["loss"].backward()
    found = (result["output"].detach().float(), _gradients(wanted))
    device.wait()
    gc.collect()
    return found


def _gradients(model: Any) -> dict[str, torch.Tensor]:
    """The gradients of the layers' matrices. Those of embedding and head are as large as the vocabulary: left out."""
    return {
        name: local(parameter.grad).float()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and parameter.dim() > 1 and not any(part in name for part in ("embed", "lm_head"))
    }


def _error(seen: torch.Tensor, exact: torch.Tensor) -> float | None:
    """Relative error by the Frobenius norm; None where it is no number."""
    value = float((seen - exact).norm() / exact.norm())
    return round(value, 5) if value == value and value != float("inf") else None  # noqa: PLR0124  NaN


def _errors(seen: dict[str, torch.Tensor], exact: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The median and the worst of the layers' errors, and the worst one's name."""
    errors = {name: _error(seen[name], gradient) for name, gradient in exact.items() if name in seen}
    numbers = sorted((error, name) for name, error in errors.items() if error is not None)
    broken = [name for name, error in errors.items() if error is None]
    missing = [name for name in exact if name not in seen]
    if not numbers:
        return {"median": None, "worst": None, "name": None, "broken": broken[:8], "missing": len(missing)}
    worst = numbers[-1]
    return {
        "median": numbers[len(numbers) // 2][0],
        "worst": worst[0],
        "name": worst[1],
        "broken": broken[:8],
        "missing": len(missing),
    }
