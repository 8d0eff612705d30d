"""LLaMA-Factory's own run on a tiny Llama: its parser, its data, its trainer, one step."""

from __future__ import annotations

import json
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tests.tools.conformance import toy, training
from tests.tools.conformance.shape import Shape

if TYPE_CHECKING:
    from tests.tools.conformance.cases import Case
    from tests.tools.conformance.observe import Watch

WORDS = [f"w{number}" for number in range(80)]
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
VOCABULARY = 96


def preload() -> None:
    """Import what a run needs, and lay out the model and the data that all runs share."""
    without_audio()
    import llamafactory.train.tuner

    del llamafactory
    shared(Path(os.environ["HF_HOME"]))


def without_audio() -> None:
    """An empty torchaudio: LLaMA-Factory imports it for audio files, and its wheels want CUDA's libraries."""
    audio = ModuleType("torchaudio")
    audio.__spec__ = ModuleSpec("torchaudio", None)
    sys.modules.setdefault("torchaudio", audio)


def shared(home: Path) -> Path:
    """The folder with the tiny model, its tokenizer and the data sets; made once."""
    folder = home / "tiny"
    if not (folder / "data").exists():
        _write_model(folder / "model")
        _write_data(folder / "data")
    return folder


def _write_model(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    fast.save_pretrained(folder)
    model: Any = toy.llama(Shape(vocab=VOCABULARY))
    model.save_pretrained(folder)


def _write_data(folder: Path) -> None:
    folder.mkdir(parents=True)
    question, answer = " ".join(WORDS[:5]), " ".join(WORDS[5:15])
    pair = {"instruction": question, "input": "", "output": answer}
    rows = {
        "sft": [pair] * 8,
        "pt": [{"text": " ".join(WORDS[:40])}] * 8,
        "dpo": [{**pair, "chosen": answer, "rejected": " ".join(WORDS[20:30])}] * 8,
    }
    about: dict[str, Any] = {
        "sft": {"file_name": "sft.json"},
        "pt": {"file_name": "pt.json", "columns": {"prompt": "text"}},
        "dpo": {
            "file_name": "dpo.json",
            "ranking": True,
            "columns": {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"},
        },
    }
    for name, content in rows.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "dataset_info.json").write_text(json.dumps(about), encoding="utf-8")


def arguments(case: Case, folder: Path) -> dict[str, Any]:
    """The training YAML of a case with what every run must say."""
    tiny = shared(Path(os.environ["HF_HOME"]))
    given = dict(case["training"])
    stage = given.get("stage", "sft")
    fixed: dict[str, Any] = {
        "model_name_or_path": str(tiny / "model"),
        "stage": stage,
        "do_train": True,
        "finetuning_type": "full",
        "dataset": stage,
        "dataset_dir": str(tiny / "data"),
        "template": "default",
        "cutoff_len": 32,
        "overwrite_cache": True,
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": 4,
        "max_steps": 1,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    # The rate decides only whether the step can be seen, and a case's own may be too small for one step in bf16.
    visible = {"learning_rate": training.LEARNING_RATE, "lr_scheduler_type": "constant"}
    return {**fixed, **given, **visible}


def run(case: Case, watch: Watch, folder: Path) -> None:
    """What `llamafactory-cli train` does on one GPU, and in each process on several."""
    watch.stage = "arguments"
    without_audio()
    from llamafactory.train import tuner

    module: Any = tuner
    parse = module.get_train_args

    def parsed(*given: Any, **options: Any) -> Any:
        result = parse(*given, **options)
        watch.stage = "trainer"
        return result

    module.get_train_args = parsed
    _step_begins(watch)
    module.run_exp(arguments(case, folder))


def _step_begins(watch: Watch) -> None:
    """From Trainer.train() on a run is at its step; saving the model afterward is no part of the case."""
    from transformers import Trainer

    trainer: Any = Trainer
    train = trainer.train

    def training_begins(self: Any, *given: Any, **options: Any) -> Any:
        watch.stage = "step"
        return train(self, *given, **options)

    trainer.train = training_begins
    trainer.save_model = lambda *_given, **_options: None
