"""Adapters over converted layers: saving them, loading them without the FP8 library, merging them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tests.tools.conformance.beyond import asking
from tests.tools.conformance.beyond.models import batch, build

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.conformance.beyond.asking import Answers


def exported(model: Any, spec: dict[str, Any], folder: Path, answers: Answers) -> None:
    """Save the adapters, load them over a plain base, merge them and save the whole."""
    base = {**spec, "model": {**spec["model"], "lora": None}}

    def save() -> dict[str, Any]:
        model.save_pretrained(str(folder / "adapter"))
        tensors = asking.safetensors_of(folder / "adapter")
        odd = sorted(name for name in tensors if not name.endswith(("lora_A.weight", "lora_B.weight")))
        return {"keys": len(tensors), "other_keys": odd[:3], "others": len(odd)}

    if answers.ask("export_adapters", save):
        answers.ask("load_adapters", lambda: asking.without_fp8_libraries("adapter", folder / "adapter", base))

    def merge() -> dict[str, Any]:
        # The base of a run with Transformer Engine is trained, too; what is merged is compared with what ran.
        model.eval()
        rows = batch(spec).to(next(model.parameters()).device)
        with torch.no_grad():
            before = round(float(model(input_ids=rows, labels=rows).loss), 4)
        merged = model.merge_and_unload()
        kinds = sorted(
            {type(module).__name__ for module in merged.modules() if type(module).__name__.endswith("Linear")}
        )
        merged.save_pretrained(str(folder / "merged"))
        return {"layers": kinds, "loss": before, **asking.files(folder / "merged", build(base).state_dict())}

    if answers.ask("merge", merge):
        answers.ask("load_merged", lambda: asking.without_fp8_libraries("model", folder / "merged", spec))
