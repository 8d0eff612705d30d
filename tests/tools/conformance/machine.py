"""What a machine without a GPU cannot answer, answered as the case's GPUs would. Nothing else is patched.

| patched | why |
|---|---|
| `torch.cuda.is_available` | True for few callers only: the choice of the distributed backend, the FP8 capability check of AcceleratorState, who counts GPUs to start processes, the case's own script. All others learn the truth, so tensors stay on the CPU |
| `torch.cuda.is_bf16_supported` | for the case's own script: as torch 2.13.0 answers, for whom every GPU has it by emulation |
| `torch.cuda.device_count`, `get_device_capability`, `set_device`, `current_device` | the case's GPUs, those that CUDA_VISIBLE_DEVICES leaves; the one that was set last counts, and one that is not there is refused as CUDA does |
| `torch.cuda.get_device_properties` | for axolotl's validation alone: the compute capability |
| `torch.Tensor.cuda` | the tensor stays: older releases load FSDP2 shards with it |
| `PartialState._prepare_backend` | chooses as on a GPU, then NCCL, which needs one, becomes gloo |
| `PartialState.set_device` | chooses the GPU of its rank by itself; then the CPU stands for it. Where two ranks of NCCL chose the same one, the first barrier, DDP or FSDP raises NCCL's error (executed on two H100s) |
| `is_cuda_available` in `accelerate.utils.dataclasses` | the FSDP plugin looks for a device to initialise on; the current device is the CPU for it |
| `sync_module_states` of FSDP1 | sends rank 0's weights around, which FSDP only does on a GPU |
| `Accelerator.__init__` | after it: under fp16 a GPU run has autocast and a GradScaler, which it gives only a GPU |
| `is_torch_bf16_gpu_available` in `transformers`, LLaMA-Factory and axolotl | `bf16: true` is refused on a CPU |
| `get_device_count` in LLaMA-Factory | how many processes it starts; it asks a function that must tell others the truth |
| `ModelLoader._set_device_map_config` in axolotl | with several ranks it places each model by the number of its GPU |
| `CPU_Accelerator.is_fp16_supported` in DeepSpeed | it refuses float16 on a CPU |
| ACCELERATE_BYPASS_DEVICE_MAP=true, DS_ACCELERATOR=cpu | DDP takes no device ids on a CPU; DeepSpeed is told where it is |

Accelerate's own question for the compute capability is not patched: it starts `nvidia-smi` with a field that this does
not have, fails as on every machine with a GPU, and asks torch.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ASK_AS_ON_A_GPU = {
    "_prepare_backend",
    "_validate_launch_command",
    "launch_command",
    "set_device",
    "determine_local_world_size",
}
_VARIABLES = {"ACCELERATE_BYPASS_DEVICE_MAP": "true", "DS_ACCELERATOR": "cpu"}
_gpus: list[str] = []
_chosen = [0]  # the device of this process, by its place among the visible ones


def variables(compute_capability: str) -> dict[str, str]:
    """The variables of the emulated machine."""
    return {**_VARIABLES, "CONFORMANCE_COMPUTE_CAPABILITY": compute_capability}


def pretend(gpus: Sequence[str]) -> None:
    """Answer for GPUs of these compute capabilities ("9.0") from now on, in this process."""
    _gpus[:] = gpus
    _tell_standin()
    cuda: Any = torch.cuda
    cuda.is_available = lambda: _asked_as_on_a_gpu() and bool(visible())
    cuda.device_count = lambda: len(visible()) if _asked_as_on_a_gpu() else 0
    cuda.get_device_capability = _capability
    cuda.is_bf16_supported = _bf16_supported(cuda.is_bf16_supported)
    cuda.get_device_properties = _properties(cuda.get_device_properties)
    cuda.set_device = _set_device
    cuda.current_device = lambda: torch.device("cpu")
    tensor: Any = torch.Tensor
    tensor.cuda = lambda self, *_device, **_options: self
    _pretend_accelerate()
    _pretend_bf16()
    _pretend_fp16()
    _sync_no_module_states()
    _count_for_llamafactory()
    place_for_axolotl()
    _half_for_deepspeed()


def visible() -> list[int]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, in its order; as CUDA reads it, up to the first that is not there."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(len(_gpus)))
    left: list[int] = []
    for word in named.split(","):
        if not word.strip().isdecimal() or int(word) >= len(_gpus):
            break
        left.append(int(word))
    return left


def _capability(device: object = None) -> tuple[int, int]:
    left = visible()
    if not left:
        raise RuntimeError("No CUDA GPUs are available")
    index = _chosen[0] if device is None else int(getattr(device, "index", device) or 0)  # type: ignore[call-overload]
    major, minor = _gpus[left[index]].split(".")
    return int(major), int(minor)


def _properties(real: Callable[..., Any]) -> Callable[..., Any]:
    """Axolotl's validation reads the compute capability there; who wants more of a GPU is told that there is none."""

    def properties(device: object = None) -> Any:
        if sys._getframe(1).f_code.co_name != "gpu_capabilities" and not _is_script(sys._getframe(1)):
            return real(device)
        major, minor = _capability()
        return SimpleNamespace(major=major, minor=minor)

    return properties


