"""transformers' Trainer; BF16 is a word of the command line."""

import sys

import torch
from llama import ROWS, STEPS, build, tokens
from transformers import HfArgumentParser, Trainer, TrainingArguments


class Rows(torch.utils.data.Dataset):
    """Random rows."""

    def __len__(self):
        return ROWS * STEPS * 4

    def __getitem__(self, index):
        ids = tokens(index)[0]
        return {"input_ids": ids, "labels": ids}


if __name__ == "__main__":
    parser = HfArgumentParser(TrainingArguments)
    (arguments,) = parser.parse_args_into_dataclasses(sys.argv[1:])
    Trainer(model=build(), args=arguments, train_dataset=Rows()).train()
