"""Plain PyTorch with Transformer Engine: its layers, its autocast, its recipe.

INSPECT=1: it tells what becomes of the gradients that it casts to FP8, by nvdlfw-inspect, step by step.
"""

import os

import torch
import transformer_engine
import transformer_engine.pytorch as te
from llama import HIDDEN, INNER, STEPS, WORDS, tokens
from transformer_engine.common.recipe import DelayedScaling, Format

INSPECT = """
gradients:
  enabled: True
  layers: {layer_name_regex_pattern: .*}
  transformer_engine:
    LogFp8TensorStats: {enabled: True, tensors: [gradient], stats: [underflows%, overflows%], freq: 1}
"""
inspect = None
if os.environ.get("INSPECT"):
    from nvdlfw_inspect import api as inspect  # type: ignore[no-redef]

    with open("inspect.yaml", "w") as file:
        file.write(INSPECT)
    features = os.path.join(transformer_engine.__path__[0], "debug", "features")
    inspect.initialize(config_file="inspect.yaml", feature_dirs=[features], log_dir="inspected")
torch.manual_seed(0)
device = "cuda" if torch.cuda.is_available() else "cpu"
layers = [te.Linear(HIDDEN, INNER), torch.nn.GELU(), te.Linear(INNER, HIDDEN)]
layers += [te.Linear(HIDDEN, INNER), torch.nn.GELU(), te.Linear(INNER, HIDDEN)]
model = torch.nn.Sequential(torch.nn.Embedding(WORDS, HIDDEN), *layers, torch.nn.Linear(HIDDEN, WORDS)).to(device)
with torch.no_grad():
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.normal_(std=0.02)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
recipe = DelayedScaling(fp8_format=Format.HYBRID, amax_history_len=16, amax_compute_algo="max")
for step in range(STEPS):
    ids = tokens(step).to(device)
    with torch.autocast(device, dtype=torch.bfloat16), te.fp8_autocast(enabled=True, fp8_recipe=recipe):
        logits = model(ids)
    loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids.flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if inspect is not None:
        inspect.step()
