"""The same path without a GPU: torchao's emulated float8, which rounds as the GPU does and multiplies in float32.

What this changes, and nothing else: `emulate` in the configuration of converted layers; the backend is torchao, because
Transformer Engine has no emulation; the check of the GPU's compute capability passes; no device map is made for DDP.
"""

from __future__ import annotations

import os
from typing import Any


def install(spec: dict[str, Any]) -> None:
    """Make torchao's conversion emulated from now on, in this process."""
    import accelerate.state
    import torchao.float8

    os.environ["ACCELERATE_USE_CPU"] = "true"
    os.environ["ACCELERATE_BYPASS_DEVICE_MAP"] = "true"
    state: Any = accelerate.state
    for name in ("check_cuda_fp8_capability", "check_fp8_capability"):
        if hasattr(state, name):
            setattr(state, name, lambda: True)
    package: Any = torchao.float8
    convert = package.convert_to_float8_training

    def emulated(model: Any, *, module_filter_fn: Any = None, config: Any = None) -> Any:
        config = config if config is not None else package.Float8LinearConfig()
        object.__setattr__(config, "emulate", True)
        return convert(model, module_filter_fn=module_filter_fn, config=config)

    package.convert_to_float8_training = emulated
    del spec
