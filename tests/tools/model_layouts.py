"""Write layouts.json anew from the real classes: python tests/tools/model_layouts.py, with torch and a transformers release.

Each configuration in it is built on torch's meta device, which allocates nothing. Run it once under transformers 4.57
and once under 5; the two runs fill in their own part. A missing "linears_5" says that release 5 builds the same layers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LAYOUTS = Path(__file__).parents[1] / "models" / "layouts.json"


def build(config: dict[str, Any]) -> Any:
    """The model of this configuration, without weights."""
    import torch  # type: ignore[import-not-found,unused-ignore]
    import transformers  # type: ignore[import-not-found,unused-ignore]

    values = dict(config)
    made = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    nested = hasattr(made, "vision_config")
    family = transformers.AutoModelForImageTextToText if nested else transformers.AutoModelForCausalLM
    with torch.device("meta"):
        model = family.from_config(made)
    model.tie_weights()
    return model


def describe(model: Any) -> dict[str, Any]:
    """Its Linear layers in the order of named_modules(), whether the head is tied, and the number of parameters."""
    import torch

    linears = [
        f"{name} {module.in_features} {module.out_features}{' bias' if module.bias is not None else ''}"
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    ]
    return {
        "linears": linears,
        "tied": model.get_output_embeddings().weight is model.get_input_embeddings().weight,
        "parameters": sum({id(parameter): parameter.numel() for parameter in model.parameters()}.values()),
    }


def main() -> None:
    """Fill in what the installed release builds."""
    import transformers

    major = int(transformers.__version__.partition(".")[0])
    layouts = json.loads(LAYOUTS.read_text(encoding="utf-8"))
    for layout in layouts:
        found = describe(build(layout["config"]))
        layout |= {"tied": found["tied"], "parameters": found["parameters"], f"linears_{major}": found["linears"]}
        if layout.get("linears_5") == layout["linears_4"]:
            del layout["linears_5"]
    lines = ",\n".join(json.dumps(layout) for layout in layouts)
    LAYOUTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
