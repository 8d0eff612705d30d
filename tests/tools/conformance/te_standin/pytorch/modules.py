"""Linear and LayerNorm: plain parameters, new objects with requires_grad, as in the package."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch.nn import functional
from transformer_engine.pytorch import extra_state
from transformer_engine.pytorch.context import active_recipe
from transformer_engine.record import layers_high_precision, layers_run
from transformer_engine.release import RELEASE, compute_capability


class _Product(torch.autograd.Function):
    """x times the transposed weight, keeping for backward what an FP8 product keeps beside the high-precision one.

    The number of tensors kept differs with FP8 on and off. That is what a checkpoint, which runs the forward again
    outside the FP8 context, stumbles over.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, fp8: bool) -> torch.Tensor:
        ctx.fp8 = fp8
        scales = (torch.ones(1), torch.ones(1)) if fp8 else ()
        ctx.save_for_backward(x, weight, *scales)
        return functional.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        x, weight, *_scales = ctx.saved_tensors
        gradient = gradients[0]
        rows = gradient.reshape(-1, gradient.shape[-1])
        if ctx.fp8:
            _check_backward(rows.shape[0])
        return gradient @ weight, rows.t() @ x.reshape(-1, x.shape[-1]), None


def _check_backward(rows: int) -> None:
    """Ada and Hopper only multiply one layout, so the weight gradient needs rows in multiples of 16.

    The text is what release 2.20 said on an H200 with 24 rows; before 2.9 the library did not check.
    """
    if RELEASE >= (2, 9) and compute_capability() < (10, 0) and rows % 16:
        raise RuntimeError("ret.lda % 16 == 0. Leading dimension requirement on A for FP8 GEMM. Caller must pad.")


def _check_shape(shape: torch.Size) -> None:
    """The alignment that an FP8 layer asks of its input."""
    if prod(shape[:-1]) % 8 == 0 and shape[-1] % 16 == 0:
        return
    wanted = "the product of all dimensions except the last to be divisible by 8 and the last dimension"
    text = f"FP8 execution requires {wanted} to be divisible by 16, but got tensor with dims={list(shape)}"
    if RELEASE < (2, 8):
        wanted = "2D input matrices with height divisible by 8 and width divisible by 16"
        text = f"FP8 execution requires {wanted}, but got tensor with dims={[prod(shape[:-1]), shape[-1]]}"
    raise AssertionError(text) if RELEASE < (2, 14) else ValueError(text)


class Linear(torch.nn.Module):
    """A linear layer that runs in FP8 inside the FP8 context, else in high precision."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        params_dtype: torch.dtype | None = None,
        **_others: Any,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.fp8 = False
        self.fp8_meta: dict[str, Any] = {"fp8_checkpoint": False}
        self.weight = torch.nn.Parameter(torch.empty(out_features, in_features, dtype=params_dtype))
        if bias:
            self.bias = torch.nn.Parameter(torch.zeros(out_features, dtype=params_dtype))
        else:
            # As the real one (module/linear.py of 1.11.0 to 2.20.2): an empty tensor, where torch.nn.Linear has None.
            self.bias = torch.empty(0, dtype=params_dtype)

    def get_extra_state(self) -> Any:
        """Scales and history, as a tensor of bytes; 1.x gave a file object."""
        return extra_state.given(self)

    def set_extra_state(self, state: Any) -> None:
        """Take scales and history back."""
        extra_state.taken(self, state)

    def forward(self, x: torch.Tensor, **_others: Any) -> torch.Tensor:
        """The product, in the dtype of torch's autocast if that is on, else in the input's."""
        extra_state.begin(self, active_recipe())
        fp8 = active_recipe() is not None
        if fp8:
            _check_shape(x.shape)
            _check_shape(self.weight.shape)
        (layers_run if fp8 else layers_high_precision).add(id(self))
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        with torch.autocast("cpu", enabled=False):
            product: torch.Tensor = _Product.apply(x.to(dtype), self.weight.to(dtype), fp8)
            if "scaling_fwd" in self.fp8_meta and fp8:
                self.fp8_meta["scaling_fwd"].see(x, self.weight, product)
            return product + self.bias.to(dtype) if self.bias.numel() else product


class LayerNorm(torch.nn.LayerNorm):
    """Layer normalisation under the name that the package gives it."""

    def __init__(
        self, hidden_size: int, eps: float = 1e-5, params_dtype: torch.dtype | None = None, **_others: Any
    ) -> None:
        super().__init__(hidden_size, eps=eps, dtype=params_dtype)

    if RELEASE >= (2, 0):

        def get_extra_state(self) -> torch.Tensor:
            """An operation of 2.x has this key, too; a norm without FP8 output has nothing to say below it."""
            return torch.empty(0, dtype=torch.uint8)

        def set_extra_state(self, state: Any) -> None:
            """Nothing to take."""


class TransformerLayer(torch.nn.Module):
    """Only a name to compare types with; nothing here builds one."""
