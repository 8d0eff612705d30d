"""Watches a training run from inside, whatever starts it: Python imports this file first where its folder is on PYTHONPATH.

FP8_SEEN names the file that is written (of rank 0; of the others FILE.rank1 ...). Nothing is changed but that
Accelerator.backward and Transformer Engine's own GEMM are wrapped. What is written is fp8check/seen/1 as far as it goes:

- losses of each step, whatever was handed to Accelerator.backward;
- GEMM kernels in FP8 of step PROFILED by their names (CUPTI), of the forward and of the backward pass;
- the FP8 products of that step by what they are for: Transformer Engine's by the layout that it asks for (TN is fprop,
  NN dgrad, NT wgrad), torchao's aten::_scaled_mm by the phase and by whether the tokens are what is summed over;
- of each trainable parameter whether LAST - 1 steps of the optimizer moved it (at most 65,536 of its elements, evenly
  spread, are compared);
- torch.cuda.max_memory_allocated in bytes.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import sys
from typing import Any

PROFILED, LAST = 4, 8
# FP8 GEMMs on Hopper: cuBLASLt's (q is E4M3, r is E5M2) and CUTLASS's.
KERNELS = ("nvjet_sm90_qq", "nvjet_sm90_qr", "nvjet_sm90_rq", "e4m3", "e5m2")
ELEMENTS = 65_536


class Watch:
    """What one process sees."""

    def __init__(self, out: str) -> None:
        self.out, self.step, self.losses = out, 0, []
        self.kernels: dict[str, int] = {"forward": 0, "backward": 0}
        self.products = {"fprop": 0, "dgrad": 0, "wgrad": 0}
        self.high = {"fprop": 0, "dgrad": 0, "wgrad": 0}
        self.profile: Any = None
        self.before: dict[str, Any] = {}
        self.recipe: dict[str, Any] | None = None

    def backward_begins(self, accelerator: Any, loss: Any) -> None:
        """The forward pass has ended."""
        self.step += 1
        self.losses.append(round(float(loss.detach()), 4))
        if self.step == 1:
            self.before = samples(accelerator)
        if self.step == PROFILED:
            self.read("forward")
            self.start()

    def backward_ends(self, accelerator: Any) -> None:
        """The backward pass has ended; with DeepSpeed the optimizer's step as well."""
        if self.step == PROFILED - 1:
            self.start()
        if self.step == PROFILED:
            self.read("backward")
        if self.step == LAST:
            self.write(accelerator)

    def start(self) -> None:
        """Profile kernels and the shapes of operators."""
        from torch.profiler import ProfilerActivity, profile

        self.profile = profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], record_shapes=True)
        self.profile.start()

    def read(self, phase: str) -> None:
        """The profile of a phase has ended: count."""
        import torch

        torch.cuda.synchronize()
        self.profile.stop()
        tokens = int(os.environ.get("FP8_TOKENS", "0"))
        for event in self.profile.events():
            if event.device_type != torch.autograd.DeviceType.CPU:
                self.kernels[phase] += any(mark in event.name for mark in KERNELS)
            elif event.name == "aten::_scaled_mm" and len(event.input_shapes) > 1:
                (_, inner), _ = event.input_shapes[:2]
                kind = "wgrad" if inner == tokens else "fprop" if phase == "forward" else "dgrad"
                self.products[kind] += 1
        self.profile = None

    def product(self, given: tuple[Any, ...]) -> None:
        """A product of Transformer Engine: A, whether it is transposed, B, whether it is transposed ..."""
        if self.profile is None:
            return
        kind = {(True, False): "fprop", (False, False): "dgrad", (False, True): "wgrad"}.get((given[1], given[3]))
        is_fp8 = "Float8" in type(given[0]).__name__ and "Float8" in type(given[2]).__name__
        if kind is not None:
            (self.products if is_fp8 else self.high)[kind] += 1
        if is_fp8 and self.recipe is None:
            self.recipe = recipe_in_use()

    def write(self, accelerator: Any) -> None:
        """Write what was seen; atomically, for somebody waits for the file."""
        import torch

        found, expected, still = samples(accelerator), 0, []
        for name, value in self.before.items():
            expected += 1
            if name not in found or torch.equal(found[name], value):
                still.append(f"{name} {value.dtype}".replace("torch.", ""))
        kinds: dict[str, int] = {}
        for module in (one for model in accelerator._models for one in model.modules()):
            name = f"{type(module).__module__.split('.')[0]}.{type(module).__name__}"
            if name.endswith("Linear"):
                kinds[name] = kinds.get(name, 0) + 1
                config = getattr(module, "config", None)
                if type(module).__name__ == "Float8Linear" and self.recipe is None:
                    self.recipe = {
                        "class": "Float8LinearConfig",
                        "pad_inner_dim": config.pad_inner_dim,
                        "enable_fsdp_float8_all_gather": config.enable_fsdp_float8_all_gather,
                    }
        seen = {
            "schema": "fp8check/seen/1",
            "source": "run",
            "gpu": torch.cuda.get_device_name(),
            "versions": versions(),
            "ranks": accelerator.num_processes,
            "steps": [1, LAST],
            "accelerator": [accelerator.mixed_precision, str(accelerator.distributed_type.value)],
            "recipe": self.recipe,
            "layers": kinds,
            "gemms": {**self.products, "in_high_precision": self.high},
            "kernels": self.kernels,
            "moved": {"expected": expected, "moved": expected - len(still), "still": still[:40]},
            "loss": self.losses,
            "peak": torch.cuda.max_memory_allocated(),
            "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 3),
        }
        rank = int(os.environ.get("RANK", "0"))
        path = self.out if rank == 0 else f"{self.out}.rank{rank}"
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(seen, file)
        os.replace(path + ".part", path)


