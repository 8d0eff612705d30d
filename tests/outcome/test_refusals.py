"""What trainers and packages refuse, beside what the cases of the rules have."""

from __future__ import annotations

import pytest

from tests.support.outcomes import outcome_of, seen

AXOLOTL = {"trainer": "axolotl", "stack": {"accelerate": "1.15.0", "torchao": "0.17.0", "axolotl": "0.19.0"}}
BARE = {"accelerate": "1.15.0", "transformers": "5.17.0", "axolotl": "0.19.0"}
FP8 = {"model_type": "llama", "quantization_config": {"quant_method": "fbgemm_fp8"}}
LORA = {"trainer": "trl", "training": "use_peft: true\nbf16: true\n", "model": FP8}


@pytest.mark.parametrize(
    ("case", "ends"),
    [
        (AXOLOTL | {"training": "base_model: x\nfp8: true\nfp8_config: rowwise\n"}, "ValidationError (arguments)"),
        (AXOLOTL | {"training": "base_model: x\nfp8: true\n", "stack": BARE}, "ValidationError (arguments)"),
        (LORA, "ValueError (trainer)"),
    ],
)
def test_refused(case: dict[str, object], ends: str) -> None:
    assert seen(outcome_of(case)) == ends
