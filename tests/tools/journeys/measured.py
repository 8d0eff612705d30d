"""Facts that GPUs and the real packages have shown, held against the end of each journey, whatever the rules say.

Nothing of rules/ is asked here: the files are read as YAML, the command as words. Each fact is a function that says what
is wrong with a run that is promised to train in FP8, or nothing; its docstring begins with where it was seen. Where a
file or a command is not plain enough to be read so, a fact says nothing.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fp8check.rules.checking.request import RunRequest


class Final:
    """A run at the end of its plan, as its files and its command say it.

    Attributes:
        accelerate: the Accelerate file that the launch reads; None where it reads none, or that is not plain.
    """

    def __init__(self, request: RunRequest, trainer: str | None) -> None:
        self.trainer = trainer
        self.training = _data(request, "training")
        self.words = _words(request.launch)
        self.variables = {**(request.facts.variables or {}), **_in_front(self.words)}
        self.packages = request.facts.packages or {}
        self.gpus = request.facts.gpus or []
        self.accelerate = _data(request, "accelerate") if self._reads_file(request.launch) else None
        self.hands_recipe = _hands_recipe(request)  # which decides, whatever the files say
        self.has_default_file = _has_default_file(self.variables)

    def _reads_file(self, launch: str | None) -> bool:
        return launch is None or "--config_file" in launch or "--accelerate_config" in launch

    @property
    def recipe(self) -> dict[str, Any]:
        """What the Accelerate file says under fp8_config."""
        found = (self.accelerate or {}).get("fp8_config")
        return found if isinstance(found, dict) else {}

    @property
    def backend(self) -> str | None:
        """TE or AO, where the Accelerate file asks for FP8 and names it; an own FP8 of the trainer is left aside."""
        asks = str((self.accelerate or {}).get("mixed_precision")).lower() == "fp8" and not _flag(self, "fp8")
        named = str(self.recipe.get("backend", "")).upper()
        overridden = self.hands_recipe or "--mixed_precision" in self.words or "--fp8_backend" in self.words
        return named if asks and named in ("TE", "AO") and not overridden else None

    @property
    def spread(self) -> str:
        """NO, MULTI_GPU, FSDP1, FSDP2, DEEPSPEED; "" where that is not plain."""
        kind = (self.accelerate or {}).get("distributed_type")
        section = (self.accelerate or {}).get("fsdp_config") or {}
        if self.training.get("deepspeed") or "--use_deepspeed" in self.words:
            return "DEEPSPEED"
        if self.training.get("fsdp") or not {"--fsdp", "--use_fsdp"}.isdisjoint(self.words):
            return ""  # its version is that of the arguments
        if kind == "FSDP":
            return f"FSDP{section.get('fsdp_version', 1)}"
        return str(kind) if isinstance(kind, str) else ""

    def at_least(self, package: str, *version: int) -> bool:
        """Whether a package is there in that release or a later one."""
        there = self.packages.get(package)
        parts = str(there or "0").split("+")[0].split(".")
        return tuple(int(part) for part in parts[: len(version)] if part.isdigit()) >= version


def _data(request: RunRequest, kind: str) -> dict[str, Any]:
    found = [one for one in request.documents if one.kind == kind]
    if len(found) != 1:
        return {}
    try:
        data = json.loads(found[0].text) if found[0].format == "json" else yaml.safe_load(found[0].text)
    except (yaml.YAMLError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _hands_recipe(request: RunRequest) -> bool:
    """Whether a script hands a recipe over itself."""
    texts = [one.text for one in request.documents if one.kind == "script"]
    texts += [] if request.script is None else [request.script[1].decode("utf-8", "replace")]
    return any("RecipeKwargs" in text for text in texts)


def _has_default_file(variables: Mapping[str, str]) -> bool:
    """Whether there is an Accelerate file in its usual place, which a launch without another one reads."""
    folder = Path(variables.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "accelerate"
    return any((folder / f"default_config.{ending}").exists() for ending in ("yaml", "yml", "json"))


def _words(command: str | None) -> list[str]:
    try:
        return shlex.split(command or "")
    except ValueError:
        return []


def _in_front(words: list[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark or not name.isupper():
            break
        found[name] = value
    return found


def _flag(final: Final, name: str) -> bool:
    """Whether a flag of the training file is on; the command may say otherwise."""
    return final.training.get(name) in (True, "true", "True", "auto") and not any(name in word for word in final.words)


HUGGING_FACE = ("transformers", "trl", "llamafactory", "axolotl")


def checkpointing(final: Final) -> Iterator[str]:
    """h200.md "gradient checkpointing, TE": CheckpointError; h100.md: LLaMA-Factory's default leaves backward in BF16."""
    if final.backend != "TE" or (final.words and any("checkpointing" in word for word in final.words)):
        return
    if final.trainer == "llamafactory" and not final.training.get("disable_gradient_checkpointing"):
        yield "Transformer Engine with LLaMA-Factory's checkpointing"
    elif final.trainer != "llamafactory" and final.training.get("gradient_checkpointing") is True:
        yield "Transformer Engine with gradient checkpointing"
    section = (final.accelerate or {}).get("fsdp_config") or {}
    if section.get("fsdp_activation_checkpointing") is True:
        yield "Transformer Engine with FSDP's checkpointing"


