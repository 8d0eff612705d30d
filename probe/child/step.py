"""Training steps as the run makes them: kernels, losses, and whether the weights really move.

Movement is judged after two steps: with a delayed scale the gradients of the very first one may all be zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from . import device, kernels, look

if TYPE_CHECKING:
    from .chain import Prepared
    from .channel import Channel

STEPS = 3
SMALL_RATE = 1e-5  # after the first step nothing has to move any more, and random labels must not wreck the weights


def run(spec: dict[str, Any], prepared: Prepared, channel: Channel) -> None:
    """The first step watched and profiled, then two more; tell of each as soon as it is seen."""
    before = fingerprints(prepared.plain)
    losses = [_first(prepared, channel)]
    channel.saw(losses=losses)
    losses.append(_number(_further(prepared)))
    channel.saw(losses=losses, moved=changes(before, fingerprints(prepared.plain)))
    for group in prepared.optimizer.param_groups:
        group["lr"] = SMALL_RATE
    losses.extend(_number(_further(prepared)) for _ in range(STEPS - len(losses)))
    channel.saw(losses=losses)
    if not spec["emulate"]:
        channel.saw(fp8_gib=round(torch.cuda.max_memory_allocated() / 2**30, 3))


def _further(prepared: Prepared) -> torch.Tensor:
    loss = prepared.loss()
    prepared.accelerator.backward(loss)
    prepared.optimizer.step()
    prepared.optimizer.zero_grad()
    return loss


def _first(prepared: Prepared, channel: Channel) -> float | None:
    watch = look.Autocast(prepared.plain)
    # The profiler is slow the first time; it is started once around nothing.
    with kernels.profiler():
        device.wait()
    with kernels.profiler() as forward:
        loss = prepared.loss()
        device.wait()
    channel.saw(autocast=watch.stop(), recipe=watch.recipe)
    with kernels.profiler() as backward:
        prepared.accelerator.backward(loss)
        device.wait()
    channel.saw(kernels=kernels.told(forward, backward))
    channel.saw(gradients=gradients(prepared))
    prepared.optimizer.step()
    prepared.optimizer.zero_grad()
    return _number(loss)


def _number(loss: torch.Tensor) -> float | None:
    """A loss as JSON can carry it: None where it is not finite."""
    value = float(loss.detach())
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124  NaN


def local(parameter: Any) -> torch.Tensor:
    """The values of a parameter: of this process's shard, and without torchao's wrapper."""
    value = parameter.detach()
    value = value.to_local() if hasattr(value, "to_local") else value
    value = getattr(value, "_tensor", value)
    return value.to_local() if hasattr(value, "to_local") else value


def fingerprints(model: Any) -> dict[str, tuple[float, float]]:
    """Two numbers of each trainable parameter; one of them changes when the parameter does."""
    marks = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        value = local(parameter).detach().flatten()
        alternating = value[::2].double().sum() - value[1::2].double().sum()
        marks[name] = (float(value.double().pow(2).sum()), float(alternating))
    return marks


def changes(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Which trainable parameters the step moved; one that is gone, or is NaN now, did not."""
    stayed = [name for name, mark in before.items() if not _moved(mark, after.get(name))]
    return {"trainable": len(before), "moved": len(before) - len(stayed), "stayed": stayed[: look.LISTED]}


def _moved(before: tuple[float, float], after: tuple[float, float] | None) -> bool:
    return after is not None and after != before and all(value == value for value in after)  # noqa: PLR0124  NaN


def gradients(prepared: Prepared) -> dict[str, Any]:
    """Parameters without a gradient, those with one that is not finite, and the share of zeros in the layers'."""
    without, infinite, zeros, values = [], [], 0, 0
    for name, parameter in prepared.plain.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            without.append(name)
            continue
        gradient = local(parameter.grad)
        if not bool(torch.isfinite(gradient).all()):
            infinite.append(name)
        if gradient.dim() > 1 and "embed" not in name:
            zeros += int((gradient == 0).sum())
            values += gradient.numel()
    return {
        "without": len(without),
        "names": without[: look.LISTED],
        "not_finite": infinite[: look.LISTED],
        "zeros": round(zeros / values, 4) if values else None,
    }
