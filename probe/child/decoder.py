"""Decoder layers of the model's own shapes: the Linear layers carry the names and sizes of the real ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

# Part names by which the usual layout is told; another one gets its Linear layers run in a chain (see Layer).
_ATTENTION = ("q_proj", "k_proj", "v_proj")
_GATED = ("gate_proj", "up_proj", "down_proj")


class Norm(nn.Module):
    """RMSNorm in float32, as Llama has it. No LayerNorm: Transformer Engine would convert that one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, sequence, width] in and out."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.weight * wide.to(x.dtype)


class Layer(nn.Module):
    """One decoder layer: its Linear layers under their own names, between two norms and residual connections.

    Where the names are the usual ones, this is causal grouped attention and a gated feed-forward part. Any other layout
    has each Linear applied in turn to an input cut or repeated to its width: the GEMMs are the model's, what lies
    between them is not.
    """

    def __init__(self, shape: dict[str, Any]) -> None:
        super().__init__()
        self.head_dim = shape["head_dim"]
        self.names: list[str] = []
        for name, columns, rows, bias in shape["block"]:
            _put(self, name, nn.Linear(columns, rows, bias=bias))
            self.names.append(name)
        self.input_layernorm = Norm(shape["hidden"])
        self.post_attention_layernorm = Norm(shape["hidden"])
        last = {name.rpartition(".")[2]: name for name in self.names}
        out = last.get("o_proj") or last.get("out_proj") or last.get("dense")
        self.attention = [*(last[name] for name in _ATTENTION), out] if out and set(_ATTENTION) <= set(last) else None
        self.gated = [last[name] for name in _GATED] if set(_GATED) <= set(last) else None
        done = {*(self.attention or ()), *(self.gated or ())}
        self.others = [name for name in self.names if name not in done]

    def part(self, name: str) -> nn.Module:
        """The module of that name, whatever took the place of the Linear layer."""
        found: Any = self
        for piece in name.split("."):
            found = getattr(found, piece)
        module: nn.Module = found
        return module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Hidden states [batch, sequence, hidden] in and out."""
        if self.attention is not None:
            x = x + self._attend(self.input_layernorm(x))
        if self.gated is not None:
            gate, up, down = (self.part(name) for name in self.gated)
            y = self.post_attention_layernorm(x)
            x = x + down(functional.silu(gate(y)) * up(y))
        if self.others:
            x = x + self._chain(self.input_layernorm(x))
        return x

    def _attend(self, y: torch.Tensor) -> torch.Tensor:
        rows, columns, _ = y.shape
        q, k, v, out = (self.part(name) for name in self.attention or ())
        heads = [module(y).view(rows, columns, -1, self.head_dim).transpose(1, 2) for module in (q, k, v)]
        groups = heads[0].shape[1] // heads[1].shape[1]
        key, value = (part.repeat_interleave(groups, dim=1) for part in heads[1:])
        mixed = functional.scaled_dot_product_attention(heads[0], key, value, is_causal=True)
        result: torch.Tensor = out(mixed.transpose(1, 2).reshape(rows, columns, -1))
        return result

    def _chain(self, x: torch.Tensor) -> torch.Tensor:
        width, y = x.shape[-1], x
        for name in self.others:
            module: Any = self.part(name)
            y = module(_of_width(y, module.in_features))
        return _of_width(y, width)


def _of_width(x: torch.Tensor, width: int) -> torch.Tensor:
    """Cut or repeat the last dimension."""
    times = -(-width // x.shape[-1])
    return (x.repeat(1, 1, times) if times > 1 else x)[..., :width].contiguous()


def _put(root: nn.Module, name: str, module: nn.Module) -> None:
    """Place a module at a dotted name, with plain modules on the way, in the order of the calls."""
    *way, last = name.split(".")
    for piece in way:
        if not hasattr(root, piece):
            root.add_module(piece, nn.Module())
        root = getattr(root, piece)
    root.add_module(last, module)


class Decoder(nn.Module):
    """Embedding, some decoder layers, a norm and the head, which may be tied.

    Attributes:
        checkpointing: None, or whether gradient checkpointing is the reentrant kind.
    """

    def __init__(self, shape: dict[str, Any], layers: int, vocab: int, checkpointing: bool | None) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.embed_tokens = nn.Embedding(vocab, shape["hidden"])
        # FSDP wraps by class name: the layers carry the one that the configuration asks for.
        layer_class = type(str(shape.get("layer_class") or "Layer"), (Layer,), {})
        self._no_split_modules = [layer_class.__name__]
        self.layers = nn.ModuleList(layer_class(shape) for _ in range(layers))
        self.norm = Norm(shape["hidden"])
        self.lm_head = nn.Linear(shape["hidden"], vocab, bias=shape["head_bias"]) if shape["head"] else None
        if self.lm_head is not None and shape["tied"]:
            self.lm_head.weight = self.embed_tokens.weight
        _initialise(self)

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Token ids [batch, sequence] and their labels; the mean loss, and the output that it is taken from."""
        x = self.embed_tokens(input_ids)
        if self.checkpointing and self.training and not x.requires_grad:
            x.requires_grad_(True)  # what enable_input_require_grads() does where the embedding is frozen
        for layer in self.layers:
            x = self._through(layer, x)
        x = self.norm(x)
        if self.lm_head is None:
            return {"loss": x.float().pow(2).mean(), "output": x}
        logits = self.lm_head(x)
        loss = functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten())
        return {"loss": loss, "output": logits}

    def _through(self, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        if self.checkpointing is None or not self.training:
            result: torch.Tensor = layer(x)
            return result
        from torch.utils.checkpoint import checkpoint

        kept: torch.Tensor = checkpoint(layer, x, use_reentrant=self.checkpointing)
        return kept


def _initialise(model: nn.Module) -> None:
    """Normal weights of deviation 0.02, as Llama begins with; biases small, so that each has a gradient."""
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.02)
        elif name.endswith("bias"):
            nn.init.normal_(parameter, std=0.01)
