"""Training steps as the run makes them: kernels, losses, and whether the weights really move.

Movement is judged over several steps. With a delayed scale the first gradients may all be zero: a layer's scale follows
its gradients only once those behind it arrive, so that a decoder needs a handful of steps until every weight moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from . import device, inspect_model, kernels

if TYPE_CHECKING:
    from .chain import Prepared
    from .channel import Channel

FEWEST_STEPS, MOST_STEPS = 3, 8
SMALL_RATE = 4e-3  # from the third step on; a BF16 weight of 1 still moves at it


def run(prepared: Prepared, channel: Channel) -> None:
    """The first step watched and profiled, then more until every weight has moved; tell of each as it is seen."""
    before = fingerprints(prepared)
    losses = [_first(prepared, channel)]
    channel.saw(losses=losses)
    moved = changes(before, fingerprints(prepared), len(losses))
    while len(losses) < FEWEST_STEPS or (moved["moved"] < moved["trainable"] and len(losses) < MOST_STEPS):
        losses.append(_number(_further(prepared)))
        if moved["moved"] < moved["trainable"]:
            moved = changes(before, fingerprints(prepared), len(losses))
        channel.saw(losses=losses, moved=moved)
        if len(losses) > 1:
            for group in prepared.optimizer.param_groups:
                group["lr"] = SMALL_RATE


def _further(prepared: Prepared) -> torch.Tensor:
    loss = prepared.loss()
    prepared.accelerator.backward(loss)
    prepared.optimizer.step()
    prepared.optimizer.zero_grad()
    return loss


def _first(prepared: Prepared, channel: Channel) -> float | None:
    watch = inspect_model.Autocast(prepared.plain)
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


def fingerprints(prepared: Prepared) -> dict[str, tuple[float, float]]:
    """Two numbers of each parameter that trained before prepare(); one of them changes when the parameter does."""
    now = {name: parameter for name, parameter in prepared.plain.named_parameters() if parameter.requires_grad}
    wanted = [name for name in prepared.names if name in now] or list(now)
    return {name: inspect_model.mark(now[name]) for name in wanted}


def changes(
    before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]], steps: int
) -> dict[str, Any]:
    """Which trainable parameters have moved after so many steps; one that is gone, or is NaN now, has not."""
    stayed = [name for name, mark in before.items() if not inspect_model.has_moved(mark, after.get(name))]
    return {
        "trainable": len(before),
        "moved": len(before) - len(stayed),
        "stayed": stayed[: inspect_model.LISTED],
        "steps": steps,
    }


def gradients(prepared: Prepared) -> dict[str, Any]:
    """Parameters without a gradient, those with one that is not finite, and the share of zeros in the layers'."""
    without, infinite, zeros, values = [], [], 0, 0
    for name, parameter in prepared.plain.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            without.append(name)
            continue
        gradient = inspect_model.local(parameter.grad)
        if not bool(torch.isfinite(gradient).all()):
            infinite.append(name)
        if gradient.dim() > 1 and "embed" not in name:
            zeros += int((gradient == 0).sum())
            values += gradient.numel()
    return {
        "without": len(without),
        "names": without[: inspect_model.LISTED],
        "not_finite": infinite[: inspect_model.LISTED],
        "zeros": round(zeros / values, 4) if values else None,
    }
