"""The newest releases that each trainer takes beside it, as its own requirements say (their wheels' METADATA)."""

from __future__ import annotations

TAKEN: dict[str, dict[str, str]] = {
    # llamafactory 0.9.5: transformers<=5.6.0, peft<=0.18.1, trl<=0.24.0, accelerate<=1.11.0 unless the check is off
    "llamafactory": {"llamafactory": "0.9.5", "transformers": "5.6.0", "trl": "0.24.0", "peft": "0.20.0"},
    "axolotl": {"axolotl": "0.19.0"},
}
