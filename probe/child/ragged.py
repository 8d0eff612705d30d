"""The last batch of an epoch: fewer sequences, and as long as the longest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import chain, device
from .channel import described

if TYPE_CHECKING:
    from .chain import Prepared
    from .channel import Channel


def run(spec: dict[str, Any], prepared: Prepared, channel: Channel) -> None:
    """One step with the ragged batch; an exception is told and does not end the probe."""
    shape = spec["ragged"]
    if shape is None:
        return
    rows, columns = shape["rows"], min(shape["columns"], prepared.built.columns - shape["less"])
    batch = chain.batch(spec, rows, columns, prepared.built.vocab)
    seen: dict[str, Any] = {"rows": rows, "columns": columns, "error": None}
    try:
        loss = prepared.eager(**batch)["loss"]
        prepared.accelerator.backward(loss)
        device.wait()
        prepared.optimizer.zero_grad()
    except Exception as error:  # noqa: BLE001  the exception is what is looked for
        seen["error"] = described("ragged", error)
    channel.saw(ragged=seen)
