"""Watches one run: where it is, and what the Accelerator and the layers are when it ends."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.tools.conformance.cases import Observed

MESSAGE_LIMIT = 500


class Watch:
    """The state of one run; one for a process."""

    def __init__(self) -> None:
        self.stage = "arguments"
        self.accelerator: Any = None
        self.model: nn.Module | None = None
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.weights: dict[str, torch.Tensor] = {}
        self.torchao_layers_run: set[int] = set()

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        """Be at a stage; after an exception the stage stays, so that the innermost one is reported."""
        outer, self.stage = self.stage, stage
        yield
        self.stage = outer

    def install(self) -> None:
        """Watch every Accelerator that is built from now on, and what it prepares."""
        from accelerate import Accelerator

        accelerator: Any = Accelerator
        accelerator.__init__ = self._watch_init(accelerator.__init__)
        accelerator.prepare = self._watch_prepare(accelerator.prepare)

    def _watch_init(self, init: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(init)
        def watched(accelerator: Any, *arguments: Any, **options: Any) -> None:
            with self.at("accelerator"):
                init(accelerator, *arguments, **options)
            self.accelerator = accelerator

        return watched

    def _watch_prepare(self, prepare: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(prepare)
        def watched(accelerator: Any, *objects: Any, **options: Any) -> Any:
            given = _first_module(objects)
            if given is None or self.model is not None:
                return prepare(accelerator, *objects, **options)
            self.before = _parameters(given)
            with self.at("prepare"):
                prepared = prepare(accelerator, *objects, **options)
            self._take(_first_module(prepared if isinstance(prepared, (tuple, list)) else (prepared,)))
            return prepared

        return watched

    def _take(self, model: nn.Module | None) -> None:
        if model is None:
            return
        self.model = model
        self.after = _parameters(model)
        self.weights = {name: _plain(parameter).clone() for name, parameter in _whole(model)}
        for module in model.modules():
            if type(module).__name__ == "Float8Linear":
                module.register_forward_hook(lambda ran, *_: self.torchao_layers_run.add(id(ran)))

    def observed(self, error: BaseException | None) -> Observed:
        """Everything that can be said now."""
        seen: Observed = {"started": error is None, "error": described(self.stage, error)}
        seen.update(_accelerator(self.accelerator))
        seen.update(_layers(self.model, self.torchao_layers_run))
        seen["recipe"] = _recipe(self.model)
        complete = bool(self.before and self.after)
        pair = {"before": self.before, "after": self.after}
        seen["trainable"] = {when: counts["trainable"] for when, counts in pair.items()} if complete else None
        seen["tied"] = {when: counts["tied"] for when, counts in pair.items()} if complete else None
        seen["checkpointing"] = _checkpoints(self.model) if error is None else None
        seen["moved"] = self._moved() if error is None else None
        return seen

    def _moved(self) -> dict[str, int] | None:
        """How many parameters the step changed, of all and of the converted layers' weights."""
        if self.model is None or not self.weights:
            return None
        converted = {f"{name}.weight" for name, module in self.model.named_modules() if _kind(module) in _CONVERTED}
        counts = {"parameters": 0, "moved": 0, "converted": 0, "converted_moved": 0}
        for name, parameter in _whole(self.model):
            moved = not torch.equal(_plain(parameter), self.weights[name])
            counts["parameters"] += 1
            counts["moved"] += moved
            counts["converted"] += name in converted
            counts["converted_moved"] += moved and name in converted
        return counts


_CONVERTED = ("te", "torchao")


def described(stage: str, error: BaseException | None) -> Any:
    """An error as it is recorded, its message cut to a length that fits a line."""
    if error is None:
        return None
    return {"stage": stage, "type": type(error).__name__, "message": str(error)[:MESSAGE_LIMIT]}


def _first_module(objects: Any) -> nn.Module | None:
    return next((one for one in objects if isinstance(one, nn.Module)), None)


