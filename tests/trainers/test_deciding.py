"""Who trains, by what a script does: that goes before any key of the file that it is handed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import WrongFiles, assemble
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.reading.source import load
from fp8check.rules.settings.script_syntax import parse
from fp8check.rules.trainers.commands import parse as parse_launch
from fp8check.rules.trainers.deciding import Decided, by_script
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.settings.script import ScriptSource

MAKES = "from accelerate import Accelerator\nAccelerator()\n"
# Keys that are told as TRL's.
TRL = (
    "model_name_or_path: a/b\ndataset_name: c/d\nmax_length: 64\nper_device_train_batch_size: 1\nlearning_rate: 1e-5\n"
)


def source(text: str, path: str = "train.py") -> ScriptSource:
    made = parse(load(path, text.encode()))
    assert made is not None
    return made


def decided(text: str, *modules: str) -> Decided:
    return by_script(source(text), [source(one, f"m{number}.py") for number, one in enumerate(modules)])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (MAKES, "script"),
        (f"import transformers\n{MAKES}", "script"),
        (f"from transformers import Trainer\n{MAKES}", "script"),  # which nothing names again
        (f"from transformers import Trainer as T\n{MAKES}T(model)", "transformers"),
        (f"from transformers import AutoModel, Trainer\n{MAKES}AutoModel.from_pretrained('m')", "script"),
        (f"from trl import SFTTrainer\n{MAKES}print(SFTTrainer)", "trl"),
        ("import transformers as t\nt.Trainer(model)", "transformers"),
        ("import transformers\nclass A(transformers.TrainingArguments): ...", "transformers"),
        ("from transformers import *\nSeq2SeqTrainer()", "transformers"),
        ("from sentence_transformers import SentenceTransformerTrainer", "transformers"),
        ("from trl import SFTTrainer", "trl"),
        ("from trl.experimental.gkd import GKDTrainer", "trl"),
        ("from trl import SFTTrainer\nfrom transformers import TrainingArguments", "transformers"),
        ("from trl import SFTTrainer, SFTConfig\nfrom transformers import TrainingArguments", "trl"),
        ("from trl import SFTTrainer\nfrom transformers import Trainer", "trl"),
        ("from unsloth import UnslothTrainer", "trl"),
        ("SFTConfig(bf16=True)", "trl"),
        ("TrainingArguments(bf16=True)", "transformers"),
        ("from llamafactory.train.tuner import run_exp\nfrom transformers import Trainer", "llamafactory"),
        ("import axolotl.cli.train", "axolotl"),
        ("class B(Accelerator): ...", "script"),
    ],
)
def test_what_a_script_uses_tells_who_trains(text: str, name: str) -> None:
    made = decided(text)
    assert made.trainer is not None
    assert (made.trainer.name, made.unknown) == (name, "")


@pytest.mark.parametrize(
    "text",
    [
        "if TYPE_CHECKING:\n    from transformers import Trainer\nelse:\n    pass\n",
        "if typing.TYPE_CHECKING:\n    from trl import SFTTrainer\n",
        "from .trainer import MyTrainer\n",
        "from trl import ModelConfig\n",
        "make().Trainer\n",
        "make().SFTConfig()\n",
    ],
)
def test_what_tells_nothing_of_a_trainer(text: str) -> None:
    made = decided(f"{text}\n{MAKES}")
    assert made.trainer is not None
    assert made.trainer.name == "script"


@pytest.mark.parametrize(
    ("text", "modules", "name", "unknown"),
    [
        ("import m0", ["from trl import DPOTrainer"], "trl", ""),
        ("import m0", [MAKES], "script", ""),
        (MAKES, ["from trl import DPOTrainer"], "script", ""),
        (
            "import m0, m1",
            [MAKES, "from trl import DPOTrainer"],
            "script",
            "m0.py makes an Accelerator and m1.py uses trl",
        ),
        ("import m0", [f"from trl import DPOTrainer\n{MAKES}"], "trl", ""),
        ("from m1 import OwnTrainer", [MAKES, "import transformers as t\nt.Trainer"], "transformers", ""),
        ("from .m1 import OwnTrainer", [MAKES, "import transformers as t\nt.Trainer"], "transformers", ""),
        ("from m0 import OwnTrainer\nimport torch", ["import torch"], "script", "train.py makes no Accelerator"),
        ("from .gone import OwnTrainer", [], "script", "train.py trains by .gone.OwnTrainer"),
        ("import lightning\nlightning.Trainer()", [], "script", "train.py trains by lightning.Trainer"),
        (
            "import torch, m0, os, tqdm",
            ["import numpy"],
            "script",
            "train.py makes no Accelerator and uses no Trainer: no",
        ),
        ("import torch, mine", [], None, "mine, which it imports, could not be looked into"),
        ("print()", [], None, ""),
    ],
)
def test_the_modules_tell_what_the_script_does_not(
    text: str, modules: list[str], name: str | None, unknown: str
) -> None:
    made = decided(text, *modules)
    assert (None if made.trainer is None else made.trainer.name) == name
    assert unknown in made.unknown
    assert bool(unknown) == bool(made.unknown)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zero.yaml").write_text(
        "distributed_type: DEEPSPEED\nmixed_precision: bf16\nnum_processes: 8\ndeepspeed_config: {zero_stage: 3}\n"
    )
    (tmp_path / "cfg.yaml").write_text(TRL)
    return tmp_path


def run(command: str, *files: str, trainer: str | None = None) -> Assembled:
    documents = [read(name) for name in files]
    (made,) = assemble(documents, Facts(), launch=parse_launch(command), trainer=trainer)
    return made


def test_a_script_s_own_file_is_read_by_no_trainer_whatever_its_keys(folder: Path) -> None:
    """accelerate launch open_instruct/finetune.py cfg.yaml of allenai/open-instruct: the Trainer's rules are not its."""
    (folder / "code").mkdir()
    (folder / "code" / "__init__.py").touch()
    (folder / "code" / "train.py").write_text(f"from code import args, more\nfrom datasets import load\n{MAKES}")
    (folder / "code" / "args.py").write_text("from transformers import HfArgumentParser\n")
    (folder / "datasets").mkdir()
    command = "accelerate launch --config_file zero.yaml code/train.py cfg.yaml"
    made = run(command, "cfg.yaml", "zero.yaml")
    assert made.run.training.name == "script"
    assert next((one.path, one.dialect) for one in made.documents) == ("cfg.yaml", "script")
    assert examine(made.run, made.documents, RULES).findings == ()
    assert run(command, "cfg.yaml", "zero.yaml", trainer="trl").run.training.name == "trl"


