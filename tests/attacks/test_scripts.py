"""Scripts that turn FP8 on by other means, and what they hand to Accelerator without writing it out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fp8check.rules.settings.script_syntax import MAX_CHARACTERS
from tests.attacks.lines import attack
from tests.support.command import run
from tests.support.service import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.service import Served

PACKAGES = {
    "accelerate": "1.15.0",
    "torch": "2.11.0",
    "torchao": "0.17.0",
    "transformers": "5.17.0",
    "transformer_engine": "2.20.2",
    "transformer_engine_torch": "2.20.2",
    **dict.fromkeys(("axolotl", "bitsandbytes", "deepspeed", "llamafactory", "msamp", "peft", "trl")),
}
AMPERE = {"index": 0, "name": "NVIDIA A100-SXM4-80GB", "compute_capability": "8.0", "memory_mib": 81920, "mig": False}
HOPPER = {"index": 0, "name": "NVIDIA H100 80GB HBM3", "compute_capability": "9.0", "memory_mib": 81559, "mig": False}
BF16 = "distributed_type: 'NO'\nnum_processes: 1\nmixed_precision: bf16\n"
TRAINER = "model_name_or_path: gpt2\noutput_dir: out\nbf16: true\nper_device_train_batch_size: 8\n"
NO_FP8 = ("no FP8", "no layer in FP8")


def facts(*gpus: dict[str, object]) -> str:
    return json.dumps(
        {
            "schema": "fp8check/facts/1",
            "python": "3.12.3",
            "packages": PACKAGES,
            "variables": {},
            "gpus": list(gpus),
            "driver": "580.65.06",
            "cuda": {"torch": "12.8", "driver": "13.0"},
            "libraries": {"cudnn": "9.10.2"},
            "transformer_engine": {"metapackage": "2.20.2", "core": {"cu12": "2.20.2"}, "torch_extension": "2.20.2"},
        }
    )


class Said(dict[str, Any]):
    """A report, with the exit code and the text for people."""

    code: int
    text: str

    @property
    def rules(self) -> set[str]:
        return {finding["rule"] for finding in self["findings"]}


def check(
    folder: Path, script: str, *gpus: dict[str, object], accelerate: str = BF16, training: str | None = None
) -> Said:
    """Check a run of that script: the JSON, the text and the exit code."""
    (folder / "train.py").write_text(script)
    (folder / "accel.yaml").write_text(accelerate)
    (folder / "facts.json").write_text(facts(*gpus))
    files = ["accel.yaml"]
    if training is not None:
        (folder / "train.yaml").write_text(training)
        files.append("train.yaml")
    words = [*files, "--facts", "facts.json", "--launch", "accelerate launch --config_file accel.yaml train.py"]
    done = run(*words, "--format", "text", "--format", "json=report.json", cwd=folder)
    assert done.stderr == ""
    said = Said(json.loads((folder / "report.json").read_text()))
    said.code, said.text = done.returncode, done.stdout
    return said


def is_undecided(said: Said) -> None:
    assert said["verdict"] == "undecided", said.text
    assert said["outcome"]["undecided"], said.text
    assert said["outcome"]["fp8_layers"] is None
    assert said["outcome"]["fp8_enabled"] is None
    assert not any(words in said.text for words in NO_FP8), said.text


# Scripts that compute in FP8 whenever they run.
SURE = {
    "torchao": "from torchao.float8 import convert_to_float8_training\nconvert_to_float8_training(model)\n",
    "torchao-renamed": "from torchao.float8 import convert_to_float8_training as quick\nmodel = quick(model)\n",
    "torchao-module": "import torchao.float8 as f\nmodel = f.convert_to_float8_training(model)\n",
    "torchao-chain": "import torchao\ntorchao.float8.convert_to_float8_training(model)\n",
    "torchao-getattr": "import torchao.float8 as f\ngetattr(f, 'convert_to_' + 'float8_training')(model)\n",
    "torchao-importlib": "import importlib\nf = importlib.import_module('torchao.float8')\n"
    "f.convert_to_float8_training(model)\n",
    "torchao-in-a-function": "def main():\n    from torchao.float8 import convert_to_float8_training\n"
    "    convert_to_float8_training(model)\nif __name__ == '__main__':\n    main()\n",
    "te": "import transformer_engine.pytorch as te\nwith te.fp8_autocast(enabled=True):\n    model(x)\n",
    "te-new-name": "from transformer_engine.pytorch import autocast\nwith autocast():\n    model(x)\n",
    "te-assigned": "import transformer_engine.pytorch as te\ncontext = te.fp8_autocast\nwith context():\n    model(x)\n",
    "te-in-try": "try:\n    import transformer_engine.pytorch as te\nexcept ImportError:\n    te = None\n"
    "with te.fp8_autocast():\n    model(x)\n",
    "te-decorator": "import transformer_engine.pytorch as te\n@te.fp8_autocast(enabled=True)\ndef step():\n    pass\n",
    "te-weights": "from transformer_engine import pytorch\nwith pytorch.fp8_model_init():\n    model = build()\n",
    "quantize": "from torchao.quantization import quantize_, Float8DynamicActivationFloat8WeightConfig as C\n"
    "quantize_(model, C())\n",
    "unsloth": "from unsloth import FastLanguageModel\n"
    "model, t = FastLanguageModel.from_pretrained('unsloth/Qwen3-8B', load_in_fp8=True)\n",
    "unsloth-full": "from unsloth import FastModel\n"
    "model, t = FastModel.from_pretrained('q', full_finetuning=True, float8_training=True)\n",
    "msamp": "import msamp\nmodel, optimizer = msamp.initialize(model, optimizer, opt_level='O2')\n",
    "accelerate-helper": "from accelerate.utils import convert_model_to_fp8_ao\nconvert_model_to_fp8_ao(model)\n",
}
# Scripts that may, for all that can be told without running them.
PERHAPS = {
    "an-argument": "import transformer_engine.pytorch as te\nwith te.fp8_autocast(enabled=args.fp8):\n    model(x)\n",
    "a-condition": "from torchao.float8 import convert_to_float8_training\nif args.fast:\n"
    "    convert_to_float8_training(model)\n",
    "te-layers": "import transformer_engine.pytorch as te\nlayer = te.Linear(16, 16)\n",
    "te-star": "from transformer_engine.pytorch import *\nwith fp8_autocast():\n    model(x)\n",
    "te-table": "import transformer_engine.pytorch as te\nmake = {'a': te.fp8_autocast, 'b': nothing}\n"
    "with make[args.a]():\n    pass\n",
    "te-handed-on": "import transformer_engine.pytorch as te\nreplace(model, torch.nn.Linear, te.Linear)\n",
    "te-base-class": "import transformer_engine.pytorch as te\nclass Block(te.TransformerLayer):\n    pass\n",
    "a-name-made-later": "import torchao.float8 as f\ngetattr(f, args.name)(model)\n",
    "quantize-by-a-variable": "from torchao.quantization import quantize_\nquantize_(model, options)\n",
    "own-module": "from mylib.fp8 import setup\nsetup(model)\n",
    "own-function": "from mylib import enable_float8\nmodel = enable_float8(model)\n",
    "relative-module": "from .float8_tools import setup\nsetup(model)\n",
    "options-in-a-dict": "options = {'load_in_fp8': True}\nmodel = Model.from_pretrained('q', **options)\n",
    "transformers": "from transformers import FineGrainedFP8Config\n"
    "model = Model.from_pretrained('q', quantization_config=FineGrainedFP8Config())\n",
    "fabric": "import lightning\nfabric = lightning.Fabric(precision='transformer-engine')\n",
    "a-cast": "import torch\nw = w.to(torch.float8_e4m3fn)\ny = torch._scaled_mm(x, w)\n",
    "a-switch": "config.use_fp8 = True\n",
    "other-code": "exec(open('more.py').read())\n",
    "wrapped": "from accelerate.utils import apply_fp8_autowrap\nmodel = apply_fp8_autowrap(model, handler)\n",
}
# What has to do with FP8 by its words only.
NEVER = {
    "off": "import transformer_engine.pytorch as te\nwith te.fp8_autocast(enabled=False):\n    model(x)\n",
    "unsloth-off": "from unsloth import FastModel\nmodel = FastModel.from_pretrained('q', load_in_fp8=False)\n",
    "int8": "from torchao.quantization import quantize_, Int8WeightOnlyConfig\nquantize_(model, Int8WeightOnlyConfig())\n",
    "a-question": "from accelerate.utils import is_fp8_available\nprint(is_fp8_available())\n",
    "a-choice": "parser.add_argument('--mixed_precision', choices=['no', 'fp16', 'bf16', 'fp8'])\n",
    "a-comparison": "pad = 16 if accelerator.mixed_precision == 'fp8' else 8\n",
    "a-version": "import transformer_engine as te\nprint(te.__version__)\n",
    "a-comment": "# convert_to_float8_training(model)\n'''te.fp8_autocast()'''\n",
    "a-name": "run = wandb.init(name='fp8', project='float8')\n",
}
AFTER = "from accelerate import Accelerator\naccelerator = Accelerator()\nm, optimizer = accelerator.prepare(m, optimizer)\n"


@attack("U6")
@pytest.mark.parametrize("name", SURE)
def test_fp8_by_other_means_is_no_pass(tmp_path: Path, name: str) -> None:
    said = check(tmp_path, SURE[name] + AFTER, HOPPER)
    is_undecided(said)
    assert said["requested"]["fp8"] is True
    line = next(one for one in said["outcome"]["trace"] if one["setting"] == "FP8 by the script")
    assert line["origin"]["file"] == "train.py"


@attack("U6")
@pytest.mark.parametrize("name", SURE)
def test_fp8_by_other_means_needs_a_gpu_that_has_it(tmp_path: Path, name: str) -> None:
    said = check(tmp_path, SURE[name] + AFTER, AMPERE)
    assert (said.code, said["verdict"]) == (1, "fail"), said.text
    (found,) = [finding for finding in said["findings"] if finding["rule"] == "FP701"]
    assert (found["severity"], found["file"], found["fix"]) == ("error", "train.py", None)


@attack("U6")
@pytest.mark.parametrize("name", PERHAPS)
@pytest.mark.parametrize("gpu", [HOPPER, AMPERE], ids=["H100", "A100"])
def test_what_may_be_fp8_is_no_pass(tmp_path: Path, name: str, gpu: dict[str, object]) -> None:
    said = check(tmp_path, PERHAPS[name] + AFTER, gpu)
    is_undecided(said)
    assert said["requested"]["perhaps"]
    assert ("FP701" in {one["rule"] for one in said["undecided"]}) is (gpu is AMPERE)


@pytest.mark.parametrize("name", NEVER)
def test_words_alone_are_no_fp8(tmp_path: Path, name: str) -> None:
    said = check(tmp_path, NEVER[name] + AFTER, AMPERE)
    assert (said.code, said["verdict"]) == (0, "pass"), said.text


@attack("U6")
@pytest.mark.parametrize("name", ["torchao", "te", "unsloth", "quantize"])
def test_a_script_of_a_trainer_turns_fp8_on_itself(tmp_path: Path, name: str) -> None:
    script = SURE[name] + "trainer = Trainer(model=model, args=args)\ntrainer.train()\n"
    is_undecided(check(tmp_path, script, HOPPER, training=TRAINER))
    said = check(tmp_path, script, AMPERE, training=TRAINER)
    assert (said.code, "FP701" in said.rules) == (1, True), said.text


def test_an_error_for_certain_stays_one(tmp_path: Path) -> None:
    script = SURE["te"] + "accelerator = Accelerator(mixed_precision='int8')\n"
    said = check(tmp_path, script, HOPPER)
    assert said["outcome"]["error"]["message"].startswith("Unknown mixed_precision mode: int8")
    assert not any(words in said.text for words in NO_FP8)


AO = "from accelerate import Accelerator\nfrom accelerate.utils import AORecipeKwargs\n"
HANDLERS = {
    "conditional": "k = []\nif x:\n    k = [AORecipeKwargs()]\na = Accelerator(kwargs_handlers=k)\n",
    "appended-elsewhere": "k = []\nfill(k)\na = Accelerator(kwargs_handlers=k)\n",
    "a-choice": "a = Accelerator(kwargs_handlers=[AORecipeKwargs()] if x else None)\n",
    "a-function": "a = Accelerator(kwargs_handlers=handlers())\n",
    "starred": "a = Accelerator(kwargs_handlers=[*more])\n",
    "an-item": "a = Accelerator(kwargs_handlers=[handler])\n",
    "an-attribute": "a = Accelerator(kwargs_handlers=self.handlers)\n",
    "a-parameter": "def main(k=None):\n    return Accelerator(kwargs_handlers=k)\n",
    "two-branches": "if x:\n    k = [AORecipeKwargs()]\nelse:\n    k = None\na = Accelerator(kwargs_handlers=k)\n",
    "a-partial": "import functools\nmake = functools.partial(Accelerator, kwargs_handlers=[AORecipeKwargs()])\na = make()\n",
    "a-subclass": "class Mine(Accelerator):\n    pass\na = Mine(kwargs_handlers=[AORecipeKwargs()])\n",
    "a-variable": "import os\nif x:\n    os.environ['ACCELERATE_MIXED_PRECISION'] = 'fp8'\na = Accelerator()\n",
    "a-variable-later": "import os\nos.environ['ACCELERATE_MIXED_PRECISION'] = args.precision\na = Accelerator()\n",
    "variables": "import os\nos.environ.update(ACCELERATE_MIXED_PRECISION=args.precision)\na = Accelerator()\n",
    "positional": "a = Accelerator(True, False, args.precision)\n",
    "positions": "a = Accelerator(*arguments)\n",
    "as-another-name": "from accelerate import Accelerator as A\na = A(kwargs_handlers=k)\n",
    "by-its-module": "import accelerate as hf\na = hf.Accelerator(kwargs_handlers=k)\n",
    "the-state": "from accelerate.state import AcceleratorState\nAcceleratorState(args.precision)\na = Accelerator()\n",
}


@attack("U7")
@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_that_are_not_written_out_are_no_pass(tmp_path: Path, name: str) -> None:
    said = check(tmp_path, AO + HANDLERS[name] + "model, optimizer = a.prepare(model, optimizer)\n", HOPPER)
    is_undecided(said)
    assert said["outcome"]["undecided"].startswith("train.py")


@pytest.mark.parametrize(
    "made",
    [
        "k = []\nk.append(AORecipeKwargs())\na = Accelerator(kwargs_handlers=k)\n",
        "k = []\nk += [AORecipeKwargs()]\na = Accelerator(kwargs_handlers=k)\n",
        "j = k = []\nj.append(AORecipeKwargs())\na = Accelerator(kwargs_handlers=k)\n",
        "options = {}\noptions['kwargs_handlers'] = [AORecipeKwargs()]\na = Accelerator(**options)\n",
    ],
)
def test_handlers_that_are_followed_end_a_bf16_run(tmp_path: Path, made: str) -> None:
    said = check(tmp_path, AO + made + "model, optimizer = a.prepare(model, optimizer)\n", HOPPER)
    assert (said.code, "FP114" in said.rules) == (1, True), said.text


@attack("U7")
def test_both_ways_that_it_may_go_are_named(tmp_path: Path) -> None:
    """As in accelerate's own examples/torch_native_parallelism/fsdp2_fp8.py."""
    said = check(
        tmp_path,
        "from torchao.float8 import Float8LinearConfig\n"
        f"{AO}"
        "def main():\n"
        "    args = parse_args()\n"
        "    fp8_config = Float8LinearConfig(enable_fsdp_float8_all_gather=True)\n"
        "    kwargs = []\n"
        "    if args.precision == 'fp8':\n"
        "        kwargs = [AORecipeKwargs(config=fp8_config)]\n"
        "    accelerator = Accelerator(fsdp_plugin=plugin, kwargs_handlers=kwargs)\n"
        "    model, optimizer = accelerator.prepare(model, optimizer)\n"
        "main()\n",
        HOPPER,
    )
    is_undecided(said)
    reason = said["outcome"]["undecided"]
    assert "kwargs_handlers=kwargs" in reason
    assert "with AORecipeKwargs" in reason
    assert "without" in reason


