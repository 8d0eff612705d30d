"""How a loop of one's own prepares its model: executed with accelerate 1.10.1 and 1.15.0 (tests/conformance/commands.jsonl)."""

from __future__ import annotations

import pytest

from tests.support.outcomes import AO, DEEPSPEED, FSDP, LLAMA, ONE, TE, outcome_of, seen

STACK = {
    "torch": "2.13.0",
    "accelerate": "1.15.0",
    "transformers": "5.23.0",
    "transformer_engine": "2.9.0",
    "torchao": "0.18.0",
    "deepspeed": "0.19.8",
    "peft": "0.21.2",
}
HEAD = """import torch
from accelerate import Accelerator
from transformers import AutoModelForCausalLM


def main():
"""
LOOP = """    model.train()
    for batch in loader:
        loss = model(**batch).loss
        accelerator.backward(loss)
        optimizer.step()


if __name__ == "__main__":
    main()
"""
MADE = "    accelerator = Accelerator()\n"
LOADED = "    model = AutoModelForCausalLM.from_pretrained('m')\n"
OPTIMIZER = "    optimizer = torch.optim.AdamW(model.parameters())\n"
TOGETHER = "    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)\n"
EACH = "    model, optimizer, loader = map(accelerator.prepare, (model, optimizer, loader))\n"
ALONE = (
    "    model = accelerator.prepare_model(model)\n    optimizer = accelerator.prepare_optimizer(optimizer)\n"
    "    loader = accelerator.prepare_data_loader(loader)\n"
)
WITHOUT_LOADER = (
    "    model, optimizer = accelerator.prepare(model, optimizer)\n    loader = accelerator.prepare(loader)\n"
)
COMPILED = "    model = torch.compile(model)\n"
ADAPTED = "    model = get_peft_model(model, LoraConfig())\n"
GATHERED_OFF = f"{AO}  enable_fsdp_float8_all_gather: false\n"
ZERO3 = DEEPSPEED.replace("zero_stage: 1", "zero_stage: 3, zero3_init_flag: false")


@pytest.mark.parametrize(
    ("file", "parts", "expected"),
    [
        (ONE + TE, (MADE, LOADED, OPTIMIZER, TOGETHER), "fp8 TE all HYBRID 1024 max"),
        (ONE + TE, (MADE, LOADED, OPTIMIZER, EACH), "ValueError (prepare)"),
        (ONE + GATHERED_OFF, (MADE, LOADED, OPTIMIZER, EACH), "fp8 AO some"),
        (ONE + TE, (MADE, LOADED, OPTIMIZER, ALONE), "fp8 TE none HYBRID 1024 max"),
        (ONE + GATHERED_OFF, (MADE, LOADED, OPTIMIZER, ALONE), "fp8 AO none"),
        (f"{FSDP}fsdp_config: {{fsdp_version: 2}}\n{TE}", (MADE, LOADED, OPTIMIZER, ALONE), "ValueError (prepare)"),
        (DEEPSPEED + GATHERED_OFF, (MADE, LOADED, OPTIMIZER, TOGETHER), "fp8 AO some"),
        (DEEPSPEED + GATHERED_OFF, (MADE, LOADED, OPTIMIZER, WITHOUT_LOADER), "ValueError (prepare)"),
        (DEEPSPEED + GATHERED_OFF, (MADE, LOADED, OPTIMIZER, EACH), "ValueError (prepare)"),
        (ONE + TE, (MADE, LOADED, COMPILED, OPTIMIZER, TOGETHER), "TypeError (step)"),
        (ONE + GATHERED_OFF, (MADE, LOADED, COMPILED, OPTIMIZER, TOGETHER), "fp8 AO some"),
        (DEEPSPEED + TE, (MADE, LOADED, COMPILED, OPTIMIZER, TOGETHER), "TypeError (step)"),
        (ZERO3 + TE, (MADE, LOADED, OPTIMIZER, TOGETHER), "RuntimeError (prepare)"),
        (ZERO3 + TE, (LOADED, MADE, OPTIMIZER, TOGETHER), "fp8 TE all HYBRID 1024 max"),
        (
            ZERO3.replace("flag: false", "flag: true") + TE,
            (MADE, LOADED, OPTIMIZER, TOGETHER),
            "fp8 TE all HYBRID 1024 max",
        ),
    ],
)
def test_how_it_is_prepared(file: str, parts: tuple[str, ...], expected: str) -> None:
    case = {"accelerate": file, "script": HEAD + "".join(parts) + LOOP, "model": LLAMA, "stack": STACK, "gpu": "9.0"}
    assert seen(outcome_of(case)) == expected


def test_adapters_of_a_function_are_those_of_its_model() -> None:
    """PEFT 0.17 looks for what torchao 0.18 has no more, as soon as it wraps a layer (seventh-loop-12)."""
    text = HEAD.replace("def main", "from peft import LoraConfig, get_peft_model\n\n\ndef main")
    script = f"{text}{MADE}{LOADED}{ADAPTED}{OPTIMIZER}{TOGETHER}{LOOP}"
    stack = {**STACK, "accelerate": "1.10.1", "transformers": "4.57.1", "peft": "0.17.1"}
    case = {"accelerate": ONE + GATHERED_OFF, "script": script, "model": LLAMA, "stack": stack, "gpu": "9.0"}
    assert seen(outcome_of(case)) == "ImportError (arguments)"