def test_the_trainer_of_a_script_reads_the_file_by_its_own_loader(folder: Path) -> None:
    (folder / "train.py").write_text("from axolotl.cli.train import do_cli\n")
    made = run("accelerate launch train.py cfg.yaml", "cfg.yaml")
    assert made.run.training.name == "axolotl"
    (folder / "train.py").write_text("from trl import SFTTrainer\n")
    (folder / "factory.yaml").write_text(f"{TRL}stage: sft\ncutoff_len: 64\ntemplate: qwen\nlearning_rate: 1e-5\n")
    assert read("factory.yaml").dialect == "llamafactory"
    made = run("accelerate launch train.py factory.yaml", "factory.yaml")
    assert made.run.training.name == "trl"
    assert made.documents[0].loader == "pyyaml"
    assert made.run.training.value("learning_rate") == "1e-5"


def test_files_of_no_kind_and_a_second_accelerate_file_are_a_script_s_own_where_it_is_handed_them(folder: Path) -> None:
    (folder / "train.py").write_text(MAKES)
    (folder / "own.yaml").write_text("anything: 1\n")
    (folder / "other.yaml").write_text("mixed_precision: fp8\nnum_processes: 2\n")
    command = "accelerate launch --config_file zero.yaml train.py"
    for name in ("own.yaml", "other.yaml"):
        made = run(f"{command} --config=conf/{name}", name, "zero.yaml")
        assert made.run.training.path == name
        assert made.run.accelerate is not None
        assert made.run.accelerate.path == "zero.yaml"
        with pytest.raises(WrongFiles):
            run(command, name, "zero.yaml")


def test_a_script_that_trains_by_nothing_that_is_known_is_undecided(folder: Path) -> None:
    (folder / "train.py").write_text("import torch\nmodel = torch.nn.Linear(1, 1)\n")
    made = run("accelerate launch --config_file zero.yaml train.py", "zero.yaml")
    undecided = predict(made.run).undecided
    assert undecided is not None
    assert undecided.what.startswith("train.py makes no Accelerator and uses no Trainer: nothing in it reads")
