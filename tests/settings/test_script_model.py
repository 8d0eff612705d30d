"""What a script says of its model, its batches and its adapters."""

from __future__ import annotations

import shlex

import pytest

from fp8check.rules.reading.source import load
from fp8check.rules.settings.script import COMPILES, LOADER, REENTRANT, ScriptSource, options_of
from fp8check.rules.settings.script_model import adapters_of, batches_of, checkpointing_of, model_of, said
from fp8check.rules.settings.script_syntax import parse
from fp8check.rules.settings.values import Setting

NAME = "model_name_or_path"
LOAD = "AutoModelForCausalLM.from_pretrained"
ARGPARSE = (
    "import argparse\np = argparse.ArgumentParser()\np.add_argument('--m', default='org/a')\na = p.parse_args()\n"
)


def sources(*texts: str, words: str = "") -> list[ScriptSource]:
    """Scripts with these words behind the first one."""
    made = [parse(load(f"s{number}.py", text.encode())) for number, text in enumerate(texts)]
    known = [one for one in made if one is not None]
    assert len(known) == len(texts)
    options = options_of(known, shlex.split(words))
    return [one.with_options(options) for one in known]


def plain(settings: dict[str, Setting]) -> dict[str, object]:
    """The values; of what is not known, three dots."""
    return {name: "..." if one.is_later else one.value for name, one in settings.items() if name != LOADER}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SFTTrainer('org/a', args=c)", {NAME: "org/a"}),
        ("SFTTrainer(m, args=c)", {}),
        (f"m = {LOAD}('org/a')", {NAME: "org/a"}),
        (f"N = 'org/a'\nm = {LOAD}(N, trust_remote_code=True)", {NAME: "org/a"}),
        (f"m = {LOAD}(pretrained_model_name_or_path='org/a')", {NAME: "org/a"}),
        (f"m = transformers.{LOAD}('org/a')\nr = {LOAD}('org/a')", {NAME: "org/a"}),
        ("m = LlamaForCausalLM.from_pretrained('org/a')", {NAME: "org/a"}),
        ("m = GPT2LMHeadModel.from_pretrained('gpt2')", {NAME: "gpt2"}),
        (f"m = {LOAD}('org/a')\nr = {LOAD}('org/b')", {}),
        (f"m = {LOAD}('org/a')\nr = {LOAD}(find())", {}),
        (f"m = {LOAD}(find())", {}),
        (f"m = {LOAD}(*names)", {}),
        (f"m = {LOAD}(config=c)", {}),
        (f"m = {LOAD}(3)", {}),
        ("m = AutoTokenizer.from_pretrained('org/a')", {}),
        ("m = AutoModelForSequenceClassification.from_pretrained('org/a')", {}),
        ("m = AutoPeftModelForCausalLM.from_pretrained('org/a')", {}),
        ("m = UNet2DConditionModel.from_pretrained('org/a', subfolder='unet')", {}),
        (f"m = {LOAD}('org/a')\nm.config.num_hidden_layers = 2", {}),
        (f"m = {LOAD}('org/a')\nm.resize_token_embeddings(9)", {}),
        ("SFTTrainer(model='org/a', args=args)", {NAME: "org/a"}),
        ("SFTTrainer(model=model, args=args)", {}),
        (f"SFTTrainer(model='org/a')\nt = {LOAD}('org/b')", {}),
        ("m = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained('org/a', use_cache=False))", {NAME: "org/a"}),
        ("c = AutoConfig.from_pretrained('org/a')\nm = AutoModelForCausalLM.from_config(c)", {NAME: "org/a"}),
        ("m = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained('org/a', vocab_size=9))", {}),
        ("m = AutoModelForCausalLM.from_config(LlamaConfig())", {}),
        ("m = AutoModelForCausalLM.from_config(make('org/a'))", {}),
    ],
)
def test_the_model(text: str, expected: dict[str, object]) -> None:
    assert plain(model_of(sources(text))) == expected


def test_the_model_of_a_module_and_of_the_command_line() -> None:
    assert plain(model_of(sources("import s1", f"def load():\n    return {LOAD}('org/a')\nAccelerator"))) == {
        NAME: "org/a"
    }
    text = f"{ARGPARSE}m = {LOAD}(a.m)"
    assert plain(model_of(sources(text))) == {NAME: "org/a"}
    (name, loader) = model_of(sources(text, words="--m org/b")).values()
    assert (name.value, name.origin.flag, loader.value) == ("org/b", "--m org/b", "transformers")
    assert model_of(sources("SFTTrainer(model='org/a')"))[LOADER].value == "trl"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("torch_dtype=torch.bfloat16", {"dtype": "bfloat16"}),
        ("dtype='auto'", {"dtype": "auto"}),
        ("torch_dtype=T", {"dtype": "bfloat16"}),
        ("torch_dtype=find()", {"dtype": "..."}),
        ("torch_dtype=torch.float8_e4m3fn", {"dtype": "..."}),
        ("torch_dtype=torch.bfloat16).to(torch.float32", {"dtype": "..."}),
        ("attn_implementation='eager'", {"attn_implementation": "eager"}),
        ("attn_implementation=find()", {"attn_implementation": "..."}),
        ("load_in_4bit=True", {"load_in_4bit": True}),
        ("load_in_8bit=False", {}),
        ("quantization_config=BitsAndBytesConfig(load_in_4bit=True)", {"load_in_4bit": True}),
        ("quantization_config=Mxfp4Config(dequantize=True)", {"load_in_4bit": "..."}),
        ("quantization_config=Q if a.q else None", {"load_in_4bit": "..."}),
        ("quantization_config=None", {}),
    ],
)
def test_how_it_is_loaded(given: str, expected: dict[str, object]) -> None:
    settings = plain(model_of(sources(f"T = torch.bfloat16\nm = {LOAD}('org/a', {given})")))
    assert settings == {NAME: "org/a", **expected}


