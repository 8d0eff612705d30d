"""What trains in a process that was not made for looking: its models, its weights, and who steps them."""

from __future__ import annotations

import gc
import math
import sys
from typing import Any

import torch
from torch import nn

from . import inspect_model

WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
# Half of the last place of a value of 1: what an optimizer adds below that, rounding takes away again.
LAST_PLACE = {torch.bfloat16: 2.0**-9, torch.float16: 2.0**-12}


class Found:
    """The objects of the process that have to do with training.

    Attributes:
        roots: modules that train and are part of no other.
        accelerator: the Accelerator, where there is one.
        engines: optimizers of DeepSpeed, which keep the weights that they step in groups of their own.
        idle: modules that could train, and did not as the look began: copies, or those that have their turn later.
    """

    def __init__(self, roots: list[Any], accelerator: Any, engines: list[Any]) -> None:
        self.roots = roots
        self.accelerator = accelerator
        self.engines = engines
        self.idle: list[Any] = []

    def awake(self) -> list[str]:
        """The classes of those of them that have gradients now."""
        return sorted(
            {type(one).__name__ for one in self.idle if any(part.grad is not None for part in one.parameters())}
        )

    def modules(self) -> dict[str, Any]:
        """Every module that trains, by its name without those of wrappers."""
        found = {}
        for number, root in enumerate(self.roots):
            before = f"{number}." if len(self.roots) > 1 else ""
            for name, module in root.named_modules():
                found[before + _plain_name(name)] = module
        return found

    def parameters(self) -> dict[str, Any]:
        """Every trainable parameter, likewise."""
        found = {}
        for number, root in enumerate(self.roots):
            before = f"{number}." if len(self.roots) > 1 else ""
            for name, parameter in root.named_parameters():
                if parameter.requires_grad:
                    found[before + _plain_name(name)] = parameter
        return found


def _plain_name(name: str) -> str:
    name += "."
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name.rstrip(".")


def find() -> Found:
    """Look through what Python knows of: nothing is called, and no class of the program's is asked."""
    modules, accelerator, engines = [], None, []
    accelerate = getattr(sys.modules.get("accelerate.accelerator"), "Accelerator", None)
    for one in gc.get_objects():
        kind = type(one)
        if issubclass(kind, nn.Module):
            modules.append(one)
        elif accelerate is not None and issubclass(kind, accelerate):
            accelerator = one
        elif str(kind.__module__).startswith("deepspeed.runtime") and "Optimizer" in kind.__name__:
            engines.append(one)
    inner = {id(child) for module in modules for child in module.__dict__.get("_modules", {}).values()}
    roots = [one for one in modules if id(one) not in inner and _trains(one)]
    return Found(roots, accelerator, engines)


def _trains(module: Any) -> bool:
    return "_parameters" in module.__dict__ and any(parameter.requires_grad for parameter in module.parameters())


def chosen(found: Found, held: set[int]) -> None:
    """Leave what no optimizer steps and no gradient reaches: copies, and what is left over of a conversion."""
    grouped = held | (in_groups(found) or set())
    stepped = [
        root
        for root in found.roots
        if any(
            id(parameter) in grouped or parameter.grad is not None
            for parameter in root.parameters()
            if parameter.requires_grad
        )
    ]
    found.idle = [root for root in found.roots if all(root is not one for one in stepped)] if stepped else []
    found.roots = _apart(stepped or found.roots)


def _apart(roots: list[Any]) -> list[Any]:
    """Without those whose weights are all in another one: what a conversion took its weights from."""
    weights = {id(root): {id(parameter) for parameter in root.parameters()} for root in roots}
    return [
        root
        for root in roots
        if not any(
            weights[id(root)] < weights[id(other)] or (weights[id(root)] == weights[id(other)] and _newer(other, root))
            for other in roots
            if other is not root
        )
    ]


def _newer(one: Any, other: Any) -> bool:
    """Of two with the same weights, whether this is the one that has layers in FP8."""
    kinds = [{inspect_model.kind(module) for module in root.modules()} - {None, "plain"} for root in (one, other)]
    return bool(kinds[0]) and not kinds[1]


def others(found: Found, parameters: dict[str, Any], stepped: Stepped) -> list[str]:
    """The classes of models whose weights were stepped as well, and that nobody had looked at as the look began.

    Copies of the weights that an optimizer holds in their place are part of no model.
    """
    unknown = stepped.with_gradient - {id(one) for one in parameters.values()}
    if not unknown:
        return []
    known = {id(root) for root in found.roots}
    more = [root for root in find().roots if id(root) not in known]
    return sorted(
        {type(root).__name__ for root in more if any(id(parameter) in unknown for parameter in root.parameters())}
    )


