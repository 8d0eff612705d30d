"""The training scripts of the cases, as people write them."""

from __future__ import annotations

OWN = """\
import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM

accelerator = Accelerator({keywords})
model = AutoModelForCausalLM.from_pretrained("model")
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
model, optimizer = accelerator.prepare(model, optimizer)
ids = torch.randint(4, 80, (4, 16), device=accelerator.device)
loss = model(input_ids=ids, labels=ids).loss
accelerator.backward(loss)
optimizer.step()
optimizer.zero_grad()
"""

FLAGS = """\
from dataclasses import dataclass, field

import torch
from transformers import AutoModelForCausalLM, HfArgumentParser, Trainer, TrainingArguments


@dataclass
class ModelArguments:
    model_name_or_path: str = field(default="model")


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {"input_ids": ids, "labels": ids}


def main():
    parser = HfArgumentParser((ModelArguments, TrainingArguments))
    model_args, training_args = parser.parse_args_into_dataclasses()
    model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)
    trainer = Trainer(model=model, args=training_args, train_dataset=Rows())
    trainer.train()


if __name__ == "__main__":
    main()
"""

SFT = """\
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

args = SFTConfig(
    output_dir="out",
    max_steps=1,
    per_device_train_batch_size=4,
    learning_rate=1e-2,
    report_to="none",
    save_strategy="no",
{keywords})
trainer = SFTTrainer(
    model="model", args=args, train_dataset=load_dataset("data/sft", split="train")
)
trainer.train()
"""

DPO = """\
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer


def main():
    tokenizer = AutoTokenizer.from_pretrained("model")
    model = AutoModelForCausalLM.from_pretrained("model")
    config = DPOConfig(
        output_dir="out",
        max_steps=1,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        report_to="none",
        save_strategy="no",
{keywords}    )
    trainer = DPOTrainer(
        model=model,
        args=config,
        train_dataset=load_dataset("data/dpo", split="train"),
        processing_class=tokenizer,
    )
    trainer.train()


if __name__ == "__main__":
    main()
"""

TRAINER = """\
import torch
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        ids = torch.arange(4, 20)
        return {{"input_ids": ids, "labels": ids}}


training_args = TrainingArguments(
    output_dir="out",
    max_steps=1,
    per_device_train_batch_size=4,
    learning_rate=1e-2,
    report_to="none",
    save_strategy="no",
{keywords})
Trainer(
    model=AutoModelForCausalLM.from_pretrained("model"),
    args=training_args,
    train_dataset=Rows(),
).train()
"""


def own(**keywords: object) -> str:
    """A script with an Accelerator of its own."""
    return OWN.format(keywords=", ".join(f"{name}={value!r}" for name, value in keywords.items()))


def sft(**keywords: object) -> str:
    """SFTConfig and SFTTrainer."""
    return SFT.format(keywords=_lines(keywords, 4))


def dpo(**keywords: object) -> str:
    """DPOConfig and DPOTrainer, in a function."""
    return DPO.format(keywords=_lines(keywords, 8))


def trainer(**keywords: object) -> str:
    """TrainingArguments and Trainer."""
    return TRAINER.format(keywords=_lines(keywords, 4))


def _lines(keywords: dict[str, object], indent: int) -> str:
    return "".join(f"{' ' * indent}{name}={value!r},\n" for name, value in keywords.items())