@pytest.mark.parametrize(
    "made",
    [
        "a = Accelerator(mixed_precision='fp8', kwargs_handlers=[AORecipeKwargs()])\n",
        "k = [AORecipeKwargs()]\na = Accelerator(mixed_precision='fp8', kwargs_handlers=k)\n",
        "options = {'mixed_precision': 'fp8', 'kwargs_handlers': [AORecipeKwargs()]}\na = Accelerator(**options)\n",
        "options = dict(mixed_precision='fp8', kwargs_handlers=[AORecipeKwargs()])\na = Accelerator(**options)\n",
        "PRECISION = 'fp8'\na = Accelerator(mixed_precision=PRECISION, kwargs_handlers=[AORecipeKwargs()])\n",
        "a = Accelerator(True, False, 'fp8', kwargs_handlers=[*[AORecipeKwargs()]])\n",
        "import accelerate as A\na = A.Accelerator(mixed_precision='fp8', kwargs_handlers=[] + [AORecipeKwargs()])\n",
    ],
)
def test_what_is_written_out_is_known(tmp_path: Path, made: str) -> None:
    said = check(tmp_path, AO + made + "model, optimizer = a.prepare(model, optimizer)\n", HOPPER)
    assert said["outcome"]["undecided"] is None, said.text
    assert (said["outcome"]["mixed_precision"], said["outcome"]["backend"]) == ("fp8", "AO")


