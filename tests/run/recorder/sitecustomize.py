"""Records a training from inside, by other means than fp8check does: what `fp8check run` says is held against it.

Python imports this file first where its folder is on PYTHONPATH. RECORD names the file that is written as the program
ends (of rank 0; of the others RECORD.rank1 ...). Tensor.backward is wrapped: losses, and the time of each call. With
RECORD_ALL=1 also

- the Linear layers of the module that is called first, by class;
- the kernels of step PROFILED that compute in FP8 by their names, of the forward and of the backward pass;
- of each trainable parameter whether LAST - 1 steps changed it (at most 65,536 of its elements are compared).
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from typing import Any

from after_import import AfterImport

PROFILED, LAST = 4, 8
ELEMENTS = 65_536
KERNELS = ("nvjet_sm90_qq", "nvjet_sm90_qr", "nvjet_sm90_rq", "e4m3", "e5m2")
NO_GEMM = ("cast", "quantize", "triton", "transpose", "amax")
WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


class Recorder:
    """What one process does."""

    def __init__(self, out: str, *, everything: bool) -> None:
        self.out, self.everything = out, everything
        self.losses: list[Any] = []
        self.times: list[float] = []
        self.model: Any = None
        self.kernels: dict[str, int] = {}
        self.before: dict[str, Any] = {}
        self.moved: dict[str, Any] | None = None
        self.profile: Any = None
        self.depth = 0

    def install(self, torch: Any) -> None:
        """Wrap what leads to a backward pass."""
        backward = torch.Tensor.backward

        def recorded(tensor: Any, *given: Any, **named: Any) -> Any:
            self.depth += 1
            if self.depth == 1:
                self.begins(torch, tensor)
            try:
                return backward(tensor, *given, **named)
            finally:
                self.depth -= 1
                if self.depth == 0:
                    self.ends(torch)

        torch.Tensor.backward = recorded
        if self.everything:
            call = torch.nn.Module.__call__

            def called(module: Any, *given: Any, **named: Any) -> Any:
                if self.model is None and module.training and any(one.requires_grad for one in module.parameters()):
                    self.model = module
                    torch.nn.Module.__call__ = call
                return call(module, *given, **named)

            torch.nn.Module.__call__ = called
        atexit.register(self.write)

    def begins(self, torch: Any, loss: Any) -> None:
        """The forward pass has ended."""
        self.times.append(time.perf_counter())
        self.losses.append(loss.detach().clone())
        step = len(self.losses)
        if not self.everything or self.model is None:
            return
        if step == 1:
            self.before = self.samples()
        if step == LAST:
            self.compare(torch)
        if step == PROFILED:
            self.read(torch, "forward")
            self.start(torch)

    def ends(self, torch: Any) -> None:
        """The backward pass has ended."""
        if self.everything and len(self.losses) == PROFILED - 1:
            self.start(torch)
        elif self.everything and len(self.losses) == PROFILED:
            self.read(torch, "backward")

    def start(self, torch: Any) -> None:
        """Profile kernels."""
        if torch.cuda.is_available():
            self.profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
            torch.cuda.synchronize()
            self.profile.start()

    def read(self, torch: Any, phase: str) -> None:
        """The pass has ended: count."""
        if self.profile is None:
            return
        torch.cuda.synchronize()
        self.profile.stop()
        names = [event.name.lower() for event in self.profile.events()]
        fp8 = [name for name in names if any(mark in name for mark in KERNELS)]
        self.kernels[phase] = sum(not any(mark in name.partition("<")[0] for mark in NO_GEMM) for name in fp8)
        self.profile = None

    def samples(self) -> dict[str, Any]:
        """Some elements of each trainable parameter, on the CPU; of a shard those that this process holds."""
        found = {}
        for name, parameter in self.model.named_parameters():
            if not parameter.requires_grad:
                continue
            value = getattr(parameter, "ds_tensor", parameter).detach()
            value = value.to_local() if hasattr(value, "to_local") else value
            value = getattr(value, "_tensor", value).detach().flatten()
            if value.numel():
                found[plain(name)] = value[:: max(1, value.numel() // ELEMENTS)].cpu().clone()
        return found

    def compare(self, torch: Any) -> None:
        """What has moved."""
        now = self.samples()
        still = [name for name, value in self.before.items() if name not in now or torch.equal(now[name], value)]
        self.moved = {"expected": len(self.before), "still": sorted(still)}

    def write(self) -> None:
        """Tell all of it."""
        if not self.losses:
            return
        kinds: dict[str, int] = {}
        for module in self.model.modules() if self.model is not None else ():
            name = f"{type(module).__module__.partition('.')[0]}.{type(module).__name__}"
            if name.endswith("Linear"):
                kinds[name] = kinds.get(name, 0) + 1
        told = {
            "losses": [float(one) for one in self.losses],
            "times": [round(one - self.times[0], 5) for one in self.times],
            "kernels": self.kernels,
            "layers": kinds,
            "moved": self.moved,
        }
        rank = int(os.environ.get("RANK", "0"))
        with open(self.out if rank == 0 else f"{self.out}.rank{rank}", "w", encoding="utf-8") as file:
            json.dump(told, file)


def plain(name: str) -> str:
    """A parameter's name without those of wrappers."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name


if os.environ.get("EMULATE"):
    __import__("emulated")
RECORDER = Recorder(os.environ.get("RECORD", ""), everything=os.environ.get("RECORD_ALL") == "1")
if RECORDER.out:
    sys.meta_path.insert(0, AfterImport({"torch": RECORDER.install}))
