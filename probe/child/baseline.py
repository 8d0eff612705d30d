"""The same step in BF16, without Accelerate and without FP8: its time and its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from . import chain, device, timing

if TYPE_CHECKING:
    from .channel import Channel
    from .fit import Built


def measure(spec: dict[str, Any], built: Built, channel: Channel) -> None:
    """Tell time and peak memory of the unconverted model under BF16 autocast, with an optimizer of its own."""
    where = device.kind(spec)
    model: Any = chain.build(spec, built)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=chain.LEARNING_RATE, weight_decay=0.0, foreach=False)
    batch = chain.batch(spec, built.rows, built.columns, built.vocab)
    run = torch.compile(model) if spec["compile"] else model

    def step() -> None:
        with torch.autocast(where, dtype=torch.bfloat16):
            loss = run(**batch)["loss"]
        loss.backward()
        optimizer.zero_grad()

    with torch.autocast(where, dtype=torch.bfloat16):
        loss = run(**batch)["loss"]
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    device.begin_peak()
    channel.saw(bf16_ms=timing.timed(step), bf16_gib=device.peak_gib())
