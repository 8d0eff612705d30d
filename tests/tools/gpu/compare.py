"""Predictions against what a GPU did.

python -m tests.tools.gpu.compare FILE.jsonl
"""

from __future__ import annotations

import sys
from pathlib import Path

from fp8check.rules import models
from fp8check.rules.outcome import Outcome, predict
from fp8check.rules.trainers.run import Run
from tests.tools.score import Case, differences, load, run_of

TOY = {
    "model_type": "llama",
    "hidden_size": 512,
    "intermediate_size": 1024,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "vocab_size": 1024,
    "tie_word_embeddings": False,
}


# What a prediction does not say, and why.
OUTSIDE = {"fsdp2-ao-on-gpu-bf16-weights": "where a script has its model before prepare() is not read"}


def gpu_run(case: Case) -> Run:
    """The run of a case of cases.py: its model settings as a training file would have them."""
    model = case["model"] or {}
    training = dict(case["training"])
    if model.get("lora_rank"):
        training.update(use_peft=True, lora_r=model["lora_rank"], lora_target_modules="all-linear")
    if model.get("checkpointing") is not None:
        kwargs = {"use_reentrant": model["checkpointing"]}
        training.update(gradient_checkpointing=True, gradient_checkpointing_kwargs=kwargs)
    training["dtype"] = model.get("dtype", "float32")
    run = run_of({**case, "model": None, "training": training})
    shape = models.from_config({**TOY, **{k: v for k, v in model.items() if k in TOY}}, "toy", "config.json")
    rows, columns = model.get("batch", (4, 64))
    return run._replace(model=shape, tokens=rows * columns)


def gpu_differences(case: Case, outcome: Outcome) -> list[str]:
    """Where the prediction differs from what the GPU did: also layers converted, weights that stay, backward in FP8."""
    seen = case["observed"]
    gemms = seen.get("fp8_gemms") or {}
    complete = {"mixed_precision": None, "linears": None, **seen, "fp8_linears_run": sum(gemms.values())}
    wrong = differences({**case, "observed": complete}, outcome)
    if not seen["started"]:
        return wrong
    linears, moved = seen["linears"], seen["moved"]
    converted = linears["te"] + linears["torchao"]
    sharded = seen["distributed_type"] == "FSDP"  # FSDP2 renames the class of the layers that it shards
    if not sharded and outcome.prepared.coverage.converted != converted:
        wrong.append(f"converted: predicted {outcome.prepared.coverage.converted}, observed {converted}")
    stay = moved["linear_weights_moved"] < moved["linear_weights"]
    if linears["torchao"] and (outcome.frozen is not None) != stay:
        wrong.append(f"weights that stay: predicted {outcome.frozen is not None}, observed {stay}")
    if linears["te"] and outcome.prepared.autocast and "backward" in gemms:
        without = gemms["backward"] < gemms["forward"]
        if without != bool(outcome.reentrant):
            wrong.append(f"backward outside FP8: predicted {bool(outcome.reentrant)}, observed {without}")
    return wrong


def main() -> int:
    """Print the score and every miss."""
    cases = [case for case in load(Path(sys.argv[1])) if case["id"] not in OUTSIDE]
    misses = {case["id"]: gpu_differences(case, predict(gpu_run(case))) for case in cases}
    for name, wrong in misses.items():
        if wrong:
            print(f"{name}: {'; '.join(wrong)}")
    print(f"{sum(not wrong for wrong in misses.values())} of {len(cases)} predicted right")
    for name, why in OUTSIDE.items():
        print(f"not compared: {name}: {why}")
    return int(any(misses.values()))


if __name__ == "__main__":
    sys.exit(main())
