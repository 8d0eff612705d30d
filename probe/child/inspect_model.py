"""What Accelerator, the layers, the parameters and the recipe say of themselves."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any

import torch

LISTED = 8  # names that are told in full
AT_A_TIME = 2**22  # values that are widened at a time: 32 MiB, which a run that nearly fills its GPU has left
TE_LAYERS = ("Linear", "LayerNormLinear", "LayerNormMLP", "GroupedLinear")


def accelerator(one: Any) -> dict[str, Any]:
    """The Accelerator's own words."""
    return {
        "mixed_precision": one.mixed_precision,
        "fp8_enabled": getattr(one, "fp8_enabled", None),
        "backend": plain(getattr(one, "fp8_backend", None)),
        "distributed_type": str(plain(one.distributed_type)).rpartition(".")[2],
    }


def plain(value: Any) -> Any:
    """An enumeration's value; anything else as it is."""
    return value.value if isinstance(value, Enum) else value


def kind(module: Any) -> str | None:
    """How a Linear layer counts: te, torchao, msamp or plain; None for other modules. FSDP2 renames classes."""
    classes = {f"{base.__module__}.{base.__name__}" for base in type(module).__mro__}
    if any(name.endswith(".Float8Linear") and name.startswith("torchao.") for name in classes):
        return "torchao"
    if any(name.startswith("transformer_engine.") and name.rpartition(".")[2] in TE_LAYERS for name in classes):
        return "te"
    if any(name.startswith("msamp.") and name.endswith("Linear") for name in classes):
        return "msamp"
    return "plain" if isinstance(module, torch.nn.Linear) else None


def layers(model: Any) -> dict[str, Any]:
    """The Linear layers by kind, and the names of those that stayed."""
    kinds = {name: kind(module) for name, module in model.named_modules()}
    counts = {one: sum(found == one for found in kinds.values()) for one in ("te", "torchao", "msamp", "plain")}
    left = [name for name, found in kinds.items() if found == "plain"]
    return {**counts, "total": sum(counts.values()), "left": left[:LISTED]}


def parameters(model: Any) -> dict[str, Any]:
    """The number of trainable values, and whether head and embedding are one parameter."""
    modules = dict(model.named_modules())
    heads = [module for name, module in modules.items() if name.endswith("lm_head")]
    embeddings = [module for name, module in modules.items() if name.endswith("embed_tokens")]
    tied = None
    if heads and embeddings:
        tied = getattr(heads[0], "weight", None) is getattr(embeddings[0], "weight", None)
    return {
        "trainable": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        "trainable_tensors": sum(parameter.requires_grad for parameter in model.parameters()),
        "tied": tied,
    }


def optimizer(model: Any, one: Any) -> dict[str, Any]:
    """The trainable parameters that the optimizer does not hold."""
    held = {id(parameter) for group in one.param_groups for parameter in group["params"]}
    missing = [
        name for name, parameter in model.named_parameters() if parameter.requires_grad and id(parameter) not in held
    ]
    return {"missing": len(missing), "names": missing[:LISTED]}


def local(parameter: Any) -> torch.Tensor:
    """The values of a parameter: of this process's shard, and without torchao's wrapper."""
    value = getattr(parameter, "ds_tensor", parameter).detach()  # ZeRO-3 keeps its shard there
    value = value.to_local() if hasattr(value, "to_local") else value
    value = getattr(value, "_tensor", value)
    return value.to_local() if hasattr(value, "to_local") else value


def mark(parameter: Any) -> tuple[float, float]:
    """Two numbers of a parameter; one of them changes when its values do."""
    squares, alternating = sums(parameter).tolist()
    return squares, alternating


def sums(parameter: Any) -> torch.Tensor:
    """mark() as a tensor, where the parameter is: the program does not wait for it."""
    value = local(parameter).detach().reshape(-1)
    total = torch.zeros(2, dtype=torch.float64, device=value.device)
    for part in value.split(AT_A_TIME):
        wide = part.double()
        total[0] += wide.square().sum()
        total[1] += wide[::2].sum() - wide[1::2].sum()
    return total


