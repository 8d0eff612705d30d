"""Which Linear layers a backend converts, from the model's shapes.

Models accelerate utils/transformer_engine.py convert_model and utils/ao.py convert_model_to_fp8_ao.
"""

from __future__ import annotations

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from fp8check.rules.models import Linear, ModelShape
    from fp8check.rules.trainers.run import Run

    # How many of the Linear layers were converted, where their number is not known.
    ConvertedLayers = Literal["all", "some", "none"]

ALIGNMENT = 16  # both dimensions of a weight have to divide by it, in either backend


class Coverage(Record):
    """How many of the model's Linear layers were converted.

    Attributes:
        word: how many that is.
        converted: number of converted layers; None where the shapes are not known.
        total: number of Linear layers; None likewise.
        left: names of layers that stay as they are, once per decoder layer, at most a few.
    """

    word: ConvertedLayers
    converted: int | None = None
    total: int | None = None
    left: tuple[str, ...] = ()


NOTHING = Coverage("none", 0)


def te_coverage(run: Run, transformers_major: int) -> Coverage:
    """convert_model: an unaligned Linear ends the walk over its parent, so its later siblings stay behind too."""
    model = run.model
    if model is None:
        return Coverage("all")
    converted, total, left = 0, 0, []
    for block, layers in _blocks(model, transformers_major):
        behind = _left_behind(_with_adapters(run, block))
        names = [name for name, _ in _with_adapters(run, block)]
        total += len(names) * layers
        converted += (len(names) - len(behind)) * layers
        left += behind
    converted += _aligned(model.head)
    left += [] if _aligned(model.head) else [model.head.name]
    return _coverage(converted, total + 1, left)


def _blocks(model: ModelShape, transformers_major: int) -> list[tuple[tuple[Linear, ...], int]]:
    """The different decoder layers and how many there are of each; layers without experts stand at the front."""
    block = model.block_in(transformers_major)
    return [
        (some, number)
        for some, number in ((model.dense_block, model.dense_layers), (block, model.layers - model.dense_layers))
        if number
    ]


def _left_behind(layer: Sequence[tuple[str, bool]]) -> list[str]:
    stopped: set[str] = set()
    left: list[str] = []
    for name, aligned in layer:
        parents = name.split(".")[:-1]
        ended = any(".".join(parents[:depth]) in stopped for depth in range(len(parents) + 1))
        if ended or not aligned:
            left.append(name)
        if not aligned and not ended:
            stopped.add(".".join(parents))
    return left


def torchao_coverage(run: Run, transformers_major: int) -> Coverage:
    """convert_model_to_fp8_ao: every aligned Linear but the first and the last in the order of named_modules()."""
    model = run.model
    if model is None:
        return Coverage("some")
    if not model.block:
        return NOTHING  # Conv1D layers; the head is the first and the last Linear layer at once
    blocks = [(_with_adapters(run, block), layers) for block, layers in _blocks(model, transformers_major)]
    left = [name for layer, _ in blocks for name, aligned in layer if not aligned]
    total = sum(len(layer) * layers for layer, layers in blocks)
    converted = sum(layers * sum(aligned for _, aligned in layer) for layer, layers in blocks)
    first, aligned = blocks[0][0][0]
    if aligned:
        converted -= 1
        left.append(f"{first} of the first layer")
    left.append(model.head.name)
    return _coverage(converted, total + 1, left)


def _coverage(converted: int, total: int, left: Sequence[str]) -> Coverage:
    word: ConvertedLayers = "none" if converted == 0 else "all" if converted == total else "some"
    return Coverage(word, converted, total, tuple(left))


def _aligned(linear: Linear) -> bool:
    return linear.in_features % ALIGNMENT == 0 and linear.out_features % ALIGNMENT == 0


def _with_adapters(run: Run, block: Sequence[Linear]) -> list[tuple[str, bool]]:
    """The layers of one decoder layer with LoRA's wrappers: base_layer, lora_A and lora_B of each target."""
    rank = run.training.lora_rank if run.training.uses_lora else None
    named: list[tuple[str, bool]] = []
    for linear in block:
        if rank is None or not run.training.adapts(linear.name):
            named.append((linear.name, _aligned(linear)))
            continue
        named.append((f"{linear.name}.base_layer", _aligned(linear)))
        for side, size in (("lora_A", linear.in_features), ("lora_B", linear.out_features)):
            named.append((f"{linear.name}.{side}.default", size % ALIGNMENT == 0 and rank % ALIGNMENT == 0))
    return named
