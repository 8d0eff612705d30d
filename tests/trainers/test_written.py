"""The training configuration that a script writes itself: evaluated where it is literal, undecided where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.api import check
from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.releases.stack import Stack
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.commands import parse
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.runs import Assembled
    from fp8check.rules.suppression.examined import Examined

HF = "from transformers import Trainer, TrainingArguments\n"
TRL = "from trl import SFTConfig, SFTTrainer\n"
ARGPARSE = "import argparse\np = argparse.ArgumentParser()\n"
FACTS = Facts(
    packages={"accelerate": "1.15.0", "transformers": "5.23.0", "trl": "1.16.0", "transformer_engine": "2.20.2"}
)


def argued(argument: str, value: str) -> str:
    return f"{ARGPARSE}{HF}p.add_argument({argument})\na = p.parse_args()\nTrainingArguments('out', bf16={value})"


OWN = f"{HF}@dataclass\nclass Own(TrainingArguments):\n    bf16: bool = True\nHfArgumentParser((Own,))"
LORA = (
    f"{ARGPARSE}p.add_argument('--lora', action='store_true')\n{HF}from peft import LoraConfig\nlora = LoraConfig()\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "accel.yaml").write_text(
        "distributed_type: 'NO'\nmixed_precision: fp8\nnum_processes: 1\nfp8_config: {backend: TE}\n"
    )
    return tmp_path


def run(script: str, words: str = "", *files: str, trainer: str | None = None) -> Assembled:
    with open("train.py", "w", encoding="utf-8") as stream:
        stream.write(script)
    command = f"accelerate launch --config_file accel.yaml train.py {words}"
    documents = [read(name) for name in ("accel.yaml", *files)]
    (made,) = assemble(documents, FACTS, launch=parse(command), trainer=trainer)
    return made


def judged(script: str, words: str = "", *files: str) -> Examined:
    made = run(script, words, *files)
    return examine(made.run, made.documents, [one for one in RULES if one.id == "FP101"])


def found(script: str, words: str = "", *files: str) -> list[str]:
    return [f"{one.rule} {one.span}: {one.message}" for one in judged(script, words, *files).findings]


def undecided(script: str, words: str = "", *files: str) -> str:
    outcome = judged(script, words, *files).outcome
    assert outcome.undecided is not None
    return outcome.undecided.what


@pytest.mark.parametrize(
    ("script", "words", "finding"),
    [
        (f"{HF}TrainingArguments('out', bf16=True)", "", "train.py:2:26: bf16=True"),
        (f"{HF}TrainingArguments('out', fp16=True)", "", "train.py:2:26: fp16=True"),
        (f"{HF}ON = True\nTrainingArguments('out', bf16=ON)", "", "train.py:3:26: bf16=True"),
        (f"{HF}k = dict(bf16=True)\nTrainingArguments('out', **k)", "", "train.py:2:15: bf16=True"),
        (f"{HF}k = {{'bf16': True}}\nTrainingArguments('out', **k)", "", "train.py:2:14: bf16=True"),
        (f"{TRL}SFTConfig(output_dir='out', bf16=True)", "", "train.py:2:29: bf16=True"),
        (f"{TRL}SFTConfig(output_dir='out')", "", "train.py:2:11: bf16 is on by default"),
        (f"{TRL}SFTConfig(output_dir=find())", "", "train.py:2:11: bf16 is on by default"),
        (f"{TRL}SFTConfig()", "", "None: bf16 is on by default"),
        (argued("'--bf16', type=bool, default=True", "a.bf16"), "", "train.py:4:37: bf16=True"),
        (argued("'--bf16', action='store_true'", "a.bf16"), "--bf16", "None: --bf16"),
        (argued("'--mp', default='bf16'", "a.mp == 'bf16'"), "", "train.py:6:26: bf16=True"),
        (f"{HF}class Own(TrainingArguments): ...\nOwn('out', bf16=True)", "", "train.py:3:12: bf16=True"),
        (OWN, "", "train.py:4:18: bf16=True"),
        (f"{HF}HfArgumentParser((TrainingArguments,))", "--bf16 True", "None: --bf16 True"),
        (f"{HF}HfArgumentParser(TrainingArguments)", "--bf16", "None: --bf16"),
        (f"{HF}KINDS = (TrainingArguments,)\nHfArgumentParser(KINDS)", "--bf16", "None: --bf16"),
        (f"{HF}tyro.cli(args=TrainingArguments)", "--bf16", "None: --bf16"),
        (f"{TRL}TrlParser([Args, SFTConfig]).parse_args_and_config()", "", "None: bf16 is on by default"),
    ],
)
def test_a_flag_that_the_script_passes_cancels_fp8(script: str, words: str, finding: str) -> None:
    assert found(script, words) == [
        f"FP101 {finding} cancels FP8".replace(" on by default cancels", " on by default and cancels")
    ]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (f"{HF}TrainingArguments('out')", ""),
        (f"{HF}TrainingArguments('out', bf16=None)", ""),
        (f"{HF}TrainingArguments('out')", "--bf16 True"),
        (f"{TRL}SFTConfig(output_dir='out', bf16=False)", ""),
        (f"{TRL}from transformers import TrainingArguments\nTrainingArguments('out')", ""),
        (f"{HF}HfArgumentParser((TrainingArguments,))", "--bf16 False"),
        (argued("'--fp8', action='store_true'", "not a.fp8"), "--fp8"),
    ],
)
def test_a_script_that_passes_none_trains_as_the_accelerate_file_says(script: str, words: str) -> None:
    report = judged(script, words)
    assert report.findings == ()
    assert report.outcome.undecided is None or "may turn FP8 on" in report.outcome.undecided.what
    assert report.outcome.mixed_precision is not None
    assert report.outcome.mixed_precision.value == "fp8"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"{HF}TrainingArguments('out', bf16=find())", "train.py:2 passes bf16=find()"),
        (f"{HF}TrainingArguments(**read())", "whether fp16 is set: train.py:2 passes **read()"),
        (f"{HF}Trainer(args=read())", "whether fp16 is set: train.py makes its arguments in a way that is not known"),
        (
            f"{HF}TrainingArguments('a', bf16=True)\nTrainingArguments('b')",
            "the arguments are made in several places: train.py:2 with bf16=True, train.py:3 without bf16",
        ),
        (
            f"{HF}TrainingArguments('a', bf16=True)\nTrainingArguments('b', bf16=find())",
            "the arguments are made in several places: train.py:2 with bf16=True, train.py:3 with bf16=find()",
        ),
        (HF + "TrainingArguments('a')\n" * 17, "whether fp16 is set: train.py makes its arguments in a way that"),
        (argued("'--bf16', type=own", "a.bf16"), "passes bf16=a.bf16"),
    ],
)
def test_what_the_text_does_not_tell_is_undecided(script: str, why: str) -> None:
    assert why in undecided(script, "--bf16 x")


def test_arguments_that_agree_in_all_places_are_known() -> None:
    script = f"{HF}TrainingArguments('a', bf16=True)\nTrainingArguments('b', bf16=True)"
    assert found(script) == ["FP101 train.py:2:24: bf16=True cancels FP8"]


def test_a_training_file_counts_where_a_parser_reads_it(folder: Path) -> None:
    """And under what the script passes itself; where nothing but the script makes the arguments, it is the script's own."""
    (folder / "cfg.yaml").write_text("output_dir: out\nper_device_train_batch_size: 8\nbf16: true\n")
    file = "FP101 cfg.yaml:3:1: bf16: true cancels FP8"
    assert found(f"{HF}HfArgumentParser((TrainingArguments,))", "cfg.yaml", "cfg.yaml") == [file]
    assert found(f"{HF}HfArgumentParser((TrainingArguments,))", "cfg.yaml --bf16 False", "cfg.yaml") == []
    assert found(f"{HF}Trainer(args=read())", "cfg.yaml", "cfg.yaml") == [file]
    assert found(f"{HF}TrainingArguments(**read())", "cfg.yaml", "cfg.yaml") == [file]
    assert found(f"{HF}TrainingArguments(bf16=False, **read())", "cfg.yaml", "cfg.yaml") == []
    assert found(f"{HF}TrainingArguments('out', bf16=False)", "cfg.yaml", "cfg.yaml") == []
    assert found(OWN, "cfg.yaml", "cfg.yaml") == [file]