def samples(accelerator: Any) -> dict[str, Any]:
    """Of each trainable parameter some elements, on the CPU; of a shard those that this process holds."""
    found = {}
    for model in accelerator._models:
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            value = parameter.detach()
            value = getattr(parameter, "ds_tensor", value)
            value = value.to_local() if hasattr(value, "to_local") else value
            value = getattr(value, "_tensor", value).detach().flatten()
            if value.numel():
                found[name] = value[:: max(1, value.numel() // ELEMENTS)].cpu().clone()
    return found


def recipe_in_use() -> dict[str, Any] | None:
    """The recipe of the autocast that is open."""
    from transformer_engine.pytorch import fp8

    recipe = fp8.FP8GlobalStateManager.get_fp8_recipe()
    names = ("amax_history_len", "amax_compute_algo", "margin")
    return {
        "class": type(recipe).__name__,
        "fp8_format": recipe.fp8_format.name,
        **{name: getattr(recipe, name, None) for name in names},
    }


def versions() -> dict[str, str]:
    """The packages that this process can import."""
    import importlib.metadata

    found = {}
    for name in (
        "torch",
        "accelerate",
        "transformers",
        "peft",
        "trl",
        "deepspeed",
        "llamafactory",
        "axolotl",
        "torchao",
        "transformer_engine",
    ):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


WATCH = Watch(os.environ.get("FP8_SEEN", ""))


def wrap_accelerator(module: Any) -> None:
    """Both ends of each backward pass."""
    backward = module.Accelerator.backward

    def watched(self: Any, loss: Any, **named: Any) -> Any:
        WATCH.backward_begins(self, loss)
        found = backward(self, loss, **named)
        WATCH.backward_ends(self)
        return found

    module.Accelerator.backward = watched


def wrap_products(module: Any) -> None:
    """Each product of Transformer Engine's modules."""
    multiply = module.tex.generic_gemm

    def watched(*given: Any, **named: Any) -> Any:
        WATCH.product(given)
        return multiply(*given, **named)

    module.tex.generic_gemm = watched


def wrap_group(module: Any) -> None:
    """What FSDP2 refuses of a group's types is told by name."""
    check = module.FSDPParamGroup._init_mp_dtypes

    def told(self: Any) -> None:
        try:
            check(self)
        except AssertionError as error:
            kinds: dict[str, list[str]] = {}
            for one in self.fsdp_params:
                if one.sharded_param.requires_grad:
                    kinds.setdefault(str(one.orig_dtype), []).append(str(one._param_fqn))
            raise AssertionError(
                f"{error} { ({kind: (len(names), names[:3]) for kind, names in kinds.items()}) }"
            ) from None

    module.FSDPParamGroup._init_mp_dtypes = told


WRAPPED = {
    "torch.distributed.fsdp._fully_shard._fsdp_param_group": wrap_group,
    "accelerate.accelerator": wrap_accelerator,
    "transformer_engine.pytorch.cpp_extensions.gemm": wrap_products,
}


class Finder(importlib.abc.MetaPathFinder):
    """Wraps what is to be watched as soon as it has been imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The module as others find it, with a loader that wraps it afterward."""
        if name not in WRAPPED:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if found is None or found.loader is None:
            return None
        loader: Any = found.loader
        execute = loader.exec_module

        def executed(module: Any) -> None:
            execute(module)
            WRAPPED[name](module)

        loader.exec_module = executed
        return found


if WATCH.out:
    sys.meta_path.insert(0, Finder())