def _bf16_supported(real: Callable[..., bool]) -> Callable[..., bool]:
    def supported(including_emulation: bool = True) -> bool:
        if not _is_script(sys._getframe(1)):
            return real(including_emulation)
        return bool(visible()) and (including_emulation or _capability()[0] >= 8)

    return supported


def _is_script(frame: Any) -> bool:
    """Whether a frame is one of the case's own script."""
    return os.path.basename(frame.f_code.co_filename) == "train.py"


def _set_device(device: Any) -> None:
    index = getattr(device, "index", device)
    if index is None:
        return
    if int(index) >= len(visible()):
        raise RuntimeError("CUDA error: invalid device ordinal")
    _chosen[0] = int(index)
    _tell_standin()


def _tell_standin() -> None:
    """Transformer Engine's stand-in reads the compute capability of the current device there."""
    left = visible()
    if left:
        os.environ["CONFORMANCE_COMPUTE_CAPABILITY"] = _gpus[left[_chosen[0]]]


def _asked_as_on_a_gpu() -> bool:
    frame: Any = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    if frame.f_code.co_name in _ASK_AS_ON_A_GPU or _is_script(frame):
        return True
    owner = type(frame.f_locals.get("self")).__name__
    return frame.f_code.co_name == "__init__" and owner == "AcceleratorState"


def _pretend_accelerate() -> None:
    from accelerate import state
    from accelerate.utils import dataclasses

    plugins: Any = dataclasses
    if hasattr(plugins, "is_cuda_available"):
        plugins.is_cuda_available = lambda: True
    partial: Any = state.PartialState
    partial._prepare_backend = _gloo_for_nccl(partial._prepare_backend)
    partial.set_device = _cpu_for_the_gpu(partial.set_device)


def _half_for_deepspeed() -> None:
    module: Any = sys.modules.get("deepspeed.accelerator.cpu_accelerator")
    if module is not None:
        module.CPU_Accelerator.is_fp16_supported = lambda _self: True


def place_for_axolotl() -> None:
    """Put each model on the CPU, once axolotl's loader is imported."""
    module: Any = sys.modules.get("axolotl.loaders.model")
    if module is None:
        return
    loader = module.ModelLoader
    decide = loader._set_device_map_config

    @functools.wraps(decide)
    def decided(self: Any, *arguments: Any, **options: Any) -> Any:
        result = decide(self, *arguments, **options)
        if isinstance((self.model_kwargs.get("device_map") or {}), dict) and self.model_kwargs.get("device_map"):
            self.model_kwargs["device_map"] = {"": "cpu"}
        return result

    loader._set_device_map_config = decided


def _count_for_llamafactory() -> None:
    module: Any = sys.modules.get("llamafactory.extras.misc")
    if module is not None:
        module.get_device_count = lambda: len(visible())


def _pretend_bf16() -> None:
    # Where transformers cannot be imported (a peft that does not fit it), the case itself will say so.
    with contextlib.suppress(ImportError):
        import_module("transformers.training_args")
    for name, module in list(sys.modules.items()):
        if name.startswith(("transformers.", "llamafactory.", "axolotl.")) and "is_torch_bf16_gpu_available" in vars(
            module
        ):
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


def _cpu_for_the_gpu(set_device: Callable[[Any], None]) -> Callable[[Any], None]:
    def chosen(self: Any) -> None:
        had = self.device
        set_device(self)
        if had is None and self.device is not None and self.device.type == "cuda":
            self.device = torch.device("cpu")
            _refuse_twice(visible()[_chosen[0]])

    return chosen


def _refuse_twice(gpu: int) -> None:
    """NCCL's first collective fails where two ranks of a machine have the same GPU; gloo would not mind."""
    import torch.distributed as group
    from torch import nn

    if not group.is_initialized():
        return
    everyone: list[Any] = [None] * group.get_world_size()
    group.all_gather_object(everyone, gpu)
    if len(set(everyone)) == len(everyone):
        return

    def refuse(*_arguments: object, **_options: object) -> None:
        raise group.DistBackendError(f"NCCL error: ncclInvalidUsage: Duplicate GPU detected: {everyone}")

    module: Any = group
    parallel: Any = nn.parallel.DistributedDataParallel
    from torch.distributed import fsdp

    sharded: Any = fsdp
    module.barrier = parallel.__init__ = sharded.FullyShardedDataParallel.__init__ = sharded.fully_shard = refuse


def quiet() -> None:
    """One thread a process: the cases run side by side, and a forked process must not wait for threads it lost."""
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
