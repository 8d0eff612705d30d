"""Records a training from inside, by other means than fp8check does: what `fp8check run` says is held against it.

Python imports this file first where its folder is on PYTHONPATH. RECORD names the file that is written as the program
ends (of rank 0; of the others RECORD.rank1 ...). Tensor.backward is wrapped: losses, and the time of each call. With
RECORD_ALL=1 also

- the Linear layers of the module that is called first, by class;
- the products of step PROFILED in FP8, by the names of their kernels, of the forward and of the backward pass; and how
  many of the latter belong to a forward pass that a checkpoint made again;
- of each trainable parameter whether LAST - 1 steps changed it (at most 65,536 of its elements are compared).

DETERMINISTIC=1 lets torch choose only what gives the same sums each time. TURN names a folder by which runs that share a
GPU take turns (tests/tools/gpu/turns.py): all but the first step waits for it. With RECORD_END=N the process ends as
backward pass N begins; of the time between SETTLED and N it tells the seconds of a step, and of all of it the peak.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from typing import Any

from after_import import AfterImport

PROFILED, LAST, SETTLED = 4, 8, 10
ELEMENTS = 65_536
KERNELS = ("nvjet_sm90_qq", "nvjet_sm90_qr", "nvjet_sm90_rq", "e4m3", "e5m2")
# Of whom a product is. What copies, casts or transposes has an FP8 type in its name as well.
PRODUCTS = ("nvjet", "gemm", "cutlass", "xmma")
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
        self.again = 0
        self.hooks: list[Any] = []
        self.names: dict[str, int] = {}
        self.end = int(os.environ.get("RECORD_END", "0"))
        self.peak = 0
        self.gpu = ""

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
        if os.environ.get("DETERMINISTIC") == "1":
            torch.use_deterministic_algorithms(True)  # with warn_only attention stays as it was
            torch.utils.deterministic.fill_uninitialized_memory = False
        atexit.register(self.write, torch)

    def begins(self, torch: Any, loss: Any) -> None:
        """The forward pass has ended."""
        step = len(self.losses) + 1
        if step == 2 and os.environ.get("TURN"):
            wait(torch, os.environ["TURN"])
        # Where a step is timed, what goes before it has ended; between the two ends of RECORD_END nobody waits.
        if torch.cuda.is_available() and (step in (SETTLED, self.end) if self.end else step > LAST):
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        self.losses.append(loss.detach().clone())
        if step == self.end:
            self.write(torch)
            time.sleep(0.5)  # other ranks may still read what is here
            os._exit(0)
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
        if str(len(self.losses)) == os.environ.get("STEPS") and os.environ.get("TURN"):
            over(torch, os.environ["TURN"])

    def start(self, torch: Any) -> None:
        """Profile kernels."""
        if torch.cuda.is_available():
            self.profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
            torch.cuda.synchronize()
            self.profile.start()
        if os.environ.get("CHECKPOINT"):
            hooks = torch.nn.modules.module
            self.hooks = [
                hooks.register_module_forward_pre_hook(lambda module, *_: self.called_again(module, "torchao")),
                hooks.register_module_forward_hook(lambda module, *_: self.called_again(module, "transformer_engine")),
            ]

    def called_again(self, module: Any, package: str) -> None:
        """A forward pass within a backward pass; torch ends one that has made all that is needed, and no hook follows.

        Transformer Engine's layer knows behind its pass whether that was in FP8, torchao's always is.
        """
        kind = type(module)
        if self.depth and kind.__name__.endswith("Linear") and kind.__module__.startswith(package):
            self.again += bool(getattr(module, "fp8", True))

    def read(self, torch: Any, phase: str) -> None:
        """The pass has ended: count."""
        for hook in self.hooks:
            hook.remove()
        self.hooks = []
        if self.profile is None:
            return
        torch.cuda.synchronize()
        self.profile.stop()
        names = [event.name.lower() for event in self.profile.events()]
        fp8 = [name for name in names if any(mark in name for mark in KERNELS)]
        products = [name for name in fp8 if any(mark in name.partition("<")[0] for mark in PRODUCTS)]
        self.kernels[phase] = len(products)
        for name in fp8:
            key = f"{phase} {'product' if name in products else 'none'}: {name[:70]}"
            self.names[key] = self.names.get(key, 0) + 1
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

    def write(self, torch: Any) -> None:
        """Tell all of it."""
        if not self.losses:
            return
        if torch.cuda.is_available():
            self.peak, self.gpu = torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()
        kinds: dict[str, int] = {}
        for module in self.model.modules() if self.model is not None else ():
            kind = next(
                one for one in type(module).__mro__ if not one.__name__.startswith("FSDP")
            )  # which it puts before
            name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
            if name.endswith("Linear"):
                kinds[name] = kinds.get(name, 0) + 1
        told = {
            "losses": [float(one) for one in self.losses],
            "times": [round(one - self.times[0], 5) for one in self.times],
            "kernels": self.kernels,
            "again": self.again,
            "names": self.names,
            "peak": self.peak,
            "gpu": self.gpu,
            "layers": kinds,
            "moved": self.moved,
        }
        rank = int(os.environ.get("RANK", "0"))
        with open(self.out if rank == 0 else f"{self.out}.rank{rank}", "w", encoding="utf-8") as file:
            json.dump(told, file)


def wait(torch: Any, folder: str) -> None:
    """Until this run's turn has come."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    with open(os.path.join(folder, f"ready.{os.environ.get('RANK', '0')}"), "w", encoding="ascii"):
        pass
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.02)


def over(torch: Any, folder: str) -> None:
    """This run's turn has ended."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    with open(os.path.join(folder, f"over.{os.environ.get('RANK', '0')}"), "w", encoding="ascii"):
        pass


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
elif os.environ.get("BLOCKS"):
    from blocks import Blocks

    sys.meta_path.insert(
        0, AfterImport({"torch": Blocks(os.environ["BLOCKS"], int(os.environ["BLOCKS_NUMBER"])).install})
    )
