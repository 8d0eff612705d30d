"""Peak GPU memory of real runs of the Hugging Face Trainer, one after another in one process: measured, not modeled.

    python -m tests.tools.gpu.peaks OUT.jsonl [--only WORD] [--seconds N]         one GPU
    torchrun --nproc_per_node 2 -m tests.tools.gpu.peaks OUT.jsonl --two ...      two GPUs

Random weights, random tokens, four steps. What is written is torch.cuda.max_memory_allocated over the whole training,
and of the last step by its phases: `forward` up to the loss, `backward`, and `optimizer`. Bytes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from itertools import product
from typing import Any

import torch

from tests.tools.gpu.llamas import SHAPES
from tests.tools.gpu.plain_trainer import Rows

Case = dict[str, Any]


def case(shape: str, layers: int, batch: int, sequence: int, precision: str = "bf16", **more: Any) -> Case:
    """One run. `precision`: bf16, te or ao (torchao, no all-gather)."""
    return {
        "shape": shape,
        "layers": layers,
        "batch": batch,
        "sequence": sequence,
        "precision": precision,
        "weights": "float32",
        "checkpointing": False,
        "compile": False,
        "lora": 0,
        "optimizer": "adamw_torch_fused",
        "strategy": "single",
        **more,
    }


def single() -> list[Case]:
    """Runs on one GPU."""
    cases = [
        case("7B", 4, 4, 2048, precision, checkpointing=on) for on, precision in product((False, True), ("bf16", "te"))
    ]
    cases += [case("7B", 2, 1, 2048, precision) for precision in ("bf16", "te", "ao")]
    cases += [
        case("1B", 8, 2, 4096, precision, checkpointing=on) for on, precision in product((False, True), ("bf16", "te"))
    ]
    cases += [case("8B", 3, 2, 2048, precision, weights="bfloat16") for precision in ("bf16", "te", "ao")]
    cases += [case("8B", 3, 1, 4096, "te", weights="bfloat16", checkpointing=True)]
    cases += [case("0.5B", 24, 4, 1024, precision) for precision in ("bf16", "te")]
    cases += [case("7B", 4, 4, 2048, precision, lora=16) for precision in ("bf16", "te")]
    cases += [case("7B", 4, 4, 2048, precision, lora=16, weights="bfloat16") for precision in ("bf16", "te", "ao")]
    cases += [
        case("8B", 4, 2, 2048, precision, lora=16, checkpointing=True, weights="bfloat16")
        for precision in ("bf16", "te")
    ]
    cases += [case("7B", 3, 4, 2048, precision, compile=True) for precision in ("bf16", "ao")]
    cases += [case("7B", 3, 2, 2048, "bf16", optimizer=name) for name in ("adamw_torch", "adafactor", "sgd")]
    cases += [case("32B", 2, 2, 2048, precision) for precision in ("bf16", "te")]
    cases += [case("1B", 16, 1, 8192, precision, checkpointing=True) for precision in ("bf16", "te")]
    cases += [case("0.5B", 12, 8, 1024, precision, weights="bfloat16") for precision in ("bf16", "te")]
    return cases


def two() -> list[Case]:
    """Runs on two GPUs; DDP is one process a GPU."""
    cases = [case("7B", 3, 2, 2048, precision, strategy="ddp") for precision in ("bf16", "te")]
    cases += [case("7B", 4, 2, 2048, precision, strategy="fsdp2") for precision in ("bf16", "ao")]
    cases += [case("1B", 12, 4, 2048, "bf16", strategy=strategy) for strategy in ("ddp", "fsdp2")]
    cases += [case("8B", 4, 2, 2048, precision, strategy="fsdp2", checkpointing=True) for precision in ("bf16", "ao")]
    cases += [case("8B", 4, 1, 4096, "bf16", strategy="fsdp2", weights="bfloat16")]
    cases += [
        case("7B", 3, 2, 2048, "ao", strategy="ddp", compile=True),
        case("7B", 3, 2, 2048, "bf16", strategy="ddp", compile=True),
    ]
    cases += [case("7B", 4, 2, 2048, "bf16", strategy="ddp", lora=16, weights="bfloat16")]
    return cases


def model_of(one: Case) -> torch.nn.Module:
    """The model with random weights, on the GPU of this process."""
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, intermediate, heads, kv, vocabulary, tied = SHAPES[one["shape"]]
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=one["layers"],
        num_attention_heads=heads,
        num_key_value_heads=kv,
        vocab_size=vocabulary,
        tie_word_embeddings=tied,
        max_position_embeddings=16384,
        use_cache=False,
    )
    torch.manual_seed(0)
    with torch.device("cuda"):
        model: torch.nn.Module = LlamaForCausalLM(config).to(getattr(torch, one["weights"]))
    if one["lora"]:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=one["lora"], target_modules="all-linear", task_type="CAUSAL_LM"))
    return model


def variables(one: Case) -> dict[str, str]:
    """What `accelerate launch` would set."""
    found = {"ACCELERATE_MIXED_PRECISION": "bf16" if one["precision"] == "bf16" else "fp8"}
    if one["precision"] != "bf16":
        found["ACCELERATE_FP8_BACKEND"] = one["precision"].upper()
        found["ACCELERATE_FP8_ENABLE_FSDP_FLOAT8_ALL_GATHER"] = str(one["strategy"] == "fsdp2").lower()
    if one["compile"]:
        found |= {"ACCELERATE_DYNAMO_BACKEND": "inductor"}
    if one["strategy"] == "fsdp2":
        found |= {
            "ACCELERATE_USE_FSDP": "true",
            "FSDP_VERSION": "2",
            "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
            "FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaDecoderLayer",
            "FSDP_RESHARD_AFTER_FORWARD": "true",
            "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
            "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
        }
    return found


def measure(one: Case) -> Case:
    """Train four steps and tell what was allocated at most."""
    from accelerate.state import AcceleratorState, GradientState, PartialState
    from transformers import Trainer, TrainerCallback, TrainingArguments

    for state in (AcceleratorState, GradientState):
        state._reset_state()
    if one["strategy"] == "single":
        PartialState._reset_state()
    os.environ.update(variables(one))
    seen: dict[str, Any] = {}
    phases = {"forward": 0, "backward": 0, "optimizer": 0}
    whole = 0

    def mark(name: str) -> None:
        nonlocal whole
        peak = torch.cuda.max_memory_allocated()
        phases[name] = peak
        whole = max(whole, peak)
        torch.cuda.reset_peak_memory_stats()

    class Watch(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            mark("between")
            seen["static"] = torch.cuda.memory_allocated()

        def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
            mark("backward")

        def on_optimizer_step(self, *_: Any, **__: Any) -> None:
            mark("optimizer")

    class Watched(Trainer):
        def compute_loss(self, *arguments: Any, **named: Any) -> Any:
            loss = super().compute_loss(*arguments, **named)
            mark("forward")
            seen["after_forward"] = torch.cuda.memory_allocated()
            return loss

    torch.cuda.reset_peak_memory_stats()
    seen["before"] = torch.cuda.memory_allocated()
    model = model_of(one)
    seen["model"] = torch.cuda.memory_allocated() - seen["before"]
    seen["parameters"] = sum(each.numel() for each in model.parameters())
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=one["batch"],
            max_steps=4,
            bf16=one["precision"] == "bf16",
            gradient_checkpointing=one["checkpointing"],
            gradient_checkpointing_kwargs={"use_reentrant": False} if one["checkpointing"] else None,
            optim=one["optimizer"],
            learning_rate=1e-5,
            save_strategy="no",
            report_to=[],
            logging_steps=1000,
            disable_tqdm=True,
        )
        vocabulary = SHAPES[one["shape"]][4]
        trainer = Watched(model, arguments, train_dataset=Rows(256, one["sequence"], vocabulary), callbacks=[Watch()])
        began = time.time()
        trainer.train()
        mark("between")
        seen["seconds"] = round(time.time() - began, 1)
        seen["accelerator"] = [trainer.accelerator.mixed_precision, str(trainer.accelerator.distributed_type)]
        kinds: dict[str, int] = {}
        for module in trainer.model_wrapped.modules():
            name = f"{type(module).__module__.split('.')[0]}.{type(module).__name__}"
            if name.endswith("Linear"):
                kinds[name] = kinds.get(name, 0) + 1
        seen["linears"] = kinds
        seen["trainable"] = sum(each.numel() for each in trainer.model_wrapped.parameters() if each.requires_grad)
    phases.pop("between", None)
    return {**seen, "peak": whole, "phases": phases, "reserved": torch.cuda.max_memory_reserved()}


def main() -> int:
    """Measure what there is time for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    options.add_argument("--two", action="store_true")
    options.add_argument("--only", default="")
    options.add_argument("--seconds", type=float, default=1e9)
    given = options.parse_args()
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    torch.cuda.set_device(rank)
    began = time.time()
    import accelerate
    import transformers

    versions = {
        "torch": torch.__version__,
        "accelerate": accelerate.__version__,
        "transformers": transformers.__version__,
    }
    with open(given.out if rank == 0 else os.devnull, "a", encoding="utf-8") as out:
        for one in two() if given.two else single():
            if given.only not in json.dumps(one):
                continue
            late = torch.tensor([float(time.time() - began > given.seconds)], device="cuda")
            if torch.distributed.is_initialized():
                torch.distributed.all_reduce(late)
            if late.item():
                break
            before = dict(os.environ)
            try:
                found = measure(one)
            except Exception as error:  # noqa: BLE001  what a run ends with is what is measured
                found = {"error": f"{type(error).__name__}: {error}"[:400]}
            os.environ.clear()
            os.environ.update(before)
            gc.collect()
            torch._dynamo.reset()
            torch.cuda.empty_cache()
            line = {"gpu": torch.cuda.get_device_name(), "versions": versions, "case": one, "seen": found}
            print(json.dumps(line), file=out, flush=True)
            if rank == 0:
                short = {name: round(found[name] / 2**30, 2) for name in ("model", "static", "peak") if name in found}
                print(one, short, found.get("error", ""), found.get("seconds", ""), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