def test_two_that_load_one_model_in_two_ways() -> None:
    text = f"m = {LOAD}('org/a', dtype='bfloat16', load_in_8bit=True)\nr = {LOAD}('org/a')"
    assert plain(model_of(sources(text))) == {NAME: "org/a", "dtype": "...", "load_in_8bit": "..."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("d = DataLoader(x, batch_size=4)", {"batch_size": 4}),
        ("d = DataLoader(x, 4)", {"batch_size": 4}),
        ("d = DataLoader(x)", {}),
        ("d = DataLoader(*x)", {}),
        ("d = DataLoader(x, batch_size=find())", {}),
        ("d = DataLoader(x, batch_size=4, shuffle=True)\ne = DataLoader(y, batch_size=8)", {"batch_size": 4}),
        ("d = DataLoader(x, batch_size=4)\ne = DataLoader(y, batch_size=8)", {}),
        ("t(x, truncation=True, max_length=2048)", {"max_length": 2048}),
        ("L = 512\nt.encode(x, truncation='longest_first', max_length=L)", {"max_length": 512}),
        ("t(x, truncation=False, max_length=2048)", {}),
        ("t(x, max_length=2048)", {}),
        ("t(x, truncation=True, max_length=2048)\nt(y, truncation=True, max_length=64)", {}),
        ("t(x, truncation=True, max_length=None)", {}),
    ],
)
def test_the_batches(text: str, expected: dict[str, object]) -> None:
    assert plain(batches_of(sources(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("LoraConfig(r=64, lora_dropout=0.1, target_modules='all-linear')", (64, 0.1, "all-linear")),
        ("LoraConfig(target_modules=['q_proj'])", (8, 0.0, ["q_proj"])),
        ("LoraConfig(r=find())", ("...", 0.0, "...")),
        ("LoraConfig(r=8)\nLoraConfig(r=8)", {"lora_r": "..."}),
        ("LoraConfig(TaskType.CAUSAL_LM)", {"lora_r": "..."}),
        ("LoraConfig(*x)", {"lora_r": "..."}),
        ("LoraConfig(**x)", {"lora_r": "..."}),
    ],
)
def test_the_adapters(text: str, expected: object) -> None:
    found = plain(adapters_of(sources(text)))
    if isinstance(expected, tuple):
        expected = dict(zip(("lora_r", "lora_dropout", "lora_target_modules"), expected, strict=True))
    assert found == expected


def test_all_that_a_script_of_its_own_says() -> None:
    text = f"import peft\nc = peft.LoraConfig\nm = torch.compile({LOAD}('org/a'))\nd = DataLoader(x, batch_size=4)"
    assert plain(said(sources(text))) == {NAME: "org/a", "batch_size": 4, "use_peft": True, COMPILES: "..."}
    assert plain(said(sources("from peft import LoraConfig", "import peft\npeft.x"))) == {"use_peft": True}
    assert plain(said(sources("from transformers import pipeline"))) == {}


_MODEL = f"m = {LOAD}('org/a')\n"
_ENABLE = "gradient_checkpointing_enable"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_MODEL, {}),
        (f"{_MODEL}m.{_ENABLE}()", {"gradient_checkpointing": True}),
        (f"def f():\n    {_MODEL}    m.{_ENABLE}()", {"gradient_checkpointing": True}),
        (f"def f():\n    if C:\n        {_MODEL}    m.{_ENABLE}()", {"gradient_checkpointing": True}),
        (f"{_MODEL}if C:\n    m.{_ENABLE}()", {"gradient_checkpointing": "..."}),
        (f"{_MODEL}def f():\n    m.{_ENABLE}()", {"gradient_checkpointing": "..."}),
        (
            f"{_MODEL}m.{_ENABLE}(gradient_checkpointing_kwargs={{'use_reentrant': True}})",
            {"gradient_checkpointing": True, REENTRANT: True},
        ),
        (
            f"{_MODEL}m.{_ENABLE}(gradient_checkpointing_kwargs=dict(use_reentrant=U))",
            {"gradient_checkpointing": True, REENTRANT: "..."},
        ),
        (f"{_MODEL}m.{_ENABLE}({{'use_reentrant': False}})", {"gradient_checkpointing": True, REENTRANT: "..."}),
        (f"{_MODEL}m.{_ENABLE}()\nm.gradient_checkpointing_disable()", {"gradient_checkpointing": "..."}),
        (f"{_MODEL}m.enable_gradient_checkpointing()", {"gradient_checkpointing": "..."}),
        (f"from torch.utils.checkpoint import checkpoint\n{_MODEL}", {"gradient_checkpointing": "..."}),
        (f"from torch.utils import checkpoint\n{_MODEL}", {"gradient_checkpointing": "..."}),
    ],
)
def test_whether_layers_are_computed_again(text: str, expected: dict[str, object]) -> None:
    found = plain(checkpointing_of(sources(text)))
    assert found == expected
