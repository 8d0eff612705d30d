"""A Llama of random weights, of the size that the variables SIZE and LAYERS say, and random tokens for it."""

import os

import torch
from transformers import LlamaConfig, LlamaForCausalLM

SIZES = {"tiny": (64, 128, 4, 2), "7b": (3584, 18944, 28, 4), "1b": (2048, 5632, 32, 4)}
HIDDEN, INNER, HEADS, KEYS = SIZES[os.environ.get("SIZE", "tiny")]
ROWS, LENGTH = (int(one) for one in os.environ.get("TOKENS", "2x64").split("x"))
STEPS = int(os.environ.get("STEPS", "12"))
WORDS = 1024 if HIDDEN == 64 else 8192


def build():
    """The model, on the GPU where there is one."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=int(os.environ.get("LAYERS", "2")),
        num_attention_heads=HEADS,
        num_key_value_heads=KEYS,
        vocab_size=WORDS,
        max_position_embeddings=max(LENGTH, 64),
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return LlamaForCausalLM(config)


def tokens(step):
    """Those of a step, other ones on each rank."""
    generator = torch.Generator().manual_seed(1000 * int(os.environ.get("RANK", "0")) + step)
    return torch.randint(4, WORDS, (ROWS, LENGTH), generator=generator)
