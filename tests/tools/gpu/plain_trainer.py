"""A training script as many people write it: a model from a folder, the Hugging Face Trainer, every row of one length.

python plain_trainer.py TRAIN.yaml
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoConfig, AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Random tokens."""

    def __init__(self, count: int, length: int, vocabulary: int) -> None:
        self._ids = torch.randint(0, vocabulary, (count, length), generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        ids = self._ids[index]
        return {"input_ids": ids, "labels": ids.clone(), "attention_mask": torch.ones_like(ids)}


def main() -> None:
    """Train what the file says."""
    with open(sys.argv[1], encoding="utf-8") as file:
        given: dict[str, Any] = yaml.safe_load(file)
    name, length = given.pop("model_name_or_path"), given.pop("max_seq_length")
    dtype = given.pop("torch_dtype", None)
    lora = {key: given.pop(key) for key in ("use_peft", "lora_r", "lora_target_modules") if key in given}
    attention = {key: given.pop(key) for key in ("attn_implementation",) if key in given}
    arguments = TrainingArguments(**given)  # first: with ZeRO-3 the model is then made in shards
    kinds = {} if dtype is None else {"dtype": getattr(torch, dtype)}
    if list(Path(name).glob("*.safetensors")):
        model = AutoModelForCausalLM.from_pretrained(name, **kinds, **attention)
    else:  # of a model that is large to keep, only its configuration is there
        with torch.device("cuda"):
            model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(name), **kinds, **attention)
    if lora:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=lora["lora_r"], target_modules="all-linear", task_type="CAUSAL_LM"))
        if given.get("gradient_checkpointing"):
            model.enable_input_require_grads()
    trainer = Trainer(model, arguments, train_dataset=Rows(256, length, model.config.vocab_size))
    trainer.train()


if __name__ == "__main__":
    main()
