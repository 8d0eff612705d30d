"""What a CPU needs so that FP8 runs on it: torchao's float8 emulated, and nobody asked for a compute capability.

sitecustomize.py imports it where EMULATE is set.
"""

from __future__ import annotations

import importlib.machinery
import sys
from types import ModuleType
from typing import Any

from after_import import AfterImport


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


def _without_audio() -> None:
    """An empty torchaudio: LLaMA-Factory imports it for audio files, and its wheels want CUDA's libraries."""
    audio = ModuleType("torchaudio")
    audio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
    sys.modules.setdefault("torchaudio", audio)


_without_audio()
sys.meta_path.insert(0, AfterImport(CHANGED))
