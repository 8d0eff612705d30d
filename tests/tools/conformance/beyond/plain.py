"""Loads what a run left in an interpreter that has neither Transformer Engine nor torchao.

python plain.py model|adapter FOLDER SPEC ROWS        writes what was seen as JSON in the last line
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch

from tests.tools.conformance.beyond.models import batch, build


def model(folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """from_pretrained(): what the report of loading says, and the loss on the rows of a training step."""
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    loaded, about = auto.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    unexpected = sorted(about["unexpected_keys"])
    return {
        "missing": sorted(about["missing_keys"])[:4],
        "unexpected_extra_state": sum(key.endswith("_extra_state") for key in unexpected),
        "unexpected_others": [key for key in unexpected if not key.endswith("_extra_state")][:4],
        "tied": loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight,
        "loss": _loss(loaded, spec),
    }


def adapter(folder: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """PeftModel.from_pretrained() over the base that the run started from."""
    from peft import PeftModel

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded: Any = PeftModel.from_pretrained(build(spec), str(folder))
    return {"loss": _loss(loaded, spec), "warnings": [str(one.message)[:160] for one in caught][:3]}


def _loss(loaded: Any, spec: dict[str, Any]) -> float:
    loaded.eval()
    rows = batch(spec)
    with torch.no_grad():
        return round(float(loaded(input_ids=rows, labels=rows).loss), 4)


def main() -> None:
    """Load, and say what was seen."""
    try:
        seen = {"model": model, "adapter": adapter}[sys.argv[1]](Path(sys.argv[2]), json.loads(sys.argv[3]))
    except Exception as error:  # noqa: BLE001 - it is the answer
        traceback.print_exc()
        seen = {"error": type(error).__name__, "message": " ".join(str(error).split())[:400]}
    print(f"\n{json.dumps(seen)}")


if __name__ == "__main__":
    main()
