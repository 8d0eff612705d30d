"""What a CPU needs so that FP8 runs on it: torchao's float8 emulated, and nobody asked for a compute capability.

sitecustomize.py imports it where EMULATE is set.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType
from typing import Any


def _state(module: Any) -> None:
    for name in ("check_cuda_fp8_capability", "check_fp8_capability"):
        if hasattr(module, name):
            setattr(module, name, lambda: True)


def _float8(module: Any) -> None:
    convert = module.convert_to_float8_training

    def emulated(model: Any, *, module_filter_fn: Any = None, config: Any = None) -> Any:
        config = config if config is not None else module.Float8LinearConfig()
        object.__setattr__(config, "emulate", True)
        return convert(model, module_filter_fn=module_filter_fn, config=config)

    module.convert_to_float8_training = emulated


CHANGED = {"accelerate.state": _state, "torchao.float8": _float8}


class Finder(importlib.abc.MetaPathFinder):
    """Changes these modules as soon as they have been imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The module as others find it."""
        if name not in CHANGED:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if found is None or found.loader is None:
            return None
        loader: Any = found.loader
        execute = loader.exec_module

        def executed(module: Any) -> None:
            execute(module)
            CHANGED[name](module)

        loader.exec_module = executed
        return found


def _without_audio() -> None:
    """An empty torchaudio: LLaMA-Factory imports it for audio files, and its wheels want CUDA's libraries."""
    audio = ModuleType("torchaudio")
    audio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules.setdefault("torchaudio", audio)


_without_audio()
sys.meta_path.insert(0, Finder())
