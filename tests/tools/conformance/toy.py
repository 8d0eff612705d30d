"""The models of the cases: 2 layers, small enough that a step takes milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tests.tools.conformance.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

LAYERS = 2


class Attention(nn.Module):
    """Four projections with the keys and values cut or repeated to the width of the queries; no softmax."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.q_proj = nn.Linear(shape.hidden, shape.hidden, bias=shape.bias)
        self.k_proj = nn.Linear(shape.hidden, shape.kv, bias=shape.bias)
        self.v_proj = nn.Linear(shape.hidden, shape.kv, bias=shape.bias)
        self.o_proj = nn.Linear(shape.hidden, shape.hidden, bias=shape.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mix the three projections so that each gets a gradient."""
        query, key, value = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        mixed = nn.functional.pad(key * value, (0, query.shape[-1] - key.shape[-1]))
        return self.o_proj(query + mixed)


class Block(nn.Module):
    """Attention and a two-layer MLP, each behind a LayerNorm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.hidden)
        self.attention = Attention(shape)
        self.norm2 = nn.LayerNorm(shape.hidden)
        self.mlp = nn.Sequential(
            nn.Linear(shape.hidden, shape.inter, bias=shape.bias),
            nn.GELU(),
            nn.Linear(shape.inter, shape.hidden, bias=shape.bias),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A pre-norm transformer block."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Toy(nn.Module):
    """A decoder of 13 Linear layers that takes ids and labels and returns the loss first."""

    # The Trainer and FSDP's wrapping ask these two names.
    _no_split_modules = ("Block",)
    main_input_name = "input_ids"
    checkpointed = False

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Block(shape) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(shape.hidden)
        self.lm_head = nn.Linear(shape.hidden, shape.vocab, bias=False)
        if shape.tied:
            self.lm_head.weight = self.embed.weight

    @property
    def dtype(self) -> torch.dtype:
        """What a model of transformers has, and Accelerate 1.6 asks for under FSDP2."""
        return self.lm_head.weight.dtype

    def gradient_checkpointing_enable(self, *arguments: object, **options: object) -> None:
        """Only remembers that the trainer asked; on a CPU, checkpointing changes nothing that is observed."""
        del arguments, options
        self.checkpointed = True

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Cross entropy of every position with its label."""
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x)
        logits = self.lm_head(self.norm(x))
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten())
        return {"loss": loss, "logits": logits}


def llama(shape: Shape) -> nn.Module:
    """A real LlamaForCausalLM of 15 Linear layers; `kv` is the width of its keys and values."""
    from transformers import LlamaConfig, LlamaForCausalLM

    heads = 4
    config = LlamaConfig(
        hidden_size=shape.hidden,
        intermediate_size=shape.inter,
        vocab_size=shape.vocab,
        num_hidden_layers=LAYERS,
        num_attention_heads=heads,
        num_key_value_heads=max(1, shape.kv * heads // shape.hidden),
        tie_word_embeddings=shape.tied,
        attention_bias=shape.bias,
        max_position_embeddings=64,
    )
    return LlamaForCausalLM(config)


def build(model: Mapping[str, Any] | None) -> nn.Module:
    """The model of a case: `kind` is toy (the default) or llama; `lora`, a rank, puts adapters on all Linear layers."""
    torch.manual_seed(0)
    shape = Shape.of(model)
    options = model or {}
    built = llama(shape) if options.get("kind") == "llama" else Toy(shape)
    if options.get("lora"):
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(r=int(options["lora"]), target_modules="all-linear", task_type="CAUSAL_LM")
        adapted: Any = get_peft_model(built, config)
        # Reentrant checkpointing over a frozen embedding needs this; who trains adapters calls it.
        adapted.enable_input_require_grads()
        return adapted
    return built


def batch(model: Mapping[str, Any] | None) -> dict[str, torch.Tensor]:
    """One batch of ids, with the ids as labels."""
    shape = Shape.of(model)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, shape.vocab, (shape.rows, shape.length), generator=generator)
    return {"input_ids": ids, "labels": ids.clone()}
