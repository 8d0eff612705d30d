"""The same for DeepSpeed, which wants to know the size of a batch."""

import torch
from accelerate import Accelerator
from llama import ROWS, STEPS, build, tokens

accelerator = Accelerator()
accelerator.state.deepspeed_plugin.deepspeed_config["train_micro_batch_size_per_gpu"] = ROWS
model = build()
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
