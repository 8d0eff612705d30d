"""Asks one question after another, and looks at what the packages left: layers, scales, files."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MESSAGE_LIMIT = 400
FP8_LIBRARIES = ("torchao", "transformer_engine")
LAUNCHER_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
FP8_VARIABLES = ("ACCELERATE_FP8_", "FP8_")
# The file of answers of a rank.
ANSWERS = "answers-{rank}.json"


def rank() -> int:
    """The number of this process."""
    return int(os.environ.get("RANK", "0"))


class Answers:
    """The answers so far; each is written as it comes, so that a process that hangs leaves those before."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ANSWERS.format(rank=rank())
        self.given: dict[str, Any] = {}

    def ask(self, question: str, look: Callable[[], Mapping[str, Any] | None]) -> bool:
        """Do what a question is about, and keep what was seen or what it raised."""
        try:
            seen = look() or {}
            self.given[question] = {"ok": True, **seen}
        except BaseException as error:  # noqa: BLE001 - torch's CheckpointException is no Exception
            traceback.print_exc()
            first = _first(error)
            self.given[question] = {"ok": False, "error": type(error).__name__, "message": _short(str(first))}
        self.path.write_text(json.dumps(self.given, default=str), encoding="utf-8")
        return bool(self.given[question]["ok"])


def _first(error: BaseException) -> BaseException:
    """What one rank raised, of an error that gathers those of all."""
    failures = getattr(error, "failures", None)
    return next(iter(failures.values()))[0] if failures else error


def _short(message: str) -> str:
    return " ".join(message.split())[:MESSAGE_LIMIT]


def fresh(precision: str | None = None) -> None:
    """Forget the Accelerator of the phase before, as a new process would; `bf16` takes FP8's variables away."""
    from accelerate.state import AcceleratorState, GradientState

    gc.collect()
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
    _forget_transformer_engine()
    if precision is not None:
        os.environ["ACCELERATE_MIXED_PRECISION"] = precision


