"""What a machine without a GPU cannot answer, answered as the case's GPU would. Nothing else is patched.

| patched | why |
|---|---|
| `torch.cuda.is_available` | True for three callers only: the choice of the distributed backend, the FP8 capability check of AcceleratorState, the launcher's device count. All others learn the truth, so tensors stay on the CPU |
| `torch.cuda.device_count`, `get_device_capability`, `current_device` | the case's GPU count and compute capability; the current device is the CPU |
| `torch.Tensor.cuda` | the tensor stays: older releases load FSDP2 shards with it |
| `check_cuda_fp8_capability` and its older name in `accelerate.state` | it asks nvidia-smi, which is not there |
| `PartialState._prepare_backend` | chooses as on a GPU, then NCCL, which needs one, becomes gloo |
| `PartialState.set_device` | the device of MULTI_GPU, FSDP and DeepSpeed is the CPU |
| `is_cuda_available` in `accelerate.utils.dataclasses` | the FSDP plugin looks for a device to initialise on; see `current_device` |
| `sync_module_states` of FSDP1 | sends rank 0's weights around, which FSDP only does on a GPU |
| `Accelerator.__init__` | after it: under fp16 a GPU run has autocast and a GradScaler, which it gives only a GPU |
| `is_torch_bf16_gpu_available` in `transformers` and LLaMA-Factory | `bf16: true` is refused on a CPU |
| ACCELERATE_BYPASS_DEVICE_MAP=true, DS_ACCELERATOR=cpu | DDP takes no device ids on a CPU; DeepSpeed is told where it is |
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

_ASK_AS_ON_A_GPU = {"_prepare_backend", "_validate_launch_command", "launch_command"}
_VARIABLES = {"ACCELERATE_BYPASS_DEVICE_MAP": "true", "DS_ACCELERATOR": "cpu"}


def variables(compute_capability: str) -> dict[str, str]:
    """The variables of the emulated machine."""
    return {**_VARIABLES, "CONFORMANCE_COMPUTE_CAPABILITY": compute_capability}


def pretend(compute_capability: str, gpus: int) -> None:
    """Answer for `gpus` GPUs of that compute capability ("9.0") from now on, in this process."""
    major, minor = compute_capability.split(".")
    capability = (int(major), int(minor))
    cuda: Any = torch.cuda
    cuda.is_available = _asked_as_on_a_gpu
    cuda.device_count = lambda: gpus if _asked_as_on_a_gpu() else 0
    cuda.get_device_capability = lambda *_device: capability
    cuda.current_device = lambda: torch.device("cpu")
    tensor: Any = torch.Tensor
    tensor.cuda = lambda self, *_device, **_options: self
    _pretend_accelerate(capability)
    _pretend_bf16()
    _pretend_fp16()
    _sync_no_module_states()


def _asked_as_on_a_gpu() -> bool:
    frame = sys._getframe(1)
    if frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    if frame.f_code.co_name in _ASK_AS_ON_A_GPU:
        return True
    owner = type(frame.f_locals.get("self")).__name__
    return frame.f_code.co_name == "__init__" and owner == "AcceleratorState"


def _pretend_accelerate(capability: tuple[int, int]) -> None:
    from accelerate import state
    from accelerate.utils import dataclasses

    module: Any = state
    for name in ("check_cuda_fp8_capability", "check_fp8_capability"):
        if hasattr(module, name):
            setattr(module, name, lambda: capability >= (8, 9))
    plugins: Any = dataclasses
    if hasattr(plugins, "is_cuda_available"):
        plugins.is_cuda_available = lambda: True
    partial: Any = state.PartialState
    partial._prepare_backend = _gloo_for_nccl(partial._prepare_backend)
    partial.set_device = _set_cpu


def _pretend_bf16() -> None:
    # Where transformers cannot be imported (a peft that does not fit it), the case itself will say so.
    with contextlib.suppress(ImportError):
        import_module("transformers.training_args")
    for name, module in list(sys.modules.items()):
        if name.startswith(("transformers.", "llamafactory.")) and "is_torch_bf16_gpu_available" in vars(module):
            vars(module)["is_torch_bf16_gpu_available"] = lambda: True


def _pretend_fp16() -> None:
    from accelerate import Accelerator

    accelerator: Any = Accelerator
    init = accelerator.__init__

    @functools.wraps(init)
    def with_scaler(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        engine = str(self.distributed_type).rpartition(".")[2]
        if self.state.mixed_precision == "fp16" and engine not in ("DEEPSPEED", "MEGATRON_LM"):
            self.native_amp = True
            self.scaler = self.scaler or torch.amp.GradScaler("cpu")

    accelerator.__init__ = with_scaler


def _sync_no_module_states() -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    fsdp: Any = FullyShardedDataParallel
    init = fsdp.__init__

    @functools.wraps(init)
    def without(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **{**options, "sync_module_states": False})

    fsdp.__init__ = without


def _gloo_for_nccl(prepare_backend: Callable[..., tuple[str | None, Any]]) -> Callable[..., tuple[str | None, Any]]:
    def prepare(self: Any, *arguments: Any, **options: Any) -> tuple[str | None, Any]:
        backend, distributed_type = prepare_backend(self, *arguments, **options)
        return ("gloo" if backend == "nccl" else backend), distributed_type

    return prepare


def _set_cpu(self: Any) -> None:
    if self.device is None:
        self.device = torch.device("cpu")


def quiet() -> None:
    """One thread a process: the cases run side by side, and a forked process must not wait for threads it lost."""
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
