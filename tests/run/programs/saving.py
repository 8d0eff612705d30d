"""An Accelerator of its own, and every way to leave something behind: in each step, in this folder and in that of OUT."""

import os
import sys
from pathlib import Path

import torch
from accelerate import Accelerator

OUT = Path(os.environ["OUT"])
ENDS = sys.argv[1:] == ["fails"]

torch.manual_seed(0)
accelerator = Accelerator(project_dir="project")
accelerator.init_trackers("tracked")
layers = [torch.nn.Embedding(64, 32), torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32)]
model = torch.nn.Sequential(*layers, torch.nn.Linear(32, 64))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
model, optimizer = accelerator.prepare(model, optimizer)
for step in range(10_000):
    if ENDS and step == 2 and accelerator.mixed_precision == "bf16":
        sys.exit(5)
    ids = torch.randint(0, 64, (2, 16), generator=torch.Generator().manual_seed(step))
    loss = torch.nn.functional.cross_entropy(model(ids).float().flatten(0, 1), ids.flatten())
    accelerator.backward(loss)
    optimizer.step()
    optimizer.zero_grad()
    accelerator.log({"loss": loss.item()}, step=step)
    print(accelerator.mixed_precision, step, flush=True)
    torch.save(model.state_dict(), "here.pt")
    torch.save(model.state_dict(), OUT / "there.pt")
    accelerator.save_state(OUT / "state")
    accelerator.save_model(model, OUT / "model")
    Path("log.txt").write_text("mine")