def in_groups(found: Found) -> set[int] | None:
    """The weights that DeepSpeed's optimizers step, by identity; None where there are none."""
    if not found.engines:
        return None
    names = ("bit16_groups", "fp16_groups", "bf16_groups")
    groups = [group for one in found.engines for name in names for group in getattr(one, name, None) or ()]
    return {id(parameter) for group in groups for parameter in group}


def marks(parameters: dict[str, Any]) -> dict[str, tuple[float, float] | None]:
    """Two numbers of each; None of one that has no values here: an empty shard, or the meta device."""
    asked: dict[str, torch.Tensor] = {}
    found: dict[str, tuple[float, float] | None] = dict.fromkeys(parameters)
    for name, parameter in parameters.items():
        if not parameter.is_meta and inspect_model.local(parameter).numel():
            asked[name] = inspect_model.sums(parameter)
    for name, total in asked.items():
        squares, alternating = total.tolist()
        found[name] = (squares, alternating)
    return found


class Stepped:
    """What the optimizers did, added up over steps.

    Attributes:
        held: identities of all that they hold.
        rates: the highest learning rate of each of those.
        with_gradient: those that had a gradient as a step began.
    """

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.rates: dict[int, float] = {}
        self.with_gradient: set[int] = set()
        self.classes: set[str] = set()

    def note(self, optimizer: Any) -> None:
        """A step of this one begins."""
        self.classes.add(type(optimizer).__name__)
        for group in optimizer.param_groups:
            rate = float(group.get("lr", math.nan))
            for parameter in group["params"]:
                one = id(parameter)
                self.held.add(one)
                self.rates[one] = max(rate, self.rates.get(one, rate))
                if parameter.grad is not None:
                    self.with_gradient.add(one)

    @property
    def highest(self) -> float:
        """The highest rate of all."""
        return max(self.rates.values(), default=math.nan)


def told(
    found: Found,
    parameters: dict[str, Any],
    before: dict[str, tuple[float, float] | None],
    after: dict[str, tuple[float, float] | None],
    stepped: Stepped,
) -> dict[str, Any]:
    """Which weights moved, which did not and why, which are not here, and which nobody steps."""
    moved, empty, stayed = [], [], {}
    grouped = in_groups(found)
    missing = []
    for name, parameter in parameters.items():
        holder = None
        if grouped is not None:
            holder = id(parameter) in grouped if grouped else None
        elif stepped.held:
            holder = id(parameter) in stepped.held
        old = before.get(name)
        if old is None:
            empty.append(name)
        elif after.get(name) is None:
            stayed[name] = "its values are not here any more"
        elif inspect_model.has_moved(old, after[name]):
            moved.append(name)
            continue  # by whomever: an optimizer may hold copies of the weights
        else:
            stayed[name] = _why(parameter, holder, stepped, reached=grouped is None)
        if holder is False:
            missing.append(name)
    return {"moved": moved, "stayed": stayed, "empty": empty, "missing": missing, "optimizers": sorted(stepped.classes)}


def _why(parameter: Any, holder: bool | None, stepped: Stepped, *, reached: bool) -> str:
    """Why a weight has not moved: "not held" and "held" are faults, the others may not be."""
    if holder is False:
        return "not held"
    if holder is None:
        return "nobody seen to step it"
    rate = stepped.rates.get(id(parameter), stepped.highest)
    if rate == 0:
        return "learning rate 0"
    if reached and id(parameter) not in stepped.with_gradient:
        return "no gradient"
    place = LAST_PLACE.get(parameter.dtype)
    value = inspect_model.local(parameter)
    if place is not None and rate < place * float(value.abs().min()):
        return f"{str(parameter.dtype).rpartition('.')[2]} at a learning rate of {rate:g}"
    return "held"


def te_in_fp8(modules: dict[str, Any]) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    """Transformer Engine's layers by what they say of their last forward pass: in FP8, not in FP8; and the recipes."""
    inside, outside, recipes = [], [], []
    for name, module in modules.items():
        if inspect_model.kind(module) != "te":
            continue
        if getattr(module, "fp8", None) is True:
            inside.append(name)
            recipe = getattr(module, "fp8_meta", {}).get("recipe")
            if recipe is not None and (seen := inspect_model.te_recipe(recipe)) not in recipes:
                recipes.append(seen)
        elif getattr(module, "fp8", None) is False:
            outside.append(name)
    return inside, outside, recipes