def test_arguments_are_made_in_a_module_beside_the_script(folder: Path) -> None:
    (folder / "args.py").write_text(f"{HF}made = TrainingArguments('out', bf16=True)\n")
    assert found("from args import made\nimport transformers\ntransformers.Trainer(args=made)\n") == [
        "FP101 args.py:2:33: bf16=True cancels FP8"
    ]


def test_classes_of_a_module_and_trainers_that_are_not_named_here(folder: Path) -> None:
    (folder / "own.py").write_text(f"{HF}class OwnConfig(TrainingArguments): ...\nclass OwnTrainer(Trainer): ...\n")
    script = "from own import OwnConfig, OwnTrainer\nH4Parser((Model, OwnConfig)).parse()\n"
    assert found(script, "--bf16 True") == ["FP101 None: --bf16 True cancels FP8"]
    script = "from trl import TPOConfig, TPOTrainer\nTPOConfig('out', bf16=True)\n"
    assert found(script) == ["FP101 train.py:2:18: bf16=True cancels FP8"]
    script = f"{HF}Trainer(args=read(HfArgumentParser(Args)))"
    assert found(script, "--bf16 True") == ["FP101 None: --bf16 True cancels FP8"]


def test_options_of_a_module_beside_the_script(folder: Path) -> None:
    (folder / "options.py").write_text(
        f"{ARGPARSE}p.add_argument('--bf16', action='store_true')\ndef parse_args():\n    return p.parse_args()\n"
    )
    script = f"from options import parse_args\n{HF}args = parse_args()\nTrainingArguments('out', bf16=args.bf16)\n"
    assert found(script, "--bf16") == ["FP101 None: --bf16 cancels FP8"]
    assert found(script) == []


