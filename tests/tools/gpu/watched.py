"""Runs the program of a trainer as it is, and writes how much GPU memory its training took.

    accelerate launch --config_file FILE tests/tools/gpu/watched.py OUT.json PROGRAM [ARGUMENTS ...]

PROGRAM is a Python file or the name of a module. The process ends when Trainer.train() returns, before anything is
saved. What is written (of rank 0, and of the others in OUT.json.rank1 ...) is fp8check/seen/1 as far as it goes, with
torch.cuda.max_memory_allocated of the whole process in bytes, the same by phases of the last step (`forward` to the loss, `backward` to the clipped gradient, `optimizer`; DeepSpeed's own step lies in
`backward`), what is allocated between steps, and which Linear layers trained.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

BEGAN = time.time()
PACKAGES = ("torch", "accelerate", "transformers", "peft", "trl", "deepspeed", "llamafactory", "torchao")
PACKAGES += ("transformer_engine", "liger_kernel")


def versions() -> dict[str, str]:
    """The packages that this process can import."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Marks:
    """The peak by phases."""

    def __init__(self) -> None:
        self.phases: dict[str, int] = {}
        self.static = self.whole = self.steps = 0

    def mark(self, name: str) -> None:
        """The phase of that name ends here."""
        import torch

        if not torch.cuda.is_available():
            return
        self.phases[name] = torch.cuda.max_memory_allocated()
        self.whole = max(self.whole, self.phases[name])
        torch.cuda.reset_peak_memory_stats()


def watch(out: str) -> None:
    """Put marks into transformers' Trainer, and end the process when training has ended."""
    import torch
    from transformers import Trainer, TrainerCallback

    marks = Marks()

    class Watch(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            marks.mark("between")
            marks.static = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0

        def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
            marks.mark("backward")

        def on_optimizer_step(self, *_: Any, **__: Any) -> None:
            marks.mark("optimizer")

    compute_loss, train = Trainer.compute_loss, Trainer.train

    def computed(self: Any, *arguments: Any, **named: Any) -> Any:
        found = compute_loss(self, *arguments, **named)
        marks.mark("forward")
        return found

    def trained(self: Any, *arguments: Any, **named: Any) -> Any:
        self.add_callback(Watch())
        train(self, *arguments, **named)
        marks.mark("after")
        rank = int(os.environ.get("RANK", "0"))
        written = Path(f"{out}.{rank}")
        written.write_text(json.dumps(_seen(self, marks)) + "\n", encoding="utf-8")
        written.rename(out if rank == 0 else f"{out}.rank{rank}")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    Trainer.compute_loss, Trainer.train = computed, trained


def _seen(trainer: Any, marks: Marks) -> dict[str, Any]:
    import torch

    kinds: dict[str, int] = {}
    for module in trainer.model_wrapped.modules():
        name = f"{type(module).__module__.split('.')[0]}.{type(module).__name__}"
        if name.endswith("Linear"):
            kinds[name] = kinds.get(name, 0) + 1
    plain = kinds.get("torch.Linear", 0)
    parameters = list(trainer.model_wrapped.parameters())
    cuda = torch.cuda.is_available()
    return {
        "schema": "fp8check/seen/1",
        "source": "run",
        "gpu": torch.cuda.get_device_name() if cuda else "",
        "versions": versions(),
        "ranks": trainer.accelerator.num_processes,
        "steps": [1, trainer.state.global_step],
        "layers": {"converted": sum(kinds.values()) - plain, "total": sum(kinds.values()), "kinds": kinds},
        "loss": [round(row["loss"], 4) for row in trainer.state.log_history if "loss" in row],
        "accelerator": [trainer.accelerator.mixed_precision, str(trainer.accelerator.distributed_type)],
        "optimizer": type(getattr(trainer.optimizer, "optimizer", trainer.optimizer)).__name__,
        "dtypes": sorted({str(one.dtype) for one in parameters}),
        "static": marks.static,
        "phases": {name: peak for name, peak in marks.phases.items() if name in ("forward", "backward", "optimizer")},
        "peak": marks.whole,
        "peak_gib": round(marks.whole / 2**30, 3),
        "reserved": torch.cuda.max_memory_reserved() if cuda else 0,
        "seconds": round(time.time() - BEGAN, 1),
    }


def main() -> None:
    """Run the program."""
    out, program, *arguments = sys.argv[1:]
    watch(out)
    sys.argv = [program, *arguments]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
