"""Faults for the probe's child: Python loads this file at start-up from PYTHONPATH, and NVTE_TEST_FAULT names the fault.

NVTE_TEST_GPU says that only one GPU has it, as CUDA_VISIBLE_DEVICES names it. Each fault does to the real packages what a broken machine, release or configuration would. The probe knows nothing of
this file.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import subprocess
import sys
import time
from typing import Any

FAULTS: dict[str, Any] = {}


class _After(importlib.abc.MetaPathFinder):
    """Runs a function on a module right after it was imported."""

    def __init__(self, name: str, act: Any) -> None:
        self.name, self.act = name, act

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        del target
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = (
            importlib.util.find_spec(fullname)
            if path is None
            else importlib.machinery.PathFinder.find_spec(fullname, path)
        )
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            self.act(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def fault(name: str, module: str | None) -> Any:
    """Register a fault: at once (None), or after the import of a module."""

    def register(act: Any) -> Any:
        FAULTS[name] = (module, act)
        return act

    return register


def in_backward(act: Any) -> Any:
    """A patch of Accelerator.backward."""

    def patch(accelerate: Any) -> None:
        accelerate.Accelerator.backward = lambda _self, _loss, **_named: act()

    return patch


def after_prepare(change: Any) -> Any:
    """A patch of Accelerator.prepare: `change(model, optimizer)` afterward."""

    def patch(accelerate: Any) -> None:
        prepare = accelerate.Accelerator.prepare

        def changed(self: Any, *given: Any, **named: Any) -> Any:
            prepared = prepare(self, *given, **named)
            change(*prepared)
            return prepared

        accelerate.Accelerator.prepare = changed

    return patch


def _raise(error: BaseException) -> None:
    raise error


def _torch() -> Any:
    return sys.modules["torch"]


# The process.
FAULTS["hang-in-import"] = ("torch", lambda _module: time.sleep(600))
FAULTS["hang-in-step"] = ("accelerate", in_backward(lambda: time.sleep(600)))
FAULTS["segfault"] = ("accelerate", in_backward(lambda: os.kill(os.getpid(), signal.SIGSEGV)))
FAULTS["killed"] = ("accelerate", in_backward(lambda: os.kill(os.getpid(), signal.SIGKILL)))
FAULTS["abort"] = ("accelerate", in_backward(os.abort))
FAULTS["exit-0"] = ("accelerate", in_backward(lambda: os._exit(0)))
FAULTS["exit-3"] = ("accelerate", in_backward(lambda: os._exit(3)))
FAULTS["sys-exit"] = ("accelerate", in_backward(lambda: sys.exit(0)))
FAULTS["gpu-memory"] = (
    "accelerate",
    in_backward(lambda: _raise(_torch().OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))),
)
FAULTS["host-memory"] = ("accelerate", in_backward(lambda: _raise(MemoryError("cannot allocate"))))
FAULTS["device-assert"] = (
    "accelerate",
    in_backward(lambda: _raise(RuntimeError("CUDA error: device-side assert triggered"))),
)


@fault("garbage-answer", "torch")
def garbage(_module: Any) -> None:
    """Something else writes into the answer."""
    os.write(int(sys.orig_argv[-1]), b'{"stage": \n')
    os._exit(0)


@fault("done-is-not-enough", "torch")
def liar(_module: Any) -> None:
    """An answer that says "done" and nothing else."""
    os.write(int(sys.orig_argv[-1]), b'{"done": true}\n')
    os._exit(0)


@fault("flood", "torch")
def flood(_module: Any) -> None:
    """Output without end, with a credential in it."""
    while True:
        os.write(1, b"password=hunter2 hf_abcdefghijklmnop " * 200 + b"\n")


@fault("grandchild", "torch")
def grandchild(_module: Any) -> None:
    """A process that outlives its parent and holds its pipes open."""
    started = subprocess.Popen(["sleep", "300"])
    os.write(1, f"grandchild {started.pid}\n".encode())
    os._exit(0)


# What is not FP8.
@fault("filter-skips-all", "accelerate.utils.ao")
def filter_skips_all(module: Any) -> None:
    """The filter lets no layer pass."""
    module.filter_linear_layers = lambda *_given, **_named: False


@fault("silent-bf16", "accelerate")
def silent_bf16(accelerate: Any) -> None:
    """Accelerator takes BF16, whatever it is asked."""
    init = accelerate.Accelerator.__init__

    def bf16(self: Any, *given: Any, **named: Any) -> None:
        os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16"
        for name in [name for name in os.environ if name.startswith("ACCELERATE_FP8")]:
            del os.environ[name]
        init(self, *given, **{**named, "mixed_precision": "bf16", "kwargs_handlers": None})

    accelerate.Accelerator.__init__ = bf16


@fault("converts-one", "accelerate.utils.ao")
def converts_one(module: Any) -> None:
    """Only one layer is converted."""
    module.filter_linear_layers = lambda _module, name, **_named: name == "layers.1.mlp.down_proj"


@fault("autocast-off", "transformer_engine.pytorch")
def autocast_off(module: Any) -> None:
    """Transformer Engine's autocast is entered switched off."""
    import contextlib

    module.fp8_autocast = lambda *_given, **_named: contextlib.nullcontext()