def test_other_arguments_are_known_too() -> None:
    script = (
        f"{HF}TrainingArguments('out', gradient_checkpointing=True, per_device_train_batch_size=4,\n"
        "    gradient_checkpointing_kwargs={'use_reentrant': True})"
    )
    training = run(script).run.training
    assert training.micro_batch == 4
    assert training.top.section("gradient_checkpointing_kwargs").value("use_reentrant") is True
    made = run(script, trainer="transformers").run.training
    assert made.micro_batch == 4


@pytest.mark.parametrize(
    ("script", "uses"),
    [
        (f"{HF}from peft import LoraConfig\nLoraConfig()\nTrainingArguments('out')", True),
        (f"{HF}import peft\npeft.get_peft_model(m, c)\nTrainingArguments('out')", True),
        (f"{HF}TrainingArguments('out')", False),
        (f"{HF}from peft import PeftModel\nTrainingArguments('out')", False),
        (f"{HF}from peft import (\n    LoraConfig,\n)\nTrainingArguments('out')", False),
        (f"{HF}from peft import LoraConfig as L\nTrainingArguments('out')", True),
        (f"{LORA}TrainingArguments('a')", False),
        (LORA.replace("action='store_true'", "type=own, default=own()") + "TrainingArguments('a')", None),
    ],
)
def test_a_script_that_uses_peft_trains_adapters(script: str, uses: bool | None) -> None:
    adapters = run(script).run.training.get("use_peft")
    assert (None if adapters is not None and adapters.is_later else bool(adapters and adapters.value)) == uses


def test_a_trainer_that_no_script_writes_for_reads_its_file(folder: Path) -> None:
    (folder / "cfg.yaml").write_text("base_model: a/b\nmicro_batch_size: 2\nsequence_len: 64\n")
    made = run("from axolotl.cli.train import do_cli\nTrainingArguments(bf16=True)", "cfg.yaml", "cfg.yaml")
    assert (made.run.training.name, made.run.training.micro_batch) == ("axolotl", 2)


PARSER = """from dataclasses import dataclass
from transformers import HfArgumentParser, Trainer, TrainingArguments
@dataclass
class Mine:
    fp8_scale: float = 1.0
(mine, args) = HfArgumentParser((Mine, TrainingArguments)).parse_args_into_dataclasses()
Trainer(args=args).train()
"""


@pytest.mark.parametrize(
    ("text", "flags", "refused"),
    [
        (PARSER.replace("fp8_scale", "scale"), "--fp8 True --output_dir out", "['--fp8', 'True']"),
        (PARSER, "--fp8 True --output_dir out", None),  # the beginning of --fp8_scale and --fp8-scale: SystemExit
        (PARSER, "--no_bf16", "['--no_bf16']"),
        (PARSER, "--fp8_scale 2", None),
        (PARSER, "--bf16", None),
        (PARSER.replace("dataclasses()", "dataclasses(return_remaining_strings=True)"), "--fp8 True", None),
        (f"import mine\n{PARSER}", "--fp8 True", None),
        (PARSER.replace("HfArgumentParser", "simple_parser"), "--fp8 True", None),
    ],
)
def test_flags_that_no_class_of_the_parser_has(text: str, flags: str, refused: str | None, tmp_path: Path) -> None:
    """Executed with transformers 4.57.1 and 5.23.0: tests/conformance/commands.jsonl flags-unknown and flags-no-flag."""
    script = tmp_path / "train.py"
    script.write_text(text)
    (one,) = assemble([], FACTS, launch=parse(f"accelerate launch --mixed_precision fp8 {script} {flags}"))
    error = predict(one.run).error_of("unknown-training-key")
    assert (None if error is None else error.message.rpartition(": ")[2]) == refused


