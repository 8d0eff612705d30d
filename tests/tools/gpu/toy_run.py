"""The training script of a recorded case: a two-layer Llama, one step, and what was seen of it.

    toy_run.py SPEC.json OUT.json        started by accelerate launch, python or torchrun

Everything that it knows of the case is in SPEC.json: `trainer`, `training`, `script`, `model`.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

SEEN: dict[str, Any] = {"started": False, "error": None, "recipe": None}
RECIPES: list[Any] = []
# FP8 GEMMs of cuBLASLt on Hopper: q is E4M3, r is E5M2; the letters behind are the output's (t BF16, h FP16).
FP8_KERNELS = ("nvjet_sm90_qq", "nvjet_sm90_qr", "nvjet_sm90_rq")


def build_model(spec: dict[str, Any]) -> torch.nn.Module:
    """The Llama of the case: hidden 512, intermediate 1024, 2 layers, vocabulary 1024, float32, on the CPU, by default."""
    from transformers import LlamaConfig, LlamaForCausalLM

    changes = spec.get("model") or {}
    sizes = {
        "hidden_size": 512,
        "intermediate_size": 1024,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "vocab_size": 1024,
        "max_position_embeddings": 256,
        "tie_word_embeddings": False,
    }
    sizes.update({name: value for name, value in changes.items() if name in sizes})
    torch.manual_seed(0)
    model: torch.nn.Module = LlamaForCausalLM(LlamaConfig(**sizes))
    model.to(changes.get("device", "cpu"), getattr(torch, changes.get("dtype", "float32")))
    if changes.get("lora_rank"):
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(
            model, LoraConfig(r=changes["lora_rank"], target_modules="all-linear", task_type="CAUSAL_LM")
        )
    if changes.get("checkpointing") is not None:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": changes["checkpointing"]})
    return model


def batch(spec: dict[str, Any]) -> dict[str, torch.Tensor]:
    """One batch of random tokens, 4 x 64 unless the case says."""
    rows, columns = (spec.get("model") or {}).get("batch", (4, 64))
    vocabulary = (spec.get("model") or {}).get("vocab_size", 1024)
    ids = torch.randint(0, vocabulary, (rows, columns), generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "labels": ids.clone()}


def capture_recipes() -> None:
    """Remember every recipe that Accelerate hands to Transformer Engine's autocast."""
    import accelerate.utils.transformer_engine as wrapped

    original = wrapped.contextual_fp8_autocast

    def remember(forward: Any, recipe: Any, *rest: Any, **named: Any) -> Any:
        RECIPES.append(recipe)
        return original(forward, recipe, *rest, **named)

    wrapped.contextual_fp8_autocast = remember


def note_accelerator(accelerator: Any) -> None:
    """What the Accelerator says of itself."""
    backend = getattr(accelerator, "fp8_backend", None)
    SEEN["mixed_precision"] = accelerator.mixed_precision
    SEEN["fp8_enabled"] = getattr(accelerator, "fp8_enabled", None)
    SEEN["backend"] = getattr(backend, "value", backend)
    SEEN["distributed_type"] = str(accelerator.distributed_type.value)


def note_model(model: torch.nn.Module) -> None:
    """Linear layers by class, and what torchao's configuration holds."""
    names = [f"{type(module).__module__}.{type(module).__name__}" for module in model.modules()]
    te = sum(name.startswith("transformer_engine.") and name.endswith(".Linear") for name in names)
    torchao = sum(name.endswith(".Float8Linear") for name in names)
    plain = sum(type(module) is torch.nn.Linear for module in model.modules())
    SEEN["linears"] = {"te": te, "torchao": torchao, "plain": plain}
    for module in model.modules():
        config = getattr(module, "config", None)
        if type(module).__name__ == "Float8Linear" and config is not None:
            SEEN["recipe"] = {
                "class": "Float8LinearConfig",
                "pad_inner_dim": config.pad_inner_dim,
                "enable_fsdp_float8_all_gather": config.enable_fsdp_float8_all_gather,
            }
            break
    if RECIPES:
        recipe = RECIPES[-1]
        SEEN["recipe"] = {
            "class": type(recipe).__name__,
            "fp8_format": recipe.fp8_format.name,
            "amax_history_len": getattr(recipe, "amax_history_len", None),
            "amax_compute_algo": getattr(recipe, "amax_compute_algo", None),
            "margin": recipe.margin,
        }


def fp8_gemms(profile: Any) -> int:
    """FP8 GEMM kernels in a profile."""
    return sum(any(mark in event.name for mark in FP8_KERNELS) for event in profile.events())


def profiler() -> Any:
    """A profiler of kernels."""
    return torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])