def has_moved(before: tuple[float, float], after: tuple[float, float] | None) -> bool:
    """Whether the values are others, by their marks; those that are gone, or NaN now, have not moved."""
    return after is not None and after != before and all(value == value for value in after)  # noqa: PLR0124  NaN


def marks(model: Any) -> dict[str, tuple[float, float]]:
    """mark() of every parameter."""
    return {name: mark(parameter) for name, parameter in model.named_parameters()}


def changed(before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]]) -> list[str]:
    """Some names of parameters that are still there and have other values."""
    return [name for name, seen in after.items() if name in before and before[name] != seen][:LISTED]


class Autocast:
    """Watches the converted layers run: whether FP8 autocast was on there, and with which recipe.

    Attributes:
        ran: converted layers that ran in FP8, by name.
        recipe: the recipe object as the backend held it.
    """

    def __init__(self, model: Any) -> None:
        self.ran: set[str] = set()
        self.outside: set[str] = set()
        self.recipe: dict[str, Any] | None = None
        self._hooks = []
        for name, module in model.named_modules():
            found = kind(module)
            if found == "te":
                self._hooks.append(module.register_forward_pre_hook(self._te(name)))
            elif found == "torchao":
                self._hooks.append(module.register_forward_pre_hook(self._torchao(name)))

    def _te(self, name: str) -> Any:
        def hook(module: Any, _inputs: Any) -> None:
            del module
            manager = te_state()
            if manager is None:
                return
            if manager.is_fp8_enabled():
                self.ran.add(name)
                self.recipe = te_recipe(manager.get_fp8_recipe())
            else:
                self.outside.add(name)

        return hook

    def _torchao(self, name: str) -> Any:
        def hook(module: Any, _inputs: Any) -> None:
            self.ran.add(name)
            self.recipe = torchao_recipe(module.config)

        return hook

    def stop(self) -> dict[str, Any]:
        """Take the hooks away and say what was seen."""
        for hook in self._hooks:
            hook.remove()
        told = bool(self._hooks) and bool(self.ran or self.outside)
        return {"layers_in_fp8": len(self.ran) if told else None, "layers_outside": sorted(self.outside)[:LISTED]}


def te_state() -> Any:
    """Transformer Engine's own state: in quantization.py since 2.8, in fp8.py before."""
    for module in ("transformer_engine.pytorch.quantization", "transformer_engine.pytorch.fp8"):
        found = getattr(sys.modules.get(module), "FP8GlobalStateManager", None)
        if found is not None:
            return found
    return None


def te_recipe(recipe: Any) -> dict[str, Any]:
    """A recipe of Transformer Engine, in the names of the prediction."""
    seen: dict[str, Any] = {"class": type(recipe).__name__}
    form = getattr(recipe, "fp8_format", None)
    if form is not None:
        seen["fp8_format"] = getattr(form, "name", str(form))
    for name in ("amax_history_len", "amax_compute_algo", "margin"):
        value = getattr(recipe, name, None)
        if isinstance(value, (int, float, str)):
            seen[name] = value
    return seen


def torchao_recipe(config: Any) -> dict[str, Any]:
    """A configuration of torchao, in the names of the prediction."""
    seen: dict[str, Any] = {"class": type(config).__name__}
    for name in ("pad_inner_dim", "enable_fsdp_float8_all_gather", "emulate"):
        if hasattr(config, name):
            seen[name] = getattr(config, name)
    cast = getattr(config, "cast_config_input", None)
    granularity = plain(getattr(cast, "scaling_granularity", None))
    if isinstance(granularity, str):
        seen["recipe"] = {"axiswise": "rowwise"}.get(granularity, granularity)
    return seen