class Precision:
    """The variables of one precision; those of FP8 come back at the end."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.before: dict[str, str] = {}

    def __enter__(self) -> None:
        self.before = dict(os.environ)
        if self.precision == "fp8":
            return
        for name in [name for name in os.environ if name.startswith(FP8_VARIABLES)]:
            del os.environ[name]
        os.environ["ACCELERATE_MIXED_PRECISION"] = self.precision

    def __exit__(self, *_error: object) -> None:
        os.environ.clear()
        os.environ.update(self.before)


def _forget_transformer_engine() -> None:
    for name in ("transformer_engine.pytorch.quantization", "transformer_engine.pytorch.fp8"):
        manager: Any = getattr(sys.modules.get(name), "FP8GlobalStateManager", None)
        if manager is not None:
            manager.reset()
            return


def converted(model: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    """The layers of an FP8 library; FSDP2 gives a class another name, with the old one at its end."""
    found = []
    for name, module in model.named_modules():
        classes = [f"{one.__module__}.{one.__name__}" for one in type(module).__mro__]
        te = any(one.startswith("transformer_engine.") and one.endswith(".Linear") for one in classes)
        if te or any(one.endswith(".Float8Linear") for one in classes):
            found.append((name, module))
    return found


def ran_in_fp8(model: torch.nn.Module, forward: Callable[[], object]) -> dict[str, int]:
    """How many converted layers ran in a forward pass, and how many of them in FP8."""
    ran: set[str] = set()
    fp8: set[str] = set()

    def watch(name: str) -> Any:
        def seen(module: Any, *_given: object) -> None:
            ran.add(name)
            # torchao's layers have no such mark: they know no other way.
            if getattr(module, "fp8", True):
                fp8.add(name)

        return seen

    handles = [module.register_forward_hook(watch(name)) for name, module in converted(model)]
    try:
        forward()
    finally:
        for handle in handles:
            handle.remove()
    return {"converted": len(handles), "ran": len(ran), "fp8": len(fp8)}


def history(model: torch.nn.Module) -> float | None:
    """The largest value in the amax history of the first layer of Transformer Engine; None without a history."""
    for _, module in converted(model):
        scaling = getattr(module, "fp8_meta", {}).get("scaling_fwd")
        recorded = getattr(scaling, "amax_history", None)
        return None if recorded is None else round(float(recorded.abs().max()), 6)
    return None


def described_keys(keys: Iterable[str], base: Iterable[str]) -> dict[str, Any]:
    """The keys of a file against those of the model that was started from."""
    have, wanted = {_plain_name(key) for key in keys}, set(base)
    extra = sorted(key for key in have - wanted if not key.endswith("._extra_state"))
    return {
        "keys": len(have),
        "extra_state": sum(key.endswith("._extra_state") for key in have),
        "other_keys": extra[:4],
        "missing_keys": sorted(wanted - have)[:4],
    }


def _plain_name(key: str) -> str:
    return key.removeprefix("model.") if key.startswith("model.model.") else key


def safetensors_of(folder: Path) -> dict[str, Any]:
    """The tensors of all safetensors files of a folder: name to dtype."""
    from safetensors import safe_open

    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.safetensors")):
        opened: Any = safe_open(path, "pt")
        with opened as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                found[key] = file.get_slice(key).get_dtype()
    return found


def files(folder: Path, base: Iterable[str]) -> dict[str, Any]:
    """What lies in a checkpoint: safetensors, a sharded checkpoint of torch, or one of DeepSpeed."""
    tensors = safetensors_of(folder)
    if tensors:
        weights = {key: kind for key, kind in tensors.items() if not key.endswith("._extra_state")}
        return {"form": "safetensors", "dtypes": sorted(set(weights.values())), **described_keys(tensors, base)}
    for path in sorted(folder.glob("**/pytorch_model_fsdp*/.metadata")):
        return {"form": "DCP", **_sharded(path.parent, base)}
    for path in sorted(folder.glob("**/*model_states.pt")):
        state = torch.load(path, map_location="cpu", weights_only=False)
        module = state["module"]
        return {"form": path.name, "classes": _classes(module.values()), **described_keys(module, base)}
    for path in sorted([*folder.glob("*.bin"), *folder.glob("**/pytorch_model*.bin")]):
        if not path.name.startswith(("optimizer", "scheduler")):
            module = torch.load(path, map_location="cpu", weights_only=False)
            return {"form": path.name, "classes": _classes(module.values()), **described_keys(module, base)}
    return {"form": "none", "names": sorted(path.name for path in folder.glob("*"))[:12]}


def _sharded(folder: Path, base: Iterable[str]) -> dict[str, Any]:
    from torch.distributed.checkpoint import FileSystemReader

    metadata = FileSystemReader(folder).read_metadata().state_dict_metadata
    dtypes = {str(one.properties.dtype) for one in metadata.values() if hasattr(one, "properties")}
    return {"dtypes": sorted(dtypes), **described_keys((key.removeprefix("model.") for key in metadata), base)}


def _classes(values: Iterable[Any]) -> list[str]:
    return sorted({type(value).__name__ for value in values})


def without_fp8_libraries(what: str, folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Load a folder in a process that can import neither Transformer Engine nor torchao.

    Raises:
        RuntimeError: what it raised.
    """
    paths = [path for path in sys.path if path and not any((Path(path) / name).is_dir() for name in FP8_LIBRARIES)]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ACCELERATE_", "FSDP_", "FP8_")) and name not in LAUNCHER_VARIABLES
    }
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    program = Path(__file__).with_name("plain.py")
    command = [sys.executable, str(program), what, str(folder), json.dumps(spec)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=90)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise RuntimeError(f"the process without the FP8 libraries died: {done.stderr[-300:]}")
    seen = dict(json.loads(lines[-1]))
    if "error" in seen:
        raise RuntimeError(f"{seen['error']}: {seen['message']}")
    return seen