def gather(final: Final) -> Iterator[str]:
    """h100.md, h200.md (accelerate 1.15.0): with all-gather on, which is the default, no converted weight moves."""
    alone = final.backend == "AO" and final.spread in ("NO", "MULTI_GPU") and final.at_least("accelerate", 1, 15)
    if alone and final.recipe.get("enable_fsdp_float8_all_gather") is not False:
        yield "torchao outside of FSDP2 with its all-gather on: the converted weights do not move"


def fsdp2_te(final: Final) -> Iterator[str]:
    """h100.md, h200.md: FSDP2 + TE runs 0 FP8 GEMMs."""
    if final.backend == "TE" and final.spread == "FSDP2":
        yield "Transformer Engine under FSDP2: no GEMM in FP8"


def fsdp1_te(final: Final) -> Iterator[str]:
    """h100.md, h200.md (transformers 5.17.0): FSDP1 + TE in Trainer is a ValueError.

    With 4.57.1 it trained (observed.md D11, case B), and with 5.2.0 (executed, layout-fsdp1-TE-transformers-1.12).
    """
    trainers = final.trainer in HUGGING_FACE and final.at_least("transformers", 5, 3)
    if final.backend == "TE" and final.spread == "FSDP1" and trainers:
        yield "Transformer Engine under FSDP1 in Trainer: ValueError"


def fsdp1_ao(final: Final) -> Iterator[str]:
    """h100.md: FSDP1 + torchao is a RuntimeError; with the all-gather off it trains (h200-beyond script-torchao-fsdp1)."""
    gathers = final.recipe.get("enable_fsdp_float8_all_gather") is not False and final.at_least("accelerate", 1, 13)
    if final.backend == "AO" and final.spread == "FSDP1" and gathers:
        yield "torchao under FSDP1: RuntimeError"


def deepspeed_ao(final: Final) -> Iterator[str]:
    """observed.md D16: torchao under DeepSpeed is a RuntimeError, earlier an AttributeError, unless its all-gather is off.

    Off, ZeRO-2 and ZeRO-3 were executed on a CPU with accelerate 1.15.0, DeepSpeed 0.19.8 and torchao 0.18.0: 11 layers.
    """
    gathers = final.recipe.get("enable_fsdp_float8_all_gather") is not False and final.at_least("accelerate", 1, 13)
    if final.backend == "AO" and final.spread == "DEEPSPEED" and gathers:
        yield "torchao under DeepSpeed: it does not start"


def loading(final: Final) -> Iterator[str]:
    """observed.md D12: torchao under FSDP2 refuses cpu_ram_efficient_loading, which is on by default."""
    section = (final.accelerate or {}).get("fsdp_config") or {}
    sharded = final.backend == "AO" and final.spread == "FSDP2" and final.at_least("accelerate", 1, 13)
    if sharded and section.get("fsdp_cpu_ram_efficient_loading") is not False:
        yield "torchao under FSDP2 with cpu_ram_efficient_loading: ValueError"


# Transformer Engine's options, with what it takes where nothing is said: to lose these is to lose nothing.
RECIPE = {
    "fp8_format": "HYBRID",
    "amax_history_len": 1024,
    "amax_compute_algo": "max",
    "margin": 0,
    "interval": 1,
    "use_mxfp8_block_scaling": False,
    "override_linear_precision": [False, False, False],
}


def bf16_flag(final: Final) -> Iterator[str]:
    """observed.md B2, B3, D15: the trainer's bf16 costs the recipe of the file, and ends torchao; DeepSpeed needs it."""
    if final.trainer not in ("transformers", "llamafactory"):
        return
    # LLaMA-Factory's own fp8 is Accelerate's precision there, whatever bf16 says (h100.md; cases lfr-auto-bf16-py-B and
    # fz-307: 13 and 11 layers of torchao): it brings its recipe, and only one in the file is lost.
    by_factory = final.trainer == "llamafactory" and final.training.get("fp8") is True
    by_factory = by_factory and not final.at_least("transformers", 5, 3)
    if final.backend == "AO" and _flag(final, "bf16") and not by_factory:
        yield "torchao with the trainer's bf16: true: AttributeError"
    # most_recent never arrives, whatever is lost: Accelerate hands over what differs from its own default (FP207).
    arriving = {
        name: value for name, value in final.recipe.items() if (name, value) != ("amax_compute_algo", "most_recent")
    }
    own = any(name in RECIPE and value != RECIPE[name] for name, value in arriving.items())
    kept = final.spread == "DEEPSPEED" or by_factory
    if final.backend == "TE" and _flag(final, "bf16") and (own or not kept):
        yield "the trainer's bf16: true: the recipe of the Accelerate file is lost"
    spread = final.backend == "TE" and final.spread == "DEEPSPEED" and "bf16" not in " ".join(final.words)
    if spread and not _flag(final, "bf16"):
        yield "DeepSpeed without the trainer's bf16: true: ValueError"


