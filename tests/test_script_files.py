"""Training scripts that the launch command names: read where they lie, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fp8check.rules.catalog import RULES
from fp8check.rules.checking.examining import examine
from fp8check.rules.checking.runs import assemble
from fp8check.rules.facts import Facts
from fp8check.rules.outcome import predict
from fp8check.rules.reading.kind import Kind
from fp8check.rules.settings.values import Undecided
from fp8check.rules.trainers.commands import parse
from fp8check.rules.trainers.detect import read

if TYPE_CHECKING:
    from pathlib import Path

    from fp8check.rules.checking.runs import Assembled

ACCELERATE = b"distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n"
SCRIPT = "open('was-run', 'w')\nAccelerator(mixed_precision='bf16')\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, *, name: str = "accel.yaml", trainer: str | None = None, follow: bool = True) -> Assembled:
    (one,) = assemble([read(name, ACCELERATE)], Facts(), launch=parse(command), trainer=trainer, follow=follow)
    return one


def test_a_script_at_hand_is_read_and_not_run(folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT)
    one = run("accelerate launch --config_file accel.yaml train.py")
    assert one.run.script.mixed_precision is not None
    assert one.run.script.mixed_precision.value == "bf16"
    assert [(document.path, document.kind) for document in one.documents][-1] == ("train.py", "script")
    assert not (folder / "was-run").exists()
    (again,) = assemble(one.documents, Facts(), launch=one.run.launch)
    assert [document.path for document in again.documents] == ["accel.yaml", "train.py"]
    report = examine(one.run, one.documents, [rule for rule in RULES if rule.id == "FP118"])
    assert [str(found.span) for found in report.findings] == ["train.py:2:13"]


@pytest.mark.parametrize(
    ("command", "text", "trainer", "follow"),
    [
        ("accelerate launch train.py", SCRIPT, None, False),
        ("accelerate launch other.py", SCRIPT, None, True),
        ("accelerate launch -m other", SCRIPT, None, True),
        ("accelerate launch", SCRIPT, None, True),
        ("accelerate launch train.py", "def", None, True),
        ("accelerate launch train.py", "\ud800", None, True),
    ],
)
def test_scripts_that_are_not_read(folder: Path, command: str, text: str, trainer: str | None, follow: bool) -> None:
    (folder / "train.py").write_bytes(text.encode("utf-8", "surrogatepass"))
    one = run(command, trainer=trainer, follow=follow)
    assert one.run.script.source is None
    assert [document.kind for document in one.documents] == ["accelerate"]
    assert [file.input for file in one.run.unread] == ["script"] * (one.run.launch.script is not None)


def test_of_a_script_beside_the_trainer_nothing_is_taken(folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT)
    one = run("accelerate launch train.py", trainer="transformers")
    assert one.run.script.source is None
    assert [document.kind for document in one.documents] == ["accelerate", "script"]


@pytest.mark.parametrize(
    ("name", "command", "found"),
    [
        ("accel.yaml", "accelerate launch train.py", 1),
        ("cache/default_config.yaml", "accelerate launch train.py", 0),
        ("default_config.json", "accelerate launch train.py", 1),
        ("default_config.yaml", "accelerate launch --config_file other.yaml train.py", 1),
        ("conf/accel.yaml", "accelerate launch --config_file accel.yaml train.py", 0),
        ("-", "accelerate launch train.py", 0),
    ],
)
def test_the_file_that_the_launch_reads(name: str, command: str, found: int) -> None:
    document = read(name if not name.endswith(".json") else "x.yaml", ACCELERATE)
    document.path = name
    (one,) = assemble([document], Facts(), launch=parse(command))
    report = examine(one.run, one.documents, [rule for rule in RULES if rule.id == "FP308"])
    assert len(report.findings) == found


def test_variables_before_the_launch_command_count() -> None:
    facts = Facts(variables={"HF_HOME": "here"})
    launch = parse("ACCELERATE_FP8_BACKEND=TE python train.py")
    (one,) = assemble([read("accel.yaml", ACCELERATE)], facts, launch=launch)
    assert one.run.facts.variables == {"HF_HOME": "here", "ACCELERATE_FP8_BACKEND": "TE"}
    assert facts.variables == {"HF_HOME": "here"}


def test_trl_hands_on_flags_of_its_file() -> None:
    text = b"dataset_name: a/b\nmixed_precision: fp8\nnum_processes: 2\nmulti_gpu: true\nuse_fsdp: false\ndebug: true\n"
    training = read("train.yaml", text).as_kind(Kind("training", "trl"))
    command = "A=1 trl sft --config train.yaml --num_processes 4 --accelerate_config accel.yaml"
    (one,) = assemble([training, read("accel.yaml", ACCELERATE)], Facts(), launch=parse(command), trainer="trl")
    assert one.run.launch.flags == {
        "mixed_precision": "fp8",
        "num_processes": "4",
        "multi_gpu": True,
        "config_file": "accel.yaml",
    }
    assert one.run.launch.variables == {"A": "1"}


def test_the_accelerate_file_that_trl_s_file_names(folder: Path) -> None:
    (folder / "accel.yaml").write_bytes(ACCELERATE)
    training = read("train.yaml", b"dataset_name: a/b\noutput_dir: out\naccelerate_config: accel.yaml\n").as_kind(
        Kind("training", "trl")
    )
    (one,) = assemble([training], Facts(), launch=parse("trl sft --config train.yaml"), trainer="trl")
    assert one.run.accelerate is not None
    assert one.run.accelerate.path == "accel.yaml"


OWN = """from accelerate import Accelerator
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B", torch_dtype=torch.bfloat16)
model.train()
data = DataLoader(texts.map(lambda one: tokenizer(one, truncation=True, max_length=2048)), batch_size=4)
accelerator = Accelerator()
model, optimizer, data = accelerator.prepare(model, optimizer, data)
"""
SFT = """from trl import SFTConfig, SFTTrainer
arguments = SFTConfig("out", bf16=False, per_device_train_batch_size=4, max_length=1024, packing=True)
SFTTrainer(model="Qwen/Qwen2.5-0.5B", args=arguments).train()
"""


def test_what_a_script_says_of_its_model_and_its_batches_counts(folder: Path) -> None:
    (folder / "train.py").write_text(OWN)
    one = run("accelerate launch --config_file accel.yaml train.py")
    assert one.run.model is not None
    assert one.run.model.name == "Qwen/Qwen2.5-0.5B"
    outcome = predict(one.run)
    assert outcome.effective.tokens == 8192
    assert outcome.effective.compiled is None
    report = examine(one.run, one.documents, [rule for rule in RULES if rule.id in ("FP401", "FP403")])
    assert {(found.rule, str(found.span)) for found in report.findings} == {
        ("FP401", "train.py:4:92"),
        ("FP403", "train.py:2:46"),
    }
    (folder / "train.py").write_text(f"{OWN}model = torch.compile(model)\n")
    with pytest.raises(Undecided, match="may compile its model"):
        predict(run("accelerate launch --config_file accel.yaml train.py").run).effective.compiled  # noqa: B018
    # What a file says of it is nobody's word: the script may read it, or not.
    (folder / "train.py").write_text("from accelerate import Accelerator\nAccelerator()\n")
    (folder / "cfg.yaml").write_text("model_name_or_path: Qwen/Qwen2.5-0.5B\nbf16: true\noutput_dir: x\n")
    assert run("accelerate launch --config_file accel.yaml train.py cfg.yaml").run.model is None


def test_the_length_of_a_script_like_alpaca_s_counts(folder: Path) -> None:
    (folder / "train.py").write_text(
        "from transformers import HfArgumentParser, Trainer, TrainingArguments\n@dataclass\n"
        "class Own(TrainingArguments):\n    model_max_length: int = field(default=512)\n"
        "(args,) = HfArgumentParser(Own).parse_args_into_dataclasses()\nTrainer(args=args).train()\n"
    )
    for words, tokens in (("", 4096), (" --model_max_length 2048", 16384)):
        one = run(f"accelerate launch --config_file accel.yaml train.py --output_dir out{words}")
        assert predict(one.run).effective.tokens == tokens


def test_a_file_that_the_parser_of_a_script_reads_and_that_is_not_here(folder: Path) -> None:
    parsed = "from trl import SFTConfig, SFTTrainer, TrlParser\nargs = TrlParser(SFTConfig).parse_args_and_config()\n"
    (folder / "train.py").write_text(parsed)
    outcome = predict(run("accelerate launch --config_file accel.yaml train.py --config gone.yaml").run)
    assert outcome.undecided is not None
    assert outcome.undecided.what == "gone.yaml: no such file"
    (folder / "train.py").write_text(
        parsed.replace("TrlParser", "HfArgumentParser").replace("and_config", "into_dataclasses")
    )
    outcome = predict(run("accelerate launch --config_file accel.yaml train.py --config gone.yaml").run)
    assert outcome.undecided is None


def test_what_a_script_says_to_a_trainer_of_its_model_counts(folder: Path) -> None:
    (folder / "train.py").write_text(SFT)
    outcome = predict(run("accelerate launch --config_file accel.yaml train.py").run)
    assert outcome.run.model is not None
    assert outcome.effective.tokens == 4096


@pytest.mark.parametrize(
    ("trl", "transformers", "by_trainer", "by_script"),
    [
        ("0.24.0", "4.57.1", "float32", "float32"),
        ("0.26.2", "4.57.1", "bfloat16", "float32"),
        ("0.27.0", "4.57.1", "float32", "float32"),
        ("1.16.0", "5.23.0", "float32", "bfloat16"),
    ],
)
def test_whose_code_loads_the_model_decides_its_type(
    folder: Path, trl: str, transformers: str, by_trainer: str, by_script: str
) -> None:
    facts = Facts(packages={"trl": trl, "transformers": transformers})
    load = 'AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")'
    for text, expected in ((SFT, by_trainer), (SFT.replace('"Qwen/Qwen2.5-0.5B"', load), by_script)):
        (folder / "train.py").write_text(text)
        (one,) = assemble([], facts, launch=parse("accelerate launch train.py"))
        weights = predict(one.run).effective.weights
        assert weights is None if expected == "bfloat16" else weights is not None and weights.value == expected


@pytest.mark.parametrize(
    ("made", "is_known"),
    [
        ("arguments_of(OmegaConf.load(sys.argv[1]))", False),
        ("arguments_of(yaml.safe_load(open(sys.argv[1])))", False),
        ("arguments_of(json.load(open(sys.argv[1])))", False),
        ("TrainingArguments(**OmegaConf.load(sys.argv[1]).training)", False),
        ("TrainingArguments(**config['training'], note=yaml.safe_load('1'))", False),
        ("TrainingArguments(**config, note=yaml.safe_load('1'))", True),
        ("arguments_of(sys.argv[1])", True),
    ],
)
def test_what_a_script_makes_of_a_file_that_it_loads_itself_the_keys_do_not_tell(made: str, is_known: bool) -> None:
    script = ("train.py", f"from transformers import Trainer\nTrainer(args={made}).train()\n".encode())
    documents = [read("train.yaml", b"bf16: true\noutput_dir: out\n"), read("accel.yaml", ACCELERATE)]
    launch = parse("accelerate launch --config_file accel.yaml train.py train.yaml")
    (one,) = assemble(documents, Facts(), launch=launch, script=script)
    bf16 = one.run.training.top.get("bf16")
    assert bf16 is not None
    assert bf16.is_later is not is_known