def _plain(parameter: torch.Tensor) -> torch.Tensor:
    # torchao wraps weights in a tensor class of its own; the values are in `_tensor`.
    return getattr(parameter, "_tensor", parameter).detach()


def _whole(model: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """The parameters by name, none where they are cut into shards."""
    named: list[tuple[str, torch.Tensor]] = list(model.named_parameters())
    sharded = any(type(parameter).__name__ in ("DTensor", "FlatParameter") for _, parameter in named)
    wrapped = any(
        type(module).__name__ in ("FullyShardedDataParallel", "DeepSpeedEngine") for module in model.modules()
    )
    return [] if sharded or wrapped else named


def _parameters(model: nn.Module) -> dict[str, Any]:
    head = next((module for name, module in model.named_modules() if name.endswith("lm_head")), None)
    embedding = next((module for module in model.modules() if isinstance(module, nn.Embedding)), None)
    return {
        "trainable": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        "tied": head is not None and embedding is not None and getattr(head, "weight", None) is embedding.weight,
    }


def _checkpoints(model: nn.Module | None) -> bool | None:
    """Whether the model was told to checkpoint; None where it is one that has no such thing.

    A model of transformers has a flag in each of its layers; the toy has one, and remembers who asked.
    """
    if model is None:
        return None
    flags = [flag for one in model.modules() if isinstance(flag := vars(one).get("gradient_checkpointing"), bool)]
    return any(flags) if flags else getattr(model, "checkpointed", None)


def _value(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _accelerator(accelerator: Any) -> Observed:
    if accelerator is None:
        return {"mixed_precision": None, "fp8_enabled": None, "backend": None, "distributed_type": None}
    return {
        "mixed_precision": accelerator.mixed_precision,
        "fp8_enabled": getattr(accelerator, "fp8_enabled", None),
        "backend": _value(getattr(accelerator, "fp8_backend", None)),
        "distributed_type": str(_value(accelerator.distributed_type)),
    }


def _kind(module: nn.Module) -> str | None:
    """How a Linear layer counts: te, torchao, plain; None for other modules."""
    origin = type(module).__module__.split(".")[0]
    if type(module).__name__ == "Float8Linear":
        return "torchao"
    if origin == "transformer_engine" and type(module).__name__ == "Linear":
        return "te"
    return "plain" if isinstance(module, nn.Linear) else None


def _layers(model: nn.Module | None, torchao_layers_run: set[int]) -> Observed:
    if model is None:
        return {"linears": None, "fp8_linears_run": None, "fp8_linears_also_high_precision": None}
    kinds = [_kind(module) for module in model.modules()]
    linears = {kind: kinds.count(kind) for kind in ("te", "torchao", "plain")}
    fp8, high = _transformer_engine_layers()
    ran = len(fp8) if linears["te"] else len(torchao_layers_run)
    return {"linears": linears, "fp8_linears_run": ran, "fp8_linears_also_high_precision": len(fp8 & high)}


def _transformer_engine_layers() -> tuple[set[int], set[int]]:
    import sys

    record: Any = sys.modules.get("transformer_engine.record")
    return (record.layers_run, record.layers_high_precision) if record else (set(), set())


def _recipe(model: nn.Module | None) -> dict[str, Any] | None:
    """The recipe that the backend ended with: TE's last one, else the configuration of torchao's layers."""
    import sys

    record: Any = sys.modules.get("transformer_engine.record")
    if record is not None and record.recipes:
        recipe = record.recipes[-1]
        names = ("fp8_format", "amax_history_len", "amax_compute_algo", "margin", "override_linear_precision")
        values = {name: _value(getattr(recipe, name)) for name in names if hasattr(recipe, name)}
        return {"class": type(recipe).__name__, **values}
    for module in model.modules() if model is not None else ():
        if type(module).__name__ == "Float8Linear":
            config: Any = module.config
            options = ("pad_inner_dim", "enable_fsdp_float8_all_gather")
            return {"class": type(config).__name__, **{name: getattr(config, name) for name in options}}
    return None
