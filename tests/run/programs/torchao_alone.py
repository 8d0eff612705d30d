"""Plain PyTorch with torchao's float8 training, and nothing of Accelerate."""

import torch
from llama import STEPS, build, tokens
from torchao.float8 import Float8LinearConfig, convert_to_float8_training

config = Float8LinearConfig(emulate=not torch.cuda.is_available())
model = convert_to_float8_training(
    build().bfloat16(), config=config, module_filter_fn=lambda _module, name: "lm_head" not in name
)
device = next(model.parameters()).device
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
model.train()
for step in range(STEPS):
    ids = tokens(step).to(device)
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