def own_fp8(final: Final) -> Iterator[str]:
    """h100.md, observed.md A2, A3: LLaMA-Factory's own fp8 does nothing with transformers 5.3 and later."""
    no_file = final.accelerate is None and not final.has_default_file
    told = "ACCELERATE_MIXED_PRECISION" in final.variables or "--mixed_precision" in final.words
    no_file = no_file and not told
    alone = final.trainer == "llamafactory" and no_file and final.training.get("fp8") is True
    if alone and final.at_least("transformers", 5, 3):
        yield "LLaMA-Factory's fp8: true with transformers 5: a run in BF16"


def launcher(final: Final) -> Iterator[str]:
    """observed.md A6: python, torchrun and llamafactory-cli read no Accelerate file."""
    plain = final.words and final.words[0] in ("python", "torchrun", "llamafactory-cli")
    if plain and final.backend is not None and not any(word.startswith("accelerate") for word in final.words):
        yield f"{final.words[0]} reads no Accelerate file"


def gpu(final: Final) -> Iterator[str]:
    """observed.md A11, h200.md: no FP8 below 8.9, MXFP8 from 10.0 on."""
    known = [float(one.compute_capability) for one in final.gpus if one.compute_capability]
    if final.backend and known and max(known) < 8.9:
        yield "FP8 on a GPU that has none"
    asked = final.recipe.get("use_mxfp8_block_scaling") is True and final.at_least("accelerate", 1, 11)  # compat.md
    if final.backend == "TE" and asked and known and max(known) < 10:
        yield "MXFP8 on a GPU that has none"


def recipe(final: Final) -> Iterator[str]:
    """observed.md C2, D8, h200.md: E5M2 is refused; the wizard's names of two keys are read by nobody."""
    if final.backend != "TE":
        return
    if str(final.recipe.get("fp8_format")).upper() == "E5M2":
        yield "fp8_format: E5M2 is refused"
    for name in ("amax_history_length", "amax_compute_algorithm"):
        if name in final.recipe:
            yield f"{name} is read by nobody"


def releases(final: Final) -> Iterator[str]:
    """observed.md D4, D5, C1, D12: pairs of releases that do not go together."""
    new_te, old_te = final.at_least("transformer_engine", 2, 9), not final.at_least("transformer_engine", 2)
    accelerate = final.packages.get("accelerate") or ""
    if final.backend == "TE" and final.packages.get("transformer_engine"):
        if new_te and accelerate.startswith(("1.11.", "1.12.")):
            yield "TE 2.9 with accelerate 1.11 or 1.12: AttributeError"
        if old_te and final.at_least("accelerate", 1, 11):
            yield "TE 1 with accelerate 1.11: ImportError"
    if final.backend == "TE" and final.packages.get("transformer_engine", "") is None:
        yield "Transformer Engine is not installed"
    if final.backend == "AO" and final.packages.get("torchao", "") is None:
        yield "torchao is not installed"
    if final.backend and accelerate and not final.at_least("accelerate", 1, 5):
        yield "accelerate before 1.5 reads no fp8_config"
    if final.backend == "AO" and final.spread == "FSDP2" and accelerate and not final.at_least("accelerate", 1, 11):
        yield "torchao under FSDP2 with accelerate 1.10: AttributeError"


def rows(final: Final) -> Iterator[str]:
    """h200.md: 24 and 35 tokens end in Transformer Engine's GEMMs; what pads to 16, packs or drops is left aside."""
    length = next((final.training[name] for name in ("max_length", "cutoff_len") if name in final.training), None)
    batch = final.training.get("per_device_train_batch_size")
    whole = isinstance(length, int) and isinstance(batch, int) and length * batch % 8
    packed = final.training.get("packing") is True and not final.training.get("pad_to_multiple_of")
    if final.backend == "TE" and packed and whole:
        yield f"{batch} x {length} tokens with Transformer Engine"


TIED = ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-3B")


def tied(final: Final) -> Iterator[str]:
    """h200.md "tied embeddings, TE": the head is untied, and not in the optimizer."""
    model = final.training.get("model_name_or_path") or final.training.get("base_model")
    lora = final.training.get("finetuning_type") == "lora" or final.training.get("use_peft") is True
    adapted = lora or final.training.get("adapter")
    if final.backend == "TE" and model in TIED and not adapted:
        yield "Transformer Engine with a tied head: it is not trained"


FACTS: tuple[Callable[[Final], Iterator[str]], ...] = (
    *(checkpointing, gather, fsdp2_te, fsdp1_te, fsdp1_ao, deepspeed_ao, loading, bf16_flag, own_fp8, launcher),
    *(gpu, recipe, releases, rows, tied),
)


def against(request: RunRequest, trainer: str | None) -> Iterator[str]:
    """What was seen, and speaks against a run that is promised to train in FP8."""
    final = Final(request, trainer)
    for fact in FACTS:
        for said in fact(final):
            source = (fact.__doc__ or "").partition(":")[0]
            yield f"{said} ({source})"