def script(spec: dict[str, Any]) -> None:
    """A plain script: Accelerator(), prepare(), forward, backward, step."""
    from accelerate import Accelerator
    from accelerate import utils as accelerate_utils

    SEEN["stage"] = "accelerator"
    given = spec.get("script") or {}
    arguments = dict(given.get("accelerator_kwargs") or {})
    handler = given.get("recipe_handler")
    if handler:
        arguments["kwargs_handlers"] = [getattr(accelerate_utils, handler["cls"])(**handler["kwargs"])]
    accelerator = Accelerator(**arguments)
    note_accelerator(accelerator)
    model = build_model(spec)
    SEEN["trainable_before"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    SEEN["tied_before"] = is_tied(model)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.0)
    SEEN["stage"] = "prepare"
    if given.get("prepare") == "model_only":
        model = accelerator.prepare(model)
    elif accelerator.distributed_type.value == "DEEPSPEED":
        loader = torch.utils.data.DataLoader([0] * 4, batch_size=4)
        model, optimizer, _ = accelerator.prepare(model, optimizer, loader)
    else:
        model, optimizer = accelerator.prepare(model, optimizer)
    note_model(model)
    plain = accelerator.unwrap_model(model)
    SEEN["trainable_after"] = sum(p.numel() for p in plain.parameters() if p.requires_grad)
    SEEN["tied_after"] = is_tied(plain)
    SEEN["stage"] = "train_step"
    model.train()
    inputs = {name: value.to(accelerator.device) for name, value in batch(spec).items()}
    before = fingerprints(model)
    with profiler() as forward:
        loss = model(**inputs).loss
        torch.cuda.synchronize()
    with profiler() as backward:
        accelerator.backward(loss)
        torch.cuda.synchronize()
    optimizer.step()
    SEEN["loss"] = float(loss)
    SEEN["fp8_gemms"] = {"forward": fp8_gemms(forward), "backward": fp8_gemms(backward)}
    note_changes(before, fingerprints(model))


def trainer(spec: dict[str, Any]) -> None:
    """HF Trainer with the case's TrainingArguments, one step."""
    from transformers import Trainer, TrainingArguments

    SEEN["stage"] = "arguments"
    own = {
        "output_dir": "/tmp/fp8check-out",
        "max_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
    }
    arguments = TrainingArguments(
        **{**own, "per_device_train_batch_size": 4, "learning_rate": 1e-2, **spec["training"]}
    )
    rows = batch(spec)
    data = [{name: value[row] for name, value in rows.items()} for row in range(len(rows["input_ids"]))]
    model = build_model(spec)
    SEEN["trainable_before"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    SEEN["stage"] = "trainer_init"

    class Watched(Trainer):  # type: ignore[misc]
        def training_step(self, model: torch.nn.Module, *rest: Any, **named: Any) -> Any:
            note_model(model)
            self.before = fingerprints(model)
            with profiler() as both:
                loss = super().training_step(model, *rest, **named)
                torch.cuda.synchronize()
            SEEN["fp8_gemms"] = {"step": fp8_gemms(both)}
            return loss

    watched = Watched(model=model, args=arguments, train_dataset=data)
    note_accelerator(watched.accelerator)
    SEEN["stage"] = "train_step"
    watched.train()
    note_changes(watched.before, fingerprints(watched.model_wrapped))


def is_tied(model: torch.nn.Module) -> bool | None:
    """Whether output head and embedding are one parameter."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    return None if head is None else embedding.weight is head.weight


def fingerprints(model: torch.nn.Module) -> dict[str, float]:
    """A number of each trainable parameter that changes when it does."""
    marks = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            value = parameter.detach()
            value = value.to_local() if hasattr(value, "to_local") else value
            value = getattr(value, "_tensor", value)
            weights = torch.linspace(0.5, 1.5, max(value.numel(), 1), device=value.device, dtype=torch.float64)
            marks[name] = float((value.double().flatten() * weights[: value.numel()]).sum())
    return marks


def note_changes(before: dict[str, float], after: dict[str, float]) -> None:
    """Which trainable parameters the step moved."""
    moved = [name for name in before if before[name] != after.get(name)]
    linear = [name for name in before if name.endswith("weight") and "norm" not in name and "embed" not in name]
    SEEN["moved"] = {
        "parameters": len(before),
        "moved": len(moved),
        "linear_weights": len(linear),
        "linear_weights_moved": sum(name in moved for name in linear),
    }


def main() -> None:
    """Run the case and write what was seen, also where it fails."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    try:
        capture_recipes()
        (trainer if spec["trainer"] == "transformers" else script)(spec)
        SEEN["started"] = True
    except Exception as error:  # noqa: BLE001  an exception is what is recorded
        SEEN["error"] = {"stage": SEEN.get("stage"), "type": type(error).__name__, "message": str(error)[:400]}
        SEEN["traceback"] = traceback.format_exc()[-1500:]
        if RECIPES:
            note_model(torch.nn.Module())
    Path(sys.argv[2]).write_text(json.dumps(SEEN))


if __name__ == "__main__":
    main()
