"""What an FP8 layer adds to a state dict below `_extra_state`, and takes back from one, release by release.

As in the package (pytorch/module/base.py and, from 2.18, pytorch/_extra_state.py): a layer that last ran outside FP8 has
nothing to say; delayed scaling's scales and history go through pickle; from 2.18 pickles are refused unless a variable
allows them.
"""

from __future__ import annotations

import io
import os
import pickle
from typing import Any

import torch
from transformer_engine.release import RELEASE

ALLOW = "NVTE_ALLOW_UNSAFE_PICKLE_EXTRA_STATE"
TENSORS = ("scale_fwd", "amax_history_fwd", "scale_bwd", "amax_history_bwd")
LARGEST = 448.0


class Scaling:
    """Scale and history of the largest absolute values, a column each for input, weight and output."""

    def __init__(self, length: int, columns: int) -> None:
        self.scale = torch.ones(columns)
        self.amax_history = torch.zeros(length, columns)

    def see(self, *tensors: torch.Tensor) -> None:
        """Put the largest values of a step into the history; the scale follows it."""
        self.amax_history = torch.roll(self.amax_history, -1, 0)
        for column, tensor in enumerate(tensors):
            self.amax_history[0, column] = tensor.detach().abs().max().float() if tensor.numel() else 0.0
        largest = self.amax_history.max(dim=0).values
        self.scale = torch.where(largest > 0, LARGEST / largest.clamp(min=1e-12), self.scale)


def begin(layer: Any, recipe: Any | None) -> None:
    """What a layer notes at the start of each forward: whether FP8 is on, and what it scales with."""
    layer.fp8 = layer.fp8_meta["fp8_checkpoint"] = recipe is not None
    if recipe is None:
        return
    layer.fp8_meta["recipe"] = recipe
    if hasattr(recipe, "amax_history_len") and "scaling_fwd" not in layer.fp8_meta:
        _make(layer, recipe)


def _make(layer: Any, recipe: Any) -> None:
    layer.fp8_meta["scaling_fwd"] = Scaling(recipe.amax_history_len, 3)
    layer.fp8_meta["scaling_bwd"] = Scaling(recipe.amax_history_len, 2)


def given(layer: Any) -> Any:
    """The value below `_extra_state`."""
    state = _state(layer) if layer.fp8 or layer.fp8_meta["fp8_checkpoint"] else None
    if RELEASE < (2, 0):
        buffer = io.BytesIO()
        torch.save(state, buffer)
        return buffer
    stateless = state is None or (RELEASE >= (2, 18) and "scaling_fwd" not in layer.fp8_meta)
    if RELEASE >= (2, 4) and stateless:
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(pickle.dumps(state)), dtype=torch.uint8)


def _state(layer: Any) -> dict[str, Any]:
    meta = layer.fp8_meta
    state: dict[str, Any] = {"recipe": meta["recipe"], "extra_fp8_variables": {"fp8_checkpoint": True}}
    if "scaling_fwd" in meta:
        forward, backward = meta["scaling_fwd"], meta["scaling_bwd"]
        tensors = (forward.scale, forward.amax_history, backward.scale, backward.amax_history)
        state.update(zip(TENSORS, tensors, strict=True))
    if RELEASE < (2, 0):
        del state["recipe"]
    return state


def taken(layer: Any, value: Any) -> None:
    """Take back what stood below `_extra_state`.

    Raises:
        RuntimeError: it is a pickle, and the release wants to be told that it may load one.
    """
    if value is None or (isinstance(value, torch.Tensor) and value.numel() == 0):
        return
    if RELEASE >= (2, 18) and os.getenv(ALLOW, "0") != "1":
        raise RuntimeError(
            f"Refusing to load pickled Transformer Engine extra state for {type(layer).__name__}. "
            "Delayed-scaling FP8 metadata can be stored as a Python pickle, and loading it "
            "can execute arbitrary code. Only enable unsafe loading if this checkpoint is from "
            f"a trusted source. To load it anyway, set {ALLOW}=1."
        )
    if isinstance(value, io.BytesIO):
        value.seek(0)
        state = torch.load(value, weights_only=False)
    else:
        state = pickle.loads(value.numpy().tobytes())  # noqa: S301 - as the package does, and what it warns of
    if state is None:
        return
    layer.fp8_meta.update(state["extra_fp8_variables"])
    if "amax_history_fwd" in state:
        recipe = layer.fp8_meta.setdefault("recipe", state.get("recipe"))
        _make(layer, recipe) if recipe is not None else None
        for direction in ("fwd", "bwd"):
            scaling = layer.fp8_meta.setdefault(f"scaling_{direction}", Scaling(1, 1))
            scaling.scale, scaling.amax_history = state[f"scale_{direction}"], state[f"amax_history_{direction}"]
