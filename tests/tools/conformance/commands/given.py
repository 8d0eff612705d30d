"""What every case finds in its folder: a tiny model with a tokenizer, and data sets; and a case's own files."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.conformance.cases import Case

PRELOAD_FACTORY = "llamafactory.train.tuner llamafactory.launcher"
PRELOAD_AXOLOTL = "axolotl.cli.main axolotl.cli.train axolotl.utils.schemas.config axolotl.train axolotl.loaders.model"
WORDS = [f"w{number}" for number in range(80)]
# Fifteen tokens and the end of the sequence: a row is 16 tokens, which FP8 kernels take.
TEXT, PROMPT, CHOSEN, REJECTED = (" ".join(WORDS[a:b]) for a, b in ((0, 15), (0, 5), (5, 15), (20, 30)))
# The widths stand here for who predicts; a real LlamaForCausalLM of them is made when a stack begins.
MODEL: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "vocab_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
}
MAKE = """
import json, sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
import torch
words = ["<unk>", "<s>", "</s>", "<pad>", *(f"w{number}" for number in range(80))]
vocabulary = {word: number for number, word in enumerate(words)}
tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>",
    model_input_names=["input_ids", "attention_mask"],
)
fast.save_pretrained("model")
torch.manual_seed(0)
config = json.load(open("model.json"))
config.pop("architectures"), config.pop("model_type")
LlamaForCausalLM(LlamaConfig(**config)).save_pretrained("model")
"""


def shared(folder: Path, stack: Any) -> None:
    """Make the model of a stack with its own transformers, and the data."""
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps(MODEL), encoding="utf-8")
    (folder / "make.py").write_text(MAKE, encoding="utf-8")
    status, output = stack.bash("python make.py", folder, folder / "seen", ["9.0"], {})
    if status:
        raise RuntimeError(f"the model could not be made:\n{output}")
    for name, rows in DATA.items():
        path = folder / "data" / name / "train.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "data" / "dataset_info.json").write_text(json.dumps(_ABOUT), encoding="utf-8")


_PAIR = {"instruction": PROMPT, "input": "", "output": CHOSEN}
DATA: dict[str, list[dict[str, Any]]] = {
    "sft": [{"text": TEXT}] * 8,
    "dpo": [{"prompt": PROMPT, "chosen": f" {CHOSEN}", "rejected": f" {REJECTED}"}] * 8,
    "prompts": [{"prompt": PROMPT}] * 8,
    "reward": [{"chosen": f"{PROMPT} {CHOSEN}", "rejected": f"{PROMPT} {REJECTED}"}] * 8,
    "lf_sft": [_PAIR] * 8,
    "lf_pt": [{"text": " ".join(WORDS[:40])}] * 8,
    "lf_dpo": [{**_PAIR, "chosen": CHOSEN, "rejected": REJECTED}] * 8,
    "lf_kto": [{**_PAIR, "label": bool(number % 2)} for number in range(8)],
    "axolotl": [_PAIR] * 8,
}
_RANKED = {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}
_KTO = {"prompt": "instruction", "query": "input", "response": "output", "kto_tag": "label"}
_ABOUT: dict[str, Any] = {
    "sft": {"file_name": "lf_sft/train.jsonl"},
    "pt": {"file_name": "lf_pt/train.jsonl", "columns": {"prompt": "text"}},
    "rm": {"file_name": "lf_dpo/train.jsonl", "ranking": True, "columns": _RANKED},
    "dpo": {"file_name": "lf_dpo/train.jsonl", "ranking": True, "columns": _RANKED},
    "ppo": {"file_name": "lf_sft/train.jsonl"},
    "kto": {"file_name": "lf_kto/train.jsonl", "columns": _KTO},
}


def lay_out(case: Case, folder: Path, shared_folder: Path | None) -> None:
    """The files of a case, and links to what all share; without it, the model's config.json alone."""
    folder.mkdir(parents=True)
    if shared_folder is None:
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text(json.dumps(MODEL), encoding="utf-8")
    else:
        for name in ("model", "data"):
            shutil.copytree(shared_folder / name, folder / name)
    for name, content in case["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(name, content), encoding="utf-8")
        if name.endswith(".sh"):
            path.chmod(0o755)


def default_file(case: Case, home: Path) -> None:
    """The machine's own Accelerate file, where the case has one."""
    path = home / "accelerate" / "default_config.yaml"
    path.unlink(missing_ok=True)
    if case.get("default_file") is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text_of(path.name, case["default_file"]), encoding="utf-8")


def text_of(name: str, content: Any) -> str:
    """A file's text: as it is, or a mapping in the format that the name says."""
    if isinstance(content, str):
        return content
    return json.dumps(content, indent=1) if name.endswith(".json") else yaml.safe_dump(content, sort_keys=False)
