"""Runs the program of a trainer as it is, and writes how much GPU memory its training took.

    accelerate launch --config_file FILE tests/tools/gpu/watched.py OUT.json PROGRAM [ARGUMENTS ...]

PROGRAM is a Python file or the name of a module; train.py has a loop of its own. The process ends when Trainer.train()
returns, before anything is saved; a loop of its own runs to its end, and its phases are not told apart. What is written
(of rank 0, and of the others in OUT.json.rank1 ...) is fp8check/seen/1 as far as it goes, with
torch.cuda.max_memory_allocated of the whole process in bytes, the same by phases of the last step (`forward` to the
loss, `backward` to the clipped gradient, `optimizer`; DeepSpeed's own step lies in `backward`), what is allocated
between steps, and which Linear layers trained.
"""

from __future__ import annotations

import atexit
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
        losses = [round(row["loss"], 4) for row in self.state.log_history if "loss" in row]
        write(out, _seen(self.accelerator, self.model_wrapped, self.optimizer, losses, marks))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    Trainer.compute_loss, Trainer.train = computed, trained


def watch_loop(out: str) -> None:
    """Write what a loop of its own took when its process ends."""
    from accelerate import Accelerator

    marks, losses, backward = Marks(), [], Accelerator.backward

    def walked(self: Accelerator, loss: Any, **named: Any) -> None:
        backward(self, loss, **named)
        if not losses:
            atexit.register(lambda: end(self))
        losses.append(round(float(loss.detach()), 4))

    def end(accelerator: Any) -> None:
        marks.mark("after")
        model, optimizer = accelerator._models[0], accelerator._optimizers[0]
        write(out, _seen(accelerator, model, optimizer, losses, marks))

    Accelerator.backward = walked


def write(out: str, seen: dict[str, Any]) -> None:
    """Of rank 0 under that name."""
    rank = int(os.environ.get("RANK", "0"))
    written = Path(f"{out}.{rank}")
    written.write_text(json.dumps(seen) + "\n", encoding="utf-8")
    written.rename(out if rank == 0 else f"{out}.rank{rank}")


def _seen(accelerator: Any, model: Any, optimizer: Any, losses: list[float], marks: Marks) -> dict[str, Any]:
    import torch

    kinds: dict[str, int] = {}
    for module in model.modules():
        name = f"{type(module).__module__.split('.')[0]}.{type(module).__name__}"
        if name.endswith("Linear"):
            kinds[name] = kinds.get(name, 0) + 1
    plain = kinds.get("torch.Linear", 0)
    cuda = torch.cuda.is_available()
    return {
        "schema": "fp8check/seen/1",
        "source": "run",
        "gpu": torch.cuda.get_device_name() if cuda else "",
        "versions": versions(),
        "ranks": accelerator.num_processes,
        "steps": [1, len(losses)],
        "layers": {"converted": sum(kinds.values()) - plain, "total": sum(kinds.values()), "kinds": kinds},
        "loss": losses,
        "accelerator": [accelerator.mixed_precision, str(accelerator.distributed_type)],
        "optimizer": type(getattr(optimizer, "optimizer", optimizer)).__name__,
        "dtypes": sorted({str(one.dtype) for one in model.parameters()}),
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
    if program == "train.py":
        watch_loop(out)
    else:
        watch(out)
    sys.argv = [program, *arguments]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