@fault("profiler-empty", "torch.profiler")
def profiler_empty(module: Any) -> None:
    """The profiler records nothing, as without permission for CUPTI."""
    module.profile.events = lambda _self: []


@fault("lying-name", "torch.cuda")
def lying_name(module: Any) -> None:
    """The GPU calls itself something else."""
    module.get_device_name = lambda *_device: "NVIDIA A100-SXM4-80GB"


@fault("gpu-memory-lies", "torch.cuda")
def memory_lies(module: Any) -> None:
    """All memory is said to be free, and another process has it."""
    module.mem_get_info = lambda *_device: (2**42, 2**42)


# Numbers and weights.
def _break(model: Any, _optimizer: Any) -> None:
    torch = _torch()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("input_layernorm.weight"):
                parameter.fill_(float("nan"))


def _scramble(model: Any, _optimizer: Any) -> None:
    torch = _torch()
    with torch.no_grad():
        model.layers[1].mlp.up_proj.weight.mul_(2)


def _untie(model: Any, _optimizer: Any) -> None:
    torch = _torch()
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())


def _thaw(model: Any, _optimizer: Any) -> None:
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def _forget(_model: Any, optimizer: Any) -> None:
    for group in optimizer.param_groups:
        group["params"] = group["params"][:3]


def _idle(_model: Any, optimizer: Any) -> None:
    optimizer.step = lambda *_given, **_named: None


def _noise(model: Any, _optimizer: Any) -> None:
    torch = _torch()
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dim() > 1:
            parameter.register_hook(lambda gradient: torch.randn_like(gradient) * gradient.std())


FAULTS["nan-weights"] = ("accelerate", after_prepare(_break))
FAULTS["wrong-copy"] = ("accelerate", after_prepare(_scramble))
FAULTS["untied"] = ("accelerate", after_prepare(_untie))
FAULTS["base-thawed"] = ("accelerate", after_prepare(_thaw))
FAULTS["optimizer-forgets"] = ("accelerate", after_prepare(_forget))
FAULTS["optimizer-idle"] = ("accelerate", after_prepare(_idle))
FAULTS["gradients-of-noise"] = ("accelerate", after_prepare(_noise))


@fault("wrong-output", "torchao.float8.float8_linear")
def wrong_output(module: Any) -> None:
    """A kernel with a wrong scale."""
    forward = module.Float8Linear.forward
    module.Float8Linear.forward = lambda self, x: 1.5 * forward(self, x)


@fault("te-wrong-output", "transformer_engine.pytorch")
def te_wrong_output(module: Any) -> None:
    """The same of Transformer Engine."""
    forward = module.Linear.forward
    module.Linear.forward = lambda self, *given, **named: 1.5 * forward(self, *given, **named)


@fault("lost-in-collective", "torch.distributed")
def lost(module: Any) -> None:
    """A link that changes a byte of what is gathered."""
    gather = module.all_gather

    def changed(gathered: Any, *given: Any, **named: Any) -> None:
        gather(gathered, *given, **named)
        gathered[-1][7] ^= 1

    module.all_gather = changed


@fault("hang-in-collective", "torch.distributed")
def hangs_in_collective(module: Any) -> None:
    """One that never comes to it."""
    module.all_gather = lambda *_given, **_named: time.sleep(600)


@fault("zero-output", "torchao.float8.float8_linear")
def zero_output(module: Any) -> None:
    """A kernel that writes nothing."""
    forward = module.Float8Linear.forward
    module.Float8Linear.forward = lambda self, x: 0.0 * forward(self, x)


@fault("refuses-odd-batches", "torchao.float8.float8_linear")
def refuses_odd(module: Any) -> None:
    """What Transformer Engine says to a batch that 8 does not divide."""
    forward = module.Float8Linear.forward

    def checked(self: Any, x: Any) -> Any:
        if x.shape[:-1].numel() % 8:
            raise ValueError(
                "FP8 execution requires the product of all dimensions except the last to be divisible by 8"
            )
        return forward(self, x)

    module.Float8Linear.forward = checked


def _install() -> None:
    module, act = FAULTS[os.environ["NVTE_TEST_FAULT"]]
    if module is None:
        act(None)
        return
    sys.meta_path.insert(0, _After(module, act))


# Of a fault of one GPU (NVTE_TEST_GPU) only the process that sees this one alone has it.
if "NVTE_TEST_FAULT" in os.environ and os.environ.get("NVTE_TEST_GPU") in (
    None,
    os.environ.get("CUDA_VISIBLE_DEVICES"),
):
    _install()