def made(text: str, packages: dict[str, str], folder: Path, launch: str = "python") -> str | None:
    """The keyword error of a script that makes its Trainer's arguments."""
    script = folder / "train.py"
    script.write_text(text)
    facts = Facts(packages={**(FACTS.packages or {}), **packages}, variables={}, gpus=FACTS.gpus)
    (one,) = assemble([], facts, launch=parse(f"{launch} {script}"))
    error = predict(one.run).error_of("unknown-training-key")
    return None if error is None else error.message


@pytest.mark.parametrize(
    ("keywords", "release", "refused"),
    [
        ('evaluation_strategy="no"', "4.45.2", None),
        ('evaluation_strategy="no"', "4.52.4", "TrainingArguments.__init__() got an unexpected keyword argument"),
        ("no_cuda=True", "4.57.1", None),
        ("no_cuda=True", "5.0.0", "TrainingArguments.__init__() got an unexpected keyword argument"),
        ('accelerator_config={"split_batches": True}', "5.0.0", None),
        ('accelerator_config={"mixed_precision": "fp8"}', "5.0.0", "AcceleratorConfig.__init__() got an unexpected"),
    ],
)
def test_keywords_that_a_release_has_no_more(keywords: str, release: str, refused: str | None, tmp_path: Path) -> None:
    """Executed: second-trainer-half-precision-backend, second-trainer-accelerator-config."""
    text = f"from transformers import Trainer, TrainingArguments\nargs = TrainingArguments('out', {keywords})\nTrainer(args=args).train()\n"
    said = made(text, {"transformers": release}, tmp_path)
    assert said == refused or (said is not None and refused is not None and said.startswith(refused))


def test_a_length_that_trl_calls_otherwise(tmp_path: Path) -> None:
    """Executed: second-sft-length."""
    text = "from trl import SFTConfig, SFTTrainer\nargs = SFTConfig(max_seq_length=64)\nSFTTrainer(args=args).train()\n"
    assert made(text, {"trl": "0.18.2", "transformers": "4.57.1"}, tmp_path) is None
    assert made(text, {"trl": "1.16.0"}, tmp_path) is not None
    own = text.replace(
        "args = SFT",
        "from dataclasses import dataclass\n@dataclass\nclass Own(SFTConfig):\n    max_seq_length: int = 1\nargs = Own",
    )
    own = own.replace("OwnConfig", "Own")
    assert made(own, {"trl": "1.16.0"}, tmp_path) is None


def test_of_the_keywords_of_one_mapping_the_one_that_is_gone_is_named(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "from transformers import Trainer, TrainingArguments\n"
        "def build(out):\n    config = {}\n    config['training'] = {'output_dir': out, 'bf16': True, 'no_cuda': True}\n"
        "    return config\n\n\nconfig = build('o')\n"
        "Trainer(args=TrainingArguments(**config['training'])).train()\n"
    )
    facts = Facts(packages={**(FACTS.packages or {}), "transformers": "5.0.0"}, variables={}, gpus=FACTS.gpus)
    (report,) = check(str(script), facts=facts, launch=f"python {script}").reports
    assert [one.message for one in report.findings if one.rule == "FP338"] == ["TrainingArguments refuses no_cuda"]


_MADE = f"{HF}args = TrainingArguments('out')\n"
_PARSED = f"{HF}args, = HfArgumentParser((TrainingArguments,)).parse_args_into_dataclasses()\n"
_TRAINED = "\nTrainer(model=m, args=args).train()\n"


@pytest.mark.parametrize(
    ("script", "older", "newer"),
    [
        (f"{_MADE}args.gradient_checkpointing = True", "True", "None"),
        (f"{_MADE}args.activation_checkpointing = True", "None", "True"),
        (f"{_MADE}setattr(args, 'gradient_checkpointing', True)", "True", "None"),
        (f"{_MADE}args = replace(args, gradient_checkpointing=True)", "True", "None"),
        (f"{_PARSED}args.gradient_checkpointing = True", "True", "None"),
        (
            f"{HF}args = TrainingArguments('out', gradient_checkpointing=True)\nargs.gradient_checkpointing = False",
            "None",
            "True",
        ),
        (f"{_MADE}other.gradient_checkpointing = True", "None", "None"),
        (f"{_MADE}if x:\n    args.gradient_checkpointing = True", "undecided", "undecided"),
        (f"{_MADE}args.gradient_checkpointing = asked()", "undecided", "None"),
        (f"{_MADE}if True:\n    args.gradient_checkpointing = True", "True", "None"),
    ],
)
def test_what_is_set_once_the_arguments_are_made_counts_where_the_release_looks_again(
    script: str, older: str, newer: str
) -> None:
    made = run(script + _TRAINED)
    assert [_checkpoints(made, release) for release in ("4.57.1", "5.23.0")] == [older, newer]


