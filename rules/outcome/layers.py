"""Which Linear layers a backend converts, from the model's shapes (accelerate utils/transformer_engine.py, utils/ao.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.models import Linear
    from fp8check.rules.outcome.run import Run

ALIGNMENT = 16  # both dimensions of a weight have to divide by it, in either backend


class Coverage(NamedTuple):
    """How many of the model's Linear layers were converted.

    Attributes:
        word: "all", "some" or "none".
        converted: number of converted layers; None where the shapes are not known.
        total: number of Linear layers; None likewise.
        left: names of layers that stay as they are, once per decoder layer, at most a few.
    """

    word: str
    converted: int | None = None
    total: int | None = None
    left: tuple[str, ...] = ()


NOTHING = Coverage("none", 0)


def te_coverage(run: Run) -> Coverage:
    """convert_model: an unaligned Linear ends the walk over its parent, so its later siblings stay behind too."""
    model = run.model
    if model is None or not model.block:
        return Coverage("all")
    adapted = _with_adapters(run, model.block)
    stopped: set[str] = set()
    left: list[str] = []
    for name, aligned in adapted:
        parent = name.rpartition(".")[0]
        if parent in stopped or not aligned:
            stopped.add(parent)
            left.append(name)
    total = len(adapted) * model.layers
    converted = total - len(left) * model.layers
    if model.head is not None:
        total += 1
        if _aligned(model.head):
            converted += 1
        else:
            left.append(model.head.name)
    return _coverage(converted, total, left)


def torchao_coverage(run: Run) -> Coverage:
    """convert_model_to_fp8_ao: every aligned Linear but the first and the last in the order of named_modules()."""
    model = run.model
    if model is None or not model.block:
        return Coverage("some")
    adapted = _with_adapters(run, model.block)
    left = [name for name, aligned in adapted if not aligned]
    total = len(adapted) * model.layers
    converted = total - len(left) * model.layers
    converted -= int(adapted[0][1])
    if model.head is None:
        converted -= int(adapted[-1][1])
    else:
        total += 1
        left.append(model.head.name)
    if adapted[0][1]:
        left.append(f"{adapted[0][0]} of the first layer")
    return _coverage(converted, total, left)


def _coverage(converted: int, total: int, left: Sequence[str]) -> Coverage:
    word = "none" if converted == 0 else "all" if converted == total else "some"
    return Coverage(word, converted, total, tuple(left))


def _aligned(linear: Linear) -> bool:
    return linear.in_features % ALIGNMENT == 0 and linear.out_features % ALIGNMENT == 0


def _with_adapters(run: Run, block: Sequence[Linear]) -> list[tuple[str, bool]]:
    """The layers of one decoder layer with LoRA's wrappers: base_layer, lora_A and lora_B of each target."""
    rank = run.training.lora_rank if run.training.uses_lora else None
    named: list[tuple[str, bool]] = []
    for linear in block:
        if rank is None or not _is_target(run, linear.name):
            named.append((linear.name, _aligned(linear)))
            continue
        named.append((f"{linear.name}.base_layer", _aligned(linear)))
        for side, size in (("lora_A", linear.in_features), ("lora_B", linear.out_features)):
            named.append((f"{linear.name}.{side}.default", size % ALIGNMENT == 0 and rank % ALIGNMENT == 0))
    return named


def _is_target(run: Run, name: str) -> bool:
    training = run.training
    key = "lora_target" if training.trainer == "llamafactory" else "lora_target_modules"
    targets = training.value(key, "all")
    if targets is None or targets in ("all", "all-linear"):
        return True
    listed = targets.split(",") if isinstance(targets, str) else targets if isinstance(targets, list) else []
    return name.rpartition(".")[2] in [str(target).strip() for target in listed]
