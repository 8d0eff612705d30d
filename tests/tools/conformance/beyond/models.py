"""The small Llama of these runs, and its random tokens."""

from __future__ import annotations

from typing import Any

import torch

# Wide enough that every layer is converted, small enough for a CPU.
VOCABULARY = 96


def build(spec: dict[str, Any], seed: int = 0) -> Any:
    """A new Llama of 15 Linear layers; `tied` ties its head, `lora` puts adapters of that rank on all layers."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    model = spec.get("model") or {}
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        vocab_size=VOCABULARY,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=bool(model.get("tied")),
        # A head of zeros would hide what becomes of it.
        initializer_range=0.1,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
    )
    built: Any = LlamaForCausalLM(config)
    if model.get("lora"):
        from peft import LoraConfig, get_peft_model

        lora = LoraConfig(r=int(model["lora"]), target_modules="all-linear", task_type="CAUSAL_LM")
        return get_peft_model(built, lora)
    return built


def plain_names(model: Any) -> list[str]:
    """The keys that a checkpoint of the model has before anything is converted."""
    return list(model.state_dict())


def batch(spec: dict[str, Any], rows: int = 4, length: int = 16) -> torch.Tensor:
    """Random tokens, the same each time."""
    del spec
    return torch.randint(4, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(rows * 100 + length))


def tokenizer() -> Any:
    """A tokenizer of whole words, for trainers that want one."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", "<s>", "</s>", "<pad>", *(f"w{number}" for number in range(VOCABULARY - 4))]
    made: Any = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>")
