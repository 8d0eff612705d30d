"""Losses over 200 steps in BF16 and in FP8, with a warm-up and without: what scaling does to the start of a training.

    python -m tests.tools.gpu.converge OUT.jsonl [--gpu N] [--steps 200] [--home FOLDER]

Six layers of 2048/5632 from scratch, on text that can be learned: each token is one of four that may follow the last, by
a table. The same seed, the same rows. Transformer Engine with delayed and with current scaling, torchao in eager mode.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import sys
from pathlib import Path
from typing import Any

import torch

ROWS, LENGTH, VOCABULARY = 4, 1024, 4096
KINDS = ("bf16", "delayed", "current", "torchao")


def text(steps: int) -> Any:
    """Rows for each step."""
    generator = torch.Generator().manual_seed(7)
    follows = torch.randint(0, VOCABULARY, (VOCABULARY, 4), generator=generator)
    tokens = torch.randint(0, VOCABULARY, (steps * ROWS,), generator=generator)
    picks = torch.randint(0, 4, (LENGTH, steps * ROWS), generator=generator)
    found = [tokens]
    for at in range(LENGTH - 1):
        found.append(follows[found[-1], picks[at]])
    return torch.stack(found, 1).view(steps, ROWS, LENGTH)


def train(kind: str, warm_up: int, rows: Any) -> dict[str, Any]:
    """One training."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        hidden_size=2048,
        intermediate_size=5632,
        num_hidden_layers=6,
        num_attention_heads=16,
        num_key_value_heads=16,
        vocab_size=VOCABULARY,
        max_position_embeddings=LENGTH,
        use_cache=False,
    )
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    context = _convert(model, kind)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    losses, norms = [], []
    for step, ids in enumerate(rows):
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 * min(1.0, (step + 1) / warm_up)
        here = ids.cuda()
        with torch.autocast("cuda", dtype=torch.bfloat16), context():
            loss = model(input_ids=here, labels=here).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).detach())
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    return {
        "kind": kind,
        "warm_up": warm_up,
        "gpu": torch.cuda.get_device_name(),
        "loss": [round(float(one), 4) for one in losses],
        "norm": [round(float(one), 4) for one in norms],
    }


def _convert(model: Any, kind: str) -> Any:
    """Its Linear layers in FP8, as Accelerate does it; the context of the forward pass."""
    if kind == "torchao":
        from accelerate.utils import convert_model_to_fp8_ao

        convert_model_to_fp8_ao(model)
    if kind not in ("delayed", "current"):
        return contextlib.nullcontext
    import transformer_engine.pytorch as te
    from accelerate.utils import convert_model
    from transformer_engine.common import recipe

    with torch.no_grad():
        convert_model(model)
    scaling = recipe.DelayedScaling() if kind == "delayed" else recipe.Float8CurrentScaling()
    return lambda: te.fp8_autocast(enabled=True, fp8_recipe=scaling)


def main() -> int:
    """All of them, each alone on its GPU where others take turns there (series.py)."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    options.add_argument("--gpu", type=int, default=0)
    options.add_argument("--device", type=int, default=0, help="as torch counts them")
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--home", default="/dev/shm/series")
    given = options.parse_args()
    torch.cuda.set_device(given.device)
    from accelerate import PartialState

    PartialState()  # accelerate's functions want one
    rows = text(given.steps)
    for warm_up in (1, 50):
        for kind in KINDS:
            with (Path(given.home) / f"gpu{given.gpu}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                try:
                    row = train(kind, warm_up, rows)
                except Exception as error:  # noqa: BLE001  the others go on
                    row = {"kind": kind, "warm_up": warm_up, "error": f"{type(error).__name__}: {error}"[:500]}
                torch.cuda.synchronize()
                torch.cuda.empty_cache()
            with open(given.out, "a", encoding="utf-8") as out:
                print(json.dumps(row), file=out)
            print(kind, warm_up, row.get("loss", [row.get("error")])[-1], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
