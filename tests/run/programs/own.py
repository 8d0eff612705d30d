"""A script with an Accelerator of its own."""

import os

import torch
from accelerate import Accelerator
from llama import ROWS, STEPS, build, tokens

accelerator = Accelerator()
if accelerator.state.deepspeed_plugin is not None:  # which wants to know the size of a batch
    accelerator.state.deepspeed_plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = ROWS
model = build()
if os.environ.get("CHECKPOINT"):
    model.gradient_checkpointing_enable({"use_reentrant": os.environ["CHECKPOINT"] == "reentrant"})
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
model, optimizer = accelerator.prepare(model, optimizer)
model.train()
for step in range(STEPS):
    ids = tokens(step).to(accelerator.device)
    loss = model(input_ids=ids, labels=ids).loss
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
accelerator.end_training()