def _checkpoints(made: Assembled, release: str) -> str:
    packages = {**(FACTS.packages or {}), "transformers": release}
    outcome = predict(made.run._replace(facts=FACTS._replace(packages=packages)))
    try:
        found = outcome.effective.checkpointing
    except Undecided:
        return "undecided"
    return str(None if found is None else found.value)


@pytest.mark.parametrize(
    ("script", "reentrant"),
    [
        ("args.gradient_checkpointing_kwargs = {'use_reentrant': False}", False),
        ("args.gradient_checkpointing_kwargs = dict(use_reentrant=False)", False),
        ("args.bf16 = True", True),
    ],
)
def test_the_way_of_checkpointing_may_be_set_afterward_too(script: str, reentrant: bool) -> None:
    made = run(f"{HF}args = TrainingArguments('out', gradient_checkpointing=True)\n{script}{_TRAINED}")
    packages = {**(FACTS.packages or {}), "transformers": "4.57.1"}
    stack = Stack(FACTS._replace(packages=packages))
    assert made.run.training.reentrant(stack) is reentrant


@pytest.mark.parametrize(
    ("after", "precision"),
    [("args.bf16 = True", "fp8"), ("args = dataclasses.replace(args, bf16=True)", "bf16"), ("", "fp8")],
)
def test_a_precision_counts_where_the_arguments_are_made_anew(after: str, precision: str) -> None:
    outcome = predict(run(f"{_MADE}{after}{_TRAINED}").run)
    assert outcome.mixed_precision is not None
    assert outcome.mixed_precision.value == precision


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("m = torch.compile(m)\nTrainer(model=m, args=args).train()", "batch-without-columns"),
        ("m = torch.compile(m)\nTrainer(m, args).train()", "batch-without-columns"),
        ("m = torch.compile(m)\nTrainer(model=other, args=args).train()", None),
        ("n = torch.compile(m)\nTrainer(model=m, args=args).train()", None),
        ("m = torch.compile(m)\nm = load()\nTrainer(model=m, args=args).train()", None),
    ],
)
def test_a_compiled_model_leaves_no_column_of_a_batch(script: str, error: str | None) -> None:
    outcome = predict(run(f"import torch\n{_MADE}{script}\n").run)
    assert (None if outcome.error is None else outcome.error.code) == error


@pytest.mark.parametrize("kept", ["remove_unused_columns=False", "label_names=['labels']"])
def test_columns_stay_where_the_arguments_say_so(kept: str) -> None:
    script = f"import torch\n{HF}args = TrainingArguments('out', {kept})\nm = torch.compile(m)\nTrainer(model=m, args=args).train()\n"
    assert predict(run(script).run).error is None


def test_a_variable_is_set_where_the_launcher_has_set_none() -> None:
    script = "import os\nos.environ.setdefault('ACCELERATE_FP8_BACKEND', 'AO')\n"
    script += "os.environ.setdefault('ACCELERATE_FP8_FORMAT', 'E4M3')\n" + _MADE + _TRAINED
    started = predict(run(script).run).environment
    assert started["ACCELERATE_FP8_BACKEND"].value == "TE"
    made = run(script).run
    alone = predict(made._replace(launch=parse("python train.py"))).environment
    assert (alone["ACCELERATE_FP8_BACKEND"].value, alone["ACCELERATE_FP8_FORMAT"].value) == ("AO", "E4M3")


@pytest.mark.parametrize(
    ("targets", "finds_none"),
    [
        ("['q_proj']", False),
        ("'q_proj'", True),
        ("'q_proj,v_proj'", True),
        ("'.*q_proj'", False),
        ("'all-linear'", False),
        ("names", False),
        ("None", False),
        ("[]", True),
    ],
)
def test_layers_that_a_script_gives_adapters(targets: str, finds_none: bool) -> None:
    script = f"{TRL}from peft import LoraConfig\npeft = LoraConfig(r=16, target_modules={targets})\n"
    script += "args = SFTConfig('out')\nSFTTrainer(model='m', args=args, peft_config=peft).train()\n"
    found = predict(run(script).run).error
    assert (found is not None and found.code == "adapters-find-nothing") is finds_none
