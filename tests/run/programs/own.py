"""A script with an Accelerator of its own."""

import os

import torch
from accelerate import Accelerator
from llama import STEPS, build, tokens

accelerator = Accelerator()
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