@attack("U7")
@pytest.mark.parametrize(
    "handler",
    [
        "TERecipeKwargs(fp8_format=args.format)",
        "TERecipeKwargs(**options)",
        "TERecipeKwargs(*options)",
        "AORecipeKwargs(config=make_config())",
    ],
)
def test_a_recipe_that_is_not_written_out_is_not_taken_for_the_default(tmp_path: Path, handler: str) -> None:
    script = f"{AO}from accelerate.utils import TERecipeKwargs\n"
    script += f"a = Accelerator(mixed_precision='fp8', kwargs_handlers=[{handler}])\n"
    script += "model, optimizer = a.prepare(model, optimizer)\n"
    said = check(tmp_path, script, HOPPER)
    assert said["outcome"]["undecided"] is not None, said.text
    assert said["outcome"]["recipe"] is None


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("service")) as one:
        yield one


@attack("U6", "U7")
@pytest.mark.parametrize("script", [SURE["te"] + AFTER, AO + HANDLERS["conditional"]], ids=["U6", "U7"])
def test_over_http(service: Served, script: str) -> None:
    launch = "accelerate launch --config_file accelerate.yaml train.py"
    body = {
        "accelerate": BF16,
        "script": script,
        "facts": json.loads(facts(HOPPER)),
        "options": {"launch": launch, "require_evidence": True},
    }
    answer = service.post("/check", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["verdict"] == "undecided"
    assert answer.headers["FP8check-Exit-Code"] == "3"


TRAINERS = {
    "trl": "model_name_or_path: gpt2\ndataset_name: d\nmax_length: 128\noutput_dir: out\n",
    "axolotl": "base_model: gpt2\nsequence_len: 128\nmicro_batch_size: 2\nfp8: true\n",
}
LAUNCHES = (
    *("trl", "axolotl", "accelerate", "accelerate launch", "torchrun", "deepspeed", "python", "python -m", "trl sft"),
    *(
        "axolotl train",
        "llamafactory-cli",
        "axolotl --",
        "trl --",
        "accelerate launch --",
        "trl --config",
        "axolotl = =",
    ),
    *("A=b", "", " ", "'", '"', "\\", "-", "--", "\n", "accelerate launch --num_processes", "axolotl train -- --x"),
    *("axolotl --launcher", "axolotl --launcher=", "trl '' ''", "accelerate ''", "/usr/bin/trl", "$TRAIN", "trl\n--x"),
)


@attack("E2")
@pytest.mark.parametrize("launch", ["trl", "axolotl", "/usr/bin/trl", "A=b axolotl"])
def test_a_command_alone_is_a_launch(tmp_path: Path, launch: str) -> None:
    (tmp_path / "accel.yaml").write_text(BF16)
    done = run("accel.yaml", "--launch", launch, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("launch", LAUNCHES)
def test_any_launch_is_understood_or_refused(tmp_path: Path, launch: str) -> None:
    (tmp_path / "accel.yaml").write_text(BF16)
    done = run("accel.yaml", "--launch", launch, cwd=tmp_path)
    assert done.returncode in (0, 1, 2), done.stderr
    assert (done.returncode == 2) is bool(done.stderr)


def test_a_launch_of_100_000_words(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(BF16)
    done = run("accel.yaml", "--launch", "trl" + " x" * 50_000, cwd=tmp_path)
    assert done.returncode in (0, 2)
    assert "internal error" not in done.stderr


ODD = {
    "date": "2024-01-01",
    "time": "2024-01-01T00:00:00Z",
    "bytes": "!!binary aGVsbG8=",
    "set": "!!set {a, b}",
    "pairs": "!!omap [a: 1]",
    "nan": ".nan",
    "infinity": "-.inf",
    "map": "{null: [1, {2: 3}]}",
    "list": "[null, .inf]",
    "superscript": "'\u00b2'",
}


@attack("E4")
@pytest.mark.parametrize("value", [ODD["date"], ODD["bytes"], ODD["set"]], ids=["date", "bytes", "set"])
def test_a_date_bytes_or_a_set_reaches_the_report(tmp_path: Path, value: str) -> None:
    (tmp_path / "train.yaml").write_text(TRAINERS["axolotl"] + f"fp8_config:\n  recipe: {value}\n")
    done = run("train.yaml", "--format", "json", cwd=tmp_path)
    assert (done.returncode < 2, done.stderr) == (True, "")
    json.loads(done.stdout)


@attack("E4")
@pytest.mark.parametrize("value", ["b'fp8'", "{'fp8'}", "{'a': b'x'}", "...", "1j"])
def test_any_literal_of_a_script_reaches_the_report(tmp_path: Path, value: str) -> None:
    said = check(tmp_path, f"from accelerate import Accelerator\naccelerator = Accelerator(mixed_precision={value})\n")
    assert said["outcome"]["error"]["message"].startswith("Unknown mixed_precision mode")


@pytest.mark.parametrize("name", ODD)
def test_no_odd_value_passes_where_the_launcher_fails(tmp_path: Path, name: str) -> None:
    for key, rules in (("mixed_precision", {"FP303", "FP302"}), ("num_machines", {"FP910"})):
        if key == "num_machines" and name in ("nan", "infinity"):
            continue  # numbers, to the launcher
        entries = {"distributed_type": "'NO'", "num_processes": "1", "mixed_precision": "bf16", key: ODD[name]}
        text = "".join(f"{name}: {value}\n" for name, value in entries.items())
        said = check(tmp_path, "print()\n", HOPPER, accelerate=text)
        assert (said.code, said["verdict"]) == (1, "fail"), (key, said.text)
        assert rules & said.rules, (key, said.text)


NUMBERS = {
    "superscript": ("\u00b2", False),
    "5000-digits": ("9" * 5000, False),
    "half": ("1.5", False),
    "word": ("two", False),
    "nothing": ("", False),
    "underscore": ("1_0", True),
    "arabic": ("\u0661", True),
    "full-width": ("\uff11", True),
    "spaces": (" 1 ", True),
    "plus": ("+1", True),
}


def numbered(folder: Path, flag: str, text: str) -> tuple[int, set[str], str]:
    (folder / "accel.yaml").write_text(BF16)
    first = "--main_process_ip 10.0.0.1 --main_process_port 29500"  # what several machines want
    launch = f"accelerate launch --config_file accel.yaml {first} --{flag}={text!r} train.py"
    (folder / "train.py").write_text("print()\n")
    done = run("accel.yaml", "--launch", launch, "--format", "json", cwd=folder)
    return done.returncode, {one["rule"] for one in json.loads(done.stdout or "{}").get("findings", ())}, done.stderr


@attack("E5")
@pytest.mark.parametrize("name", ["superscript", "5000-digits"])
def test_a_number_that_is_none_is_refused_as_argparse_does(tmp_path: Path, name: str) -> None:
    assert numbered(tmp_path, "num_processes", NUMBERS[name][0]) == (1, {"FP319"}, "")


@pytest.mark.parametrize("flag", ["num_processes", "num_machines", "fp8_margin"])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_flags_are_those_of_python(tmp_path: Path, name: str, flag: str) -> None:
    text, taken = NUMBERS[name]
    code, found, errors = numbered(tmp_path, flag, text)
    assert ("FP319" not in found, errors) == (taken, "")
    assert code == (0 if taken else 1)


@attack("E5")
def test_a_line_that_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "accel.yaml").write_text(BF16)
    done = run("explain", "accel.yaml:\u00b2", cwd=tmp_path)
    assert done.returncode == 2
    assert "say which line" in done.stderr


LATER = {
    "shell": "${BF16}",
    "shell-plain": "$BF16",
    "default": "${BF16:-true}",
    "kubernetes": "$(BF16)",
    "jinja": "'{{ bf16 }}'",
    "jinja-block": "'{% if x %}true{% endif %}'",
    "configparser": "'%(bf16)s'",
    "windows": "'%BF16%'",
    "at": "'@BF16@'",
    "angle": "<bf16>",
    "braces": "'{bf16}'",
    "underscores": "__BF16__",
    "omegaconf": "${oc.env:BF16}",
    "missing": "'???'",
}


@pytest.mark.parametrize("text", LATER.values(), ids=LATER)
def test_a_value_that_is_filled_in_later_is_not_known(tmp_path: Path, text: str) -> None:
    """Of the training file and of the Accelerate file: neither a finding about the text nor a pass."""
    training = f"model_name_or_path: gpt2\noutput_dir: out\nper_device_train_batch_size: 8\nbf16: {text}\nfp16: true\n"
    said = check(tmp_path, "trainer.train()\n", HOPPER, training=training)
    assert (said["verdict"], said.rules & {"FP101", "FP115", "FP907"}) == ("undecided", set()), said.text
    assert "filled in later" in said["outcome"]["undecided"]
    said = check(tmp_path, "print()\n", AMPERE, accelerate=BF16.replace("bf16", text))
    assert (said["verdict"], said["requested"]["fp8"]) == ("undecided", False), said.text
    assert "filled in later" in said["requested"]["perhaps"]
    assert "FP701" in {one["rule"] for one in said["undecided"]}


def test_what_hangs_on_no_such_value_is_found_all_the_same(tmp_path: Path) -> None:
    training = "model_name_or_path: ${MODEL}\noutput_dir: ${OUT}\nbf16: true\nlearning_rate: ${LR}\n"
    said = check(tmp_path, "trainer.train()\n", HOPPER, training=training, accelerate=BF16.replace("bf16", "fp8"))
    assert (said.code, "FP101" in said.rules) == (1, True), said.text


@pytest.mark.parametrize("flag", ["--mixed_precision $MP", "--num_processes ${N}", "--config_file ${FILE}"])
def test_a_flag_that_is_filled_in_later_is_not_known(tmp_path: Path, flag: str) -> None:
    (tmp_path / "train.py").write_text("print()\n")
    (tmp_path / "facts.json").write_text(facts(HOPPER))
    (tmp_path / "train.yaml").write_text(TRAINER)
    words = ["train.yaml", "--facts", "facts.json", "--launch", f"accelerate launch {flag} train.py"]
    done = run(*words, "--require-evidence", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (3, "")


MODULES = {
    "a-module": ("helpers.py", "import helpers\nhelpers.prepare(model)\n"),
    "a-name": ("helpers.py", "from helpers import prepare\nprepare(model)\n"),
    "a-star": ("helpers.py", "from helpers import *\nprepare(model)\n"),
    "a-package": ("lib/tools.py", "from lib.tools import prepare\nprepare(model)\n"),
    "a-package-itself": ("lib/__init__.py", "import lib as x\nx.prepare(model)\n"),
    "in-a-function": ("helpers.py", "def main():\n    import helpers\n    helpers.prepare(model)\nmain()\n"),
}
PREPARE = "def prepare(model):\n    from torchao.float8 import convert_to_float8_training\n    "
PREPARE += "convert_to_float8_training(model)\n"


@attack("U6")
@pytest.mark.parametrize("name", MODULES)
def test_modules_beside_the_script_are_read(tmp_path: Path, name: str) -> None:
    module, script = MODULES[name]
    (tmp_path / module).parent.mkdir(exist_ok=True)
    (tmp_path / module).write_text(PREPARE)
    said = check(tmp_path, script + AFTER, HOPPER)
    is_undecided(said)
    assert f"{module}:3" in said["outcome"]["undecided"]


@attack("U6")
def test_a_module_that_a_module_imports_is_read(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/__init__.py").write_text("from .inner import prepare\n")
    (tmp_path / "lib/inner.py").write_text(PREPARE)
    said = check(tmp_path, "import lib\nlib.prepare(model)\n" + AFTER, HOPPER)
    is_undecided(said)
    assert "lib/inner.py:3" in said["outcome"]["undecided"]


@attack("U7")
def test_a_module_that_makes_the_accelerator_is_read(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("from accelerate import Accelerator\ndef make():\n    return Accelerator()\n")
    script = "import os\nimport helpers\nif os.cpu_count() > 4:\n    accelerator = helpers.make()\n"
    said = check(tmp_path, script, HOPPER)
    is_undecided(said)
    assert said["outcome"]["undecided"].startswith("helpers.py:3 makes Accelerator")


def test_modules_that_do_nothing_leave_the_run_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("import train\ndef prepare(model):\n    return model\n")
    said = check(tmp_path, "import helpers\nimport helpers.more\nfrom . import x\n" + AFTER, AMPERE)
    assert (said.code, said["verdict"]) == (0, "pass"), said.text
    assert [file["path"] for file in said["files"]] == ["accel.yaml", "train.py"]


@pytest.mark.parametrize("text", [b"def (", b"\xff\xfe", b"x = 1\n" * (MAX_CHARACTERS // 6 + 1)])
def test_a_module_that_cannot_be_read_is_no_pass(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "helpers.py").write_bytes(text)
    said = check(tmp_path, "import helpers\n" + AFTER, AMPERE)
    assert said["verdict"] != "pass", said.text


def test_a_script_with_more_modules_than_are_read(tmp_path: Path) -> None:
    for number in range(105):
        (tmp_path / f"m{number}.py").write_text(f"import m{number + 1}\n")
    assert check(tmp_path, "import m0\n" + AFTER, AMPERE)["verdict"] != "pass"
